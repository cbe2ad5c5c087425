package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/remediate"
	"example.com/harden/remediate/activate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
	"example.com/harden/scripts/child"
	"example.com/harden/scripts/testdocker"
)

// TestDriftedChecks judges checks that a run has settled on hosts that somebody has changed since: a rule was unloaded,
// auditing was switched off, a daemon, a kubelet or an API server runs with something else than what its files say.
func TestDriftedChecks(t *testing.T) {
	const audit, etc = "docker/audit-etc-docker", "docker/audit-etc-default"
	for _, test := range []struct {
		host    string
		settled apply.Settled
		want    string
	}{
		{"docker/hardened.txtar", apply.Settled{Check: audit}, ""},
		{"docker/hardened.txtar", apply.Settled{Check: "docker/icc"}, ""},
		{"docker/audit.txtar", apply.Settled{Check: etc},
			"live /etc/default/docker: pass -> fail: recorded by a rule on disk that is not loaded, must be recorded on " +
				"write and attribute change"},
		{"docker/audit.txtar", apply.Settled{Check: etc, Waiting: true},
			"note docker/audit-etc-default: pending, as run 0001-x has left it: /etc/default/docker: recorded by a rule on " +
				"disk that is not loaded"},
		{"docker/audit.txtar", apply.Settled{Check: etc, Waiting: true, Rebooted: true},
			"live /etc/default/docker: pending -> fail: recorded by a rule on disk that is not loaded, must be recorded on " +
				"write and attribute change"},
		{"docker/auditoff.txtar", apply.Settled{Check: audit},
			"live kernel auditing: pass -> fail: switched off, must be on"},
		{"docker/auditunasked.txtar", apply.Settled{Check: audit},
			"unknown docker/audit-etc-docker: unknown: audit: permission denied"},
		{"docker/pending.txtar", apply.Settled{Check: "docker/icc"},
			"live daemon icc: pass -> fail: false in /etc/docker/daemon.json, true in the running daemon: pending restart, " +
				"must be false"},
		{"kubernetes/pending.txtar", apply.Settled{Check: "kubernetes/kubelet-read-only-port"},
			"live kubelet readOnlyPort: pass -> fail: 0 by --read-only-port in /var/lib/kubelet/kubeadm-flags.env, 10255 by " +
				"--read-only-port in the running kubelet"},
		{"kubernetes/pending.txtar", apply.Settled{Check: "kubernetes/scheduler-profiling"},
			"live kube-scheduler --profiling: pass -> fail: false by --profiling in " +
				"/etc/kubernetes/manifests/kube-scheduler.yaml, true in the running process"},
		{"docker/nothing.txtar", apply.Settled{Check: "docker/icc"}, "unknown docker/icc: n/a: "},
		{"kubernetes/hardened.txtar", apply.Settled{Check: "kubernetes/kubelet-anonymous"}, ""},
		{"docker/hardened.txtar", apply.Settled{Check: "docker/icc", DockerHost: "unix:///tmp/d.sock"},
			"unknown docker/icc: it was checked with another Docker Engine; use --docker-host unix:///tmp/d.sock"},
		{"kubernetes/hardened.txtar", apply.Settled{Check: "kubernetes/kubelet-anonymous",
			DockerHost: "unix:///tmp/d.sock"}, ""},
		{"docker/nothing.txtar", apply.Settled{Check: "docker/renamed"},
			"unknown docker/renamed: this version of harden has no such check"},
	} {
		s := recorded(t, test.host)
		test.settled.Run = "0001-x"
		d := &report.Drift{}
		(&comparison{s, d}).checks([]apply.Settled{test.settled})
		var got []string
		for _, l := range d.Live {
			got = append(got, fmt.Sprintf("live %s: %s -> %s", l.Subject, l.Differences[0].Was, l.Differences[0].Now))
		}
		for _, u := range d.Unknown {
			got = append(got, "unknown "+u.Subject+": "+u.Reason)
		}
		for _, n := range d.Notes {
			got = append(got, "note "+n)
		}
		if all := strings.Join(got, "\n"); test.want == "" && all != "" || !strings.HasPrefix(all, test.want) ||
			len(got) > 1 {
			t.Errorf("%s, %+v: %s, want %s", test.host, test.settled, all, test.want)
		}
	}
}

