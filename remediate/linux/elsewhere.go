//go:build !linux || portable

package linux

import (
	"errors"
	"runtime"
)

// Here is true where harden can change files.
const Here = false

// errElsewhere is what each of these calls answers.
var errElsewhere = errors.New("only possible on Linux, and this is " + runtime.GOOS)

// None of these reaches a kernel.
const (
	AT_EMPTY_PATH = 1 << iota
	CLOCK_BOOTTIME
	FUSE_SUPER_MAGIC
	O_NOATIME
	O_PATH
	RAMFS_MAGIC
	RENAME_NOREPLACE
	RESOLVE_BENEATH
	RESOLVE_NO_MAGICLINKS
	RESOLVE_NO_SYMLINKS
	STATX_ATTR_APPEND
	STATX_ATTR_IMMUTABLE
	STATX_ATTR_MOUNT_ROOT
	STATX_BASIC_STATS
	ST_RDONLY
	TMPFS_MAGIC
)

// OpenHow has the fields of Linux's that are set.
type OpenHow struct{ Flags, Resolve uint64 }

// Statx_t has the fields of Linux's that are read.
type Statx_t struct{ Attributes uint64 }

func Mknodat(int, string, uint32, int) error         { return errElsewhere }
func Openat2(int, string, *OpenHow) (int, error)     { return -1, errElsewhere }
func Renameat2(int, string, int, string, uint) error { return errElsewhere }
func Statx(int, string, int, int, *Statx_t) error    { return errElsewhere }
func Syncfs(int) error                               { return errElsewhere }

// Peer returns the process at the other end of a socket.
func Peer(int) (int, error) { return 0, errElsewhere }

// SwitchOff takes a network interface down.
func SwitchOff(string) error { return errElsewhere }
