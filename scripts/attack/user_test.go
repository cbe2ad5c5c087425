package attack

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// A user's program called kube-apiserver names a file in a directory of the user's, beside a shell that is set-user-ID.
// Root gave the whole directory to root, the shell's bits with it.
func TestUserGetsNoRootShell(t *testing.T) {
	In(t, func(w *World) {
		w.Shell(1001, "mkdir pki; cp /bin/sh pki/rootsh; chmod 4755 pki/rootsh; touch pki/ca.crt")
		w.Sleep(1001, "/home/user1/bin/kube-apiserver", "--client-ca-file=/home/user1/pki/ca.crt")
		out, _ := w.Harden("--yes")
		info := w.Shell(0, "stat -c '%U %a' /home/user1/pki/rootsh")
		if info != "user1 4755\n" {
			t.Errorf("root's hand was moved: the shell is %s", info)
		}
		if !strings.Contains(out, "kube-apiserver") {
			t.Error("the report does not tell of the program that is not believed")
		}
	})
}

func TestWorldIsApart(t *testing.T) {
	const outside = "/etc/harden-was-here"
	In(t, func(w *World) {
		w.Shell(0, "touch "+outside)
		pid := w.Sleep(1001, "/home/user1/bin/dockerd")
		w.Cgroup(pid, "/system.slice/docker.service")
		cgroup := w.Shell(0, fmt.Sprintf("cat /proc/%d/cgroup", pid))
		if !strings.Contains(cgroup, "::/system.slice/docker.service\n") {
			t.Errorf("systemd would not have put it there:\n%s", cgroup)
		}
		if ps := w.Shell(1001, "ls -d /proc/[0-9]*"); strings.Count(ps, "\n") > 5 {
			t.Errorf("the machine's own processes can be seen:\n%s", ps)
		}
	})
	if _, err := os.Lstat(outside); err == nil && os.Getenv(inWorld) == "" {
		t.Errorf("%s: the machine itself was written to", outside)
	}
}
