package activate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestPatience(t *testing.T) {
	for probe, want := range map[string]time.Duration{
		"": 0,
		"    startupProbe: {failureThreshold: 24, initialDelaySeconds: 10, periodSeconds: 10}\n": 250 * time.Second,
		"    startupProbe: {failureThreshold: 180, periodSeconds: 5}\n":                          15 * time.Minute,
		"    startupProbe: {}\n": 30 * time.Second, // the kubelet's defaults
	} {
		path := filepath.Join(t.TempDir(), "pod.yaml")
		text := "kind: Pod\nspec:\n  containers:\n  - name: kube-apiserver\n    command: [kube-apiserver]\n" + probe
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := readManifest(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Spec.Containers[0].patience(); got != want {
			t.Errorf("%q: %v, want %v", probe, got, want)
		}
	}
}

// sleeper returns a directory that every user can look into, and a program that sleeps.
func sleeper(t *testing.T) (dir string, program []byte) {
	t.Helper()
	dir = t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	return dir, program
}

// TestRunsForOthers has a user start a program with the arguments of a manifest, from a file of the user's and from one
// of root's: neither is what the kubelet started.
func TestRunsForOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to be another user")
	}
	dir, program := sleeper(t)
	c := podContainer{Command: []string{"kube-apiserver", "987"}}
	for _, uid := range []int{0, 1001} {
		for _, runner := range []uint32{0, 1001} {
			file := filepath.Join(dir, fmt.Sprint("kube-apiserver", uid, runner))
			if err := errors.Join(os.WriteFile(file, program, 0o755), os.Chown(file, uid, uid)); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(file, "987")
			cmd.Args[0] = "kube-apiserver"
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: runner, Gid: runner}}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			found, err := c.runs()
			cmd.Process.Kill()
			cmd.Wait()
			if want := uid == 0 && runner == 0; err != nil || (len(found) == 1) != want {
				t.Errorf("a program of uid %d, run by uid %d: %v, %v; want it found: %v", uid, runner, found, err, want)
			}
		}
	}
}

// TestRunsWrapped finds a program behind a wrapper that has become it, as nice does, and not one with other arguments.
func TestRunsWrapped(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a process of another user's does not count")
	}
	dir, program := sleeper(t)
	named := filepath.Join(dir, "kube-scheduler")
	if err := os.WriteFile(named, program, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nice", "-n", "1", named, "600.25")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	c := podContainer{Name: "kube-scheduler", Command: []string{"nice", "-n", "1", named, "600.25"}}
	for range 100 { // until nice has become it
		if found, err := c.runs(); err != nil || len(found) == 1 && found[0].PID == cmd.Process.Pid {
			if err != nil {
				t.Fatal(err)
			}
			c.Command[4] = "600.75"
			if found, err := c.runs(); err != nil || len(found) != 0 {
				t.Errorf("with other arguments: %v, %v", found, err)
			}
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("it is not found")
}
