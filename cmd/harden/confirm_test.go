package main

import (
	"strings"
	"testing"
	"time"
)

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
