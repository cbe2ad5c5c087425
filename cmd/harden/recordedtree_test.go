package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/fixtures"
	"example.com/harden/scripts/child"
)

// TestRecordedTrees takes the files of every recorded host through all that is allowed, as --root does with a disk: a
// second run has nothing to do, and the way back leaves every file as it was.
func TestRecordedTrees(t *testing.T) {
	if testing.Short() {
		t.Skip("writes some hundred trees")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to give files their owners")
	}
	for _, name := range fixtures.Names() {
		rec, err := fixtures.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(rec.Sources) > 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, state := filepath.Join(t.TempDir(), "host"), t.TempDir()
			if err := rec.Write(root); err != nil {
				t.Fatal(err)
			}
			before := grown(t, root)
			harden := func(args ...string) (outcome string, code int, out []byte) {
				t.Helper()
				cmd := exec.Command("/proc/self/exe", append(args, "--yes", "--config", "none", "--root", root, "--state",
					state, "--format", "json")...)
				cmd.Args[0], cmd.Env = "harden", child.Environ("TESTSCRIPT_COMMAND=harden")
				out, _ = cmd.Output()
				var r struct{ Run *struct{ Outcome string } }
				if err := json.Unmarshal(out, &r); err != nil || r.Run == nil {
					t.Fatalf("harden %q: exit %d: %v\n%s", args, cmd.ProcessState.ExitCode(), err, out)
				}
				return r.Run.Outcome, cmd.ProcessState.ExitCode(), out
			}
			first, code, out := harden("--allow", "all")
			if first != "applied" && first != "unchanged" {
				t.Fatalf("the first run: %s, exit %d\n%s", first, code, out)
			}
			after := grown(t, root)
			if again, code, out := harden("--allow", "all"); again != "unchanged" {
				t.Errorf("the second run: %s, exit %d\n%s", again, code, out)
			}
			if diff := cmp.Diff(after, grown(t, root)); diff != "" {
				t.Errorf("the second run changed something (-want +got):\n%s", diff)
			}
			if first == "unchanged" {
				return
			}
			if back, code, out := harden("rollback"); back != "rolled-back" || code != 0 {
				t.Errorf("the way back: %s, exit %d\n%s", back, code, out)
			}
			if diff := cmp.Diff(before, grown(t, root)); diff != "" {
				t.Errorf("after the way back (-want +got):\n%s", diff)
			}
		})
	}
}

// grown is every file of a tree: what it is, whose, and what it holds.
func grown(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		var content string
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			content = string(data)
		case info.Mode()&fs.ModeSymlink != 0:
			if content, err = os.Readlink(p); err != nil {
				return err
			}
		}
		st := info.Sys().(*syscall.Stat_t)
		all[strings.TrimPrefix(p, root)] = fmt.Sprintf("%v %d:%d\n%s", info.Mode(), st.Uid, st.Gid, content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
