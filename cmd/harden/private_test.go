package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/child"
	"example.com/harden/scripts/testdocker"
)

// TestPrivateDockerd takes a real dockerd that no systemd started through section 2 of the benchmark: what it takes up
// in place is done, and the rest ends as pending restart, which nothing here could do, until its owner restarts it.
func TestPrivateDockerd(t *testing.T) {
	d := testdocker.Start(t)
	if err := os.WriteFile(d.ConfigFile, []byte("{\n    \"debug\": false\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.Restart()
	before, err := os.ReadFile(d.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	id := d.Run("web", nil)
	state := func() container.State {
		t.Helper()
		c, err := d.Client.ContainerInspect(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return *c.State
	}
	pid := state().Pid

	dir := t.TempDir()
	type document struct {
		Results []struct{ ID, State string }
		Run     *struct{ Outcome string }
	}
	harden := func(code int, args ...string) (r document) {
		t.Helper()
		cmd := exec.Command("/proc/self/exe", append(args, "--format", "json", "--config", "none", "--state", dir+"/state",
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
	const reloaded, restarted = "docker/live-restore", "docker/no-new-privileges,docker/userland-proxy"
	only := []string{"--only", reloaded + "," + restarted}
	states := func(r document) map[string]string {
		all := map[string]string{}
		for _, x := range r.Results {
			all[x.ID] = x.State
		}
		return all
	}

	r := harden(0, append(slices.Clone(only), "--yes", "--allow", "restart")...)
	want := map[string]string{"docker/live-restore": "fixed", "docker/no-new-privileges": "pending-restart",
		"docker/userland-proxy": "pending-restart"}
	if diff := cmp.Diff(want, states(r)); diff != "" {
		t.Errorf("after the apply (-want +got):\n%s", diff)
	}
	if info, err := d.Client.Info(t.Context()); err != nil || !info.LiveRestoreEnabled {
		t.Errorf("live-restore is on: %v, %v", info.LiveRestoreEnabled, err)
	}
	after, err := os.ReadFile(d.ConfigFile)
	if err != nil || !strings.HasPrefix(string(after), "{\n    \"debug\": false,\n    \"") {
		t.Errorf("daemon.json is now, %v:\n%s", err, after)
	}
	if r := harden(0, append(slices.Clone(only), "--yes", "--allow", "restart")...); r.Run == nil ||
		r.Run.Outcome != "unchanged" {
		t.Errorf("a second run: %+v", r.Run)
	}
	harden(2, append([]string{"check"}, only...)...)
	harden(0, "drift") // what the run has left pending is pending

	d.Restart()
	harden(0, "drift")
	if r := harden(0, append([]string{"check"}, only...)...); states(r)["docker/no-new-privileges"] != "pass" {
		t.Errorf("after the restart: %v", states(r))
	}
	if got := state().Pid; got != pid {
		t.Errorf("the container's PID was %d and is %d", pid, got)
	}

	harden(0, "rollback", "--yes")
	if now, err := os.ReadFile(d.ConfigFile); err != nil || !bytes.Equal(now, before) {
		t.Errorf("daemon.json after the rollback, %v:\n%s", err, now)
	}
	if got := state(); got.Pid != pid || !got.Running {
		t.Errorf("the container after the rollback: %+v", got)
	}
}
