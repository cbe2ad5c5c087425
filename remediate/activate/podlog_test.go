package activate

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestLastWords(t *testing.T) {
	dir := t.TempDir()
	hour := 0
	log := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		hour++
		when := time.Unix(int64(hour)*3600, 0)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		return path
	}
	want := func(path, words string) {
		t.Helper()
		if p, w := lastWords(filepath.Join(dir, "*.log")); p != path || w != words {
			t.Errorf("%s says %q, want %s and %q", p, w, path, words)
		}
	}
	const stamp = "2026-01-02T03:04:05.678901234Z stderr F "
	want("", "")
	log("9.log", stamp+"the pod before\n")
	ten := log("10.log", stamp+"so it begins\n"+stamp+"so it ends\n"+stamp+"\n")
	log("11.log", "")
	if err := syscall.Mkfifo(filepath.Join(dir, "12.log"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("9.log", filepath.Join(dir, "13.log")); err != nil {
		t.Fatal(err)
	}
	want(ten, "so it ends")
	long := log("14.log", strings.Repeat(stamp+"so it goes on\n", 1000)+stamp+strings.Repeat("x", 600)+"\n")
	want(long, strings.Repeat("x", 500))
}
