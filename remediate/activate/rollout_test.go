package activate

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
)

// The test binary is also the component that a pod runs: an API server to look at, that knows a few flags.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "kube-apiserver" {
		fmt.Fprintln(os.Stderr, component(os.Args[1:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestRollOut(t *testing.T) {
	n := newNode(t)
	old := n.pid(t)
	plan := n.propose(t, want.PodFlag{Warrant: want.Mine, Name: "profiling", Value: "false"},
		want.PodFlag{Warrant: want.Mine, Name: "audit-log-maxage", Value: "30"})
	if len(plan.Changes) != 1 || len(plan.Activations) != 1 || plan.Activations[0].Kind != remediate.RollOut {
		t.Fatalf("%+v", plan)
	}
	run, err := apply.Apply(t.Context(), plan, n.options())
	if err != nil || run.Outcome != apply.Applied {
		t.Fatalf("%+v, %v", run, err)
	}
	new := n.pid(t)
	argv, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", new))
	if err != nil || new == old || !strings.Contains(string(argv), "\x00--profiling=false\x00") {
		t.Errorf("PID %d, before %d: %q, %v", new, old, argv, err)
	}
	if again := n.propose(t, want.PodFlag{Warrant: want.Mine, Name: "profiling", Value: "false"}); !again.Empty() {
		t.Errorf("the second plan is %+v", again)
	}
	run, err = apply.Rollback(t.Context(), run.ID, n.options())
	if err != nil || run.Outcome != apply.RolledBack {
		t.Fatalf("%+v, %v", run, err)
	}
	n.unchanged(t)
	if back := n.pid(t); back == new || back == old {
		t.Errorf("PID %d, before %d and %d", back, new, old)
	}
}

// What the server does not take is taken back without its API, which then there is none of.
func TestRollOutTakenBack(t *testing.T) {
	for _, tt := range []struct {
		name string
		flag want.PodFlag
		why  string
	}{
		{"it ends at once", want.PodFlag{Warrant: want.Mine, Name: "max-requests-inflight", Value: "-1"},
			"kube-apiserver does not stay up with its new arguments: it has ended 2 times"},
		{"it does not become ready", want.PodFlag{Warrant: want.Mine, Name: "goaway-chance", Value: "1"},
			"kube-apiserver is not ready within 3s"},
		{"the kubelet may no longer ask", want.PodFlag{Warrant: want.Mine, Name: "anonymous-auth", Value: "false"},
			"kube-apiserver refuses the kubelet's own probe"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t)
			run, err := apply.Apply(t.Context(), n.propose(t, tt.flag), n.options())
			if !errors.Is(err, apply.ErrRolledBack) || run.Outcome != apply.RolledBack || !strings.Contains(run.Reason, tt.why) {
				t.Errorf("%+v, %v", run, err)
			}
			n.unchanged(t)
		})
	}
}

// A flag misspelt, or of the wrong kind, is known before anything is written.
func TestRollOutRefused(t *testing.T) {
	n := newNode(t)
	pid := n.pid(t)
	plan := n.propose(t, want.PodFlag{Warrant: want.Mine, Name: "profilling", Value: "false"},
		want.PodFlag{Warrant: want.Mine, Name: "audit-log-maxage", Value: "30d"},
		want.PodFlag{Warrant: want.Mine, Name: "audit-policy-file", Value: "/no/such/policy.yaml",
			Mounts: []want.Mount{{Path: "/no/such/policy.yaml", Type: "File", ReadOnly: true}}})
	reasons := ""
	for _, l := range plan.Left {
		reasons += l.Reason + "\n"
	}
	for _, why := range []string{"kube-apiserver knows no flag --profilling",
		"--audit-log-maxage of kube-apiserver takes a whole number", "--audit-policy-file names a file that is not there"} {
		if !strings.Contains(reasons, why) {
			t.Errorf("%q is not among\n%s", why, reasons)
		}
	}
	if !plan.Empty() {
		t.Errorf("%+v", plan)
	}
	if plan := n.propose(t, want.PodFlag{Warrant: want.Mine, Name: "profilling", Value: "false"},
		want.PodFlag{Warrant: want.Mine, Name: "profiling", Value: "false"}); len(plan.Left) != 1 || len(plan.Changes) != 1 {
		t.Errorf("the mistake of one fix is another's: %+v", plan)
	}
	n.unchanged(t)
	if n.pid(t) != pid {
		t.Error("the pod was restarted")
	}
}

// A node that is not well is left alone.
func TestRollOutNotWell(t *testing.T) {
	n := newNode(t)
	plan := n.propose(t, want.PodFlag{Warrant: want.Mine, Name: "profiling", Value: "false"})
	ready := func() error {
		return n.services.Ready(t.Context(), remediate.Activation{Kind: remediate.RollOut, Unit: n.manifest})
	}
	twin := n.manifest + ".bak"
	if err := os.WriteFile(filepath.Join(filepath.Dir(n.manifest), ".kube-apiserver.yaml.swp"), n.before,
		0o600); err != nil {
		t.Fatal(err)
	}
	if err := ready(); err != nil {
		t.Errorf("a file that the kubelet does not read: %v", err)
	}
	for _, tt := range []struct {
		name string
		do   func()
		why  string
	}{
		{"a second file", func() { _ = os.WriteFile(twin, n.before, 0o600) }, twin + " is the same pod"},
		{"no kubelet", func() { os.Remove(twin); n.services.opts.KubeletHealth = "http://127.0.0.1:1/healthz" },
			"the kubelet is not healthy"},
	} {
		tt.do()
		if err := ready(); err == nil || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if run, err := apply.Apply(t.Context(), plan, n.options()); err == nil ||
			!strings.Contains(err.Error(), "nothing has been changed") {
			t.Errorf("%s: %+v, %v", tt.name, run, err)
		}
	}
	if _, err := os.Stat(n.state); err == nil {
		if runs, err := apply.History(n.options()); len(runs) != 0 || err != nil {
			t.Errorf("%v, %v", runs, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestEtcdReady(t *testing.T) {
	for _, tt := range []struct{ name, metrics, want string }{
		{"alone", "etcd_server_has_leader 1\n", ""},
		{"three", "etcd_network_active_peers{Local=\"a\",Remote=\"b\"} " +
			"1\netcd_network_active_peers{Local=\"a\",Remote=\"c\"} 1\netcd_server_has_leader 1\n", ""},
		{"two", "etcd_network_active_peers{Local=\"a\",Remote=\"b\"} 1\netcd_server_has_leader 1\n",
			"etcd has two healthy members"},
		{"no leader", "etcd_server_has_leader 0\n", "etcd has no leader"},
		{"nothing", "", "etcd has no leader"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, tt.metrics) }))
		err := etcdReady(t.Context(), podContainer{Command: []string{"etcd",
			"--listen-metrics-urls=" + s.URL + ",http://192.0.2.1:1"}})
		s.Close()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if err := etcdReady(t.Context(), podContainer{Command: []string{"etcd"}}); err == nil {
		t.Error("an etcd that cannot be asked is taken for well")
	}
}

func TestKubeletHealthURL(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("healthzBindAddress: 127.0.0.2\nhealthzPort: 1234\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "http://127.0.0.1:10248/healthz"},
		{[]string{"--config=" + config}, "http://127.0.0.2:1234/healthz"},
		{[]string{"--config", config, "--healthz_port=5", "--healthz-bind-address=0.0.0.0"}, "http://127.0.0.1:5/healthz"},
		{[]string{"--healthz-port=0"}, ""},
		{[]string{"--config=/no/such/file"}, ""},
	} {
		got, err := kubeletHealthURL(facts.Process{PID: 1, Args: append([]string{"kubelet"}, tt.args...)})
		if got != tt.want || (err == nil) == (tt.want == "") {
			t.Errorf("%q: got %q, %v", tt.args, got, err)
		}
	}
}
