// Package ansible has no code: it is the collection's, whose tests run a real ansible-playbook on a host tree, and on a
// private dockerd where what runs matters.
package ansible

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/tree"
)

// TestPlays takes a host from a rehearsal to the run, to a second run, and back to where nothing is left to do.
func TestPlays(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			needs(t)
			h := newHost(t)
			playbook := way.play(h, built.installed)
			old := tree.Touched(t, h.root)

			o := h.play(playbook, "--check", "--diff")
			if o.code != 0 || o.changed == 0 {
				t.Fatalf("--check: %d changed, exit code %d\n%s", o.changed, o.code, o.out)
			}
			if diff := cmp.Diff(old, tree.Touched(t, h.root)); diff != "" {
				t.Errorf("--check has written (-before +after):\n%s", diff)
			}
			for _, path := range []string{h.state, h.dir + "/harden", h.dir + "/etc/harden.yaml"} {
				if _, err := os.Lstat(path); err == nil {
					t.Errorf("--check has made %s", path)
				}
			}
			foreseen := shown(o.out)
			for _, want := range []string{`\+.*live-restore.{1,2}: true`, `-.*mode 0666|# mode 0666 -> 0644`,
				`etc/default/docker`, `etc/docker/daemon\.json`, `redacted 7 bytes`} {
				if !regexp.MustCompile(want).MatchString(foreseen) {
					t.Errorf("--check --diff does not show %q:\n%s", want, o.out)
				}
			}

			o = h.play(playbook, "--diff")
			if o.code != 0 || o.changed == 0 {
				t.Fatalf("the run: %d changed, exit code %d\n%s", o.changed, o.code, o.out)
			}
			if way.name != "command" { // of which Ansible shows no diff
				if diff := cmp.Diff(foreseen, shown(o.out)); diff != "" {
					t.Errorf("what was foreseen, and what was done (-want +got):\n%s", diff)
				}
			}
			data, err := os.ReadFile(h.root + "/etc/docker/daemon.json")
			want := strings.Replace(before, "}\n}", "},\n\t\"live-restore\": true\n}", 1)
			if diff := cmp.Diff(want, string(data)); err != nil || diff != "" {
				t.Errorf("daemon.json, %v (-want +got):\n%s", err, diff)
			}

			done := tree.Touched(t, h.root)
			for _, args := range [][]string{{"--diff"}, {"--check", "--diff"}} {
				if o = h.play(playbook, args...); o.code != 0 || o.changed != 0 {
					t.Errorf("again, %q: %d changed, exit code %d\n%s", args, o.changed, o.code, o.out)
				}
			}
			if diff := cmp.Diff(done, tree.Touched(t, h.root)); diff != "" {
				t.Errorf("a second run has written (-before +after):\n%s", diff)
			}
		})
	}
}

var (
	tag  = regexp.MustCompile(`, [0-9a-f]{8}›`) // of another key in each run
	diff = regexp.MustCompile(`(?m)^(?:--- before|\+\+\+ after|[-+ @]).*\n`)
	file = regexp.MustCompile(`(?m)^--- before: /etc/d`)
)

// shown is what a play has shown of changes to the host's files.
func shown(out string) string {
	if i := file.FindStringIndex(out); i != nil {
		out = out[i[0]:]
		out, _, _ = strings.Cut(out, "\n\n\n")
		out = strings.Join(diff.FindAllString(out, -1), "")
	}
	return tag.ReplaceAllString(out, "›")
}

// TestFailingFix has no room for a new file where one is to be replaced: the run is taken back, and the task fails.
func TestFailingFix(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			needs(t)
			h := newHost(t)
			dir := h.root + "/etc/docker"
			if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "nr_inodes=2,mode=755"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
			if err := os.WriteFile(dir+"/daemon.json", []byte("{}\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			old := tree.Of(t, h.root)
			o := h.play(way.play(h, built.installed))
			if o.code == 0 || o.failed != 1 {
				t.Errorf("%d failed, exit code %d\n%s", o.failed, o.code, o.out)
			}
			if !strings.Contains(o.out, "no space left on device") {
				t.Errorf("the message does not tell why:\n%s", o.out)
			}
			if diff := cmp.Diff(old, tree.Of(t, h.root)); diff != "" {
				t.Errorf("something was left behind (-before +after):\n%s", diff)
			}
		})
	}
}

// TestInterrupted kills harden as it puts its journal in place, and between its first file and its second. The next
// play leaves the host wholly new, and a rollback wholly old.
func TestInterrupted(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			needs(t)
			if _, err := exec.LookPath("strace"); err != nil {
				t.Fatalf("%v: scripts/setup installs it", err)
			}
			whole := newHost(t)
			if o := whole.play(way.play(whole, built.installed)); o.code != 0 {
				t.Fatal(o.out)
			}
			for _, half := range []bool{false, true} {
				h := newHost(t)
				at := h.state + "/staging"
				if half {
					at = h.root + "/etc/docker"
				}
				h.interrupt(way, at, half)
				o := h.play(way.play(h, built.installed), "--diff")
				if o.code != 0 || o.changed == 0 {
					t.Errorf("after a kill at %s: %d changed, exit code %d\n%s", at, o.changed, o.code, o.out)
				}
				if half && way.name != "command" && !strings.Contains(o.out, `+	"live-restore": true`) {
					t.Errorf("what the interrupted run did is not shown:\n%s", o.out)
				}
				if diff := cmp.Diff(tree.Of(t, whole.root), tree.Of(t, h.root)); diff != "" {
					t.Errorf("after a kill at %s (-want +got):\n%s", at, diff)
				}
			}

			h := newHost(t)
			old := tree.Of(t, h.root)
			h.interrupt(way, h.root+"/etc/docker", true)
			o := h.play(h.rollback())
			if o.code != 0 || o.changed != 1 {
				t.Errorf("the rollback: %d changed, exit code %d\n%s", o.changed, o.code, o.out)
			}
			if diff := cmp.Diff(old, tree.Of(h.t, h.root)); diff != "" {
				t.Errorf("taken back (-before +after):\n%s", diff)
			}
		})
	}
}

