package tree_test

import (
	"os"
	"path/filepath"
	"testing"

	"example.com/harden/scripts/tree"
)

// TestOf tells each thing that may become of a file, and one that is written again as it was by its times alone.
func TestOf(t *testing.T) {
	root := t.TempDir()
	for name, change := range map[string]func(path string) error{
		"mode":    func(p string) error { return os.Chmod(p, 0o640) },
		"content": func(p string) error { return os.WriteFile(p, []byte("b"), 0o600) },
		"gone":    os.Remove,
		"link": func(p string) error {
			if err := os.Remove(p); err != nil {
				return err
			}
			return os.Symlink("a", p)
		},
		"again": func(p string) error {
			if err := os.Remove(p); err != nil {
				return err
			}
			return os.WriteFile(p, []byte("a"), 0o600)
		},
	} {
		dir := filepath.Join(root, name)
		file := filepath.Join(dir, "sub", "file")
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("a"), 0o600); err != nil {
			t.Fatal(err)
		}
		was, touched, other := tree.Of(t, dir), tree.Touched(t, dir), tree.Of(t, root, name+"/sub")
		if err := change(file); err != nil {
			t.Fatal(err)
		}
		if seen := tree.Of(t, dir)["/sub/file"] != was["/sub/file"]; seen == (name == "again") {
			t.Errorf("%s: seen: %v", name, seen)
		}
		if tree.Touched(t, dir)["/sub/file"] == touched["/sub/file"] {
			t.Errorf("%s: not seen by its times", name)
		}
		if len(other) != 2 || other["/"+name+"/sub/file"] != was["/sub/file"] {
			t.Errorf("%s: of a folder: %q", name, other)
		}
	}
}
