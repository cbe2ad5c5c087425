package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/fixtures"
	"example.com/harden/scripts/child"
	"example.com/harden/scripts/tree"
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
			before := tree.Of(t, root)
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
			after := tree.Of(t, root)
			if again, code, out := harden("--allow", "all"); again != "unchanged" {
				t.Errorf("the second run: %s, exit %d\n%s", again, code, out)
			}
			if diff := cmp.Diff(after, tree.Of(t, root)); diff != "" {
				t.Errorf("the second run changed something (-want +got):\n%s", diff)
			}
			if first == "unchanged" {
				return
			}
			if back, code, out := harden("rollback"); back != "rolled-back" || code != 0 {
				t.Errorf("the way back: %s, exit %d\n%s", back, code, out)
			}
			if diff := cmp.Diff(before, tree.Of(t, root)); diff != "" {
				t.Errorf("after the way back (-want +got):\n%s", diff)
			}
		})
	}
}
