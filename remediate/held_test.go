package remediate_test

import (
	"context"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// A mounted engine has one container that mounts a directory of the host. It is a mock: what is tried is what a plan
// makes of the answer.
type mounted struct{ docker.Mount }

func (mounted) Info(context.Context) (system.Info, error)              { return system.Info{}, nil }
func (mounted) Images(context.Context) (all []docker.Image, err error) { return nil, nil }
func (m mounted) Containers(context.Context) ([]docker.Container, error) {
	return []docker.Container{{ID: "c1", Name: "/web", Mounts: []docker.Mount{m.Mount}}}, nil
}
func (mounted) Network(context.Context, string) (n network.Inspect, err error) {
	return n, facts.ErrAbsent
}
func (mounted) Get(_ context.Context, path string, read func(io.Reader) error) error {
	if path == "/volumes" {
		return read(strings.NewReader(`{"Volumes": []}`))
	}
	return facts.ErrAbsent
}

type inhabited struct {
	tree
	engine docker.Engine
}

func (h inhabited) Engine(context.Context) (facts.API, facts.Endpoint, error) {
	return h.engine, facts.Endpoint{Host: "unix:///run/docker.sock", Local: true}, nil
}

// TestProposeHeld holds that what a container can write is left, though root owns it and every directory above it.
func TestProposeHeld(t *testing.T) {
	const key = "/srv/tls/key.pem"
	for _, tt := range []struct {
		name  string
		mount docker.Mount
		left  bool
	}{
		{"a directory above is mounted", docker.Mount{Source: "/srv/tls", RW: true}, true},
		{"read-only", docker.Mount{Source: "/srv/tls"}, false},
		{"another directory", docker.Mount{Source: "/srv/data", RW: true}, false},
		{"the whole system, whose writer is root anyway", docker.Mount{Source: "/", RW: true}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := facts.File{Info: facts.Info{Type: fs.ModeDir, Mode: 0o755}}
			host := inhabited{tree{"/": dir, "/srv": dir, "/srv/tls": dir, "/srv/data": dir,
				key: {Info: facts.Info{Mode: 0o644}, Data: []byte("x")}}, mounted{tt.mount}}
			h := facts.New(t.Context(), host, facts.Choices{})
			check := mode("docker/key", key, 0o600)
			results := checks.Run(t.Context(), h, []*checks.Check{check})
			all := func(*checks.Check, want.Class) bool { return true }
			plan, err := remediate.Propose(t.Context(), h, results, remediate.Policy{Allow: all})
			if err != nil {
				t.Fatal(err)
			}
			if got := len(plan.Left) == 1 && len(plan.Changes) == 0; got != tt.left {
				t.Errorf("left is %v, want %v: %+v", got, tt.left, plan)
			}
			if tt.left && !strings.Contains(plan.Left[0].Reason, "container web, which mounts /srv/tls") {
				t.Errorf("the reason: %s", plan.Left[0].Reason)
			}
		})
	}
}
