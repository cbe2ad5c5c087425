package apply

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"testing"

	"github.com/docker/docker/api/types/system"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/live"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// A running is what runs on a host, for what is compared with it.
type running struct {
	still
	engine     string
	containers []docker.Container
	err        error // of the containers
	audit      *facts.Audit
	silent     error // of the kernel
}

func (r running) Engine() (*docker.EngineFacts, error) {
	if r.engine == "" {
		return nil, errors.New("connection refused")
	}
	return &docker.EngineFacts{Info: system.Info{ID: r.engine}}, nil
}

func (r running) Containers() ([]docker.Container, error) { return r.containers, r.err }
func (r running) Audit() (*facts.Audit, error)            { return r.audit, r.silent }

func container(id, name string, l want.Limits) docker.Container {
	policy, err := docker.ParseRestart(l.Restart)
	if err != nil {
		panic(err)
	}
	return docker.Container{ID: id, Name: "/" + name, HostConfig: docker.HostConfig{Memory: l.Memory,
		MemorySwap: l.MemorySwap, CPUShares: l.CPUShares, PidsLimit: &l.PIDs, RestartPolicy: policy}}
}

// TestDriftedContainers compares two containers with what a run has given them, and one of them with a later run too.
func TestDriftedContainers(t *testing.T) {
	w, e := newWorld(t), engineOfTwo()
	first, err := Apply(t.Context(), updating(t, w), w.with(e))
	must(t, err)
	later := &remediate.Plan{Updates: []remediate.Update{{ID: "b2", Name: "db", Before: want.Limits{CPUShares: 7},
		After: want.Limits{CPUShares: 512}}}}
	second, err := Apply(t.Context(), later, w.with(e))
	must(t, err)
	a1, b2 := container("a1", "web", e.have["a1"]), container("b2", "db", e.have["b2"])
	with := func(c docker.Container, l want.Limits) docker.Container {
		return container(c.ID, c.ShortName(), c.Limits(1024).With(l))
	}
	unknown := func(why string) []string {
		return []string{"? container db (b2) " + second.ID + ": " + why, "? container web (a1) " + first.ID + ": " + why}
	}
	on := func(cs ...docker.Container) running { return running{engine: "E", containers: cs} }
	db := func(text string) string { return "db " + second.ID + " " + text }
	web := func(text string) string { return "web " + first.ID + " " + text }
	renamed := container("b2", "other", b2.Limits(1024))
	recreated := container("c3", "db", want.Limits{Memory: 64, MemorySwap: 128, Restart: "no"})
	partly := on(b2)
	partly.err = errors.New("a1: timeout")
	for name, test := range map[string]struct {
		live running
		want []string
	}{
		"as they were left":     {on(a1, b2), nil},
		"what no run has given": {on(with(a1, want.Limits{CPUShares: 3}), b2), nil},
		"docker update": {on(with(a1, want.Limits{Memory: 65, Restart: "always"}), with(b2, want.Limits{CPUShares: 9})),
			[]string{db("cpu-shares: 512 -> 9"), web("memory: 64 -> 65"), web("restart: on-failure:5 -> always")}},
		"what the first run gave to the second's": {on(a1, with(b2, want.Limits{Memory: 65})),
			[]string{db("memory: 64 -> 65")}},
		"gone":      {on(a1), []string{db("existence: there -> gone"), "db missing"}},
		"recreated": {on(a1, recreated), []string{db("container: b2 -> recreated as c3"), db("cpu-shares: 512 -> 1024")}},
		"renamed":   {on(a1, renamed), nil},
		"no answer": {running{}, unknown("the Docker Engine: connection refused")},
		"another engine": {running{engine: "F"},
			unknown("it belongs to another Docker Engine; use --docker-host")},
		"one cannot be seen": {partly, []string{"? container web (a1) " + first.ID + ": a1: timeout"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Drifted(test.live, w.options())
			must(t, err)
			var got []string
			for _, d := range c.Updated {
				for _, x := range d.Differences {
					got = append(got, fmt.Sprintf("%s %s %s: %s -> %s", d.Update.Name, d.Run, x.What, x.Was, x.Now))
				}
				if d.Missing {
					got = append(got, d.Update.Name+" missing")
				}
			}
			for _, u := range c.Unknown {
				got = append(got, fmt.Sprintf("? %s %s: %s", u.Subject, u.Run, u.Reason))
			}
			if d := cmp.Diff(test.want, got); d != "" || c.Containers != 2 || len(c.Drifts) != 0 {
				t.Errorf("of %d containers, %d files (-want +got):\n%s", c.Containers, len(c.Drifts), d)
			}
		})
	}

	// A later run on the container that has taken the name has its word, and that on the one before it is over.
	e.have["c3"] = want.Limits{Memory: 1, MemorySwap: 2, CPUShares: 7, PIDs: -1, Restart: "no"}
	later.Updates[0].ID = "c3"
	_, err = Apply(t.Context(), later, w.with(e))
	must(t, err)
	c, err := Drifted(running{engine: "E", containers: []docker.Container{a1, container("c3", "db", e.have["c3"])}},
		w.options())
	if must(t, err); c.Containers != 2 || len(c.Updated)+len(c.Unknown) != 0 {
		t.Errorf("after a run on the one that was recreated: %+v", c)
	}
}

