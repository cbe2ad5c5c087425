package activate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/harden/remediate"
	"example.com/harden/scripts/testdocker"
)

// standIn takes the place of OpenRC's rc-service, which is not on the systems that tests run on: it notes what it is
// asked, answers for the status, reloads by the signal, and has the test restart the daemon.
func standIn(t *testing.T, dir string, d *testdocker.Daemon) string {
	t.Helper()
	p := filepath.Join(dir, "rc-service")
	write(t, p, fmt.Sprintf(`#!/bin/sh
printf '%%s %%s [%%s]\n' "$1" "$2" "$(env | cut -d= -f1 | grep -v '^_$' | sort | tr '\n' ' ')" >>%[1]s/asked
case $2 in
status) exit "$(cat %[1]s/status)" ;;
reload) kill -HUP %[2]d ;;
restart) touch %[1]s/restart; while [ ! -e %[1]s/restarted ]; do sleep 0.1; done ;;
esac
`, dir, d.PID))
	if err := os.Chmod(p, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "status"), "0")
	write(t, filepath.Join(dir, "docker"), "#!/sbin/openrc-run\nextra_started_commands=\"reload\"\n")
	return p
}

// restarts is what the stand-in waits for.
func restarts(dir string, d *testdocker.Daemon) {
	for {
		if _, err := os.Stat(filepath.Join(dir, "restart")); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	d.Restart()
	_ = os.WriteFile(filepath.Join(dir, "restarted"), nil, 0o600)
}

// stops restarts a daemon that has live-restore in memory alone, as rolling back does: what that stops is said.
func stops(t *testing.T, s *Services, dir string, d *testdocker.Daemon, said *heard) {
	t.Helper()
	reload, restart := remediate.Activation{Kind: remediate.Reload, Unit: "/etc/init.d/docker"},
		remediate.Activation{Kind: remediate.Restart, Unit: "/etc/init.d/docker"}
	standIn(t, dir, d) // of the daemon that runs now
	write(t, d.ConfigFile, `{"live-restore": true}`)
	mentions(t, s.Activate(t.Context(), reload), "")
	d.Run("web", nil)
	write(t, d.ConfigFile, `{}`)
	for _, name := range []string{"restart", "restarted"} {
		_ = os.Remove(filepath.Join(dir, name))
	}
	go restarts(dir, d)
	mentions(t, s.Activate(t.Context(), restart), "")
	if !strings.Contains(said.String(), "which OpenRC cannot keep on for one start: web") {
		t.Errorf("said %q", said.String())
	}
}

func TestOpenRC(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts a dockerd")
	}
	d := testdocker.Start(t)
	dir := t.TempDir()
	var said heard
	s := New(Options{DockerHost: d.Host, Watch: time.Second, bus: without, event: testTimeout, Unit: "/etc/init.d/docker",
		Progress: said.add,
		openrc:   []string{standIn(t, dir, d)}, initd: dir})
	reload, restart := remediate.Activation{Kind: remediate.Reload, Unit: "/etc/init.d/docker"},
		remediate.Activation{Kind: remediate.Restart, Unit: "/etc/init.d/docker"}
	before := snap(t, s)
	if err := s.Ready(t.Context(), restart); err != nil {
		t.Fatalf("not ready: %v", err)
	}
	if err := s.Activate(t.Context(), reload); err != nil {
		t.Errorf("reload: %v", err)
	}
	go restarts(dir, d)
	if err := s.Activate(t.Context(), restart); err != nil {
		t.Errorf("restart: %v", err)
	}
	if err := s.Healthy(t.Context(), before); err != nil {
		t.Errorf("not healthy: %v", err)
	}
	asked, err := os.ReadFile(filepath.Join(dir, "asked"))
	want := "docker status [LC_ALL PATH PWD ]\ndocker reload [LC_ALL PATH PWD ]\ndocker restart [LC_ALL PATH PWD ]\n"
	if err != nil || string(asked) != want {
		t.Errorf("asked:\n%s%v\nwant:\n%s", asked, err, want)
	}
	if err := s.Activate(t.Context(), restart); err == nil || !strings.Contains(err.Error(), "the same process") {
		t.Errorf("a restart that was none: %v", err)
	}
	if strings.Contains(said.String(), "stops these containers") {
		t.Errorf("said with no container: %q", said.String())
	}
	stops(t, s, dir, d, &said)
	write(t, filepath.Join(dir, "status"), "3")
	if err := s.Ready(t.Context(), restart); err == nil || !strings.Contains(err.Error(),
		"OpenRC has not started docker") {
		t.Errorf("a service that does not run: %v", err)
	}
}

// TestAlone asks for a daemon that no service starts: neither is docker.service taken for it, nor is it restarted.
func TestAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a dockerd")
	}
	d := testdocker.Start(t)
	s := New(Options{DockerHost: d.Host, Watch: time.Second, bus: without, Alone: true})
	if p, err := s.daemon(t.Context(), "docker.service"); err != nil || p.PID != d.PID {
		t.Errorf("the daemon is %+v, %v; want PID %d", p, err, d.PID)
	}
	if err := s.Ready(t.Context(), restart); err == nil {
		t.Error("ready to restart what nothing would start again")
	}
}
