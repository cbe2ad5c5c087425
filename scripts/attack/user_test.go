package attack

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

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

// TestUser has a user start a program that is called like one of a node's, with arguments that name what is not the
// user's. Root then runs harden with --yes and nothing else, as a schedule does. Each of these moved root's hand.
func TestUser(t *testing.T) {
	const bin = "/home/user1/bin/"
	for _, e := range []struct {
		name  string
		setup string     // as root
		user  string     // as the user who attacks
		runs  [][]string // the programs that the user starts
		look  string     // what must be the same afterwards
	}{
		{"a shell that is set-user-ID", "", "mkdir pki; cp /bin/sh pki/rootsh; chmod 4755 pki/rootsh; touch pki/ca.crt",
			[][]string{{"kube-apiserver", "--client-ca-file=/home/user1/pki/ca.crt"}}, "stat -c '%U %a' /home/user1/pki/rootsh"},
		{"the users' names", "", "", [][]string{{"kubelet", "--config=/etc/passwd"}}, "stat -c '%U %a' /etc/passwd"},
		{"another user's home", "touch /home/user2/letter; chown -R user2 /home/user2", "",
			[][]string{{"kube-apiserver", "--client-ca-file=/home/user2/x"}}, "stat -c '%U %a' /home/user2 /home/user2/letter"},
		{"the programs of the system", "", "", [][]string{{"kube-apiserver"}, {"etcd", "--data-dir=/usr"}},
			"stat -c '%U %a' /usr"},
		{"the users' names, as a key", "", "", [][]string{{"dockerd", "--tlskey=/etc/passwd"}},
			"stat -c '%U %a' /etc/passwd"},
		{"the audit log, by a rule for everything", "", "", [][]string{{"dockerd", "--data-root=/"}},
			"! grep -rh -- '-w / ' /etc/audit/rules.d"},
	} {
		t.Run(e.name, func(t *testing.T) {
			In(t, func(w *World) {
				w.Shell(0, e.setup)
				w.Shell(1001, e.user)
				for _, run := range e.runs {
					w.Sleep(1001, bin+run[0], run[1:]...)
				}
				before := w.Shell(0, e.look)
				out, _ := w.Harden("--yes")
				if after := w.Shell(0, e.look); after != before {
					t.Errorf("root's hand was moved: %q was %q", after, before)
				}
				told(t, out, "ignored: it runs as uid 1001, not as root", "dockerd is a user's own")
			})
		})
	}
}

// told reports an error unless the output says one of texts, however its lines are broken.
func told(t *testing.T, out string, texts ...string) {
	t.Helper()
	flat := strings.Join(strings.Fields(out), " ")
	for _, text := range texts {
		if strings.Contains(flat, text) {
			return
		}
	}
	t.Errorf("the report says none of %q", texts)
}

// TestEndless has a user name a directory without end. harden looked through it for hours.
func TestEndless(t *testing.T) {
	In(t, func(w *World) {
		w.Patience = 30 * time.Second
		w.Shell(0, "mkdir -p /usr/local/bin; cp "+Sleeper+" /usr/local/bin/kubelet")
		w.Shell(1001, "mkdir -p a/b/c/d/e/f; for i in 1 2 3 4 5 6 7 8; do ln -s /home/user1/a a/b/$i; done; "+
			"for i in 1 2 3 4 5; do ln -s /home/user1 a/b/c/$i; done")
		w.Start(w.Command(0, "/usr/local/bin/kubelet", "--config-dir=/"))
		out, code := w.Harden("--dry-run")
		if code != 2 {
			t.Errorf("it ends with %d, want 2", code)
		}
		told(t, out, "--config-dir: / belongs to the whole system")
	})
}

// files are the items about files: a sleeping dockerd takes up no configuration.
var files = []string{"--only", "docker:1", "--only", "docker:3", "--only", "k8s:1.1", "--only", "k8s:4.1"}

