package attack

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const endsUser = 65534

// endsHost is a host below a directory with nothing on it but a daemon.json that anybody can write; run has the harden
// under attack do something to it and returns its exit code and what it said.
func endsHost(t *testing.T) (dir string, run func(args ...string) (int, string)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it is root that is attacked")
	}
	harden := Binary(t)
	dir = t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		endsDo(t, os.Chmod(d, 0o755))
	}
	for p, text := range map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\n",
		"etc/docker/daemon.json": "{}\n", "usr/bin/dockerd": "",
		"usr/lib/systemd/system/docker.service": "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n"} {
		p = filepath.Join(dir, "r", p)
		endsDo(t, os.MkdirAll(filepath.Dir(p), 0o755))
		endsDo(t, os.WriteFile(p, []byte(text), 0o644))
	}
	endsDo(t, os.Chmod(filepath.Join(dir, "r/etc/docker/daemon.json"), 0o666))
	config := filepath.Join(dir, "harden.yaml")
	endsDo(t, os.WriteFile(config, []byte("level: 2\n"), 0o644))
	return dir, func(args ...string) (int, string) {
		cmd := exec.Command(harden, append(args, "--config", config, "--root", filepath.Join(dir, "r"),
			"--state", filepath.Join(dir, "state"))...)
		out, err := cmd.CombinedOutput()
		if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
}

// endsDo fails the test on an error.
func endsDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestMetricsElsewhere has the user who owns the node exporter's directory put a link in its place: root would write
// where that leads.
func TestMetricsElsewhere(t *testing.T) {
	dir, run := endsHost(t)
	theirs, victim := filepath.Join(dir, "exporter"), filepath.Join(dir, "cron.d")
	endsDo(t, errors.Join(os.Mkdir(theirs, 0o755), os.Chown(theirs, endsUser, endsUser), os.Mkdir(victim, 0o755)))
	endsDo(t, endsAs(endsUser, "ln", "-s", victim, filepath.Join(theirs, "collector")))
	code, said := run("schedule", "run", "--metrics", filepath.Join(theirs, "collector", "harden"))
	if _, err := os.Lstat(filepath.Join(victim, "harden")); err == nil {
		t.Error("written where the user's link leads")
	}
	if code == 0 || !strings.Contains(said, "symbolic link") {
		t.Errorf("exit code %d, and it says:\n%s", code, said)
	}
}

// TestLockedForEver has a user who can read a package manager's lock file take that lock, as any reader can by flock.
func TestLockedForEver(t *testing.T) {
	dir, run := endsHost(t)
	for _, file := range []string{"var/lib/rpm/.rpm.lock", "lib/apk/db/lock"} {
		lock := filepath.Join(dir, "r", file)
		endsDo(t, errors.Join(os.MkdirAll(filepath.Dir(lock), 0o755), os.WriteFile(lock, nil, 0o644)))
		holder := exec.Command("flock", lock, "sh", "-c", "echo locked; cat")
		holder.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: endsUser, Gid: endsUser}}
		in, err := holder.StdinPipe()
		endsDo(t, err)
		out, err := holder.StdoutPipe()
		endsDo(t, err)
		endsDo(t, holder.Start())
		if _, err := io.ReadFull(out, make([]byte, len("locked"))); err != nil {
			t.Fatal(err)
		}
		if code, said := run("--yes", "--only", "docker/daemon-json-mode"); code == 75 {
			t.Errorf("a user's lock of %s blocks harden:\n%s", file, said)
		}
		in.Close()
		_ = holder.Wait()
	}
}

// endsAs runs a program as another user.
func endsAs(uid uint32, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return cmd.Run()
}
