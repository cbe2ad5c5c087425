package rule

import (
	"errors"
	"fmt"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A Setting is one thing that a program can be told, by whatever means: a key, a field, a flag. It has a value that
// runs and a value that would run after a restart, and both must meet what is required.
type Setting[T any] struct {
	Subject string // how reports call it: "daemon icc"

	// On finds the program on a host: there is one such adapter for each program that has settings.
	On func(*facts.Host) (Told[T], error)

	// Refuse says why a value must not be asked for on this very host; an empty reason lets it.
	Refuse func(*facts.Host, T) string

	choose func(*facts.Host) (T, error)
	breaks func(*facts.Host) string
}

// A Told is what one program is told of a setting, what it runs with, and how either is changed.
type Told[T any] interface {
	// Reading is what it would start with.
	Reading() (Reading[T], error)

	// Running is what it runs with.
	Running() Running[T]

	// Ask is what tells it v instead, or why nothing can.
	Ask(v T) (wants []want.Want, why string)

	// TakeUp is what makes it run with what it is told already, or why nothing can; how says in a few words what the
	// value waits for. A value that meets cond may be asked for where only that brings it into force.
	TakeUp(cond be.Cond[T]) (wants []want.Want, why, how string)
}

// A Reading is what a program would start with.
type Reading[T any] struct {
	Value T
	Where string         // what says so: "--icc in docker.service", a file; empty for the default
	By    want.Authority // whose word it is
	Text  string         // how reports tell of it: "false in /etc/docker/daemon.json"

	Broken string // why the program does not start with it at all
	Stuck  string // why nothing else can be asked for from here
}

func (r Reading[T]) String() string { return r.Text }

// A Running is what a program runs with.
type Running[T any] struct {
	Value   T
	Known   bool
	Asked   bool   // the program itself has told it, so that it counts whatever is configured
	Text    string // how reports tell of a known value: "false in the running daemon"
	Settled bool   // it is what the program would start with, known or not
	Since   string // what changed where it is not known: "the configuration changed after dockerd started"
}

// ErrNotChosen means that the site has not chosen a value; the check's Manual says how.
var ErrNotChosen = errors.New("not chosen")

// Choose takes the value to ask for from the site's choices, where no nearest one exists. The error is
// ErrNotChosen, or why the choice cannot be asked for.
func (s Setting[T]) Choose(by func(*facts.Host) (T, error)) Setting[T] { s.choose = by; return s }

// Breaks says what the fix disturbs on this very host.
func (s Setting[T]) Breaks(what func(*facts.Host) string) Setting[T] { s.breaks = what; return s }

// Must is the rule that the setting meets cond, as it runs and as it is configured.
func (s Setting[T]) Must(cond be.Cond[T]) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		t, err := s.On(h)
		if err != nil {
			return nil, err
		}
		r, err := t.Reading()
		if err != nil {
			if run := t.Running(); run.Asked && !cond.Holds(run.Value) { // what runs is bad, whatever is configured
				return []checks.Finding{{Subject: s.Subject, Got: run.Text, Must: cond.Text,
					Reason: fmt.Sprintf("what is configured cannot be read: %v", err)}}, err
			}
			return nil, err
		}
		f := checks.Finding{Subject: s.Subject, Got: r.Text, Must: cond.Text}
		switch {
		case r.Broken != "":
			f.Reason = r.Broken
			return []checks.Finding{f}, nil
		case !cond.Holds(r.Value) && r.Stuck != "":
			f.Reason = r.Stuck
			return []checks.Finding{f}, nil
		case !cond.Holds(r.Value):
			if run := t.Running(); run.Asked && cond.Holds(run.Value) {
				f.Got += ", from the next start on; " + run.Text
			}
			s.repair(h, t, r, cond, &f)
		case TakenUp(t, cond, &f):
			return nil, nil
		}
		if s.breaks != nil {
			f.Breaks = s.breaks(h)
		}
		return []checks.Finding{f}, nil
	})
}

// TakenUp reports whether a program runs with what it is told, or with another good value; otherwise it has f say what
// runs, and ask for what makes the program take the value up.
func TakenUp[T any](t Told[T], cond be.Cond[T], f *checks.Finding) bool {
	run := t.Running()
	switch {
	case run.Known && !cond.Holds(run.Value):
		f.Got += ", " + run.Text
	case run.Known || run.Settled:
		return true
	default:
		f.Got += "; what runs is not known, since " + run.Since
	}
	f.Pending = true
	var how string
	f.Wants, f.Reason, how = t.TakeUp(cond)
	f.Got += ": " + how
	return false
}

// repair asks for the nearest value that is good, or for the one that the site has chosen.
func (s Setting[T]) repair(h *facts.Host, t Told[T], r Reading[T], cond be.Cond[T], f *checks.Finding) {
	v, ok := cond.Nearest(r.Value)
	if !ok {
		if s.choose == nil {
			return
		}
		var err error
		if v, err = s.choose(h); err != nil {
			if !errors.Is(err, ErrNotChosen) {
				f.Reason = err.Error()
			}
			return
		}
	}
	if s.Refuse != nil {
		if f.Reason = s.Refuse(h, v); f.Reason != "" {
			return
		}
	}
	f.Wants, f.Reason = t.Ask(v)
}
