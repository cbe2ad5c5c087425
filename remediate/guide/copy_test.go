package guide

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// must ends a test that can't go on.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// roots are a data root with one volume, and one that it is copied to.
func roots(t *testing.T) (from, to, volume string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: files of several owners")
	}
	from, to = t.TempDir(), t.TempDir()
	must(t, os.MkdirAll(filepath.Join(from, "volumes/v/_data"), 0o755))
	must(t, os.MkdirAll(filepath.Join(to, "volumes/v/_data"), 0o755))
	return from, to, filepath.Join(from, "volumes/v/_data")
}

const inVolumes = "volumes/v/_data"

var mapped = &Mapping{UIDs: []Range{{0, 200000, 65536}}, GIDs: []Range{{0, 300000, 65536}}}

func put(t *testing.T, path, content string, uid, gid int, mode uint32) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), 0o600))
	must(t, os.Chown(path, uid, gid))
	must(t, unix.Chmod(path, mode))
}

func statOf(t *testing.T, path string) unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st))
	return st
}

// TestCopyKeepsWhatAVolumeHolds: owners by the mapping, modes with their set-user-ID bits, links of both kinds, FIFOs,
// holes, times, attributes. The volume itself is not even read in a way that shows.
func TestCopyKeepsWhatAVolumeHolds(t *testing.T) {
	from, to, v := roots(t)
	put(t, v+"/app", "#!/bin/sh\n", 0, 0, 0o4755)
	put(t, v+"/data", "rows", 999, 998, 0o640)
	must(t, os.Mkdir(v+"/sub", 0o750))
	must(t, os.Chown(v+"/sub", 1000, 1001))
	must(t, unix.Chmod(v+"/sub", 0o3750))
	must(t, os.Link(v+"/data", v+"/sub/same"))
	must(t, os.Link(v+"/data", v+"/third"))
	must(t, os.Symlink("/etc/shadow", v+"/shadow"))
	must(t, os.Lchown(v+"/shadow", 5, 6))
	must(t, unix.Mkfifo(v+"/pipe", 0o620))
	must(t, unix.Chmod(v+"/pipe", 0o620))
	must(t, unix.Mknod(v+"/disk", unix.S_IFBLK|0o666, 8<<8))
	sparse, err := os.Create(v + "/sparse")
	must(t, err)
	_, err = sparse.WriteAt([]byte("end"), 1<<32)
	must(t, err)
	must(t, sparse.Truncate(1<<33))
	must(t, sparse.Close())
	must(t, unix.Setxattr(v+"/data", "user.note", []byte("kept"), 0))
	must(t, unix.Setxattr(v+"/app", "security.capability",
		[]byte("\x01\x00\x00\x02\x00\x04\x00\x00"+strings.Repeat("\x00", 12)), 0))
	old := []unix.Timespec{{Sec: 1e9, Nsec: 5}, {Sec: 1e9 + 7, Nsec: 9}}
	for _, name := range []string{"/data", "/shadow", "/pipe", "/sub", ""} {
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, v+name, old, unix.AT_SYMLINK_NOFOLLOW))
	}
	tree, err := Copy(t.Context(), from, inVolumes, to, inVolumes, mapped, 1<<20)
	must(t, err)
	if tree.Entries != 9 || tree.Links != 3 || tree.SetID != 1 || tree.NDevices != 1 || tree.Devices[0] != "disk" ||
		tree.NForeign != 0 {
		t.Errorf("%+v", tree)
	}
	got := filepath.Join(to, inVolumes)
	for name, want := range map[string]struct{ mode, uid, gid uint32 }{
		"": {unix.S_IFDIR | 0o755, 200000, 300000}, "/app": {unix.S_IFREG | 0o4755, 200000, 300000},
		"/data": {unix.S_IFREG | 0o640, 200999, 300998}, "/sub": {unix.S_IFDIR | 0o3750, 201000, 301001},
		"/shadow": {unix.S_IFLNK | 0o777, 200005, 300006}, "/pipe": {unix.S_IFIFO | 0o620, 200000, 300000},
	} {
		st := statOf(t, got+name)
		if st.Mode != want.mode || st.Uid != want.uid || st.Gid != want.gid {
			t.Errorf("%q: %o %d:%d", name, st.Mode, st.Uid, st.Gid)
		}
		if name != "/app" && st.Mtim != old[1] {
			t.Errorf("%q: modified %v", name, st.Mtim)
		}
	}
	if a, b := statOf(t, got+"/data"), statOf(t, got+"/sub/same"); a.Ino != b.Ino || a.Nlink != 3 {
		t.Errorf("hard links: inodes %d and %d, %d names", a.Ino, b.Ino, a.Nlink)
	}
	if st := statOf(t, got+"/sparse"); st.Size != 1<<33 || st.Blocks > 1000 {
		t.Errorf("sparse: %d bytes, %d blocks", st.Size, st.Blocks)
	}
	if _, err := os.Lstat(got + "/disk"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("device node: %v", err)
	}
	value := make([]byte, 100)
	n, err := unix.Getxattr(got+"/data", "user.note", value)
	if err != nil || string(value[:n]) != "kept" {
		t.Errorf("user.note: %q, %v", value[:max(n, 0)], err)
	}
	n, err = unix.Getxattr(got+"/app", "security.capability", value)
	if err != nil || n != 24 || value[3] != 3 || !bytes.Equal(value[20:24], []byte{0x40, 0x0d, 0x03, 0}) { // 200000
		t.Errorf("capabilities: %x, %v", value[:max(n, 0)], err)
	}
	if st := statOf(t, v+"/data"); st.Atim != old[0] {
		t.Errorf("the volume was read: %v", st.Atim)
	}
	copied, err := measure(&walk{ctx: t.Context(), inside: true}, to, inVolumes)
	must(t, err)
	if !tree.same(copied) {
		t.Errorf("copied:\n%+v\n%+v", tree, copied)
	}
	put(t, got+"/data", "rows", 200999, 300999, 0o640)
	if copied, err = measure(&walk{ctx: t.Context(), inside: true}, to, inVolumes); err != nil || tree.same(copied) {
		t.Errorf("another group is not seen: %v", err)
	}
	must(t, empty(to, inVolumes))
	if names, err := os.ReadDir(got); err != nil || len(names) > 0 {
		t.Errorf("emptied: %v, %v", names, err)
	}
}

