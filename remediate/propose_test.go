package remediate_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// A tree is a host that consists of files alone: nothing runs there.
type tree map[string]facts.File

func (t tree) file(p string) (facts.File, error) {
	f, ok := t[p]
	if !ok {
		return f, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
	}
	f.Path, f.User, f.Group, f.Links = p, map[uint32]string{0: "root"}[f.UID], "root", max(f.Links, 1)
	return f, nil
}

func (t tree) Stat(_ context.Context, p string) (facts.Info, error) {
	f, err := t.file(p)
	return f.Info, err
}

func (t tree) Read(_ context.Context, p string) ([]byte, error) {
	f, err := t.file(p)
	return f.Data, err
}

func (t tree) List(_ context.Context, dir string) ([]string, error) {
	var names []string
	for p := range t {
		if path.Dir(p) == dir {
			names = append(names, path.Base(p))
		}
	}
	if names == nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrNotExist}
	}
	slices.Sort(names)
	return names, nil
}

func (tree) Processes(context.Context, string) ([]facts.Process, error) { return nil, facts.ErrAbsent }
func (tree) Contained(context.Context, ...string) (map[string]string, error) {
	return nil, facts.ErrAbsent
}
func (tree) Listeners(context.Context, int) ([]facts.Listener, error) { return nil, facts.ErrAbsent }
func (tree) Audit(context.Context) (facts.AuditState, error) {
	return facts.AuditState{}, facts.ErrAbsent
}
func (tree) Engine(context.Context) (facts.API, facts.Endpoint, error) {
	return nil, facts.Endpoint{}, facts.ErrAbsent
}

// holds is a check that a file contains a text, and that wants w when it does not.
func holds(id, file, text string, wants ...want.Want) *checks.Check {
	return &checks.Check{ID: id, Rule: checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		f, err := h.File(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if strings.Contains(string(f.Data), text) {
			return nil, nil
		}
		return []checks.Finding{{Subject: file, Got: "without " + text, Must: "with " + text, Wants: wants}}, nil
	})}
}

func mode(id, file string, limit fs.FileMode) *checks.Check {
	return &checks.Check{ID: id, Rule: checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		i, err := h.Info(file)
		if err != nil || i.Mode&^limit == 0 {
			return nil, err
		}
		w := want.Mode{Warrant: want.Mine, File: file, Mode: i.Mode & limit}
		return []checks.Finding{{Subject: file, Got: fmt.Sprintf("%04o", i.Mode), Must: "less", Wants: []want.Want{w}}}, nil
	})}
}

func key(name string, value any) want.Key {
	return want.Key{Warrant: want.Mine, File: "/etc/docker/daemon.json", Key: []string{name}, Value: value}
}

