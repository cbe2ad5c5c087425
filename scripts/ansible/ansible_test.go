// Package ansible has no code: it is the collection's, whose tests run a real ansible-playbook on a host tree, and on a
// private dockerd where what runs matters.
package ansible

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"example.com/harden/scripts/child"
	"example.com/harden/scripts/vm"
)

// built is the collection for amd64, made once for all tests, and harden as it would be installed.
var built struct {
	once           sync.Once
	dir, installed string
	err            error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// needs skips a short test, and ends one that lacks what it is about.
func needs(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds harden and runs ansible-playbook")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		t.Fatalf("%v: scripts/setup installs it, as Debian's ansible-core", err)
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "collection"); built.err != nil {
			return
		}
		// What another process reads, go test does not see: to run again when it changed, all is read here too.
		built.err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			_, err = os.ReadFile(path)
			return err
		})
		if built.err != nil {
			return
		}
		built.installed = filepath.Join(built.dir, "installed")
		if built.err = vm.Compile(built.installed, "example.com/harden/cmd/harden"); built.err != nil {
			return
		}
		if out, err := exec.Command("./build", built.dir, "amd64").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
}

// A host is a tree of files that stand for one, and what is used on it.
type host struct {
	t                *testing.T
	dir, root, state string
}

const before = "{\n\t\"log-driver\": \"splunk\",\n\t\"log-opts\": {\"splunk-token\": \"hunter2\"}\n}\n"