// TestCopyIsBounded: what a container has filled a volume with harms nobody outside it.
func TestCopyIsBounded(t *testing.T) {
	t.Run("owner without a place", func(t *testing.T) {
		from, to, v := roots(t)
		put(t, v+"/x", "", 70000, 0, 0o600)
		tree, err := Measure(t.Context(), from, inVolumes, mapped)
		if err != nil || tree.NForeign != 1 || tree.Foreign[0] != "x" {
			t.Errorf("%+v, %v", tree, err)
		}
		if _, err := Copy(t.Context(), from, inVolumes, to, inVolumes, mapped,
			1<<20); err == nil || !strings.Contains(err.Error(), "belongs to 70000:0") {
			t.Errorf("copied: %v", err)
		}
		if _, err := os.Lstat(filepath.Join(to, inVolumes, "x")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it is there: %v", err)
		}
	})
	t.Run("size", func(t *testing.T) {
		from, to, v := roots(t)
		put(t, v+"/x", strings.Repeat("x", 1<<16), 0, 0, 0o600)
		if _, err := Copy(t.Context(), from, inVolumes, to, inVolumes, mapped, 1<<15); !errors.Is(err, errNoRoom) {
			t.Errorf("copied: %v", err)
		}
	})
	t.Run("depth", func(t *testing.T) {
		from, _, v := roots(t)
		at, err := unix.Open(v, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		must(t, err)
		for range maxDepth + 2 {
			must(t, unix.Mkdirat(at, strings.Repeat("d", 200), 0o755))
			next, err := unix.Openat(at, strings.Repeat("d", 200), unix.O_RDONLY|unix.O_DIRECTORY, 0)
			must(t, err)
			unix.Close(at)
			at = next
		}
		unix.Close(at)
		if _, err := Measure(t.Context(), from, inVolumes, mapped); err == nil || !strings.Contains(err.Error(),
			"nested more than 400 deep") {
			t.Errorf("measured: %.100v", err)
		}
	})
	t.Run("link in the place of the volume", func(t *testing.T) {
		from, to, v := roots(t)
		must(t, os.Remove(v))
		must(t, os.Symlink("/etc", v))
		if _, err := Measure(t.Context(), from, inVolumes, mapped); err == nil || !strings.Contains(err.Error(),
			"symbolic link") {
			t.Errorf("measured: %v", err)
		}
		if _, err := Copy(t.Context(), to, inVolumes, from, inVolumes, mapped,
			1<<20); err == nil || !strings.Contains(err.Error(), "symbolic link") {
			t.Errorf("copied: %v", err)
		}
	})
	t.Run("mount", func(t *testing.T) {
		from, to, v := roots(t)
		must(t, os.Mkdir(v+"/proc", 0o755))
		if err := unix.Mount("proc", v+"/proc", "proc", 0, ""); err != nil {
			t.Skipf("needs to mount: %v", err)
		}
		defer unix.Unmount(v+"/proc", unix.MNT_DETACH)
		tree, err := Copy(t.Context(), from, inVolumes, to, inVolumes, mapped, 1<<20)
		if err != nil || tree.Entries != 1 || len(tree.Mounts) != 1 || tree.Mounts[0] != "proc" {
			t.Errorf("%+v, %v", tree, err)
		}
	})
	t.Run("access control list", func(t *testing.T) {
		c := &copier{mapping: mapped}
		const named = "\x02\x00\x00\x00\x02\x00\x06\x00\xe8\x03\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff"
		if got, err := c.acl([]byte(named)); err != nil || string(got[8:12]) != "\x28\x11\x03\x00" ||
			string(got[16:20]) != "\xff\xff\xff\xff" { // 201000
			t.Errorf("%x, %v", got, err)
		}
		for _, bad := range []string{"", "\x01\x00\x00\x00", named[:9], strings.Replace(named, "\xe8\x03\x00",
			"\xe8\x03\x01", 1)} {
			if _, err := c.acl([]byte(bad)); err == nil {
				t.Errorf("%x is taken", bad)
			}
		}
	})
}
