package attack

import (
	"strings"
	"testing"
)

const selfSigned = "openssl req -x509 -newkey ed25519 -nodes -subj /CN=x -keyout key.pem -out cert.pem"

// TestHidden has a user start a program called like root's, with more arguments than are ever read. Nothing of root's
// could be judged then, or put right.
func TestHidden(t *testing.T) {
	In(t, func(w *World) {
		w.Shell(0, "mkdir -p /etc/docker/tls; cd /etc/docker/tls; "+selfSigned+"; chmod 644 key.pem")
		w.Sleep(0, "/usr/local/bin/dockerd", "--tlskey=/etc/docker/tls/key.pem")
		long := make([]string, 20)
		for i := range long {
			long[i] = strings.Repeat("x", 100_000)
		}
		w.Sleep(1001, "/home/user1/bin/dockerd", long...)
		out, _ := w.Harden("--yes", "--only", "docker:3")
		if got := w.Shell(0, "stat -c '%U %a' /etc/docker/tls/key.pem"); got != "root 400\n" {
			t.Errorf("root's key stayed %s", got)
		}
		told(t, out, "ignored: it runs as uid 1001, not as root")
	})
}

// TestKeysOfUser has a user own a directory among the cluster's keys, and fill it. What is there is given to root
// without what it could do before; what cannot be changed is left, and keeps nothing else from being put right.
func TestKeysOfUser(t *testing.T) {
	In(t, func(w *World) {
		w.Shell(0, "mkdir -p /etc/kubernetes/pki/team; cd /etc/kubernetes/pki; "+selfSigned+
			"; mv cert.pem ca.crt; chown user1 team; "+
			"touch /etc/letter; chown user2 /etc/letter; chmod 640 /etc/letter; ln /etc/letter team/letter.crt")
		w.Shell(1001, "cd /etc/kubernetes/pki/team; cp /bin/sh rootsh.crt; chmod 4755 rootsh.crt; ln -s /home/user2 home; "+
			"ln -s /etc/letter letter.key; mkfifo fifo.key")
		w.Sleep(0, "/usr/local/bin/kube-apiserver", "--client-ca-file=/etc/kubernetes/pki/ca.crt")
		w.Harden("--yes", "--only", "k8s:1.1")
		got := w.Shell(0, "cd /etc/kubernetes/pki; stat -c '%n %U %a' team team/rootsh.crt /etc/letter /home/user2")
		if want := "team root 755\nteam/rootsh.crt root 644\n/etc/letter user2 640\n/home/user2 user2 755\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
