package built

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestKept makes a thing once for a key, makes it anew for another, and keeps nothing of one that failed.
func TestKept(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	made := 0
	fill := func(dir string) error {
		made++
		return os.WriteFile(filepath.Join(dir, "thing"), nil, 0o600)
	}
	kept := func(kind, key string, fill func(string) error) (string, error) {
		t.Helper()
		return Kept("test", kind, key, fill)
	}
	if _, err := kept("a", "1", func(string) error { return errors.New("no room") }); err == nil {
		t.Error("what could not be made is kept")
	}
	first, err := kept("a", "1", fill)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := kept("a", "1", fill); err != nil || again != first || made != 1 {
		t.Errorf("made %d times, in %s and %s: %v", made, first, again, err)
	}
	other, err := kept("b", "1", fill)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kept("a", "2", fill); err != nil || made != 3 {
		t.Fatalf("made %d times: %v", made, err)
	}
	if _, err := os.Stat(first); err == nil {
		t.Error("what has another key stays")
	}
	if _, err := os.Stat(filepath.Join(other, "thing")); err != nil {
		t.Errorf("another kind went with it: %v", err)
	}
}
