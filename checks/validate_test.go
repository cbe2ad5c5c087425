package checks_test

import (
	"strings"
	"testing"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// TestValidate breaks a good check in one way at a time.
func TestValidate(t *testing.T) {
	good := func() *checks.Check {
		return &checks.Check{
			ID: "docker/icc", Items: cis.Docker("2.1", "2.2", "2.2", "2.2"), Title: "a title", Why: "a reason",
			Level:   1,
			Threats: []stride.ID{stride.DockerHostTampering},
			Rule:    checks.Func(func(*facts.Host) ([]checks.Finding, error) { return nil, nil }),
		}
	}
	if err := checks.Validate([]*checks.Check{good()}); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*checks.Check){
		"an ID is":         func(c *checks.Check) { c.ID = "docker/ICC" },
		"no title":         func(c *checks.Check) { c.Title = "A sentence." },
		"no reason":        func(c *checks.Check) { c.Why = "" },
		"no threat":        func(c *checks.Check) { c.Threats = nil },
		"unknown threat":   func(c *checks.Check) { c.Threats = []stride.ID{"docker/host/dampening"} },
		"another platform": func(c *checks.Check) { c.ID = "kubernetes/icc" },
		"a level is":       func(c *checks.Check) { c.Level = 3 },
		"no rule":          func(c *checks.Check) { c.Rule = nil },
		"no severity":      func(c *checks.Check) { c.ID = "docker/unrated" },
		"no benchmark":     func(c *checks.Check) { c.Items = nil },
		"unknown edition":  func(c *checks.Check) { c.Items["docker@9.9.9"] = "1.1" },
		"is not a number":  func(c *checks.Check) { c.Items[cis.Docker160] = "2.02" },
		"nothing says who": func(c *checks.Check) { c.Class = want.Behaviour },
	} {
		c := good()
		spoil(c)
		if err := checks.Validate([]*checks.Check{c}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	other := good()
	other.ID = "docker/other"
	if err := checks.Validate([]*checks.Check{good(), other}); err == nil ||
		!strings.Contains(err.Error(), "docker@1.6.0:2.2 is docker/icc already") {
		t.Errorf("one number twice: got %v", err)
	}
	if err := checks.Validate([]*checks.Check{good(), good()}); err == nil ||
		!strings.Contains(err.Error(), "this ID is taken") {
		t.Errorf("one ID twice: got %v", err)
	}
}
