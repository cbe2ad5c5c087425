// Package be holds the conditions that a value can be required to meet.
package be

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// A Cond is a condition that also knows the nearest value that meets it, so that what is judged and what is proposed
// cannot disagree.
type Cond[T any] struct {
	Text    string            // completes "must be …"
	Holds   func(T) bool      // reports whether a value meets the condition
	Nearest func(T) (T, bool) // the smallest change that meets it; false where a person must choose
}

// The conditions of most switches.
var (
	True  = Equal(true)
	False = Equal(false)
)

// Unset requires that nobody set a value.
var Unset = Cond[string]{
	Text:    "unset",
	Holds:   func(got string) bool { return got == "" },
	Nearest: func(string) (string, bool) { return "", true },
}

// Equal requires exactly v.
func Equal[T comparable](v T) Cond[T] { return OneOf(v) }

// OneOf requires one of a few values. The first is the one to propose.
func OneOf[T comparable](first T, others ...T) Cond[T] {
	all := append([]T{first}, others...)
	texts := make([]string, len(all))
	for i, v := range all {
		texts[i] = fmt.Sprint(v)
	}
	return Cond[T]{
		Text:  strings.Join(texts, " or "),
		Holds: func(got T) bool { return slices.Contains(all, got) },
		Nearest: func(got T) (T, bool) {
			if slices.Contains(all, got) {
				return got, true
			}
			return first, true
		},
	}
}

// Other requires anything but the given values. There is no nearest value: which other one is a person's choice.
func Other(than ...string) Cond[string] {
	return Cond[string]{
		Text:    "other than " + strings.Join(than, ", "),
		Holds:   func(got string) bool { return !slices.Contains(than, got) },
		Nearest: func(got string) (string, bool) { return got, !slices.Contains(than, got) },
	}
}

// Some requires that a value is set at all, and proposes byDefault.
func Some(byDefault string) Cond[string] {
	return Cond[string]{
		Text:  "set",
		Holds: func(got string) bool { return got != "" },
		Nearest: func(got string) (string, bool) {
			if got == "" {
				got = byDefault
			}
			return got, true
		},
	}
}

// None requires an empty list.
var None = Cond[[]string]{
	Text:    "empty",
	Holds:   func(got []string) bool { return len(got) == 0 },
	Nearest: func([]string) ([]string, bool) { return []string{}, true },
}

// AnyOf requires a list that is not empty. There is no nearest value: what to put there is a person's choice.
func AnyOf(what string) Cond[[]string] {
	return Cond[[]string]{
		Text:    what,
		Holds:   func(got []string) bool { return len(got) > 0 },
		Nearest: func(got []string) ([]string, bool) { return got, len(got) > 0 },
	}
}

// Without requires a list in which nothing starts with prefix.
func Without(prefix string) Cond[[]string] {
	bad := func(s string) bool { return strings.HasPrefix(s, prefix) }
	return Cond[[]string]{
		Text:  "without " + prefix,
		Holds: func(got []string) bool { return !slices.ContainsFunc(got, bad) },
		Nearest: func(got []string) ([]string, bool) {
			return slices.DeleteFunc(slices.Clone(got), bad), true
		},
	}
}

// Within requires permission bits that are a subset of limit, of all twelve. Its nearest value only ever takes bits
// away: 0400 stays 0400 within 0644.
func Within(limit fs.FileMode) Cond[fs.FileMode] { return within(limit, limit) }

// WithinDir is Within for a directory, where setgid and the sticky bit grant nothing and stay as they are.
func WithinDir(limit fs.FileMode) Cond[fs.FileMode] { return within(limit, limit|0o3000) }

func within(limit, allowed fs.FileMode) Cond[fs.FileMode] {
	return Cond[fs.FileMode]{
		Text:    fmt.Sprintf("%04o or stricter", limit),
		Holds:   func(got fs.FileMode) bool { return got&^allowed == 0 },
		Nearest: func(got fs.FileMode) (fs.FileMode, bool) { return got & allowed, true },
	}
}

// AtLeast requires a number that is not below least, and proposes another that is comfortably above.
func AtLeast(least, propose int) Cond[int] {
	return Cond[int]{
		Text:  fmt.Sprintf("at least %d", least),
		Holds: func(got int) bool { return got >= least },
		Nearest: func(got int) (int, bool) {
			if got < least {
				got = propose
			}
			return got, true
		},
	}
}
