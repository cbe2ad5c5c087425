package apply

import (
	"os"
	"path/filepath"
	"testing"
)

// TestActorsTerminal notes in the history which terminal a run was started from, whichever of its three files that is.
func TestActorsTerminal(t *testing.T) {
	if !inside(t) {
		return
	}
	w := newWorld(t)
	command(t, "mount", "-t", "tmpfs", "none", "/dev") // a file is named by its path, whatever it is
	must(t, os.Mkdir("/dev/pts", 0o755))
	for _, name := range []string{"null", "pts/7", "ttyS0"} {
		must(t, os.WriteFile(filepath.Join("/dev", name), nil, 0o600))
	}
	for _, test := range []struct {
		files [3]string
		want  string
	}{
		{[3]string{"null", "null", "null"}, ""},
		{[3]string{"pts/7", "null", "ttyS0"}, "pts/7"},
		{[3]string{"null", "ttyS0", "null"}, "ttyS0"},
		{[3]string{"null", "null", "pts/7"}, "pts/7"},
	} {
		fresh(t, w)
		c := helper(w, "apply")
		var opened []*os.File
		for _, name := range test.files {
			f, err := os.OpenFile(filepath.Join("/dev", name), os.O_RDWR, 0)
			must(t, err)
			defer f.Close()
			opened = append(opened, f)
		}
		c.Stdin, c.Stdout, c.Stderr = opened[0], opened[1], opened[2]
		must(t, c.Run())
		var got []string
		must(t, readHistory(filepath.Join(w.state, "audit.jsonl"), func(r record, _ string) {
			if r.Event == hiApply {
				got = append(got, r.Actor.TTY)
			}
		}))
		if len(got) != 1 || got[0] != test.want {
			t.Errorf("%q: the history names %q, want %q", test.files, got, test.want)
		}
	}
}