// TestDriftedTimers asks about timers, and about what the cluster keeps, of which some have changed since.
func TestDriftedTimers(t *testing.T) {
	s := recorded(t, "docker/nothing.txtar")
	say := func(d *report.Drift) (all []string) {
		for _, l := range d.Live {
			all = append(all, fmt.Sprintf("%s %s %s: %s -> %s\n%s", l.Kind, l.ID, l.Differences[0].What, l.Differences[0].Was,
				l.Differences[0].Now, l.Diff))
		}
		for _, u := range d.Unknown {
			all = append(all, fmt.Sprintf("unknown %s of %s: %s", u.Subject, u.Run, u.Reason))
		}
		return all
	}
	d := &report.Drift{}
	timers := map[string]activate.Timer{"runs": {Load: "loaded", Active: "active"}, "stopped": {Load: "loaded",
		Active: "inactive"},
		"removed": {Load: "not-found", Active: "inactive"}}
	var units []apply.Settled
	for _, name := range []string{"runs", "stopped", "removed", "silent"} {
		units = append(units, apply.Settled{Unit: name, Run: "0001-x"})
	}
	(&comparison{s, d}).timers(units, func(_ context.Context, name string) (activate.Timer, error) {
		if timer, ok := timers[name]; ok {
			return timer, nil
		}
		return activate.Timer{}, errors.New("no systemd")
	})
	want := []string{"timer stopped state: active -> inactive\n", "unknown silent of 0001-x: no systemd"}
	if diff := cmp.Diff(want, say(d)); diff != "" {
		t.Errorf("timers (-want +got):\n%s", diff)
	}

	records := []apply.Recorded{
		{Run: "0001-x", Record: remediate.Record{Namespace: "kube-system", ConfigMap: "kubeadm-config", Before: "old",
			After: "a: 1\n"}},
		{Run: "0002-x", Record: remediate.Record{Namespace: "kube-system", ConfigMap: "kubelet-config", Before: "old",
			After: "b: 1\n"}},
	}
	d = &report.Drift{}
	(&comparison{s, d}).records(records, func(context.Context) (*remediate.Cluster, error) {
		return &remediate.Cluster{Configuration: "a: 1\n", Kubelet: "b: 2\n"}, nil
	})
	if all := say(d); len(all) != 1 || !strings.HasPrefix(all[0],
		"configmap configmap/kube-system/kubelet-config content: sha256 ") ||
		!strings.Contains(all[0], "-b: 1\n+b: 2\n") {
		t.Errorf("records: %q", all)
	}
	d = &report.Drift{}
	(&comparison{s, d}).records(records, nil)
	if all := say(d); len(all) != 2 ||
		all[1] != "unknown configmap/kube-system/kubelet-config of 0002-x: no kubeconfig to ask the cluster with; name "+
			"one by --kubeconfig" {
		t.Errorf("without a cluster: %q", all)
	}
}

// An audited is a dockerd that harden has changed, and what it was told.
type audited struct {
	*testing.T
	*testdocker.Daemon
	host, state string
}

func (a *audited) harden(code int, args ...string) []byte {
	a.Helper()
	args = append(args, "--format", "json", "--config", "none", "--state", a.state, "--docker-host", a.host)
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "harden"
	cmd.Env = child.Environ("TESTSCRIPT_COMMAND=harden")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		a.Fatalf("harden %q exited %d, want %d\n%s\n%s", args, got, code, said.String(), out.String())
	}
	return out.Bytes()
}

// drift looks for drift among so many files, containers and checks.
func (a *audited) drift(code int, compared [3]int, want ...string) {
	a.Helper()
	var r report.Drift
	if err := json.Unmarshal(a.harden(code, "drift"), &r); err != nil {
		a.Fatal(err)
	}
	got := []string{}
	for _, l := range r.Live {
		for _, x := range l.Differences {
			got = append(got, fmt.Sprintf("%s: %s: %s -> %s", l.Subject, x.What, x.Was, x.Now))
		}
	}
	for _, u := range r.Unknown {
		reason, _, _ := strings.Cut(u.Reason, ":")
		got = append(got, "unknown "+u.Subject+": "+reason)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" || len(r.Drifted) > 0 {
		a.Errorf("drifted files %v (-want +got):\n%s", r.Drifted, diff)
	}
	if found := [3]int{r.Files, r.Containers, r.Checks}; found != compared {
		a.Errorf("compared %d files, containers and checks, want %d", found, compared)
	}
}

