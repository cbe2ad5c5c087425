package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// macOS opens a link itself by O_SYMLINK, which it wants in place of O_NOFOLLOW.
const (
	lookAt        = unix.O_NONBLOCK
	noFollow      = unix.O_SYMLINK
	terminalState = unix.TIOCGETA
	setTerminal   = unix.TIOCSETA
	flushTerminal = unix.TIOCSETAF
)

func procHere(string) error { return nil }

// readLink returns where a link in a directory leads. The caller has seen that nobody else can replace it there.
func readLink(dir *os.File, name string, _ *os.File) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(dir.Fd()), name, buf)
	return string(buf[:max(n, 0)]), err
}
