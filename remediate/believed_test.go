package remediate_test

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// TestBelieved holds that nothing that others may have written moves root's hand once harden has closed it to them: a
// file is closed at once where it names nothing that would be changed next, and else left, and the next run says the
// same.
func TestBelieved(t *testing.T) {
	const (
		daemon  = "/etc/docker/daemon.json"
		unit    = "/usr/lib/systemd/system/docker.service"
		env     = "/etc/default/docker"
		key     = "/srv/tls/key.pem"
		kubelet = "/var/lib/kubelet/config.yaml"
		ca      = "/srv/tls/ca.pem"
		command = "[Service]\nExecStart=/usr/bin/dockerd"
		pem     = "-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n"
		cert    = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
	)
	file := func(mode fs.FileMode, uid uint32, data string) facts.File {
		f := facts.File{Info: facts.Info{Mode: mode, UID: uid, Size: int64(len(data))}, Data: []byte(data)}
		if uid != 0 {
			f.User = "deploy"
		}
		return f
	}
	dir := func(mode fs.FileMode) facts.File { return facts.File{Info: facts.Info{Mode: mode, Type: fs.ModeDir}} }
	plain := tree{
		"/": dir(0o755), "/etc": dir(0o755), "/srv": dir(0o755), "/srv/tls": dir(0o755), "/etc/docker": dir(0o755),
		"/var": dir(0o755),
		"/usr": dir(0o755), "/usr/lib": dir(0o755), "/usr/lib/systemd": dir(0o755), "/usr/lib/systemd/system": dir(0o755),
		"/etc/default": dir(0o755), "/var/lib": dir(0o755), "/var/lib/kubelet": dir(0o755), "/usr/bin": dir(0o755),
		"/usr/bin/dockerd": file(0o755, 0, "\x7fELF"), unit: file(0o644, 0, command+"\n"), daemon: file(0o644, 0, "{}\n"),
		"/etc/passwd": file(0o644, 0, "root:x:0:0::/root:/bin/sh\ndeploy:x:7:7::/:/bin/sh\n"),
		"/etc/group":  file(0o644, 0, "root:x:0:\ndocker:x:999:\n"),
		key:           file(0o644, 0, pem), ca: file(0o666, 0, cert),
	}
	for _, tt := range []struct {
		name   string
		files  tree
		closed string // what has nobody else write to it by the plan
		left   string // what stays as it is
	}{
		{"daemon.json that names nothing", tree{daemon: file(0o666, 0, "{\"debug\": false}\n")}, daemon, ""},
		{"daemon.json that names a key", tree{daemon: file(0o666, 0, `{"tlskey": "`+key+`"}`)}, "", daemon},
		{"daemon.json of another user that names a key", tree{daemon: file(0o644, 7, `{"tlskey": "`+key+`"}`)}, "", daemon},
		{"daemon.json that names a key that needs nothing", tree{daemon: file(0o666, 0, `{"tlskey": "`+key+`"}`),
			key: file(0o400, 0, pem)}, daemon, ""},
		{"daemon.json that root alone could write", tree{daemon: file(0o644, 0, `{"tlskey": "`+key+`"}`)}, key, ""},
		{"its directory", tree{"/etc/docker": dir(0o777), daemon: file(0o644, 0, `{"tlskey": "`+key+`"}`)}, "",
			"/etc/docker"},
		{"the directory of one that names nothing", tree{"/etc/docker": dir(0o777)}, "/etc/docker", ""},
		{"a unit that names nothing", tree{unit: file(0o666, 0, command+" --log-level=info\n")}, unit, ""},
		{"a unit whose command a drop-in would repeat", tree{unit: file(0o666, 0, command+" --log-level=debug\n")}, "", unit},
		{"a unit that names a key", tree{unit: file(0o666, 0, command+" --tlskey="+key+"\n")}, "", unit},
		{"a unit and daemon.json, of which one names a key", tree{unit: file(0o666, 0, command+"\n"),
			daemon: file(0o666, 0, `{"tlskey": "`+key+`"}`)}, unit, daemon},
		{"a unit that names a daemon.json that names a key", tree{unit: file(0o666, 0, command+" --config-file="+daemon+"\n"),
			daemon: file(0o666, 0, `{"tlskey": "`+key+`"}`)}, "", daemon + " " + unit},
		{"a file of the environment that names a key",
			tree{unit: file(0o644, 0, "[Service]\nEnvironmentFile="+env+"\nExecStart=/usr/bin/dockerd $OPTS\n"),
				env: file(0o666, 0, "OPTS=--tlskey="+key+"\n")}, "", env},
		{"a kubelet's configuration that names a CA", tree{kubelet: file(0o666, 0,
			"apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nauthentication:\n  x509:\n    "+
				"clientCAFile: "+ca+"\n"),
			"/etc/systemd/system/kubelet.service": file(0o600, 0,
				"[Service]\nExecStart=/usr/bin/kubelet --config="+kubelet+"\n"),
			"/usr/bin/kubelet": file(0o755, 0, "\x7fELF")}, "", kubelet},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := maps.Clone(plain)
			maps.Copy(host, tt.files)
			allow := remediate.Policy{Allow: func(*checks.Check, want.Class) bool { return true }}
			propose := func(h *facts.Host) *remediate.Plan {
				plan, err := remediate.Propose(t.Context(), h, checks.Run(t.Context(), h, catalog.All), allow)
				if err != nil {
					t.Fatal(err)
				}
				return plan
			}
			h := facts.New(t.Context(), host, facts.Choices{})
			plan := propose(h)
			for p := range strings.FieldsSeq(tt.closed) {
				if !slices.ContainsFunc(plan.Changes, func(c remediate.Change) bool {
					return c.Path == p && c.After.Mode&0o022 == 0
				}) {
					t.Errorf("%s is not closed: %s", p, summary(plan))
				}
			}
			after := h.With(plan.After())
			again := propose(after)
			for p := range strings.FieldsSeq(tt.left) {
				for _, run := range []*remediate.Plan{plan, again} {
					if !slices.ContainsFunc(run.Left, func(l remediate.Left) bool {
						return strings.HasPrefix(l.Reason, p+": not changed, because") &&
							strings.Contains(l.Reason, "trust its content like root's")
					}) {
						t.Errorf("%s is not left: %s", p, summary(run))
					}
				}
			}
			if !again.Empty() {
				t.Errorf("the second plan is not empty: %s", summary(again))
			}
		})
	}
}
