package kube_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
	"example.com/harden/checks/schema"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/gate"
	"example.com/harden/scripts/kube"
	"example.com/harden/scripts/tree"
)

// ciphers are the suites that are left, in the order of the fix.
var ciphers = []any{"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
	"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}

// intended does to a document by its values what harden is to do to its text.
func intended(t *testing.T, path, text string) map[string]any {
	t.Helper()
	doc := decoded(t, text)
	if path == kubelet {
		doc["tlsCipherSuites"], doc["podPidsLimit"], doc["seccompDefault"], doc["protectKernelDefaults"] = ciphers, 4096,
			true, true
		return doc
	}
	spec := doc["spec"].(map[string]any)
	container := spec["containers"].([]any)[0].(map[string]any)
	command := container["command"].([]any)
	flags := []string{"--profiling=false"}
	if path == apiServer {
		i := slices.Index(command, any("--enable-admission-plugins=NodeRestriction"))
		if i < 0 {
			t.Fatalf("the API server's plugins are others: %q", command)
		}
		command[i] = "--enable-admission-plugins=NodeRestriction,DenyServiceExternalIPs,EventRateLimit,AlwaysPullImages"
		suites := fmt.Sprint(ciphers)
		flags = append(flags, "--admission-control-config-file=/etc/kubernetes/harden/admission.yaml",
			"--audit-log-maxage=30",
			"--audit-log-maxbackup=10", "--audit-log-maxsize=100", "--audit-log-path=/var/log/kubernetes/audit/audit.log",
			"--audit-policy-file=/etc/kubernetes/harden/audit-policy.yaml",
			"--authentication-config=/etc/kubernetes/harden/authentication.yaml",
			"--service-account-extend-token-expiration=false",
			"--tls-cipher-suites="+strings.ReplaceAll(strings.Trim(suites, "[]"), " ", ","))
		mount := func(name, path string, readonly bool) {
			m := map[string]any{"name": name, "mountPath": path}
			if readonly {
				m["readOnly"] = true
			}
			container["volumeMounts"] = append(container["volumeMounts"].([]any), m)
			spec["volumes"] = append(spec["volumes"].([]any),
				map[string]any{"name": name, "hostPath": map[string]any{"path": path, "type": "DirectoryOrCreate"}})
		}
		mount("harden-harden", "/etc/kubernetes/harden", true)
		mount("harden-audit", "/var/log/kubernetes/audit", false)
	}
	for _, f := range flags { // kubeadm sorts the flags, and so they stay
		i := slices.IndexFunc(command[1:], func(other any) bool { return other.(string) > f }) + 1
		if i == 0 {
			i = len(command)
		}
		command = slices.Insert(command, i, any(f))
	}
	container["command"] = command
	return doc
}

// kept looks for the lines of a text in another, in their order, but for those that were to change.
func kept(before, after string, changed ...string) (missing string) {
	lines := strings.Split(after, "\n")
	for line := range strings.Lines(before) {
		line = strings.TrimSuffix(line, "\n")
		if slices.Contains(changed, strings.TrimSpace(line)) {
			continue
		}
		i := slices.Index(lines, line)
		if i < 0 {
			return line
		}
		lines = lines[i+1:]
	}
	return ""
}

// dropIn starts the kubelet with what kubeadm has written, as its package's does.
const dropIn = `[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=
ExecStart=/usr/local/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS
`

// TestFixed has harden repair the files of a control plane that kubeadm wrote, and the programs run from them.
func TestFixed(t *testing.T) {
	t.Parallel()
	n := node(t)
	n.Write("/etc/hostname", 0o644, kube.Name+"\n")
	n.Write("/etc/systemd/system/kubelet.service", 0o644, "[Service]\nExecStart=/usr/local/bin/kubelet\nRestart=always\n")
	n.Write("/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", 0o644, dropIn)
	edit(t, n, apiServer, "    - --advertise-address", "    # where the others find it\n    - --advertise-address")
	edit(t, n, apiServer, "  volumes:\n", "  # from the host\n  volumes: # all of them\n")
	edit(t, n, kubelet, "cgroupDriver", "# as containerd has it\ncgroupDriver")
	manifests := []string{apiServer, kube.Manifests + "/kube-controller-manager.yaml",
		kube.Manifests + "/kube-scheduler.yaml", kube.Manifests + "/etcd.yaml"}
	was := tree.Of(t, n.Root, "etc", "var")
	before := map[string]string{}
	for _, path := range append(manifests, kubelet) {
		before[path] = n.Read(path)
	}

	o := offline{t, harden(t), n.Root, filepath.Join(t.TempDir(), "state")}
	applied := o.run(0, "--yes", "--allow", "all")
	left := []string{"apiserver-encryption", "apiserver-kubelet-authority", "kubelet-rotate-serving",
		"kubelet-serving-certificate"}
	judged := []string{"users-bootstrap-tokens", "users-client-certificates", "users-service-accounts"}
	states := map[string][]string{
		"fixed": {"kubelet-config-mode", "kubelet-unit-mode"},
		// nothing below --root is taken for running, so that no roll-out is claimed
		"pending-restart": {"apiserver-always-pull", "apiserver-anonymous", "apiserver-audit-age",
			"apiserver-audit-backups", "apiserver-audit-log",
			"apiserver-audit-size", "apiserver-ciphers", "apiserver-event-rate", "apiserver-external-ips", "apiserver-profiling",
			"apiserver-token-extension", "audit-policy", "audit-policy-coverage", "controller-manager-profiling",
			"kubelet-ciphers",
			"kubelet-hostname", "kubelet-pod-pids", "kubelet-seccomp-default", "protect-kernel-defaults", "scheduler-profiling"},
		"left": left, "manual": judged,
	}
	if diff := cmp.Diff(states, applied.states()); diff != "" {
		t.Errorf("the states after the run (-want +got):\n%s", diff)
	}
	for _, a := range applied.Run.Activations {
		if a.State != "pending" || a.Reason == "" {
			t.Errorf("%s %s on files alone is %q: %q", a.Kind, a.Unit, a.State, a.Reason)
		}
	}
	again := o.run(2, "--dry-run", "--allow", "all")
	if diff := cmp.Diff(map[string][]string{"left": left, "manual": judged}, again.states()); diff != "" ||
		len(again.Plan.Changes)+len(again.Plan.Held) > 0 {
		t.Errorf("the second plan has %v and %v; states (-want +got):\n%s", again.Plan.Changes, again.Plan.Held, diff)
	}

	edited(t, n, before)
	fixedRuns(t, n, manifests)

	o.run(0, "rollback", "--yes")
	likeBefore(t, n, was)
}

// likeBefore holds a node's files to what they were, but for what the programs have written since.
func likeBefore(t *testing.T, n *kube.Node, was map[string]string) {
	t.Helper()
	is := tree.Of(t, n.Root, "etc", "var")
	for path := range is { // what the programs themselves have written since
		for _, theirs := range []string{"/var/lib/etcd", "/var/log/kubernetes", "/var/run", "/var/lib/kubelet/"} {
			if _, ok := was[path]; !ok && strings.HasPrefix(path, theirs) {
				delete(is, path)
			}
		}
	}
	for path := range was {
		if strings.HasPrefix(path, "/var/lib/etcd") {
			delete(was, path)
			delete(is, path)
		}
	}
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("after the rollback (-before +after):\n%s", diff)
	}
}

