package remediate_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// audited is a check that a file or a directory has a line of its own in a log's rules, where it exists.
func audited(id, about, rules, name string) *checks.Check {
	return &checks.Check{ID: id, Rule: checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		if _, err := h.Info(about); err != nil {
			return nil, errors.Join(facts.ErrAbsent, err)
		}
		return holds(id, rules, name+"=1", env(rules, name)).Rule.Judge(h)
	})}
}

func env(file, name string) want.Want {
	return want.Env{Warrant: want.Mine, File: file, Name: name, Value: "1"}
}

// TestCalled has a plan that makes a file settle what then holds of that file and of its directory too: the next plan
// is empty. What is not allowed is not brought along, and what the file is not about stays as it is.
func TestCalled(t *testing.T) {
	const made, rules = "/etc/app/made.conf", "/etc/rules"
	all := []*checks.Check{
		audited("z/dir", "/etc/app", rules, "DIR"), holds("z/made", made, "A=1", env(made, "A")),
		audited("z/file", made, rules, "FILE"), audited("z/other", "/etc/other", rules, "OTHER"),
		audited("z/refused", made, rules, "REFUSED"),
	}
	host := tree{rules: facts.File{Info: facts.Info{Mode: 0o644, Size: 1}, Data: []byte("\n")}}
	propose := func(h tree) *remediate.Plan {
		t.Helper()
		host := facts.New(t.Context(), h, facts.Choices{})
		plan, err := remediate.Propose(t.Context(), host, checks.Run(t.Context(), host, all), remediate.Policy{
			Allow: func(c *checks.Check, _ want.Class) bool { return c.ID != "z/refused" }})
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	got := map[string][]string{}
	for _, c := range propose(host).Changes {
		for _, k := range c.Checks {
			got[c.Path] = append(got[c.Path], k.ID)
		}
		host[c.Path] = c.After
	}
	if diff := cmp.Diff(map[string][]string{made: {"z/made"}, rules: {"z/dir", "z/file"}}, got); diff != "" {
		t.Errorf("the plan (-want +got):\n%s", diff)
	}
	host["/etc/app"] = facts.File{Info: facts.Info{Type: fs.ModeDir, Mode: 0o755}}
	if next := propose(host); !next.Empty() {
		t.Errorf("the next plan: %+v", next.Changes)
	}
}
