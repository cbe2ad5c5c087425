// Package sample is what the tool's own test mutates.
package sample

import (
	"io/fs"
	"os"
)

// Within is tested well.
func Within(n int) bool { return n >= 1 && n < 10 }

// Mode is tested at one value.
func Mode(m fs.FileMode) bool { return m&0o022 != 0 }

// Open makes nothing, so that nobody looks at the mode.
func Open(name string) (*os.File, error) { return os.OpenFile(name, os.O_RDONLY, 0) }

// First is not tested.
func First(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// Sum ends only because its loop does.
func Sum(n int) (s int) {
	for n > 0 {
		s += n
		n--
	}
	return s
}

// Quiet is tested where no file may be written.
func Quiet(n int) bool { return n == 0 }
