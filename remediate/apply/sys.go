package apply

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate/linux"
)

// sys are the system calls that an older kernel lacks, or that a test must be able to spoil.
type sys struct {
	openat2  func(dir int, path string, how *linux.OpenHow) (int, error)
	fchmodat func(dir int, path string, mode uint32, flags int) error
	fsync    func(fd int) error
	syncfs   func(fd int) error
	uptime   func() (time.Duration, error) // since boot, suspend included: no clock can be set that this follows
	sleep    func(time.Duration)
	devlog   string // the system log's socket
	boot     string // names this boot; empty where the kernel does not say
	self     string // the program that runs, wherever it was started from
}

func kernel() *sys {
	return &sys{openat2: linux.Openat2, fchmodat: unix.Fchmodat, fsync: unix.Fsync, syncfs: linux.Syncfs, uptime: uptime,
		sleep: time.Sleep, devlog: "/dev/log", boot: bootID(), self: "/proc/self/exe"}
}

func uptime() (time.Duration, error) {
	var up unix.Timespec
	if err := unix.ClockGettime(linux.CLOCK_BOOTTIME, &up); err != nil {
		return 0, fmt.Errorf("boot time: %w", err)
	}
	return time.Duration(up.Nano()), nil
}

// chmod changes the file behind fd, which may be an O_PATH descriptor: plain fchmod refuses those. fchmodat2 came with
// Linux 6.6; a container's older seccomp filter answers EPERM for it instead of ENOSYS.
func (s *sys) chmod(fd int, mode uint32) error {
	err := s.fchmodat(fd, "", mode, linux.AT_EMPTY_PATH)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return unix.Chmod(procFD(fd), mode)
	}
	return err
}

// directory opens a directory below root without following any link on the way.
func (s *sys) directory(root int, rel string) (int, error) {
	fd, err := s.openat2(root, rel, &linux.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: linux.RESOLVE_BENEATH | linux.RESOLVE_NO_SYMLINKS | linux.RESOLVE_NO_MAGICLINKS,
	})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return walk(root, rel)
	}
	return fd, err
}

// procFD names the file behind a descriptor for the calls that take no O_PATH descriptor.
func procFD(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// again repeats a call that a signal interrupted.
func again[T any](call func() (T, error)) (T, error) {
	for {
		v, err := call()
		if err != unix.EINTR {
			return v, err
		}
	}
}
