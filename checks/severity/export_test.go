package severity

import (
	"maps"
	"slices"
)

// Rated are the IDs of all checks that have a rating, sorted.
func Rated() []string { return slices.Sorted(maps.Keys(ratings)) }
