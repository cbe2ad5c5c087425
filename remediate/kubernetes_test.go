package remediate_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aymanbagabas/go-udiff"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/gate"
)

const (
	apiserver = "/etc/kubernetes/manifests/kube-apiserver.yaml"
	etcd      = "/etc/kubernetes/manifests/etcd.yaml"
	kubelet   = "/var/lib/kubelet/config.yaml"
	flagsEnv  = "/var/lib/kubelet/kubeadm-flags.env"
	policy    = "/etc/kubernetes/audit/policy.yaml"
)

// kubeadmNode is what kubeadm 1.35 writes, and the kubelet's unit as its package has it.
func kubeadmNode(t *testing.T) tree {
	t.Helper()
	host := tree{}
	file := func(path, data string) {
		host[path] = facts.File{Info: facts.Info{Mode: 0o644, Size: int64(len(data))}, Data: []byte(data)}
	}
	file(flagsEnv, "KUBELET_KUBEADM_ARGS=\"--read-only-port=10255 --node-ip=192.0.2.10\"\n")
	file("/usr/lib/systemd/system/kubelet.service", "[Service]\nExecStart=/usr/bin/kubelet\n")
	file("/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf", `[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--kubeconfig=/etc/kubernetes/kubelet.conf"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS --config=/var/lib/kubelet/config.yaml --anonymous_auth $KUBELET_KUBEADM_ARGS
`)
	for path, name := range map[string]string{apiserver: "kube-apiserver.yaml", etcd: "etcd.yaml",
		kubelet: "kubelet-config.yaml"} {
		data, err := os.ReadFile(filepath.Join("edit/testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		file(path, string(data))
	}
	return host
}

// lacks is a check that a file does not contain a text.
func lacks(id, file, text string, wants ...want.Want) *checks.Check {
	return &checks.Check{ID: id, Rule: checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		f, err := h.File(file)
		if err != nil || !strings.Contains(string(f.Data), text) {
			return nil, err
		}
		return []checks.Finding{{Subject: file, Got: "with " + text, Must: "without", Wants: wants}}, nil
	})}
}

// differences is the lines of a plan's changes that come and go, and what else it says.
func differences(p *remediate.Plan) string {
	var b strings.Builder
	changes := func(cs []remediate.Change) {
		for _, c := range cs {
			b.WriteString(c.Path + " " + c.Class.String() + " " + strings.Join(remediate.IDs(c.Checks), " ") + "\n")
			for line := range strings.Lines(udiff.Unified("", "", string(c.Before.Data), string(c.After.Data))) {
				if strings.ContainsAny(line[:1], "+-") && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "+++") {
					b.WriteString(line)
				}
			}
		}
	}
	changes(p.Changes)
	for _, a := range p.Activations {
		b.WriteString(strings.TrimSpace(string(a.Kind)+" "+a.Unit) + "\n")
	}
	for _, h := range p.Held {
		b.WriteString("held " + h.Class.String() + "\n")
		changes(h.Changes)
	}
	for _, l := range p.Left {
		b.WriteString("left " + l.Check.ID + ": " + l.Reason + "\n")
	}
	return b.String()
}

