//go:build linux && !portable

package live

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Kernels before 5.6 have no openat2: the walk by hand must end where it does.
func TestFollowLikeStraight(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a/b/file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(root)
	inode := func(p place, err error) (uint64, string, error) {
		if err != nil {
			return 0, "", err
		}
		defer p.close()
		var st unix.Stat_t
		err = unix.Fstat(p.fd, &st)
		return st.Ino, p.path, err
	}
	for _, path := range []string{"/", "/a", "/a/b", "/a/b/file", "/gone", "/a/gone", "/a/b/file/below"} {
		want, wantPath, wantErr := inode(straight(root, path))
		got, gotPath, gotErr := inode(follow(root, path, false))
		if got != want || gotPath != wantPath || !errors.Is(gotErr, wantErr) {
			t.Errorf("%s: %d at %q, %v; want %d at %q, %v", path, got, gotPath, gotErr, want, wantPath, wantErr)
		}
	}
	before := descriptors(t)
	for _, path := range []string{"/a/b/file", "/a/gone", "/a/b/file/below"} {
		if p, err := follow(root, path, false); err == nil {
			p.close()
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("the walk leaves %d descriptors open", after-before)
	}
}

// descriptors counts this process's descriptors.
func descriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

func TestHolds(t *testing.T) {
	dir, err := os.MkdirTemp("", "ho") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "real/s.sock")
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "real"), 0o755),
		os.Symlink("real", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := New("/", DockerOptions{})
	for path, want := range map[string]bool{socket: true, filepath.Join(dir, "link/s.sock"): true,
		filepath.Join(dir, "other"): false} {
		if got := s.holds(os.Getpid(), path); got != want {
			t.Errorf("we hold %s: %v, want %v", path, got, want)
		}
	}
	if s.holds(1<<30, socket) {
		t.Error("a process that does not exist holds it too")
	}
}
