package child

import (
	"os"
	"strconv"
	"strings"
)

// Measured is the command line that runs another one and writes to a file the most memory that it held, as Peak reads
// it. Linux counts to a program what the process held that started it, so what a ProcessState tells is at least what
// the tests hold; GNU time, which stands between here, holds next to nothing.
func Measured(file string, commandLine ...string) []string {
	return append([]string{"/usr/bin/time", "--quiet", "--format=%M", "--output=" + file}, commandLine...)
}

// Peak gives what a program of Measured held that has ended, in bytes.
func Peak(file string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	kib, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return kib << 10, err
}
