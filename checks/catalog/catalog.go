// Package catalog lists every check and picks from them what a user wants.
package catalog

import (
	"slices"

	"example.com/harden/checks/docker"
)

// All is every check, in report order.
var All = slices.Concat(docker.All)
