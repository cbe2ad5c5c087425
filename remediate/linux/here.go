//go:build linux && !portable

package linux

import "golang.org/x/sys/unix"

// Here is true where harden can change files.
const Here = true

// As golang.org/x/sys/unix has them.
const (
	AT_EMPTY_PATH         = unix.AT_EMPTY_PATH
	CLOCK_BOOTTIME        = unix.CLOCK_BOOTTIME
	FUSE_SUPER_MAGIC      = unix.FUSE_SUPER_MAGIC
	O_NOATIME             = unix.O_NOATIME
	O_PATH                = unix.O_PATH
	RAMFS_MAGIC           = unix.RAMFS_MAGIC
	RENAME_NOREPLACE      = unix.RENAME_NOREPLACE
	RESOLVE_BENEATH       = unix.RESOLVE_BENEATH
	RESOLVE_NO_MAGICLINKS = unix.RESOLVE_NO_MAGICLINKS
	RESOLVE_NO_SYMLINKS   = unix.RESOLVE_NO_SYMLINKS
	STATX_ATTR_APPEND     = unix.STATX_ATTR_APPEND
	STATX_ATTR_IMMUTABLE  = unix.STATX_ATTR_IMMUTABLE
	STATX_ATTR_MOUNT_ROOT = unix.STATX_ATTR_MOUNT_ROOT
	STATX_BASIC_STATS     = unix.STATX_BASIC_STATS
	ST_RDONLY             = unix.ST_RDONLY
	TMPFS_MAGIC           = unix.TMPFS_MAGIC
)

// As golang.org/x/sys/unix has them.
type (
	OpenHow = unix.OpenHow
	Statx_t = unix.Statx_t
)

// As golang.org/x/sys/unix has them.
var (
	Mknodat   = unix.Mknodat
	Openat2   = unix.Openat2
	Renameat2 = unix.Renameat2
	Statx     = unix.Statx
	Syncfs    = unix.Syncfs
)

// Peer returns the process at the other end of a socket.
func Peer(fd int) (int, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, err
	}
	return int(cred.Pid), nil
}

// SwitchOff takes a network interface down.
func SwitchOff(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, request); err != nil {
		return err
	}
	request.SetUint16(request.Uint16() &^ unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}
