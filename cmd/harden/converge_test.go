package main

import (
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

// A shop is a project of one service that a real Compose has made on a real dockerd.
type shop struct {
	t    *testing.T
	d    *testdocker.Daemon
	dir  string
	file string
}

func newShop(t *testing.T, text string) *shop {
	t.Helper()
	const compose = "/usr/bin/docker-compose"
	if _, err := os.Stat(compose); err != nil {
		t.Skip("needs docker-compose: nothing stands in for what makes the containers")
	}
	s := &shop{t: t, d: testdocker.Start(t), dir: t.TempDir()}
	s.d.Run("seed", nil) // puts the image there
	s.file = filepath.Join(s.dir, "compose.yaml")
	if err := os.WriteFile(s.file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	up := exec.Command(compose, "-p", "shop", "-f", s.file, "up", "-d")
	up.Env = append(os.Environ(), "DOCKER_HOST="+s.d.Host)
	if out, err := up.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return s
}

func (s *shop) harden(code int, args ...string) string {
	s.t.Helper()
	cmd := exec.Command("/proc/self/exe", append(args, "--config", "none", "--state", s.dir+"/state", "--docker-host",
		s.d.Host)...)
	cmd.Args[0] = "harden"
	cmd.Env = child.Environ("TESTSCRIPT_COMMAND=harden")
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		s.t.Fatalf("harden %q exited %d, want %d\n%s", args, got, code, out)
	}
	return string(out)
}

func (s *shop) web() container.InspectResponse {
	s.t.Helper()
	c, err := s.d.Client.ContainerInspect(s.t.Context(), "shop_web_1")
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *shop) holds(want string) {
	s.t.Helper()
	data, err := os.ReadFile(s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(data)); diff != "" {
		s.t.Errorf("the Compose file (-want +got):\n%s", diff)
	}
}

const shopText = "services:\n  web:\n    image: " + testdocker.Image +
	"\n    network_mode: none\n    command: [\"/sleeper\"]\n    pid: host\n    restart: always\n"

// TestComposeTakesLimits: a container that Compose makes again gets its limits by its file, and none in place, which
// would be lost at once; so the run is applied, and the next one has nothing to do.
func TestComposeTakesLimits(t *testing.T) {
	s := newShop(t, shopText)
	only := []string{"--only", "docker/host-pid,docker/pids,docker/restart-policy"}
	plan := s.harden(2, append([]string{"--dry-run", "--allow", "all"}, only...)...)
	if strings.Contains(plan, "container shop_web_1  ") || !strings.Contains(plan, "+    pids_limit: 2048") {
		t.Errorf("the plan changes the container beside its file:\n%s", plan)
	}
	s.harden(0, append([]string{"--yes", "--allow", "all"}, only...)...)
	s.holds(strings.NewReplacer("    pid: host\n", "", "restart: always", "restart: on-failure:5").Replace(shopText) +
		"    pids_limit: 2048\n")
	now := s.web()
	if p := now.HostConfig.PidsLimit; p == nil || *p != 2048 || now.HostConfig.RestartPolicy.MaximumRetryCount != 5 ||
		!now.State.Running {
		t.Errorf("the container is %+v", now.HostConfig)
	}
	s.harden(0, append([]string{"--dry-run", "--allow", "all"}, only...)...)
	s.harden(0, "rollback", "--yes")
	s.holds(shopText)
	if back := s.web(); back.HostConfig.PidMode != "host" || back.HostConfig.RestartPolicy.Name != "always" ||
		!back.State.Running {
		t.Errorf("the container after the rollback: %+v", back.HostConfig)
	}
}

// TestComposeKeepsLimits: what an earlier run gave a container in place is not lost as a later one has Compose make it
// again.
func TestComposeKeepsLimits(t *testing.T) {
	text := strings.Replace(shopText, "    restart: always\n", "", 1)
	s := newShop(t, text)
	s.harden(0, "--yes", "--only", "docker/pids")
	if p := s.web().HostConfig.PidsLimit; p == nil || *p != 2048 {
		t.Fatalf("its limit is %v", p)
	}
	s.holds(text)
	s.harden(0, "--yes", "--allow", "workload", "--only", "docker/host-pid,docker/pids")
	s.holds(strings.Replace(text, "    pid: host\n", "", 1) + "    pids_limit: 2048\n")
	s.harden(0, "--dry-run", "--allow", "all", "--only", "docker/host-pid,docker/pids")
}

// TestComposeMakesAgain changes a key alone that docker-compose 1 does not count as a change of the service.
func TestComposeMakesAgain(t *testing.T) {
	s := newShop(t, shopText)
	s.harden(0, "--yes", "--allow", "workload", "--only", "docker/host-pid")
	if now := s.web(); now.HostConfig.PidMode == "host" || !now.State.Running {
		t.Errorf("the container is %+v", now.HostConfig)
	}
	s.harden(0, "rollback", "--yes")
	if back := s.web(); back.HostConfig.PidMode != "host" || !back.State.Running {
		t.Errorf("the container after the rollback: %+v", back.HostConfig)
	}
}