func newHost(t *testing.T) *host {
	t.Helper()
	dir := t.TempDir()
	h := &host{t: t, dir: dir, root: dir + "/r", state: dir + "/state"}
	for path, f := range map[string]struct {
		text string
		mode fs.FileMode
	}{
		"etc/passwd":                            {"root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n", 0o644},
		"etc/group":                             {"root:x:0:\nalice:x:1000:\n", 0o644},
		"etc/docker/daemon.json":                {before, 0o666},
		"etc/default/docker":                    {"", 0o666},
		"usr/bin/dockerd":                       {"", 0o755},
		"usr/lib/systemd/system/docker.service": {"[Service]\nExecStart=/usr/bin/dockerd -H fd://\n", 0o644},
	} {
		path = filepath.Join(h.root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(f.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, f.mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(h.root+"/etc/docker/daemon.json", 1000, 1000); err != nil {
		t.Fatal(err)
	}
	return h
}

// tree is all that can be seen of each file below the host, times included when asked for.
func (h *host) tree(times bool) map[string]string {
	h.t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(h.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		text := fmt.Sprintf("%v %d:%d", info.Mode(), st.Uid, st.Gid)
		if times {
			text += fmt.Sprintf(" inode %d, %v %v", st.Ino, st.Mtim, st.Ctim)
		}
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %x", sha256.Sum256(data))
		}
		all[path] = text
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// selected are two files' fixes, of which one is content.
const selected = "docker/live-restore,docker/daemon-json-mode,docker/daemon-json-owner,docker/etc-default-mode"

// A way is one of those in which a playbook calls harden.
type way struct {
	name string
	play func(h *host, binary string) string
}

func (h *host) task(module, binary string) string {
	return fmt.Sprintf(`
- hosts: localhost
  gather_facts: false
  tasks:
    - name: The task
      %s:
        root: %s
        state_dir: %s
        config: none
        only: %s
        fail_on_findings: "no"
      environment: {HARDEN_BINARY: %s}
`, module, h.root, h.state, selected, binary)
}

var ways = []way{
	{"module", func(h *host, binary string) string {
		if binary != built.installed {
			return h.task("harden.hosts.harden_installed", binary)
		}
		return h.task("harden.hosts.harden", binary)
	}},
	{"role", func(h *host, binary string) string {
		return fmt.Sprintf(`
- hosts: localhost
  gather_facts: false
  roles: [harden.hosts.harden]
  vars:
    harden_root: %s
    harden_state_dir: %s
    harden_only: [%s]
    harden_config: %s/etc/harden.yaml
    harden_settings: {level: 2}
    harden_fail_on_findings: "no"
    harden_binary: %s/harden
    harden_binaries: {x86_64: %s}
`, h.root, h.state, selected, h.dir, h.dir, binary)
	}},
	{"command", func(h *host, binary string) string {
		play, err := os.ReadFile("playbooks/command.yml")
		if err != nil {
			h.t.Fatal(err)
		}
		var doc []map[string]any
		if err := yaml.Unmarshal(play, &doc); err != nil {
			h.t.Fatal(err)
		}
		doc[0]["hosts"] = "localhost"
		doc[0]["vars"] = map[string]any{"harden_binary": binary,
			"harden_arguments": []string{"--root", h.root, "--state", h.state, "--config", "none", "--only", selected}}
		text, err := yaml.Marshal(doc)
		if err != nil {
			h.t.Fatal(err)
		}
		return string(text)
	}},
}

// An outcome is what ansible-playbook says of a play.
type outcome struct {
	code, changed, failed int
	out                   string
}

var recap = regexp.MustCompile(`(?m)^localhost +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=(\d+)`)

// play runs a playbook. Its outcome has failed the test already when there is none.
func (h *host) play(playbook string, args ...string) outcome {
	h.t.Helper()
	var out bytes.Buffer
	cmd := h.command(playbook, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Run()
	return h.outcome(cmd, out.String())
}

func (h *host) command(playbook string, args ...string) *exec.Cmd {
	h.t.Helper()
	file := filepath.Join(h.dir, "play.yml")
	if err := os.WriteFile(file, []byte(playbook), 0o600); err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command("ansible-playbook", append([]string{"-i", "localhost,", "-c", "local", "-e", "ansible_become=false", file}, args...)...)
	cmd.Env = child.Environ("ANSIBLE_COLLECTIONS_PATH="+built.dir, "HOME="+h.dir, "ANSIBLE_NOCOLOR=1", "ANSIBLE_LOCALHOST_WARNING=0",
		"ANSIBLE_RETRY_FILES_ENABLED=0", "LC_ALL=C.UTF-8", "HARDEN_CONFIG=none")
	return cmd
}

func (h *host) outcome(cmd *exec.Cmd, out string) outcome {
	h.t.Helper()
	m := recap.FindStringSubmatch(out)
	if m == nil {
		h.t.Fatalf("the play has no end:\n%s", out)
	}
	o := outcome{code: cmd.ProcessState.ExitCode(), out: out}
	fmt.Sscan(m[1], &o.changed)
	fmt.Sscan(m[2], &o.failed)
	if strings.Contains(out, "hunter2") {
		h.t.Errorf("a secret is shown:\n%s", out)
	}
	return o
}

// TestPlays takes a host from a rehearsal to the run, to a second run, and back to where nothing is left to do.
func TestPlays(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			needs(t)
			h := newHost(t)
			playbook := way.play(h, built.installed)
			old := h.tree(true)

			o := h.play(playbook, "--check", "--diff")
			if o.code != 0 || o.changed == 0 {
				t.Fatalf("--check: %d changed, exit code %d\n%s", o.changed, o.code, o.out)
			}
			if diff := cmp.Diff(old, h.tree(true)); diff != "" {
				t.Errorf("--check has written (-before +after):\n%s", diff)
			}
			for _, path := range []string{h.state, h.dir + "/harden", h.dir + "/etc/harden.yaml"} {
				if _, err := os.Lstat(path); err == nil {
					t.Errorf("--check has made %s", path)
				}
			}
			foreseen := shown(o.out)
			for _, want := range []string{`\+.*live-restore.{1,2}: true`, `-.*mode 0666|# mode 0666 -> 0644`, `etc/default/docker`, `etc/docker/daemon\.json`, `redacted 7 bytes`} {
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

			done := h.tree(true)
			for _, args := range [][]string{{"--diff"}, {"--check", "--diff"}} {
				if o = h.play(playbook, args...); o.code != 0 || o.changed != 0 {
					t.Errorf("again, %q: %d changed, exit code %d\n%s", args, o.changed, o.code, o.out)
				}
			}
			if diff := cmp.Diff(done, h.tree(true)); diff != "" {
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
			old := h.tree(false)
			o := h.play(way.play(h, built.installed))
			if o.code == 0 || o.failed != 1 {
				t.Errorf("%d failed, exit code %d\n%s", o.failed, o.code, o.out)
			}
			if !strings.Contains(o.out, "no space left on device") {
				t.Errorf("the message does not tell why:\n%s", o.out)
			}
			if diff := cmp.Diff(old, h.tree(false)); diff != "" {
				t.Errorf("something was left behind (-before +after):\n%s", diff)
			}
		})
	}
}

// TestInterrupted kills harden as it puts its journal in place, and between its first file and its second. The next play
// leaves the host wholly new, and a rollback wholly old.
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
				if diff := cmp.Diff(relative(whole), relative(h)); diff != "" {
					t.Errorf("after a kill at %s (-want +got):\n%s", at, diff)
				}
			}

			h := newHost(t)
			old := h.tree(false)
			h.interrupt(way, h.root+"/etc/docker", true)
			o := h.play(h.rollback())
			if o.code != 0 || o.changed != 1 {
				t.Errorf("the rollback: %d changed, exit code %d\n%s", o.changed, o.code, o.out)
			}
			if diff := cmp.Diff(old, h.tree(false)); diff != "" {
				t.Errorf("taken back (-before +after):\n%s", diff)
			}
		})
	}
}

