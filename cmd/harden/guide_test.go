package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"example.com/harden/remediate/report"
	"example.com/harden/scripts/child"
	"example.com/harden/scripts/testdocker"
)

// TestGuideRemap moves a real dockerd to userns-remap by the command line alone, and back. Nothing here restarts
// dockerd for harden, so that it says so and goes on when somebody has.
func TestGuideRemap(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts a real Docker Engine")
	}
	if !testdocker.WithSubordinates(t) {
		return
	}
	d := testdocker.Start(t)
	if err := os.Chmod(filepath.Dir(d.Socket), 0o711); err != nil { // root in the namespace has to get at its data
		t.Fatal(err)
	}
	web := d.Run("web", func(c *container.Config, h *container.HostConfig) {
		c.Env, h.Binds = []string{"PASSWORD=hunter2"}, []string{"data:/data", d.DataRoot + ":/host"}
	})
	d.Create("admin", func(_ *container.Config, h *container.HostConfig) { h.NetworkMode, h.Privileged = "host", true })
	state := t.TempDir()
	harden := func(code int, args ...string) string {
		t.Helper()
		if args = append(args, "--config", "none", "--state", state); args[0] != "history" {
			args = append(args, "--docker-host", d.Host)
		}
		cmd := exec.Command("/proc/self/exe", args...)
		cmd.Args[0] = "harden"
		cmd.Env = child.Environ("TESTSCRIPT_COMMAND=harden")
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Fatalf("harden %q exited %d, want %d\n%s", args, got, code, out)
		}
		if strings.Contains(string(out), "hunter2") {
			t.Errorf("harden %q shows a secret:\n%s", args, out)
		}
		return string(out)
	}
	says := func(out string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
				t.Errorf("lacks %q:\n%s", want, out)
			}
		}
	}
	says(harden(64, "guide", "userns-remap", "--back"), "there is no move to roll back")
	for _, args := range [][]string{{"--dry-run"}, {}} {
		says(harden(2, append([]string{"guide", "userns-remap"}, args...)...), "sleeper:latest", "data 1 files",
			"web runs",
			"admin stopped; stays in the host's user namespace (--userns=host)", "Rollback",
			"it can't write "+d.DataRoot)
	}
	var g report.Guide
	if err := json.Unmarshal([]byte(harden(2, "guide", "userns-remap", "--format", "json")),
		&g); err != nil || g.State != "planned" ||
		len(g.Containers) != 2 || len(g.Steps) != 9 || len(g.Refusals) > 0 {
		t.Fatalf("%v, %+v", err, g)
	}
	says(harden(1, "guide", "userns-remap", "--yes"), "restart it, then run `harden guide userns-remap` again")
	d.Restart()
	says(harden(2, "guide", "userns-remap"), "unfinished", "1 done", "3 part")
	says(harden(0, "guide", "userns-remap", "--yes"), "The move to userns-remap is done")
	info, err := d.Client.ContainerInspect(t.Context(), "web")
	if err != nil || !info.State.Running || info.ID == web {
		t.Errorf("web: %v, %+v", err, info.State)
	}
	admin, err := d.Client.ContainerInspect(t.Context(), "admin")
	if err != nil || !admin.HostConfig.UsernsMode.IsHost() || admin.State.Running {
		t.Errorf("admin: %v, %+v", err, admin.HostConfig)
	}
	harden(0, "check", "--only", "docker/userns-remap")
	says(harden(0, "guide", "userns-remap", "--yes"), "is done")
	says(harden(2, "guide", "userns-remap", "--back"), "is kept in "+d.DataRoot+"/harden-guide-")
	says(harden(1, "guide", "userns-remap", "--back", "--yes"), "restart dockerd and run")
	d.Restart()
	says(harden(0, "guide", "userns-remap", "--back", "--yes"), "Everything is as it was before the move")
	if info, err = d.Client.ContainerInspect(t.Context(), web); err != nil || !info.State.Running {
		t.Errorf("web: %v, %+v", err, info.State)
	}
	if config, err := os.ReadFile(d.ConfigFile); err != nil || string(config) != "{}\n" {
		t.Errorf("daemon.json: %q, %v", config, err)
	}
	says(harden(0, "history"), "rolled-back")
}
