package rule

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A program is told, and runs with, what a test says. It can be asked for false, and takes up what it is told.
type program struct {
	reading Reading[bool]
	err     error
	running Running[bool]
}

func (p program) Reading() (Reading[bool], error) { return p.reading, p.err }
func (p program) Running() Running[bool]          { return p.running }
func (p program) Ask(v bool) ([]want.Want, string) {
	return []want.Want{want.Key{Key: []string{"x"}, Value: v}}, ""
}
func (p program) TakeUp(be.Cond[bool]) (wants []want.Want, why, how string) {
	return []want.Want{want.Service{Unit: "x.service"}}, "", "pending restart"
}

// TestSetting judges what a program is told and what it runs with: both must be good, and a finding says which is not.
func TestSetting(t *testing.T) {
	bad, good := Reading[bool]{Value: true, Text: "true in /x"}, Reading[bool]{Text: "false in /x"}
	broken, stuck := good, bad
	broken.Broken, stuck.Stuck = "remove one of the two", "run harden there"
	runs := func(v, asked bool, text string) Running[bool] {
		return Running[bool]{Value: v, Known: true, Asked: asked, Text: text + " in the running x"}
	}
	settled, unknown := Running[bool]{Settled: true}, Running[bool]{Since: "/x changed after x started"}
	unread := errors.New("it cannot be read")
	refuse := func(*facts.Host, bool) string { return "first do y" }
	const asks = ", must be false, 1 wants ()"
	for name, c := range map[string]struct {
		program program
		refuse  func(*facts.Host, bool) string
		want    string
	}{
		"as it must be":            {program{good, nil, settled}, nil, ""},
		"and runs so":              {program{good, nil, runs(false, false, "false")}, nil, ""},
		"not, and runs so":         {program{bad, nil, settled}, nil, "x is true in /x" + asks},
		"not, though it runs well": {program{bad, nil, runs(false, false, "false")}, nil, "x is true in /x" + asks},
		"not, and it says it is well": {program{bad, nil, runs(false, true, "false")}, nil,
			"x is true in /x, from the next start on; false in the running x" + asks},
		"runs otherwise": {program{good, nil, runs(true, false, "true")}, nil,
			"x is false in /x, true in the running x: pending restart" + asks},
		"runs with something": {program{good, nil, unknown}, nil,
			"x is false in /x; what runs is not known, since /x changed after x started: pending restart" + asks},
		"does not start": {program{broken, nil, settled}, nil,
			"x is false in /x, must be false, 0 wants (remove one of the two)"},
		"out of reach": {program{stuck, nil, settled}, nil,
			"x is true in /x, must be false, 0 wants (run harden there)"},
		"refused here": {program{bad, nil, settled}, refuse,
			"x is true in /x, must be false, 0 wants (first do y)"},
		"nothing to refuse":  {program{good, nil, settled}, refuse, ""},
		"unread":             {program{good, unread, settled}, nil, "error: it cannot be read"},
		"unread, runs badly": {program{good, unread, runs(true, false, "true")}, nil, "error: it cannot be read"},
		"unread, says it does": {program{good, unread, runs(true, true, "true")}, nil,
			"x is true in the running x, must be false, 0 wants (what is configured cannot be read: it cannot be " +
				"read); error: it cannot be read"},
	} {
		s := Setting[bool]{Subject: "x", Refuse: c.refuse,
			On: func(*facts.Host) (Told[bool], error) { return c.program, nil }}
		if got := told(s.Must(be.False).Judge(nil)); got != c.want {
			t.Errorf("%s (-want +got)\n%s", name, cmp.Diff(c.want, got))
		}
	}
	absent := Setting[bool]{On: func(*facts.Host) (Told[bool], error) { return nil, Inapplicable("no x") }}
	if got := told(absent.Must(be.False).Judge(nil)); got != "error: no x" {
		t.Errorf("no such program: %q", got)
	}
}

// TestChoose asks for what the site has chosen where no value is the nearest, and says why what it chose cannot be had.
func TestChoose(t *testing.T) {
	p := program{reading: Reading[bool]{Text: "unset"}, running: Running[bool]{Settled: true}}
	s := Setting[bool]{Subject: "x", On: func(*facts.Host) (Told[bool], error) { return p, nil }}
	chosen := be.Cond[bool]{Text: "chosen", Holds: func(bool) bool { return false },
		Nearest: func(bool) (bool, bool) { return false, false }}
	for want, choose := range map[string]func(*facts.Host) (bool, error){
		"x is unset, must be chosen, 0 wants ()": func(*facts.Host) (bool, error) {
			return false,
				ErrNotChosen
		},
		"x is unset, must be chosen, 0 wants (it is no such)": func(*facts.Host) (bool, error) {
			return false,
				errors.New("it is no such")
		},
		"x is unset, must be chosen, 1 wants ()": func(*facts.Host) (bool, error) { return true, nil },
	} {
		if got := told(s.Choose(choose).Must(chosen).Judge(nil)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := told(s.Must(chosen).Judge(nil)); got != "x is unset, must be chosen, 0 wants ()" {
		t.Errorf("nobody to choose: %q", got)
	}
	f, err := s.Breaks(func(*facts.Host) string { return "y" }).Must(be.True).Judge(nil)
	if want := (checks.Finding{Subject: "x", Got: "unset", Must: "true", Breaks: "y",
		Wants: []want.Want{want.Key{Key: []string{"x"}, Value: true}}}); err != nil || len(f) != 1 ||
		!cmp.Equal(want, f[0]) {
		t.Errorf("what it breaks: %+v, %v", f, err)
	}
}
