package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/child"
	"example.com/harden/scripts/testdocker"
)

// TestObjects judges the containers, images, networks and the swarm of a real dockerd, each made to fail in one way,
// changes in place what can be, and takes that back.
func TestObjects(t *testing.T) {
	d := testdocker.Start(t)
	running := map[string]string{}
	for name, configure := range testdocker.Careless(d.Socket) {
		if name == "web" || name == "forever" {
			running[name] = d.Run(name, configure)
		} else {
			d.Create(name, configure)
		}
	}
	d.CarefulImage()
	port := d.Swarm()
	d.Sessions(running["web"])

	harden := program(t, d, `choices:
  containers:
  - {name: web, memory: auto}
  - {name: for*, memory: auto}
  - {memory: 64m, cpu-shares: auto}
allow: [behaviour]
`)
	t.Run("verdicts", func(t *testing.T) { verdicts(t, harden(2, "check"), port) })
	t.Run("module", func(t *testing.T) { byModule(t, d, running) })
	t.Run("live", func(t *testing.T) { inPlace(t, d, harden, running) })
}

// A document is as much of a report as the test reads.
type document struct {
	Results []struct {
		ID, Status, State, Reason string
		Findings                  []struct{ Subject, Got, State string }
	}
	Plan *struct {
		Updates []struct {
			Container, Diff string
			OneWay          []string `json:"one_way"`
		}
	}
	Run *struct{ Outcome, Reason string }
}

// program returns harden as a function of its exit code and its arguments.
func program(t *testing.T, d *testdocker.Daemon, config string) func(code int, args ...string) document {
	dir := t.TempDir()
	file := filepath.Join(dir, "harden.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(code int, args ...string) (r document) {
		t.Helper()
		cmd := exec.Command("/proc/self/exe", append(args, "--format", "json", "--config", file, "--state", dir+"/state",
			"--docker-host", d.Host)...)
		cmd.Args[0] = "harden"
		cmd.Env = child.Environ("TESTSCRIPT_COMMAND=harden")
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Fatalf("harden %q exited %d, want %d\n%s\n%s", args, got, code, said.String(), out.String())
		}
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatalf("harden %q: %v\n%s", args, err, out.String())
		}
		return r
	}
}

