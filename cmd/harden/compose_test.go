package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/child"
	"example.com/harden/scripts/testdocker"
)

// TestComposeProject takes a container that a real Compose has made on a real dockerd through its file and back: the
// file is changed in the lines that it must be, the container is made again from it, and rollback undoes both.
func TestComposeProject(t *testing.T) {
	const compose = "/usr/bin/docker-compose"
	if _, err := os.Stat(compose); err != nil {
		t.Skip("needs docker-compose: nothing stands in for what makes the containers")
	}
	d := testdocker.Start(t)
	d.Run("seed", nil) // puts the image there
	dir := t.TempDir()
	file := filepath.Join(dir, "compose.yaml")
	before := "services:\n  web:            # people know it\n    image: " + testdocker.Image +
		"\n    network_mode: none\n    command: [\"/sleeper\"]\n    pid: host     # since 2019\n    environment: {TOKEN: " +
		"s3kr1t, LANG: C}\n"
	if err := os.WriteFile(file, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	up := exec.Command(compose, "-p", "shop", "-f", file, "up", "-d")
	up.Env = append(os.Environ(), "DOCKER_HOST="+d.Host)
	if out, err := up.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	web := func() container.InspectResponse {
		t.Helper()
		c, err := d.Client.ContainerInspect(t.Context(), "shop_web_1")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	was := web()
	if was.HostConfig.PidMode != "host" || !was.State.Running {
		t.Fatalf("%+v", was.HostConfig)
	}
	var said bytes.Buffer
	harden := func(code int, args ...string) string {
		t.Helper()
		cmd := exec.Command("/proc/self/exe", append(args, "--config", "none", "--state", dir+"/state", "--docker-host",
			d.Host)...)
		cmd.Args[0] = "harden"
		cmd.Env = child.Environ("TESTSCRIPT_COMMAND=harden")
		out, _ := cmd.CombinedOutput()
		said.Write(out)
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Fatalf("harden %q exited %d, want %d\n%s", args, got, code, out)
		}
		return string(out)
	}
	only := []string{"--only", "docker:5", "--skip", "docker/host-network"}
	plan := harden(2, append([]string{"--dry-run"}, only...)...)
	for _, part := range []string{"-    pid: host", "+    cap_drop:", "+      - NET_RAW", "compose up shop/web"} {
		if !strings.Contains(plan, part) {
			t.Errorf("the plan lacks %q:\n%s", part, plan)
		}
	}
	harden(2, append([]string{"--dry-run", "--allow", "all", "--out", dir + "/plan.json"}, only...)...)
	saved, err := os.ReadFile(dir + "/plan.json")
	if err != nil || !bytes.Contains(saved, []byte("compose-up")) {
		t.Errorf("the saved plan: %v\n%s", err, saved)
	}
	said.Write(saved)
	if got := web(); got.ID != was.ID {
		t.Error("a dry run has made the container again")
	}
	only = []string{"--only", "docker/host-pid,docker/capabilities,docker/read-only,docker/container-no-new-privileges"}
	harden(0, append([]string{"--yes", "--allow", "behaviour"}, only...)...)
	want := strings.Replace(before, "    pid: host     # since 2019\n", "", 1) +
		"    cap_drop:\n      - NET_RAW\n    read_only: true\n    security_opt:\n      - no-new-privileges:true\n"
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(after)); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
	now := web()
	for _, label := range []string{"project.config_files", "project.working_dir", "project", "service"} {
		if w, g := was.Config.Labels["com.docker.compose."+label], now.Config.Labels["com.docker.compose."+label]; w != g {
			t.Errorf("label %s was %q and is %q: the next run would look elsewhere", label, w, g)
		}
	}
	if now.ID == was.ID || !now.State.Running || now.HostConfig.PidMode == "host" || !now.HostConfig.ReadonlyRootfs ||
		len(now.HostConfig.SecurityOpt) != 1 || len(now.HostConfig.CapDrop) != 1 {
		t.Errorf("the container is %+v", now.HostConfig)
	}
	config := exec.Command(compose, "-f", file, "config", "-q")
	if out, err := config.CombinedOutput(); err != nil {
		t.Errorf("docker-compose config: %v\n%s", err, out)
	}
	if again := harden(2, append([]string{"--dry-run"}, only...)...); strings.Contains(again, "@@") ||
		strings.Contains(again, "compose up shop") {
		t.Errorf("a second run would change something:\n%s", again)
	}
	harden(0, "rollback", "--yes")
	if data, err := os.ReadFile(file); err != nil || string(data) != before {
		t.Errorf("the file after the rollback: %v\n%s", err, data)
	}
	if got := web(); got.HostConfig.PidMode != "host" || !got.State.Running {
		t.Errorf("the container after the rollback: %+v", got.HostConfig)
	}
	if strings.Contains(said.String(), "s3kr1t") {
		t.Error("the secret was told")
	}
}