func TestPropose(t *testing.T) {
	const file = "/etc/docker/daemon.json"
	loose := func() tree {
		return tree{file: {Info: facts.Info{Mode: 0o666}, Data: []byte("{\n  \"debug\": true\n}\n")}}
	}
	upTo := func(limit want.Class) func(*checks.Check, want.Class) bool {
		return func(_ *checks.Check, c want.Class) bool { return c <= limit }
	}
	icc := holds("docker/icc", file, `"icc": false`, key("icc", false))
	iccTrue := holds("docker/other", file, `"icc": true`, key("icc", true))
	tests := []struct {
		name   string
		host   tree
		checks []*checks.Check
		policy remediate.Policy
		want   string
	}{
		{
			name: "two keys and a mode meet in one change",
			host: loose(), policy: remediate.Policy{Allow: upTo(want.Restart)},
			checks: []*checks.Check{icc, holds("docker/lr", file, `"live-restore": true`, key("live-restore", true)),
				mode("docker/mode", file, 0o644)},
			want: "change /etc/docker/daemon.json 0666 -> 0644 restart [docker/icc docker/lr docker/mode]\n" +
				"{\n  \"debug\": true,\n  \"icc\": false,\n  \"live-restore\": true\n}\n",
		},
		{
			name: "what is not allowed is held back on top of the rest",
			host: loose(), policy: remediate.Policy{Allow: upTo(want.Reload)},
			checks: []*checks.Check{icc, mode("docker/mode", file, 0o644)},
			want: "change /etc/docker/daemon.json 0666 -> 0644 none [docker/mode]\n" +
				"held restart\nchange /etc/docker/daemon.json 0644 -> 0644 restart [docker/icc]\n" +
				"{\n  \"debug\": true,\n  \"icc\": false\n}\n",
		},
		{
			name: "two checks that want one key to differ are both left",
			host: loose(), policy: remediate.Policy{Allow: upTo(want.Behaviour)},
			checks: []*checks.Check{icc, iccTrue},
			want: "left docker/icc: docker/icc and docker/other want different values for /etc/docker/daemon.json icc; " +
				"choose one yourself\n" +
				"left docker/other: docker/icc and docker/other want different values for /etc/docker/daemon.json icc; choose " +
				"one yourself\n",
		},
		{
			name: "two masks of one file combine",
			host: loose(), policy: remediate.Policy{Allow: upTo(want.None)},
			checks: []*checks.Check{mode("docker/a", file, 0o664), mode("docker/b", file, 0o646)},
			want:   "change /etc/docker/daemon.json 0666 -> 0644 none [docker/a docker/b]\n",
		},
		{
			name: "a fix that does not settle its finding is left, the others stay",
			host: loose(), policy: remediate.Policy{Allow: upTo(want.Restart)},
			checks: []*checks.Check{holds("docker/never", file, "no such text", key("debug", false)),
				mode("docker/mode", file, 0o644)},
			want: "change /etc/docker/daemon.json 0666 -> 0644 none [docker/mode]\n" +
				"left docker/never: its own fix would not resolve it: it would still be without no such text\n",
		},
		{
			name:   "a file that does not parse is left with the place of the mistake",
			host:   tree{file: {Info: facts.Info{Mode: 0o644}, Data: []byte("{\n  // comment\n}\n")}},
			policy: remediate.Policy{Allow: upTo(want.Restart)},
			checks: []*checks.Check{icc},
			want:   "left docker/icc: /etc/docker/daemon.json: line 2, column 3: comment, which JSON does not have\n",
		},
		{
			name:   "hard links are not broken",
			host:   tree{file: {Info: facts.Info{Mode: 0o666, Links: 2}, Data: []byte("{}\n")}},
			policy: remediate.Policy{Allow: upTo(want.Restart)},
			checks: []*checks.Check{mode("docker/mode", file, 0o644)},
			want: "left docker/mode: /etc/docker/daemon.json has 2 names (hard links); a change would change or unlink " +
				"the others\n",
		},
		{
			name:   "nothing is made in a directory that cannot be changed",
			host:   tree{"/etc": {Info: facts.Info{Type: fs.ModeDir, Mode: 0o755, Locked: "read-only file system"}}},
			policy: remediate.Policy{Allow: upTo(want.Restart)},
			checks: []*checks.Check{icc},
			want:   "left docker/icc: /etc/docker/daemon.json cannot be made: read-only file system\n",
		},
		{
			name: "a refused candidate is left with the validator's reason",
			host: loose(), checks: []*checks.Check{icc, mode("docker/mode", file, 0o644)},
			policy: remediate.Policy{Allow: upTo(want.Restart), Validate: func(_ context.Context, c remediate.Change,
				_ *facts.Host) error {
				if strings.Contains(string(c.After.Data), "icc") {
					return errors.New("icc is a flag already")
				}
				return nil
			}},
			want: "change /etc/docker/daemon.json 0666 -> 0644 none [docker/mode]\n" +
				"left docker/icc: the changed file would not be valid: icc is a flag already\n",
		},
		{
			name: "a refusal of the precheck names its check, a warning goes with the change",
			host: loose(), checks: []*checks.Check{icc, mode("docker/mode", file, 0o644)},
			policy: remediate.Policy{Allow: upTo(want.Restart), Precheck: func(context.Context, *remediate.Plan,
				*facts.Host) (map[string][]string, map[string]string) {
				return map[string][]string{"docker/mode": {"deploy edits it"}},
					map[string]string{"docker/icc": "web and db talk over docker0"}
			}},
			want: "change /etc/docker/daemon.json 0666 -> 0644 none [docker/mode] breaks: deploy edits it\n" +
				"left docker/icc: web and db talk over docker0\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := facts.New(t.Context(), tt.host, facts.Choices{})
			plan, err := remediate.Propose(t.Context(), h, checks.Run(t.Context(), h, tt.checks), tt.policy)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, summary(plan)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			after := h.With(plan.After())
			again, err := remediate.Propose(t.Context(), after, checks.Run(t.Context(), after, tt.checks), tt.policy)
			if err != nil {
				t.Fatal(err)
			}
			if !again.Empty() {
				t.Errorf("the second plan is not empty:\n%s", summary(again))
			}
		})
	}
}

func summary(p *remediate.Plan) string {
	var b strings.Builder
	changes := func(cs []remediate.Change) {
		for _, c := range cs {
			fmt.Fprintf(&b, "change %s %04o -> %04o %s %v", c.Path, c.Before.Mode, c.After.Mode, c.Class,
				remediate.IDs(c.Checks))
			if len(c.Breaks) > 0 {
				fmt.Fprintf(&b, " breaks: %s", strings.Join(c.Breaks, "; "))
			}
			fmt.Fprintf(&b, "\n%s", c.After.Data)
		}
	}
	changes(p.Changes)
	for _, a := range p.Activations {
		fmt.Fprintf(&b, "%s %s\n", a.Kind, a.Unit)
	}
	for _, h := range p.Held {
		fmt.Fprintf(&b, "held %s\n", h.Class)
		changes(h.Changes)
	}
	for _, l := range p.Left {
		fmt.Fprintf(&b, "left %s: %s\n", l.Check, l.Reason)
	}
	return b.String()
}