// verdicts compares which objects each check of sections 4 to 7 finds fault with.
func verdicts(t *testing.T, r document, port string) {
	got := map[string][]string{}
	all := []string{}
	for _, x := range r.Results {
		id := strings.TrimPrefix(x.ID, "docker/")
		if len(x.Findings) == 0 {
			got[id] = []string{x.Status}
		}
		for _, f := range x.Findings {
			name := strings.TrimSuffix(strings.TrimPrefix(f.Subject, "container "), " (created)")
			got[id] = append(got[id], name)
		}
		slices.Sort(got[id])
	}
	for name := range testdocker.Careless("") {
		all = append(all, name)
	}
	slices.Sort(all)
	but := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(names, s) })
	}
	want := map[string][]string{
		"user":                        append([]string{"image sleeper:latest"}, but("good")...),
		"image-healthcheck":           {"image sleeper:latest"},
		"package-index":               {"pass"},
		"no-add":                      {"pass"},
		"swarm-mode":                  {"engine swarm mode"},
		"privileged":                  {"vanilla"},
		"capabilities":                but("good", "tracer", "x")[:0],
		"sensitive-mounts":            {"editor"},
		"no-sshd":                     {"pass"},
		"low-ports":                   {"open"},
		"needed-ports":                {"manual"},
		"host-network":                {"agent"},
		"memory":                      but("good"),
		"cpu":                         but("good"),
		"read-only":                   but("good"),
		"bound-ports":                 {"open"},
		"restart-policy":              {"forever"},
		"host-pid":                    {"agent"},
		"host-ipc":                    {"agent"},
		"devices":                     {"disk", "vanilla"},
		"ulimits":                     {"plenty"},
		"mount-propagation":           {"shared"},
		"host-uts":                    {"agent"},
		"container-seccomp":           {"loose", "vanilla"},
		"container-cgroup-parent":     {"loose"},
		"container-no-new-privileges": but("good"),
		"container-healthcheck":       but("good"),
		"image-current":               {"manual"},
		"pids":                        but("good"),
		"default-bridge":              {"pass"},
		"host-userns":                 {"containers"},
		"socket-mounts":               {"panel"},
		"image-sprawl":                {"manual"},
		"container-sprawl":            {"manual"},
		"swarm-managers":              {"pass"},
		"swarm-ports":                 {"pass"},
		"swarm-secrets":               {"n/a"},
		"autolock":                    {"swarm autolock"},
		"unlock-key":                  {"n/a"},
		"node-certificates":           {"swarm certificate expiry"},
		"swarm-ca":                    {"manual"},
		"data-path":                   {"swarm data path"},
		"cap-dac-read-search":         {"admin", "vanilla"},
		"cap-sys-module":              {"vanilla"},
		"cap-sys-admin":               {"admin", "vanilla"},
		"cap-sys-ptrace":              {"admin", "tracer", "vanilla"},
		"overlay-encryption":          {"network ingress", "network plain"},
		"needed-packages":             {"manual"},
		"image-age":                   {"manual"},
		"verified-packages":           {"manual"},
		"signed-artifacts":            {"manual"},
		"trusted-images":              {"manual"},
	}
	want["capabilities"] = but("good")
	for id := range maps.Keys(want) {
		slices.Sort(want[id])
		if diff := cmp.Diff(want[id], got[id]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	for _, id := range []string{"exec-privileged", "exec-root"} {
		if len(got[id]) != 1 || !strings.HasSuffix(got[id][0], "in container web") {
			t.Errorf("%s: %v", id, got[id])
		}
	}
}

// inPlace changes what can be changed in place, looks for it in the kernel's own files, and takes it back.
func inPlace(t *testing.T, d *testdocker.Daemon, harden func(int, ...string) document, running map[string]string) {
	only := []string{"--only", "docker/memory,docker/cpu,docker/pids,docker/restart-policy"}
	pids := map[string]int{}
	for name, id := range running {
		c, err := d.Client.ContainerInspect(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		pids[name] = c.State.Pid
	}
	plan := harden(2, append([]string{"--dry-run"}, only...)...).Plan
	all := slices.Sorted(maps.Keys(testdocker.Careless("")))
	var planned []string
	for _, u := range plan.Updates {
		planned = append(planned, u.Container)
		if name := u.Container; running[name] != "" && (!strings.Contains(u.Diff, "# memory: with head room over the ") ||
			len(u.OneWay) != 1) {
			t.Errorf("the plan for %s, one-way %q:\n%s", name, u.OneWay, u.Diff)
		}
	}
	if diff := cmp.Diff(slices.DeleteFunc(all, func(s string) bool { return s == "good" }), planned); diff != "" {
		t.Errorf("planned for (-want +got):\n%s", diff)
	}

	r := harden(0, append([]string{"--yes"}, only...)...)
	if r.Run == nil || r.Run.Outcome != "applied" {
		t.Fatalf("the run: %+v", r.Run)
	}
	for name, id := range running {
		c, err := d.Client.ContainerInspect(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if c.State.Pid != pids[name] || !c.State.Running {
			t.Errorf("%s ran as process %d, and now %v as %d", name, pids[name], c.State.Running, c.State.Pid)
		}
		if got := kernelLimits(t, c.State.Pid); got.memory != c.HostConfig.Memory || got.memory == 0 || got.pids != "2048" ||
			got.shares != "512" {
			t.Errorf("%s: the kernel has %+v, the Engine memory %d", name, got, c.HostConfig.Memory)
		}
	}
	for _, x := range harden(0, append([]string{"check"}, only...)...).Results {
		if x.Status != "pass" {
			t.Errorf("afterwards %s: %s", x.ID, x.Status)
		}
	}
	if again := harden(0, append([]string{"--yes"}, only...)...); again.Run == nil || again.Run.Outcome != "unchanged" {
		t.Errorf("a second run: %+v", again.Run)
	}

	harden(0, "rollback", "--yes")
	for name, id := range running {
		c, err := d.Client.ContainerInspect(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		policy := map[string]container.RestartPolicyMode{"forever": "always"}[name]
		if h := c.HostConfig; h.RestartPolicy.Name != policy || h.Memory == 0 {
			t.Errorf("%s, taken back: restart policy %q, memory %d, which cannot be", name, h.RestartPolicy.Name, h.Memory)
		}
		if got := kernelLimits(t, c.State.Pid); c.State.Pid != pids[name] || got.pids != "max" || got.shares != "1024" {
			t.Errorf("%s, taken back: process %d (was %d), the kernel has %+v", name, c.State.Pid, pids[name], got)
		}
	}
}

// A kernelLimit is what a process's control groups say; shares as version 1 counts them.
type kernelLimit struct {
	memory       int64
	pids, shares string
}

func kernelLimits(t *testing.T, pid int) (l kernelLimit) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	read := func(path ...string) string {
		data, err := os.ReadFile(filepath.Join(append([]string{"/sys/fs/cgroup"}, path...)...))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(data))
	}
	_, err = os.Stat("/sys/fs/cgroup/cgroup.controllers")
	unified := err == nil
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch group := parts[2]; {
		case parts[1] == "" && unified:
			fmt.Sscan(read(group, "memory.max"), &l.memory)
			l.pids = read(group, "pids.max")
			l.shares = map[string]string{"20": "512", "39": "1024", "59": "512", "100": "1024"}[read(group, "cpu.weight")]
		case parts[1] == "":
		case parts[1] == "memory":
			fmt.Sscan(read("memory", group, "memory.limit_in_bytes"), &l.memory)
		case parts[1] == "pids":
			l.pids = read("pids", group, "pids.max")
		case slices.Contains(strings.Split(parts[1], ","), "cpu"):
			l.shares = read(parts[1], group, "cpu.shares")
		}
	}
	return l
}

// byModule has Ansible's module change in place what can be taken back whole, and look first.
func byModule(t *testing.T, d *testdocker.Daemon, running map[string]string) {
	dir := t.TempDir()
	module := func(arguments map[string]any) (a struct {
		Changed, Failed bool
		Msg             string
		Diff            []difference
	}) {
		t.Helper()
		maps.Copy(arguments, map[string]any{"config": "none", "state_dir": dir + "/state", "docker_host": d.Host,
			"_ansible_diff": true})
		text, err := json.Marshal(arguments)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/args", text, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/proc/self/exe", "ansible-module", dir+"/args")
		cmd.Args[0] = "harden"
		cmd.Env = child.Environ("TESTSCRIPT_COMMAND=harden")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", arguments, err, out)
		}
		if err := json.Unmarshal(out, &a); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return a
	}
	policy := func() container.RestartPolicyMode {
		t.Helper()
		c, err := d.Client.ContainerInspect(t.Context(), running["forever"])
		if err != nil {
			t.Fatal(err)
		}
		return c.HostConfig.RestartPolicy.Name
	}
	const header = "container forever (docker/restart-policy)"
	there := []difference{{"restart always\n", "restart on-failure:5\n", header, header}}
	back := []difference{{"restart on-failure:5\n", "restart always\n", "container forever", "container forever"}}
	only := func(dry bool) map[string]any {
		return map[string]any{"only": []string{"docker/restart-policy"}, "_ansible_check_mode": dry}
	}
	taken := func(dry bool) map[string]any {
		return map[string]any{"mode": "rollback", "run": "newest", "_ansible_check_mode": dry}
	}
	for _, step := range []struct {
		name      string
		arguments map[string]any
		changed   bool
		diff      []difference
		policy    container.RestartPolicyMode
	}{
		{"check mode", only(true), true, there, "always"},
		{"a run", only(false), true, there, "on-failure"},
		{"a second run", only(false), false, nil, "on-failure"},
		{"to take it back, in check mode", taken(true), true, back, "on-failure"},
		{"to take it back", taken(false), true, back, "always"},
	} {
		a := module(step.arguments)
		if a.Failed || a.Changed != step.changed || policy() != step.policy {
			t.Errorf("%s: %+v, restart policy %s", step.name, a, policy())
		}
		if diff := cmp.Diff(step.diff, a.Diff, cmp.AllowUnexported(difference{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}