// TestDriftedRules compares the rules of a file that a run has left, and loaded, with those of the kernel.
func TestDriftedRules(t *testing.T) {
	const file = "/etc/audit/rules.d/50-harden.rules"
	rule := func(file, p string) facts.Rule {
		return facts.Rule{Text: "-w " + p + " -p wa", File: file, Path: p, Perms: "wa"}
	}
	disk := []facts.Rule{rule("/etc/audit/rules.d/others.rules", "/etc/c"), rule(file, "/etc/a"), rule(file, "/etc/b")}
	a, b := rule("", "/etc/a"), rule("", "/etc/b")
	run := func(state, boot string) *txn {
		t := &txn{journal: journal{ID: "0001-x", Seq: 1, Boot: boot,
			Activations: []Activated{{Kind: remediate.LoadAudit, State: state}},
			Items:       []item{{Path: []byte(file), Content: true, After: image{Exists: true}}}}}
		return t
	}
	unloaded := []Difference{{LoadedRule, "-w /etc/b -p wa", "not loaded"}}
	for name, test := range map[string]struct {
		state, boot string
		live        running
		want        []Difference
		unknown     string
	}{
		"loaded": {Done, "now", running{audit: &facts.Audit{OnDisk: disk, Loaded: []facts.Rule{a, b}}}, nil, ""},
		"unloaded": {Done, "now", running{audit: &facts.Audit{OnDisk: disk, Loaded: []facts.Rule{a}}}, unloaded,
			""},
		"by a boot": {Pending, "before", running{audit: &facts.Audit{OnDisk: disk, Loaded: []facts.Rule{a}}},
			unloaded, ""},
		"pending": {Pending, "now", running{audit: &facts.Audit{OnDisk: disk}}, nil, ""},
		"the kernel is mute": {Done, "now", running{audit: &facts.Audit{OnDisk: disk, LoadErr: errors.New("EPERM")}}, nil,
			"the kernel's audit rules: EPERM"},
		"nothing can be read": {Done, "now", running{silent: errors.New("EIO")}, nil, "the kernel's audit rules: EIO"},
	} {
		t.Run(name, func(t *testing.T) {
			var c Comparison
			runs := []*txn{run(test.state, test.boot)}
			s := kernel()
			s.boot = "now"
			c.rules(test.live, files(runs), runs, Options{Root: "/", sys: s})
			var got []Difference
			for _, d := range c.Drifts {
				got = append(got, d.Differences...)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			var unknown []Unknown
			if test.unknown != "" {
				unknown = []Unknown{{file, "0001-x", test.unknown}}
			}
			if !slices.Equal(c.Unknown, unknown) {
				t.Errorf("unknown: %+v", c.Unknown)
			}
		})
	}
}

// TestDriftedAlso tells what differs of one file in one place, whichever way it was found, and of several by path.
func TestDriftedAlso(t *testing.T) {
	var c Comparison
	for _, p := range []string{"/b", "/a", "/b", "/c"} {
		c.also(legacy{item: item{Path: []byte(p)}, run: &txn{}}, Difference{What: "of " + p})
	}
	got := map[string]int{}
	var paths []string
	for _, d := range c.Drifts {
		paths = append(paths, d.Change.Path)
		got[d.Change.Path] = len(d.Differences)
	}
	if d := cmp.Diff([]string{"/a", "/b", "/c"}, paths); d != "" || got["/b"] != 2 {
		t.Errorf("%v (-want +got):\n%s", got, d)
	}
}

// TestDriftedWords takes the newest run's word on checks, timers and what the cluster keeps, and none of a run that was
// taken back.
func TestDriftedWords(t *testing.T) {
	w := newWorld(t)
	check := func(ids ...string) (cs []*checks.Check) {
		for _, id := range ids {
			cs = append(cs, &checks.Check{ID: id})
		}
		return cs
	}
	record := func(after string) *remediate.Record {
		return &remediate.Record{Namespace: "kube-system", ConfigMap: "kubeadm-config", Key: "k", Before: "b", After: after}
	}
	o := w.options()
	s := &services{pending: map[remediate.Kind]string{}}
	o.Services = s
	run := func(path string, as ...remediate.Activation) string {
		t.Helper()
		c := created(path, "x")
		c.Checks = check("docker/file")
		run, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{c}, Activations: as}, o)
		must(t, err)
		return run.ID
	}
	timer := remediate.Activation{Kind: remediate.SetTimer, Unit: "a.timer"}
	restart := func(ids ...string) remediate.Activation {
		return remediate.Activation{Kind: remediate.Restart, Unit: "d", Checks: check(ids...)}
	}
	first := run("/etc/1", timer, restart("docker/a", "docker/b"),
		remediate.Activation{Kind: remediate.RecordInCluster, Record: record("one")})
	s.pending[remediate.Restart], s.pending[remediate.SetTimer] = "locked", "no systemd"
	o.DockerHost = "tcp://e"
	second := run("/etc/2", timer, restart("docker/a"),
		remediate.Activation{Kind: remediate.RecordInCluster, Record: record("two")})
	o.DockerHost = ""
	third := run("/etc/3", restart("docker/b"))

	c, err := Drifted(still{}, o)
	must(t, err)
	wantSettled := []Settled{
		{Check: "docker/a", Run: first},
		{Check: "docker/a", Run: second, DockerHost: "tcp://e", Waiting: true},
		{Check: "docker/b", Run: third, Waiting: true},
		{Check: "docker/file", Run: third},
		{Check: "docker/file", Run: second, DockerHost: "tcp://e"},
	}
	if d := cmp.Diff(wantSettled, c.Settled); d != "" {
		t.Errorf("checks (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]Settled{{Unit: "a.timer", Run: first}}, c.Timers); d != "" {
		t.Errorf("timers (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]Recorded{{second, *record("two")}}, c.Records); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
	_, err = Rollback(t.Context(), third, o)
	must(t, err)
	if c, err = Drifted(still{}, o); err != nil || c.Settled[2] != (Settled{Check: "docker/b", Run: first}) {
		t.Errorf("without the third: %+v, %v", c.Settled, err)
	}
}

// TestDriftedUnits has files of others hide those that a run has left, or add to them.
func TestDriftedUnits(t *testing.T) {
	const timer, conf = unitDir + "/harden-audit.timer", unitDir + "/docker.service.d/50-harden.conf"
	for name, test := range map[string]struct {
		add  map[string]string
		want []string
	}{
		"nothing": {nil, nil},
		"a drop-in": {map[string]string{"/run/systemd/system/harden-audit.timer.d/x.conf": "[Timer]\n"},
			[]string{timer + " drop-in: none -> /run/systemd/system/harden-audit.timer.d/x.conf"}},
		"a drop-in of all timers": {map[string]string{unitDir + "/timer.d/x.conf": "[Timer]\n"}, nil},
		"a later drop-in of a unit that is not harden's": {map[string]string{unitDir +
			"/docker.service.d/x.conf": "[Service]\n"}, nil},
		"another unit": {map[string]string{"/run/systemd/transient/harden-audit.timer": "[Timer]\n"},
			[]string{timer + " in force: yes -> hidden by /run/systemd/transient/harden-audit.timer"}},
		"masked": {map[string]string{"/etc/systemd/system.control/harden-audit.timer": ""},
			[]string{timer + " in force: yes -> harden-audit.timer is masked by " +
				"/etc/systemd/system.control/harden-audit.timer: " +
				"not present on this host"}},
		"the same name": {map[string]string{"/etc/systemd/system.control/docker.service.d/50-harden.conf": "[Service]\n"},
			[]string{conf + " in force: yes -> hidden by a file of the same name"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			add := func(p, data string) {
				t.Helper()
				must(t, os.MkdirAll(w.path(path.Dir(p)), 0o755))
				w.file(t, p, data, 0o644, 0, 0)
			}
			add("/usr/lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n")
			plan := &remediate.Plan{Changes: []remediate.Change{created(conf, "[Service]\n"), created(timer, "[Timer]\n")}}
			_, err := Apply(t.Context(), plan, w.options())
			must(t, err)
			_, err = Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.content(t, timer, "[Timer]\n#\n")}},
				w.options())
			must(t, err)
			for p, data := range test.add {
				add(p, data)
			}
			host := facts.New(t.Context(), live.New(w.root, live.DockerOptions{}), facts.Choices{})
			c, err := Drifted(LiveOn(host), w.options())
			must(t, err)
			var got []string
			for _, d := range c.Drifts {
				for _, x := range d.Differences {
					got = append(got, fmt.Sprintf("%s %s: %s -> %s", d.Change.Path, x.What, x.Was, x.Now))
				}
			}
			if d := cmp.Diff(test.want, got); d != "" || len(c.Unknown) > 0 {
				t.Errorf("unknown %v; (-want +got):\n%s", c.Unknown, d)
			}
		})
	}
}
