package ansible

import (
	"debug/elf"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

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
	if text := string(doc("harden.hosts.harden")); !strings.Contains(text, "- fail_on_findings") ||
		!strings.Contains(text, "EXAMPLES:") || !strings.Contains(text, "restart_pending") {
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
	_, taken, _ := strings.Cut(answer.Msg, "; valid: ")
	if diff := cmp.Diff(strings.Split(taken, ", "), documented); diff != "" {
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
	if diff := cmp.Diff(slices.Sorted(maps.Keys(defaults)),
		slices.Sorted(maps.Keys(roles["harden.hosts.harden"].EntryPoints["main"].Options))); diff != "" {
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
