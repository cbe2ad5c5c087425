package be_test

import (
	"io/fs"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/be"
)

// TestNearest holds every condition to its promise: the nearest value meets it, and a value that already does is
// left alone.
func TestNearest(t *testing.T) {
	nearest(t, be.True, true, false)
	nearest(t, be.False, true, false)
	nearest(t, be.Unset, "", "default", "/etc/profile.json")
	nearest(t, be.OneOf("root:docker", "root:root"), "root:docker", "root:root", "deploy:docker", "")
	nearest(t, be.Other("json-file", "none"), "json-file", "none", "syslog", "")
	nearest(t, be.Some("default"), "", "default", "builder")
	nearest(t, be.None, nil, []string{}, []string{"registry.example:5000"})
	nearest(t, be.AnyOf("a plugin"), nil, []string{}, []string{"opa"})
	nearest(t, be.Without("dm.basesize="), nil, []string{"dm.basesize=20G"}, []string{"dm.fs=xfs", "dm.basesize=20G"})
	nearest(t, be.AtLeast(5, 50), -1, 0, 4, 5, 49, 51)
	for mode := range fs.FileMode(0o10000) {
		nearest(t, be.Within(0o644), mode)
		nearest(t, be.WithinDir(0o755), mode)
	}
}

func nearest[T any](t *testing.T, c be.Cond[T], values ...T) {
	t.Helper()
	for _, v := range values {
		n, ok := c.Nearest(v)
		if ok && !c.Holds(n) {
			t.Errorf("%v must be %s: nearest is %v, which is not", v, c.Text, n)
		}
		if ok && c.Holds(v) && !same(n, v) {
			t.Errorf("%v is already %s but nearest is %v", v, c.Text, n)
		}
	}
}

func same(a, b any) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if x.Kind() == reflect.Slice && x.Len() == 0 && y.Len() == 0 {
		return true // nil and empty are one list
	}
	return reflect.DeepEqual(a, b)
}

// TestWithin holds modes to what chmod means by them, exhaustively: never a bit more than before, never one outside
// the limit, and of a directory setgid and sticky alone stay.
func TestWithin(t *testing.T) {
	for mode := range fs.FileMode(0o10000) {
		file, _ := be.Within(0o644).Nearest(mode)
		if file != mode&0o644 {
			t.Fatalf("file %04o: nearest %04o, want %04o", mode, file, mode&0o644)
		}
		dir, _ := be.WithinDir(0o755).Nearest(mode)
		if dir != mode&0o3755 {
			t.Fatalf("directory %04o: nearest %04o, want %04o", mode, dir, mode&0o3755)
		}
	}
}

// TestHolds tells the modes that docker-bench-security gets wrong by comparing them as decimal numbers.
func TestHolds(t *testing.T) {
	got := map[fs.FileMode]bool{}
	for _, mode := range []fs.FileMode{0o644, 0o600, 0o400, 0, 0o606, 0o622, 0o577, 0o066, 0o4644} {
		got[mode] = be.Within(0o644).Holds(mode)
	}
	want := map[fs.FileMode]bool{0o644: true, 0o600: true, 0o400: true, 0: true,
		0o606: false, 0o622: false, 0o577: false, 0o066: false, 0o4644: false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("within 0644 (-want +got):\n%s", diff)
	}
}