func TestProposeKubernetes(t *testing.T) {
	pod := func(name, value string, mounts ...want.Mount) want.PodFlag {
		return want.PodFlag{Warrant: want.Mine, Manifest: apiserver, Container: "kube-apiserver", Name: name, Value: value,
			Mounts: mounts}
	}
	field := func(value any, path ...string) want.Field {
		return want.Field{Warrant: want.Mine, File: kubelet, Field: path, Value: value, Unit: "kubelet.service"}
	}
	policyMount := want.Mount{Path: policy, Type: "File", ReadOnly: true}
	logs := want.Mount{Path: "/var/log/kubernetes/audit", Type: "DirectoryOrCreate"}
	rules := "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
	audit := holds("kubernetes/audit-policy", apiserver, "--audit-policy-file",
		want.Content{Warrant: want.Mine, File: policy, Data: rules, Mode: 0o600},
		pod("audit-policy-file", policy, policyMount))
	profiling := holds("kubernetes/profiling", apiserver, "--profiling=false", pod("profiling", "false"))
	everything := func(*checks.Check, want.Class) bool { return true }
	tests := []struct {
		name   string
		checks []*checks.Check
		allow  func(*checks.Check, want.Class) bool
		want   string
	}{
		{"all of one component is one change", []*checks.Check{audit, profiling,
			holds("kubernetes/audit-log", apiserver, "--audit-log-path",
				pod("audit-log-path", "/var/log/kubernetes/audit/audit.log", logs)),
			holds("kubernetes/admission", apiserver, "NodeRestriction,AlwaysPullImages",
				want.PodFlag{Warrant: want.Mine, Manifest: apiserver, Container: "kube-apiserver",
					Name: "enable-admission-plugins", Add: []string{"AlwaysPullImages"}}),
			mode("kubernetes/mode", apiserver, 0o600)}, everything,
			policy + ` workload kubernetes/audit-policy
+apiVersion: audit.k8s.io/v1
+kind: Policy
+rules:
+- level: Metadata
` + apiserver + ` workload kubernetes/audit-policy kubernetes/profiling kubernetes/audit-log kubernetes/admission ` +
				`kubernetes/mode
+    - --audit-log-path=/var/log/kubernetes/audit/audit.log
+    - --audit-policy-file=/etc/kubernetes/audit/policy.yaml
-    - --enable-admission-plugins=NodeRestriction
+    - --enable-admission-plugins=NodeRestriction,AlwaysPullImages
+    - --profiling=false
+    - mountPath: /etc/kubernetes/audit/policy.yaml
+      name: harden-policy
+      readOnly: true
+    - mountPath: /var/log/kubernetes/audit
+      name: harden-audit
+  - hostPath:
+      path: /etc/kubernetes/audit/policy.yaml
+      type: File
+    name: harden-policy
+  - hostPath:
+      path: /var/log/kubernetes/audit
+      type: DirectoryOrCreate
+    name: harden-audit
roll-out ` + apiserver + "\n"},
		{"a mode alone rolls nothing out", []*checks.Check{mode("kubernetes/mode", apiserver, 0o600)}, everything,
			apiserver + " none kubernetes/mode\n"},
		{"the kubelet's fields, and flags that beat them", []*checks.Check{
			holds("kubernetes/read-only", kubelet, "readOnlyPort: 0", field(0, "readOnlyPort")),
			lacks("kubernetes/read-only-flag", flagsEnv, "read-only-port",
				want.Flag{Warrant: want.Mine, Unit: "kubelet.service", Name: "read-only-port", Gone: true}),
			holds("kubernetes/pids", kubelet, "podPidsLimit", field(4096, "podPidsLimit")),
			holds("kubernetes/idle", kubelet, "streamingConnectionIdleTimeout: 5m",
				field("5m", "streamingConnectionIdleTimeout")),
			holds("kubernetes/tls", kubelet, "tlsCipherSuites", field([]string{"A", "B"}, "tlsCipherSuites")),
			holds("kubernetes/anonymous", kubelet, "cacheTTL: 1s", field("1s", "authentication", "webhook", "cacheTTL"))},
			everything,
			kubelet + ` restart kubernetes/read-only kubernetes/pids kubernetes/idle kubernetes/tls kubernetes/anonymous
-    cacheTTL: 0s
+    cacheTTL: 1s
-streamingConnectionIdleTimeout: 0s
+streamingConnectionIdleTimeout: 5m
+readOnlyPort: 0
+podPidsLimit: 4096
+tlsCipherSuites:
+- A
+- B
` + flagsEnv + ` restart kubernetes/read-only-flag
-KUBELET_KUBEADM_ARGS="--read-only-port=10255 --node-ip=192.0.2.10"
+KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.10"
restart kubelet.service
`},
		{"a flag on the command line goes by a drop-in", []*checks.Check{
			holds("kubernetes/anonymous", "/etc/systemd/system/kubelet.service.d/zz-harden.conf", "ExecStart",
				want.Flag{Warrant: want.Mine, Unit: "kubelet.service", Name: "anonymous-auth", Gone: true})}, everything,
			`/etc/systemd/system/kubelet.service.d/zz-harden.conf restart kubernetes/anonymous
+# Written by harden; "harden rollback" rolls it back.
+[Service]
+ExecStart=
+ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
reload-systemd
restart kubelet.service
`},
		{"a flag that nobody can see stays", []*checks.Check{
			holds("kubernetes/x", kubelet, "no such text", want.Flag{Warrant: want.Mine, Unit: "kubelet.service",
				Name: "event-qps", Gone: true})}, everything,
			"left kubernetes/x: --event-qps is not in the flags of kubelet.service that harden can see; remove it yourself\n"},
		{"two that want another value are both left", []*checks.Check{profiling, holds("kubernetes/other", apiserver,
			"--profiling=true", pod("profiling", "true")),
			holds("kubernetes/a", kubelet, "readOnlyPort: 0", field(0, "readOnlyPort")),
			holds("kubernetes/b", kubelet, "readOnlyPort: 1", field(1, "readOnlyPort"))}, everything,
			`left kubernetes/profiling: kubernetes/profiling and kubernetes/other want different values ` +
				`for ` + apiserver + ` --profiling; choose one yourself
left kubernetes/other: kubernetes/profiling and kubernetes/other want different values for ` + apiserver + ` --profiling; choose one yourself
left kubernetes/a: kubernetes/a and kubernetes/b want different values for ` + kubelet + ` readOnlyPort; choose one ` +
				`yourself
left kubernetes/b: kubernetes/a and kubernetes/b want different values for ` + kubelet + ` readOnlyPort; choose one ` +
				`yourself
`},
		{"an unknown field is refused", []*checks.Check{holds("kubernetes/a", kubelet, "readonlyPort",
			field(0, "readonlyPort"))}, everything,
			"left kubernetes/a: the changed file would not be valid: there is no field readonlyPort\n"},
		{"a field of the wrong kind is refused", []*checks.Check{holds("kubernetes/a", kubelet, "podPidsLimit",
			field("many", "podPidsLimit"))}, everything,
			"left kubernetes/a: the changed file would not be valid: podPidsLimit must be a whole number\n"},
		{"and does not take others with it", []*checks.Check{holds("kubernetes/a", kubelet, "readonlyPort",
			field(0, "readonlyPort")), holds("kubernetes/b", kubelet, "podPidsLimit", field(9, "podPidsLimit"))}, everything,
			kubelet + " restart kubernetes/b\n+podPidsLimit: 9\nrestart kubelet.service\nleft kubernetes/a: the changed " +
				"file would not be valid: there is no field readonlyPort\n"},
		{"a file that a pod would wait for", []*checks.Check{holds("kubernetes/audit-policy", apiserver,
			"--audit-policy-file", pod("audit-policy-file", policy, policyMount)), profiling}, everything,
			apiserver + " workload kubernetes/profiling\n+    - --profiling=false\nroll-out " + apiserver +
				"\nleft kubernetes/audit-policy: --audit-policy-file names a file that is not there: open " +
				"/etc/kubernetes/audit/policy.yaml: file does not exist\n"},
		{"etcd and a component are held back each by its class", []*checks.Check{profiling,
			holds("kubernetes/etcd", etcd, "--auto-tls=false", want.PodFlag{Warrant: want.Mine, Manifest: etcd,
				Container: "etcd", Name: "auto-tls", Value: "false"})},
			func(_ *checks.Check, c want.Class) bool { return c < want.Workload },
			"held workload\n" + apiserver + " workload kubernetes/profiling\n+    - --profiling=false\nheld behaviour\n" +
				etcd + " behaviour kubernetes/etcd\n+    - --auto-tls=false\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := kubeadmNode(t)
			h := facts.New(t.Context(), host, facts.Choices{})
			rules := remediate.Policy{Allow: tt.allow, Precheck: gate.Precheck, Validate: gate.Validate}
			plan, err := remediate.Propose(t.Context(), h, checks.Run(t.Context(), h, tt.checks), rules)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, differences(plan)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			after := h.With(plan.After())
			again, err := remediate.Propose(context.Background(), after, checks.Run(t.Context(), after, tt.checks), rules)
			if err != nil || !again.Empty() {
				t.Errorf("the second plan: %s%v", differences(again), err)
			}
			for _, c := range plan.Changes {
				if c.Content() && !c.Created && !bytes.Equal(c.Before.Data, host[c.Path].Data) {
					t.Errorf("%s: what was there is not what was read", c.Path)
				}
			}
		})
	}
}