// interrupt plays until harden renames something in the directory at, or that itself, which kills it. Half says whether
// some of the run is to be on disk then.
func (h *host) interrupt(way way, at string, half bool) {
	h.t.Helper()
	old := h.tree(false)
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
	if got := err == nil && len(cmp.Diff(old, h.tree(false))) > 0; got != half {
		h.t.Fatalf("killed at %s, something is half done: %v, want %v", at, got, half)
	}
}

func (h *host) rollback() string {
	return fmt.Sprintf("- hosts: localhost\n  gather_facts: false\n  tasks:\n    - harden.hosts.harden: {mode: rollback, run: newest, root: %s, state_dir: %s, config: none}\n", h.root, h.state)
}

// relative is a host's tree without where it lies.
func relative(h *host) map[string]string {
	all := map[string]string{}
	for path, text := range h.tree(false) {
		all[strings.TrimPrefix(path, h.root)] = text
	}
	return all
}

// TestWrongArguments: Ansible checks none for a module that is not Python.
func TestWrongArguments(t *testing.T) {
	needs(t)
	h := newHost(t)
	old := h.tree(true)
	for _, tt := range []struct{ args, want string }{
		{"onyl: [docker/icc]", `no option is called \"onyl\"`},
		{"only: [3.20]", `only: 3.2 is a number`},
		{"fail_on_findings: perhaps", `fail_on_findings: must be yes or no, and is text`},
		{"mode: fix", `no mode is called \"fix\"`},
		{`only: "{{ nothing | default([]) }}"`, `only: the value is empty; omit it, or give it one`},
		{"fail_on: held\n        mode: check", `fail_on: mode check plans and applies nothing`},
		{"restart_timeout: 10m\n        mode: check", `restart_timeout: mode check plans and applies nothing`},
		{"restart_timeout: 10m", `--restart-timeout can't be combined with --root`},
		{"only: docker/ic", `unknown check \"docker/ic\"; did you mean docker/icc?`},
	} {
		o := h.play(fmt.Sprintf("- hosts: localhost\n  gather_facts: false\n  tasks:\n    - harden.hosts.harden:\n        root: %s\n        %s\n", h.root, tt.args))
		if o.failed != 1 || !strings.Contains(o.out, tt.want) {
			t.Errorf("%s: %d failed, and not with %s:\n%s", tt.args, o.failed, tt.want, o.out)
		}
	}
	if o := h.play(h.task("harden.hosts.harden_installed", h.dir+"/nothing")); o.failed != 1 || !strings.Contains(o.out, "harden is not installed on this host") {
		t.Errorf("without harden: %d failed\n%s", o.failed, o.out)
	}
	// As text, key=value, with a boolean that is a word.
	o := h.play(fmt.Sprintf("- hosts: localhost\n  gather_facts: false\n  tasks:\n    - harden.hosts.harden: root=%s config=none mode=check level=2 only=%s fail_on_findings=Yes\n", h.root, selected))
	if o.failed != 1 || !strings.Contains(o.out, "not everything is as it must be: 4 checks: 4 fail") {
		t.Errorf("fail_on_findings=Yes: %d failed\n%s", o.failed, o.out)
	}
	if diff := cmp.Diff(old, h.tree(true)); diff != "" {
		t.Errorf("something was written (-before +after):\n%s", diff)
	}
}

// TestRoleRollback takes back by the role what the role did.
func TestRoleRollback(t *testing.T) {
	needs(t)
	h := newHost(t)
	old := h.tree(false)
	playbook := ways[1].play(h, built.installed)
	if o := h.play(playbook); o.code != 0 || o.changed == 0 {
		t.Fatal(o.out)
	}
	done := h.tree(true)
	if o := h.play(playbook, "-e", "harden_rollback=newest", "--check", "--diff"); o.code != 0 || o.changed != 1 || !strings.Contains(o.out, `-	"live-restore": true`) {
		t.Errorf("--check of the rollback: %d changed, exit code %d\n%s", o.changed, o.code, o.out)
	}
	if diff := cmp.Diff(done, h.tree(true)); diff != "" {
		t.Errorf("--check of the rollback has written (-before +after):\n%s", diff)
	}
	for _, changed := range []int{1, 0} {
		if o := h.play(playbook, "-e", "harden_rollback=newest"); o.code != 0 || o.changed != changed {
			t.Errorf("the rollback: %d changed, want %d, exit code %d\n%s", o.changed, changed, o.code, o.out)
		}
	}
	if diff := cmp.Diff(old, h.tree(false)); diff != "" {
		t.Errorf("taken back (-before +after):\n%s", diff)
	}
}