// edited holds what was written to the files that were before to what was meant, and that to what Kubernetes takes.
func edited(t *testing.T, n *kube.Node, before map[string]string) {
	t.Helper()
	for path, text := range before {
		after := n.Read(path)
		if filepath.Base(path) == "etcd.yaml" {
			if after != text {
				t.Errorf("%s has changed, and nothing was wrong with it:\n%s", path, after)
			}
			continue
		}
		if diff := cmp.Diff(intended(t, path, text), decoded(t, after)); diff != "" {
			t.Errorf("%s (-intended +got):\n%s", path, diff)
		}
		if line := kept(text, after, "- --enable-admission-plugins=NodeRestriction"); line != "" {
			t.Errorf("%s has lost, or moved, %q:\n%s", path, line, after)
		}
		if err := schema.Document([]byte(after), nil); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// fixedRuns runs the control plane from the fixed manifests, asks it, and ends it.
func fixedRuns(t *testing.T, n *kube.Node, manifests []string) {
	t.Helper()
	processes := []*kube.Process{up(t, n)}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		p, err := n.Pod(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Ready(p); err != nil {
			t.Fatal(err)
		}
		processes = append(processes, p)
	}
	const server, controllers, scheduler = "https://" + kube.Address + ":6443", "https://127.0.0.1:10257",
		"https://127.0.0.1:10259"
	for _, test := range []struct{ as, url, refused string }{
		{"", server + "/readyz", ""},
		{"", server + "/livez", ""},
		{"", server + "/api", "401"},
		{"", server + "/version", "401"},
		{superAdmin, server + "/api/v1/secrets", ""},
		{superAdmin, server + "/debug/pprof/", "404"},
		{superAdmin, controllers + "/metrics", ""},
		{superAdmin, controllers + "/debug/pprof/", "404"},
		{superAdmin, scheduler + "/metrics", ""},
		{superAdmin, scheduler + "/debug/pprof/", "404"},
	} {
		_, err := n.Ask(test.as, test.url)
		if (err == nil) != (test.refused == "") || err != nil && !strings.Contains(err.Error(), test.refused) {
			t.Errorf("%s as %q: %v, want %q", test.url, test.as, err, test.refused)
		}
	}
	if err := n.Kubelet(); err != nil {
		t.Errorf("the fixed configuration: %v", err)
	}
	for _, p := range processes {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}
	audited(t, n)
}

// audited looks for what was asked of the API server in its log.
func audited(t *testing.T, n *kube.Node) {
	t.Helper()
	type event struct {
		Level, Stage, RequestURI string
		User                     struct{ Username string }
		ResponseObject           any
	}
	var seen []event
	for line := range strings.Lines(n.Read("/var/log/kubernetes/audit/audit.log")) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		if e.RequestURI == "/api/v1/secrets" && e.User.Username == "kubernetes-super-admin" {
			seen = append(seen, e)
		}
	}
	want := event{Level: "Metadata", Stage: "ResponseComplete", RequestURI: "/api/v1/secrets"}
	want.User.Username = "kubernetes-super-admin"
	if diff := cmp.Diff([]event{want}, seen); diff != "" {
		t.Errorf("of the administrator's question for the Secrets the log tells (-want +got):\n%s", diff)
	}
}

// TestMisspelt asks for flags that the API server does not take: harden says so of each, and writes none; the server
// itself agrees.
func TestMisspelt(t *testing.T) {
	t.Parallel()
	n := node(t)
	if err := up(t, n).Stop(); err != nil {
		t.Fatal(err)
	}
	before := n.Read(apiServer)
	const first = "    - --advertise-address="
	for _, test := range []struct {
		flag           want.PodFlag
		harden, itself string
	}{
		{want.PodFlag{Name: "profilling", Value: "false"}, "kube-apiserver knows no flag --profilling",
			"unknown flag: --profilling"},
		{want.PodFlag{Name: "audit-log-maxage", Value: "30d"}, "--audit-log-maxage of kube-apiserver takes a whole number",
			`invalid argument "30d"`},
		{want.PodFlag{Name: "profiling", Value: "none"}, "--profiling of kube-apiserver takes a", `invalid argument "none"`},
		{want.PodFlag{Name: "audit-policy-file", Value: "/etc/none.yaml",
			Mounts: []want.Mount{{Path: "/etc/none.yaml", Type: "File", ReadOnly: true}}},
			"--audit-policy-file names a file that is not there", "/etc/none.yaml"},
	} {
		test.flag.Manifest, test.flag.Container = apiServer, "kube-apiserver"
		argument := "--" + test.flag.Name + "=" + test.flag.Value
		check := &checks.Check{ID: "kubernetes/misspelt", Rule: checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
			f, err := h.File(apiServer)
			if err != nil || strings.Contains(string(f.Data), argument+"\n") {
				return nil, err
			}
			return []checks.Finding{{Subject: apiServer, Got: "without", Must: argument, Wants: []want.Want{test.flag}}}, nil
		})}
		host := facts.New(t.Context(), live.New(n.Root, live.DockerOptions{}), facts.Choices{})
		plan, err := remediate.Propose(t.Context(), host, checks.Run(t.Context(), host, []*checks.Check{check}),
			remediate.Policy{
				Allow: func(*checks.Check, want.Class) bool { return true }, Precheck: gate.Precheck, Validate: gate.Validate})
		if err != nil {
			t.Fatal(err)
		}
		if !plan.Empty() || len(plan.Left) != 1 || !strings.Contains(plan.Left[0].Reason, test.harden) {
			t.Errorf("%s: %d changes, left %v", argument, len(plan.Changes), plan.Left)
		}

		edit(t, n, apiServer, first, "    - "+argument+"\n"+first)
		p, err := n.Pod("kube-apiserver")
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Ready(p); err == nil || !strings.Contains(err.Error(), test.itself) {
			t.Errorf("%s: the API server: %v", argument, err)
		}
		n.Write(apiServer, 0o600, before)
	}
}
