package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// How a file is opened to look at it, without reading it and without following it.
const (
	lookAt   = unix.O_PATH
	noFollow = unix.O_NOFOLLOW
	// what asks whether a file is a terminal
	terminalState = unix.TCGETS
	// what sets the modes of a terminal, and, the second, throws away what was typed and not read yet
	setTerminal   = unix.TCSETS
	flushTerminal = unix.TCSETSF
)

// procHere is an error where proc is not mounted, as in a new root: every file is read through it.
func procHere(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "self/fd")); err != nil {
		return fmt.Errorf("%s: not mounted, so no file can be read; use `mount -t proc proc %[1]s`", dir)
	}
	return nil
}

// readLink returns where the link leads that was opened as name in dir.
func readLink(_ *os.File, _ string, link *os.File) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(link.Fd()), "", buf)
	return string(buf[:max(n, 0)]), err
}