// TestFleet: the example is a playbook, and its inventory one.
func TestFleet(t *testing.T) {
	needs(t)
	cmd := exec.Command("ansible-playbook", "-i", "playbooks/inventory.yml", "playbooks/fleet.yml", "--list-hosts")
	cmd.Env = append(os.Environ(), "ANSIBLE_COLLECTIONS_PATH="+built.dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "hosts (3)") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestReadme: what the README shows of the command is what the playbook does, which TestPlays runs.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	play, err := os.ReadFile("playbooks/command.yml")
	if err != nil {
		t.Fatal(err)
	}
	tasks := 0
	for task := range strings.SplitSeq(string(play), "\n\n") {
		if !strings.Contains(task, "argv:") {
			continue
		}
		tasks++
		_, task, _ = strings.Cut("\n"+task, "\n    - name: ")
		if !strings.Contains(string(readme), strings.TrimSpace(task)) {
			t.Errorf("README.md does not show\n%s", task)
		}
	}
	if tasks != 2 {
		t.Errorf("%d tasks call harden", tasks)
	}
}

// TestDocumentation holds the documentation to the program: it prints, and its options are those that are taken.
func TestDocumentation(t *testing.T) {
	needs(t)
	doc := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command("ansible-doc", args...)
		cmd.Env = append(os.Environ(), "ANSIBLE_COLLECTIONS_PATH="+built.dir)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("ansible-doc %q: %v", args, err)
		}
		return out
	}
	if text := string(doc("harden.hosts.harden")); !strings.Contains(text, "- fail_on_findings") || !strings.Contains(text, "EXAMPLES:") || !strings.Contains(text, "restart_pending") {
		t.Errorf("ansible-doc prints\n%s", text)
	}
	var modules map[string]struct {
		Doc struct {
			Module  string
			Options map[string]struct{ Type string }
		}
	}
	names := []string{"harden.hosts.harden", "harden.hosts.harden_installed", "harden.hosts.harden_aarch64"}
	if err := json.Unmarshal(doc(append([]string{"--json"}, names[:2]...)...), &modules); err != nil {
		t.Fatal(err)
	}
	for _, name := range names[:2] {
		if got := "harden.hosts." + modules[name].Doc.Module; got != name {
			t.Errorf("%s is documented as %s", name, got)
		}
	}
	documented := slices.Sorted(maps.Keys(modules[names[0]].Doc.Options))

	args := filepath.Join(t.TempDir(), "args")
	if err := os.WriteFile(args, []byte(`{"_ansible_version": "2", "no such option": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(built.installed, "ansible-module", args).Output() // which is to fail
	var answer struct{ Msg string }
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	_, taken, _ := strings.Cut(answer.Msg, "(there are ")
	if diff := cmp.Diff(strings.Split(strings.TrimSuffix(taken, ")"), ", "), documented); diff != "" {
		t.Errorf("what harden takes, and what is documented (-want +got):\n%s", diff)
	}

	var roles map[string]struct {
		EntryPoints map[string]struct {
			Options map[string]struct{ Type string }
		} `json:"entry_points"`
	}
	if err := json.Unmarshal(doc("-t", "role", "--json", "harden.hosts.harden"), &roles); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("roles/harden/defaults/main.yml")
	if err != nil {
		t.Fatal(err)
	}
	var defaults map[string]any
	if err := yaml.Unmarshal(text, &defaults); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(defaults)), slices.Sorted(maps.Keys(roles["harden.hosts.harden"].EntryPoints["main"].Options))); diff != "" {
		t.Errorf("the role's variables, and what is documented (-want +got):\n%s", diff)
	}
}

// TestMake builds as users do, for both architectures.
func TestMake(t *testing.T) {
	needs(t)
	dir := t.TempDir()
	if out, err := exec.Command("make", "-C", "../..", "ansible", "ANSIBLE_OUT="+dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, machine := range map[string]elf.Machine{"harden": elf.EM_X86_64, "harden_aarch64": elf.EM_AARCH64} {
		f, err := elf.Open(filepath.Join(dir, "ansible_collections/harden/hosts/plugins/modules", name))
		if err != nil {
			t.Fatal(err)
		}
		if f.Machine != machine || f.Section(".interp") != nil {
			t.Errorf("%s is for %v, or not static", name, f.Machine)
		}
		f.Close()
	}
}
