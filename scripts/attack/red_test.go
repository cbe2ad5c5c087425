package attack

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const redKey = "openssl req -x509 -newkey ed25519 -nodes -subj /CN=x -keyout key.pem -out cert.pem 2>/dev/null"

func TestRedHide(t *testing.T) {
	In(t, func(w *World) {
		w.Shell(0, "mkdir -p /etc/docker/tls; cd /etc/docker/tls; "+redKey+"; chmod 644 key.pem")
		w.Sleep(0, "/usr/local/bin/dockerd", "--tlskey=/etc/docker/tls/key.pem")
		w.Shell(1001, "mkdir -p bin; cp "+Sleeper+" bin/dockerd")
		args := []string{}
		for i := range 20 {
			args = append(args, fmt.Sprint(i)+strings.Repeat("x", 100000))
		}
		w.Start(w.Command(1001, "/home/user1/bin/dockerd", args...))
		time.Sleep(200 * time.Millisecond)
		w.Harden("check", "--only", "docker:3.15", "--only", "docker:1.1", "--only", "docker/daemon-json-owner")
	})
}

func TestRedNames(t *testing.T) {
	In(t, func(w *World) {
		dir := "/home/user1/a\n\x1b[31mAPPLIED\x1b]0;x\x07::error::x <script>"
		cmd := w.Command(1001, "sh", "-c", `mkdir -p "$1/"; cp `+Sleeper+` "$1/kubelet"; ln -s x "$1/l"`, "x", dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatal(string(out))
		}
		w.Start(w.Command(1001, dir+"/kubelet", "--token=hunter22SECRET", "--config=/x"))
		// root runs a program there
		time.Sleep(100 * time.Millisecond)
		for _, f := range []string{"text", "json", "sarif", "junit", "html", "csv", "markdown", "github", "ansible", "prometheus", "metrics"} {
			out, code := w.Harden("check", "--only", "k8s:4.2.1", "--format", f)
			if strings.ContainsAny(out, "\x1b\x07") || strings.Contains(out, "hunter22") || strings.Contains(out, "\n::error") || strings.Contains(out, "<script>") {
				t.Errorf("%s: hostile name (exit %d)", f, code)
			}
		}
	})
}

func TestRedPKI(t *testing.T) {
	In(t, func(w *World) {
		w.Shell(0, "mkdir -p /etc/kubernetes/pki/team; cd /etc/kubernetes/pki; "+redKey+"; cp cert.pem ca.crt; chown 1001:1001 team; cp "+Sleeper+" /usr/local/bin/kube-apiserver; useradd -M x 2>/dev/null; true")
		w.Shell(0, "cp /etc/shadow /etc/victim; chmod 640 /etc/victim; chown 1002:1002 /etc/victim; ln /etc/victim /etc/kubernetes/pki/team/hard.crt")
		w.Shell(1001, "cd /etc/kubernetes/pki/team; cp /bin/sh sg.crt; chmod 6755 sg.crt; ln -s /home/user2 home; ln -s /etc/victim v.key; mkfifo f.key; mkdir sub; cp /bin/sh sub/x; chmod 4755 sub/x")
		w.Shell(0, "echo hi > /home/user2/letter; chown 1002:1002 /home/user2/letter; chmod 666 /home/user2/letter; chgrp 1001 /etc/kubernetes/pki/team/sg.crt; chown 0:1001 /etc/kubernetes/pki/team/sub; cp /bin/sh /etc/kubernetes/pki/team/g.crt; chown 0:1001 /etc/kubernetes/pki/team/g.crt; chmod 2755 /etc/kubernetes/pki/team/g.crt")
		w.Start(w.Command(0, "/usr/local/bin/kube-apiserver", "--client-ca-file=/etc/kubernetes/pki/ca.crt"))
		look := "cd /etc/kubernetes/pki; stat -c '%n %U:%G %a' . team team/* team/sub/* /etc/victim /home/user2 /home/user2/letter"
		t.Log(w.Shell(0, look))
		w.Harden("--yes", "--only", "k8s:1.1")
		t.Log(w.Shell(0, look))
		w.Harden("rollback", "--yes")
		t.Log(w.Shell(0, look))
	})
}

func TestRedDotDot(t *testing.T) {
	In(t, func(w *World) {
		w.Shell(0, "cp "+Sleeper+" /usr/local/bin/kube-apiserver; mkdir -p /etc/kubernetes/pki; chmod 666 /etc/issue; chown 1002 /etc/issue; chown 1002 /etc/hosts.allow || touch /etc/hosts.allow; chown 1002 /etc/hosts.allow")
		w.Start(w.Command(0, "/usr/local/bin/kube-apiserver", "--client-ca-file=/etc/kubernetes/pki/../../issue", "--tls-private-key-file=/etc/kubernetes/pki/../../hosts.allow"))
		w.Harden("--yes", "--only", "k8s:1.1")
		t.Log(w.Shell(0, "stat -c '%n %U:%G %a' /etc/issue /etc/hosts.allow"))
	})
}