// TestMistake has root itself name what is not of the kind that an item is about.
func TestMistake(t *testing.T) {
	for _, m := range []struct {
		name, setup string
		runs        [][]string
		look, told  string
	}{
		{"kubelet", "", [][]string{{"kubelet", "--config=/etc/passwd"}}, "stat -c '%U %a' /etc/passwd",
			"not a configuration file of the kubelet"},
		{"key", "", [][]string{{"dockerd", "--tlskey=/etc/passwd"}}, "stat -c '%U %a' /etc/passwd",
			"not a private key in PEM form"},
		{"data of etcd", "", [][]string{{"kube-apiserver"}, {"etcd", "--data-dir=/usr"}}, "stat -c '%U %a' /usr",
			"a system directory"},
		{"data of dockerd", "", [][]string{{"dockerd", "--data-root=/"}}, "! grep -rh -- '-w / ' /etc/audit/rules.d",
			"a system directory"},
		{"a home", "echo '-----BEGIN CERTIFICATE-----' >/home/user2/ca.crt; chown user2 /home/user2/ca.crt",
			[][]string{{"kube-apiserver", "--client-ca-file=/home/user2/ca.crt"}},
			"stat -c '%U %a' /home/user2 /home/user2/ca.crt", "not only root decides"},
		{"/etc", "touch /etc/app.conf; chown user2 /etc/app.conf; openssl req -x509 -newkey ed25519 -nodes -subj /CN=ca " +
			"-keyout /dev/null -out /etc/ca.crt",
			[][]string{{"kube-apiserver", "--client-ca-file=/etc/ca.crt"}}, "stat -c '%U %a' /etc/app.conf", ""},
	} {
		t.Run(m.name, func(t *testing.T) {
			In(t, func(w *World) {
				w.Shell(0, m.setup)
				for _, run := range m.runs {
					w.Sleep(0, "/usr/local/bin/"+run[0], run[1:]...)
				}
				before := w.Shell(0, m.look)
				out, _ := w.Harden(append([]string{"--yes"}, files...)...)
				if after := w.Shell(0, m.look); after != before {
					t.Errorf("it was changed: %q was %q", after, before)
				}
				if m.told != "" {
					told(t, out, m.told)
				}
			})
		})
	}
}

// TestHonest has root's own programs, from where root alone can write, judged and put right as ever.
func TestHonest(t *testing.T) {
	const key = "openssl req -x509 -newkey ed25519 -nodes -subj /CN=x -keyout key.pem -out cert.pem"
	for _, h := range []struct {
		name, setup string
		runs        [][]string
		look, want  string
	}{
		{"a key of dockerd", "mkdir -p /etc/docker/tls; cd /etc/docker/tls; " + key + "; chmod 644 key.pem",
			[][]string{{"dockerd", "--tlskey=/etc/docker/tls/key.pem"}},
			"stat -c '%U %a' /etc/docker/tls/key.pem", "root 400\n"},
		{"certificates", "mkdir -p /etc/kube/pki; cd /etc/kube/pki; " + key +
			"; cp /bin/sh tool.srl; chown user2 *; chmod 6755 tool.srl",
			[][]string{{"kube-apiserver", "--client-ca-file=/etc/kube/pki/cert.pem"}},
			"stat -c '%U %a' /etc/kube/pki/cert.pem /etc/kube/pki/tool.srl", "root 644\nroot 755\n"},
		{"a certificate among other files", "cd /etc; " + key + "; chown user2 cert.pem",
			[][]string{{"kube-apiserver", "--client-ca-file=/etc/cert.pem"}},
			"stat -c '%U %a' /etc/cert.pem", "root 644\n"},
		{"etcd's data", "mkdir -p /data/etcd/member; chmod 755 /data/etcd",
			[][]string{{"kube-apiserver"}, {"etcd", "--data-dir=/data/etcd"}},
			"stat -c '%U %a' /data/etcd", "root 700\n"},
		{"the kubelet's configuration",
			"mkdir /etc/kubelet; printf 'kind: KubeletConfiguration\\n' >/etc/kubelet/config.yaml",
			[][]string{{"kubelet", "--config=/etc/kubelet/config.yaml"}}, "stat -c '%U %a' /etc/kubelet/config.yaml",
			"root 600\n"},
	} {
		t.Run(h.name, func(t *testing.T) {
			In(t, func(w *World) {
				w.Shell(0, h.setup)
				for _, run := range h.runs {
					w.Sleep(0, "/usr/local/bin/"+run[0], run[1:]...)
				}
				w.Harden(append([]string{"--yes"}, files...)...)
				if got := w.Shell(0, h.look); got != h.want {
					t.Errorf("%q, want %q", got, h.want)
				}
				w.Harden("rollback", "--yes")
			})
		})
	}
}
