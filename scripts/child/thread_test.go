package child_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/harden/scripts/child"
)

// TestThread never gives away the first thread: what it is in is what /proc/self shows.
func TestThread(t *testing.T) {
	const threads = 64
	ids, end := make(chan int), make(chan struct{})
	defer close(end)
	for range threads {
		child.Thread(func() {
			ids <- unix.Gettid()
			<-end
		})
	}
	seen := map[int]bool{unix.Getpid(): true}
	for range threads {
		if id := <-ids; seen[id] {
			t.Errorf("thread %d is the first one, or is given twice", id)
		} else {
			seen[id] = true
		}
	}
}

// TestThreads finds nobody else who keeps a thread, but for a test that keeps the first one on purpose.
func TestThreads(t *testing.T) {
	root, found := filepath.Join("..", ".."), []string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), "runtime."+"LockOSThread") {
			name, _ := filepath.Rel(root, path)
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"remediate/apply/helper_test.go", "scripts/child/thread.go"}; !slices.Equal(found, want) {
		t.Errorf("%v keep a thread; only %v may, the others call child.Thread", found, want)
	}
}