// A file that is there is its owner's.
func TestProposeContent(t *testing.T) {
	host := kubeadmNode(t)
	host[policy] = facts.File{Info: facts.Info{Mode: 0o600},
		Data: []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None}]\n")}
	w := want.PodFlag{Warrant: want.Mine, Manifest: apiserver, Container: "kube-apiserver", Name: "audit-policy-file",
		Value: policy, Mounts: []want.Mount{{Path: policy, Type: "File", ReadOnly: true}}}
	c := holds("kubernetes/audit-policy", apiserver, "--audit-policy-file",
		want.Content{Warrant: want.Mine, File: policy, Data: "other", Mode: 0o600}, w)
	h := facts.New(t.Context(), host, facts.Choices{})
	plan, err := remediate.Propose(t.Context(), h, checks.Run(t.Context(), h, []*checks.Check{c}), remediate.Policy{
		Allow: func(*checks.Check, want.Class) bool { return true }})
	if err != nil || len(plan.Changes) != 1 ||
		slices.ContainsFunc(plan.Changes, func(c remediate.Change) bool { return c.Path == policy }) {
		t.Errorf("%s%v", differences(plan), err)
	}
	delete(host, policy)
	h = facts.New(t.Context(), host, facts.Choices{})
	a := holds("kubernetes/a", policy, "a", want.Content{Warrant: want.Mine, File: policy, Data: "a"})
	b := holds("kubernetes/b", policy, "b", want.Content{Warrant: want.Mine, File: policy, Data: "b"})
	plan, err = remediate.Propose(t.Context(), h, checks.Run(t.Context(), h, []*checks.Check{a, b}), remediate.Policy{
		Allow: func(*checks.Check, want.Class) bool { return true }})
	if err != nil || !plan.Empty() || len(plan.Left) != 2 {
		t.Errorf("%s%v", differences(plan), err)
	}
}
