package report_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/diff"
	"example.com/harden/remediate/report"
)

func savedPlan() *remediate.Plan {
	icc, owner := &checks.Check{ID: "docker/icc"}, &checks.Check{ID: "docker/daemon-json-owner"}
	file := func(path, data string) facts.File {
		f := facts.File{Info: facts.Info{Path: path, Mode: 0o644, User: "root", Group: "root"}}
		if data != "" {
			f.Data = []byte(data)
		}
		return f
	}
	loose := file("/run/docker.sock", "")
	loose.Mode = 0o666
	tight := file("/run/docker.sock", "")
	tight.Mode = 0o660
	return &remediate.Plan{
		Changes: []remediate.Change{
			{Path: "/etc/docker/daemon.json", Before: file("/etc/docker/daemon.json", "{}"),
				After: file("/etc/docker/daemon.json", `{"icc": false, "token": "hunter2"}`), Class: want.Restart,
				Checks: []*checks.Check{icc, owner}},
			{Path: "/etc/new", After: file("/etc/new", "x"), Created: true, Checks: []*checks.Check{owner}},
			{Path: "/run/docker.sock", Before: loose, After: tight, Checks: []*checks.Check{owner}},
		},
		Activations: []remediate.Activation{{Kind: remediate.Restart, Unit: "docker.service", Class: want.Restart,
			Checks: []*checks.Check{icc}}},
	}
}

func save(p *remediate.Plan) *report.Saved { return report.Save(p, diff.NewRedactor(make([]byte, 32))) }

func TestSavedRoundTrip(t *testing.T) {
	saved := save(savedPlan())
	saved.Host = report.Identity{Name: "a", Machine: "0123456789abcdef"}
	data, err := json.Marshal(saved)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "hunter2") {
		t.Errorf("a plan file holds content:\n%s", data)
	}
	read, err := report.ReadSaved(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(saved, read); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if moved := read.Moved(saved); len(moved) > 0 {
		t.Errorf("what has not moved: %q", moved)
	}
}

// TestSavedMoved changes one thing after the other: each must be told, and nothing else with it.
func TestSavedMoved(t *testing.T) {
	tests := map[string]struct {
		move func(*remediate.Plan)
		want []string
	}{
		"content before": {func(p *remediate.Plan) { p.Changes[0].Before.Data = []byte("{ }") },
			[]string{"/etc/docker/daemon.json: it is changed since the plan was made: sha256 was " +
				"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a, is " +
				"257c1be96ae69f4b01c2c69bdb6d78605f59175819fb007d0bf245bf48444c4a"}},
		"content after": {func(p *remediate.Plan) { p.Changes[1].After.Data = []byte("y") },
			[]string{"/etc/new: it would get other content than in the plan: sha256 was " +
				"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881, is " +
				"a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa"}},
		"mode before": {func(p *remediate.Plan) { p.Changes[2].Before.Mode = 0o664 },
			[]string{"/run/docker.sock: it is changed since the plan was made: mode was 0666, is 0664"}},
		"owner before": {func(p *remediate.Plan) { p.Changes[2].Before.UID, p.Changes[2].Before.User = 1000, "alice" },
			[]string{"/run/docker.sock: it is changed since the plan was made: owner was root:root (0:0), is alice:root " +
				"(1000:0)"}},
		"action": {func(p *remediate.Plan) { p.Changes[1].Created, p.Changes[1].Before = false, p.Changes[1].After },
			[]string{`/etc/new: the plan changes it by "create", now by "content"`}},
		"class": {func(p *remediate.Plan) { p.Changes[2].Class = want.Behaviour },
			[]string{"/run/docker.sock: its class was none and is now behaviour"}},
		"checks": {func(p *remediate.Plan) { p.Changes[2].Checks = []*checks.Check{{ID: "docker/other"}} },
			[]string{"/run/docker.sock: docker/daemon-json-owner no longer requires it",
				"/run/docker.sock: docker/other now requires it too"}},
		"fewer": {func(p *remediate.Plan) { p.Changes = p.Changes[:2] },
			[]string{"/run/docker.sock: no change now"}},
		"more": {func(p *remediate.Plan) {
			p.Changes = append(p.Changes, remediate.Change{Path: "/etc/more", Created: true,
				Checks: []*checks.Check{{ID: "docker/x"}}})
		}, []string{"/etc/more: would now be changed too, for docker/x"}},
		"activation": {func(p *remediate.Plan) { p.Activations[0].Unit = "snap.docker.dockerd.service" },
			[]string{"restart docker.service: is no longer needed",
				"restart snap.docker.dockerd.service: is now needed too"}},
		"activation's checks": {func(p *remediate.Plan) { p.Activations[0].Checks = nil },
			[]string{"restart docker.service: docker/icc no longer requires it"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			now := savedPlan()
			test.move(now)
			if diff := cmp.Diff(test.want, save(savedPlan()).Moved(save(now))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestSavedHost compares hosts by all that is known of them: clones share a name, and a host may be renamed.
func TestSavedHost(t *testing.T) {
	saved := func(name, machine string) *report.Saved {
		s := save(savedPlan())
		s.Host = report.Identity{Name: name, Machine: machine}
		return s
	}
	for _, c := range []struct {
		now  *report.Saved
		want []string
	}{
		{saved("a", "ffff"), nil},
		{saved("b", "eeee"), []string{"the plan was made for a (machine ffff); this host is b (machine eeee)"}},
		{saved("a", "eeee"), []string{"the plan was made for a (machine ffff); this host is a (machine eeee)"}},
		{saved("b", "ffff"), []string{"the plan was made for a (machine ffff); this host is b (machine ffff)"}},
	} {
		if diff := cmp.Diff(c.want, saved("a", "ffff").Moved(c.now)); diff != "" {
			t.Errorf("%v (-want +got)\n%s", c.now.Host, diff)
		}
	}
}

func TestReadSavedRefuses(t *testing.T) {
	for data, want := range map[string]string{
		``:                                  "not a plan: unexpected end of JSON input",
		`[]`:                                "not a plan: json: cannot unmarshal array into Go value of type report.Saved",
		`{"schema":"harden/v1"}`:            `not a plan: its schema is "harden/v1", and not "harden-plan/v1"`,
		`{"schema":"harden-plan/v1","x":1}`: `json: unknown field "x"`,
		`{"schema":"harden-plan/v1"} {}`:    "not a plan: invalid character '{' after top-level value",
	} {
		if _, err := report.ReadSaved([]byte(data)); err == nil || err.Error() != want {
			t.Errorf("ReadSaved(%s) = %v, want %s", data, err, want)
		}
	}
}
