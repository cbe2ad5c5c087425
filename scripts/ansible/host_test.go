package ansible

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

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
	cmd := exec.Command("ansible-playbook", append([]string{"-i", "localhost,", "-c", "local", "-e",
		"ansible_become=false", file}, args...)...)
	cmd.Env = child.Environ("ANSIBLE_COLLECTIONS_PATH="+built.dir, "HOME="+h.dir, "ANSIBLE_NOCOLOR=1",
		"ANSIBLE_LOCALHOST_WARNING=0",
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
