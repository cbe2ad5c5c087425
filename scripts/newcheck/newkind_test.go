package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kindFiles are all that is written by hand for a new kind of want: what is wanted, and how it is done.
var kindFiles = map[string]string{
	"checks/want/sysctl.go": `package want

import "fmt"

// A Sysctl wants a file of sysctl.d(5) to give a kernel parameter a value.
type Sysctl struct {
	File, Name, Value string
	Warrant
}

func (Sysctl) Class() Class { return None }

// Text is what it asks for.
func (w Sysctl) Text() string { return fmt.Sprintf("set %s = %s in %s", w.Name, w.Value, w.File) }

// Claim is the value of the parameter.
func (w Sysctl) Claim() (place, value string) { return w.File + " " + w.Name, w.Value }

func (Sysctl) want() {}
`,
	"remediate/sysctl.go": `package remediate

import (
	"bytes"
	"strings"

	"example.com/harden/checks/want"
)

var _ = editor(func(d *draft, f fix, w want.Sysctl) error {
	return d.content(f, w, w.File, 0o644, func(data []byte) ([]byte, error) {
		var out []byte
		for line := range bytes.Lines(data) {
			name, _, _ := strings.Cut(string(line), "=")
			if strings.TrimSpace(name) != w.Name {
				out = append(out, line...)
			}
		}
		return append(out, w.Name+" = "+w.Value+"\n"...), nil
	})
})
`,
}

// kindProof proposes a plan by the new kind. It is this test's and not the author's: no test needs a new kind's name.
const kindProof = `package remediate_test

import (
	"testing"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

func TestSysctl(t *testing.T) {
	const file, after = "/etc/sysctl.d/x.conf", "# a comment\nkernel.panic = 10\n"
	host := tree{file: {Data: []byte("# a comment\nkernel.panic=0\n")}}
	w := want.Sysctl{File: file, Name: "kernel.panic", Value: "10", Warrant: want.Mine}
	h := facts.New(t.Context(), host, facts.Choices{})
	results := checks.Run(t.Context(), h, []*checks.Check{holds("x/sysctl", file, "kernel.panic = 10", w)})
	p, err := remediate.Propose(t.Context(), h, results, remediate.Policy{
		Allow: func(*checks.Check, want.Class) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Changes) != 1 || string(p.Changes[0].After.Data) != after || len(p.Left) > 0 {
		t.Errorf("the plan is %+v", p)
	}
}
`

// newKind adds a kind of want to a copy of the tree. Without its editor TestKinds fails; with it a plan has the change.
func newKind(t *testing.T, dir string) {
	t.Helper()
	const kind, editor, proof = "checks/want/sysctl.go", "remediate/sysctl.go", "remediate/sysctl_test.go"
	write(t, dir, kind, kindFiles[kind])
	if out, err := command(dir, "go", "test", "./remediate", "-run", "TestKinds").CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "want.Sysctl has no editor") {
		t.Fatalf("a kind without an editor passes, or fails otherwise: %v\n%s", err, out)
	}
	write(t, dir, editor, kindFiles[editor])
	write(t, dir, proof, kindProof)
	run(t, dir, "go", "test", "./remediate", "-run", "TestKinds|TestSysctl", "-v")
	if err := os.Remove(filepath.Join(dir, proof)); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