// interrupt plays until harden renames something in the directory at, or that itself, which kills it. Half says whether
// some of the run is to be on disk then.
func (h *host) interrupt(way way, at string, half bool) {
	h.t.Helper()
	old := tree.Of(h.t, h.root)
	deadly := filepath.Join(h.dir, "deadly")
	script := fmt.Sprintf("#!/bin/sh\nexec strace -f -qq -o /dev/null -P %s -e trace=rename,renameat,renameat2 "+
		"-e inject=rename,renameat,renameat2:signal=KILL %s \"$@\"\n", at, built.installed)
	if err := os.WriteFile(deadly, []byte(script), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if o := h.play(way.play(h, deadly)); o.code == 0 || o.failed != 1 {
		h.t.Fatalf("killed at %s: %d failed, exit code %d\n%s", at, o.failed, o.code, o.out)
	}
	_, err := os.Stat(h.state + "/current")
	if got := err == nil && len(cmp.Diff(old, tree.Of(h.t, h.root))) > 0; got != half {
		h.t.Fatalf("killed at %s, something is half done: %v, want %v", at, got, half)
	}
}

func (h *host) rollback() string {
	return fmt.Sprintf("- hosts: localhost\n  gather_facts: false\n  tasks:\n    - harden.hosts.harden: {mode: "+
		"rollback, run: newest, root: %s, state_dir: %s, config: none}\n", h.root, h.state)
}

// TestWrongArguments: Ansible checks none for a module that is not Python.
func TestWrongArguments(t *testing.T) {
	needs(t)
	h := newHost(t)
	old := tree.Touched(t, h.root)
	for _, tt := range []struct{ args, want string }{
		{"onyl: [docker/icc]", `unknown option \"onyl\"`},
		{"only: [3.20]", `only: 3.2 is a number`},
		{"fail_on_findings: perhaps", `fail_on_findings: must be yes or no, and is text`},
		{"mode: fix", `unknown mode \"fix\"`},
		{`only: "{{ nothing | default([]) }}"`, `only: the value is empty; omit it, or give it a value`},
		{"fail_on: held\n        mode: check", `fail_on: mode check plans and applies nothing`},
		{"restart_timeout: 10m\n        mode: check", `restart_timeout: mode check plans and applies nothing`},
		{"restart_timeout: 10m", `--restart-timeout can't be combined with --root`},
		{"only: docker/ic", `unknown check \"docker/ic\"; did you mean docker/icc?`},
	} {
		o := h.play(fmt.Sprintf("- hosts: localhost\n  gather_facts: false\n  tasks:\n    - harden.hosts.harden:\n       "+
			" root: %s\n        %s\n", h.root, tt.args))
		if o.failed != 1 || !strings.Contains(o.out, tt.want) {
			t.Errorf("%s: %d failed, and not with %s:\n%s", tt.args, o.failed, tt.want, o.out)
		}
	}
	if o := h.play(h.task("harden.hosts.harden_installed", h.dir+"/nothing")); o.failed != 1 ||
		!strings.Contains(o.out, "harden is not installed on this host") {
		t.Errorf("without harden: %d failed\n%s", o.failed, o.out)
	}
	// As text, key=value, with a boolean that is a word.
	o := h.play(fmt.Sprintf("- hosts: localhost\n  gather_facts: false\n  tasks:\n    - harden.hosts.harden: root=%s "+
		"config=none mode=check level=2 only=%s fail_on_findings=Yes\n", h.root, selected))
	if o.failed != 1 || !strings.Contains(o.out, "open findings: 4 checks: 4 fail") {
		t.Errorf("fail_on_findings=Yes: %d failed\n%s", o.failed, o.out)
	}
	if diff := cmp.Diff(old, tree.Touched(t, h.root)); diff != "" {
		t.Errorf("something was written (-before +after):\n%s", diff)
	}
}

// TestRoleRollback takes back by the role what the role did.
func TestRoleRollback(t *testing.T) {
	needs(t)
	h := newHost(t)
	old := tree.Of(t, h.root)
	playbook := ways[1].play(h, built.installed)
	if o := h.play(playbook); o.code != 0 || o.changed == 0 {
		t.Fatal(o.out)
	}
	done := tree.Touched(t, h.root)
	if o := h.play(playbook, "-e", "harden_rollback=newest", "--check", "--diff"); o.code != 0 || o.changed != 1 ||
		!strings.Contains(o.out, `-	"live-restore": true`) {
		t.Errorf("--check of the rollback: %d changed, exit code %d\n%s", o.changed, o.code, o.out)
	}
	if diff := cmp.Diff(done, tree.Touched(t, h.root)); diff != "" {
		t.Errorf("--check of the rollback has written (-before +after):\n%s", diff)
	}
	for _, changed := range []int{1, 0} {
		if o := h.play(playbook, "-e", "harden_rollback=newest"); o.code != 0 || o.changed != changed {
			t.Errorf("the rollback: %d changed, want %d, exit code %d\n%s", o.changed, changed, o.code, o.out)
		}
	}
	if diff := cmp.Diff(old, tree.Of(t, h.root)); diff != "" {
		t.Errorf("taken back (-before +after):\n%s", diff)
	}
}