// TestDriftContainers has a real engine update containers, remove and recreate them behind the back of a run.
func TestDriftContainers(t *testing.T) {
	d := testdocker.Start(t)
	a := &audited{t, d, d.Host, t.TempDir() + "/state"}
	web, db := d.Run("web", nil), d.Run("db", nil)
	update := func(pids int64, policy container.RestartPolicyMode) {
		t.Helper()
		u := container.UpdateConfig{RestartPolicy: container.RestartPolicy{Name: policy}}
		u.PidsLimit = &pids
		if _, err := d.Client.ContainerUpdate(t.Context(), web, u); err != nil {
			t.Fatal(err)
		}
	}
	update(0, "always")
	a.harden(0, "--yes", "--only", "docker/pids,docker/restart-policy")
	all := [3]int{0, 2, 2}
	a.drift(0, all)
	update(77, "on-failure")
	const fails, must = "container web: verdict: pass -> fail: ", ", must be no, or on-failure with at most 5 retries"
	a.drift(2, all, "container web: pids-limit: 2048 -> 77", "container web: restart: on-failure:5 -> on-failure",
		fails+"on-failure"+must)
	update(2048, "always")
	a.drift(2, all, "container web: restart: on-failure:5 -> always", fails+"always"+must)

	for _, id := range []string{web, db} {
		if err := d.Client.ContainerRemove(t.Context(), id, container.RemoveOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	again := d.Create("web", nil)
	a.drift(2, all, "container db: existence: there -> gone",
		"container web: container: "+web[:12]+" -> recreated as "+again[:12],
		"container web: pids-limit: 2048 -> -1", "container web: restart: on-failure:5 -> no",
		"container web (created): verdict: pass -> fail: no limit on its processes, must be limited")
	d.Stop()
	a.drift(1, all, "unknown container db ("+db[:12]+"): the Docker Engine",
		"unknown container web ("+web[:12]+"): the Docker Engine",
		"unknown docker/pids: unknown", "unknown docker/restart-policy: unknown")
}

// TestDriftDaemon has dockerd run with another configuration file than the one that a run has written, which nobody has
// touched.
func TestDriftDaemon(t *testing.T) {
	d := testdocker.Start(t)
	a := &audited{t, d, d.Host, t.TempDir() + "/state"}
	a.harden(0, "--yes", "--only", "docker/live-restore")
	all := [3]int{1, 0, 1}
	a.drift(0, all)
	other := t.TempDir() + "/other.json"
	if err := os.WriteFile(other, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.Restart("--config-file", other)
	a.drift(2, all, "daemon live-restore: verdict: pass -> fail: unset, so false, must be true")
	d.Restart()
	a.drift(0, all)
	a.host = "unix://" + other
	a.drift(1, all, "unknown docker/live-restore: it was checked with another Docker Engine; use --docker-host unix")
}

// TestDriftRules takes a rule out of the kernel's list that a run has loaded. The list is the machine's own, so the
// test takes out what it has put in; /etc/audit is the test's, in a mount namespace.
func TestDriftRules(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can load audit rules")
	}
	auditctl := func(args ...string) string {
		out, err := exec.Command("auditctl", args...).CombinedOutput()
		if err != nil {
			t.Skipf("this kernel takes no audit rules: %v\n%s", err, out)
		}
		return string(out)
	}
	const watched = "/usr/sbin/dockerd"
	if info, err := os.Stat(watched); err != nil || !info.Mode().IsRegular() {
		t.Skipf("needs a file that is to be watched: %v", err)
	}
	if strings.Contains(auditctl("-s"), "enabled 2") || strings.Contains(auditctl("-l"), watched) {
		t.Skip("the rules of this machine are its own")
	}
	dir, etc := t.TempDir(), t.TempDir()
	if err := os.Mkdir(etc+"/rules.d", 0o750); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	harden := func(code int, args ...string) string {
		t.Helper()
		args = append(args, "--config", "none", "--state", dir+"/state")
		cmd := exec.Command("unshare", append([]string{"--mount", "bash", "-c",
			`mount --bind "$0" /etc/audit && exec -a harden "$@"`, etc, self}, args...)...)
		cmd.Env = child.Environ("TESTSCRIPT_COMMAND=harden")
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Fatalf("harden %q exited %d, want %d\n%s", args, got, code, out)
		}
		return string(out)
	}
	rule := []string{watched, "-p", "wa", "-k", "docker"}
	t.Cleanup(func() { exec.Command("auditctl", append([]string{"-W"}, rule...)...).Run() })
	harden(0, "--yes", "--only", "docker/audit-dockerd")
	loaded := strings.Contains(auditctl("-l"), watched)
	if out := harden(0, "drift"); !loaded || !strings.HasPrefix(out,
		"No drift: nothing has changed since harden ran (1 file, ") {
		t.Errorf("loaded %v:\n%s", loaded, out)
	}
	auditctl(append([]string{"-W"}, rule...)...)
	out := harden(2, "drift")
	if !strings.Contains(out, "differs loaded rule: -w "+watched+" -p wa -k docker -> not loaded") ||
		strings.Contains(out, "sha256") {
		t.Errorf("unloaded:\n%s", out)
	}
	auditctl(append([]string{"-w"}, rule...)...)
	harden(0, "drift")
}
