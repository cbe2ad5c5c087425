package main

import (
	"strings"
	"testing"
	"time"

	"example.com/harden/remediate/apply"
)

// TestOutcome holds what the history says of a run that still has to be confirmed.
func TestOutcome(t *testing.T) {
	until := time.Date(2026, 6, 1, 12, 0, 5, 0, time.Local)
	for _, test := range []struct {
		run  apply.Run
		want string
	}{
		{apply.Run{Outcome: apply.Applied}, "applied"},
		{apply.Run{Outcome: apply.Applied, Unconfirmed: &apply.Deadline{Until: until}}, "unconfirmed, until 12:00:05"},
		{apply.Run{Outcome: apply.Applied, Unconfirmed: &apply.Deadline{Until: until, Passed: true}}, "unconfirmed, overdue"},
		{apply.Run{Outcome: apply.Applied, Unconfirmed: &apply.Deadline{Passed: true, Kept: "x"}}, "unconfirmed, could not be taken back"},
		{apply.Run{Outcome: apply.CutShort, Unconfirmed: &apply.Deadline{Until: until}}, "interrupted, unconfirmed, until 12:00:05"},
	} {
		if got := outcome(test.run); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// TestRecall has what is armed understood by the command that it will call.
func TestRecall(t *testing.T) {
	s := recorded(t, "docker/loose.txtar")
	s.within = time.Minute
	o := s.guarded(s.options())
	if o.Within != time.Minute || o.Guard == nil {
		t.Errorf("%+v", o)
	}
	for _, extra := range [][]string{nil, {"0001-x"}} {
		cmd, args, err := newRoot().Find(append(o.Recall, extra...))
		if err != nil || cmd.Name() != "expire" {
			t.Fatalf("%q leads to %s: %v", o.Recall, cmd.Name(), err)
		}
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			t.Error(err)
		}
		c, err := loadConfig(cmd)
		if err != nil {
			t.Fatal(err)
		}
		if c.State != s.State || c.Root != "/" || !strings.HasPrefix(c.DockerHost, "unix://") {
			t.Errorf("state %s, root %s, Engine %s", c.State, c.Root, c.DockerHost)
		}
	}
}
