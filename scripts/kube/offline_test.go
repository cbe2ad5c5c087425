package kube_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"example.com/harden/scripts/child"
	"example.com/harden/scripts/vm"
)

// report is what a test reads of harden's JSON.
type report struct {
	Results []struct {
		ID, Number, Status, State string
	}
	Plan *struct {
		Changes []struct{ Target string }
		Held    []any
		Left    []struct{ Check, Reason string }
	}
	Run *struct {
		Outcome, Reason string
		Activations     []struct{ Kind, Unit, State, Reason string }
	}
}

// states gives the checks of Kubernetes that apply, by their state.
func (r report) states() map[string][]string {
	all := map[string][]string{}
	for _, x := range r.Results {
		if id, ok := strings.CutPrefix(x.ID, "kubernetes/"); ok && x.State != "n/a" && x.State != "pass" {
			all[x.State] = append(all[x.State], id)
		}
	}
	for _, ids := range all {
		slices.Sort(ids)
	}
	return all
}

// harden is the program, compiled.
func harden(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "harden")
	if err := vm.Compile(program, "example.com/harden/cmd/harden"); err != nil {
		t.Fatal(err)
	}
	return program
}

// offline runs harden on a node's files, from outside.
type offline struct {
	t             *testing.T
	program, root string
	state         string
}

func (o offline) run(want int, args ...string) (r report) {
	o.t.Helper()
	cmd := exec.Command(o.program, append(args, "--root", o.root, "--state", o.state, "--config", "none", "--format",
		"json")...)
	var said strings.Builder
	cmd.Env, cmd.Stderr = child.Environ(), &said
	out, _ := cmd.Output()
	if err := json.Unmarshal(out, &r); err != nil || cmd.ProcessState.ExitCode() != want {
		o.t.Fatalf("harden %q exited %d, want %d: %v\n%s%s", args, cmd.ProcessState.ExitCode(), want, err, out, said.String())
	}
	return r
}

// decoded gives a document as plain values.
func decoded(t *testing.T, text string) (v map[string]any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return v
}
