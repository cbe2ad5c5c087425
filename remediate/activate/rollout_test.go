package activate

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/gate"
	"example.com/harden/scripts/child"
)

// The test binary is also the component that a pod runs: an API server to look at, that knows a few flags.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "kube-apiserver" {
		fmt.Fprintln(os.Stderr, component(os.Args[1:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// component serves /livez and /readyz as an API server does. Some values of its flags are not to its liking.
func component(args []string) error {
	flags := map[string]string{}
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		flags[name] = value
	}
	if flags["--max-requests-inflight"] == "-1" {
		return errors.New("--max-requests-inflight can not be negative value")
	}
	pair, err := tls.LoadX509KeyPair(flags["--tls-cert-file"], flags["--tls-private-key-file"])
	if err != nil {
		return err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:"+flags["--secure-port"], &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		return err
	}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case flags["--anonymous-auth"] == "false":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/readyz" && flags["--goaway-chance"] == "1":
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
}

// A kubelet stands in for the real one, which scripts/kube runs: it starts what a directory's manifests say, again when
// they change or when it ends, and reads every file whose name does not begin with a dot. It answers for its own
// health.
type kubelet struct {
	dir  string
	pods map[string]*podProcess
}

type podProcess struct {
	sum  [32]byte
	cmd  *exec.Cmd
	done <-chan struct{}
}

func startKubelet(t *testing.T, dir string) (health string) {
	t.Helper()
	k := &kubelet{dir: dir, pods: map[string]*podProcess{}}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			k.sync()
			time.Sleep(20 * time.Millisecond)
		}
		for _, c := range k.pods {
			c.kill()
		}
	}()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(func() { stop(); <-ended; s.Close() })
	return s.URL + "/healthz"
}

func (c *podProcess) kill() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	<-c.done
}

func (k *kubelet) sync() {
	entries, _ := os.ReadDir(k.dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(k.dir, e.Name()))
		if err != nil {
			continue
		}
		var m manifest
		sum := sha256.Sum256(data)
		old := k.pods[e.Name()]
		if old != nil && old.sum == sum {
			select {
			case <-old.done: // and again
			default:
				continue
			}
		} else if old != nil {
			old.kill()
		}
		if yaml.Unmarshal(data, &m) != nil || len(m.Spec.Containers) == 0 {
			delete(k.pods, e.Name())
			continue
		}
		argv := m.Spec.Containers[0].argv()
		c := &podProcess{sum: sum, cmd: exec.Command(argv[0], argv[1:]...)}
		if c.done, err = child.Start(c.cmd); err != nil {
			continue
		}
		k.pods[e.Name()] = c
	}
}

// A node is a directory with one static pod that runs.
type node struct {
	manifest string
	before   []byte
	program  string
	services *Services
	state    string
}

func newNode(t *testing.T) *node {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: harden writes as root alone")
	}
	dir := t.TempDir()
	n := &node{manifest: filepath.Join(dir, "manifests", "kube-apiserver.yaml"), program: filepath.Join(dir, "kube-apiserver"), state: filepath.Join(dir, "state")}
	self, err := os.Executable()
	if err == nil {
		err = errors.Join(os.Symlink(self, n.program), os.Mkdir(filepath.Dir(n.manifest), 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	cert, key := certificate(t, dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	probe := func(path string) string {
		return fmt.Sprintf("{httpGet: {host: 127.0.0.1, path: %s, port: probe-port, scheme: HTTPS}}", path)
	}
	n.before = fmt.Appendf(nil, `apiVersion: v1
kind: Pod # of the control plane
metadata:
  name: kube-apiserver
  namespace: kube-system
spec:
  hostNetwork: true
  containers:
  - name: kube-apiserver
    image: registry.k8s.io/kube-apiserver:v1.35.4
    command:
    - %s
    # where it answers
    - --secure-port=%d
    - --tls-cert-file=%s
    - --tls-private-key-file=%s
    ports: [{containerPort: %d, name: probe-port}]
    livenessProbe: %s
    readinessProbe: %s
`, n.program, port, cert, key, port, probe("/livez"), probe("/readyz"))
	if err := os.WriteFile(n.manifest, n.before, 0o600); err != nil {
		t.Fatal(err)
	}
	health := startKubelet(t, filepath.Dir(n.manifest))
	n.services = New(Options{KubeletHealth: health, DockerHost: "unix://" + filepath.Join(dir, "none.sock"), Progress: func(s string) { t.Log(s) },
		RollOut: Waits{Appear: 10 * time.Second, Ready: 3 * time.Second, Stable: 500 * time.Millisecond, Settle: 2 * time.Second, Poll: 30 * time.Millisecond}})
	deadline := time.Now().Add(10 * time.Second)
	for n.services.Ready(t.Context(), remediate.Activation{Kind: remediate.RollOut, Unit: n.manifest}) != nil {
		if time.Now().After(deadline) {
			t.Fatal(n.services.Ready(t.Context(), remediate.Activation{Kind: remediate.RollOut, Unit: n.manifest}))
		}
		time.Sleep(20 * time.Millisecond)
	}
	return n
}

func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
		"-subj", "/CN=127.0.0.1", "-keyout", key, "-out", cert).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return cert, key
}

// propose plans flags for the pod, each wanted by a check of its own that reads the manifest.
func (n *node) propose(t *testing.T, flags ...want.PodFlag) *remediate.Plan {
	t.Helper()
	h := facts.New(t.Context(), live.New("/", live.DockerOptions{}), facts.Choices{})
	var results []checks.Result
	for _, w := range flags {
		w.Manifest, w.Container = n.manifest, "kube-apiserver"
		text := "--" + w.Name + "=" + w.Value + "\n"
		c := &checks.Check{ID: "kubernetes/" + w.Name, Rule: checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
			f, err := h.File(n.manifest)
			if err != nil || strings.Contains(string(f.Data), text) {
				return nil, err
			}
			return []checks.Finding{{Subject: n.manifest, Got: "without", Must: "with", Wants: []want.Want{w}}}, nil
		})}
		results = append(results, checks.Run(t.Context(), h, []*checks.Check{c})...)
	}
	plan, err := remediate.Propose(t.Context(), h, results, remediate.Policy{
		Allow: func(*checks.Check, want.Class) bool { return true }, Precheck: gate.Precheck, Validate: gate.Validate})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func (n *node) options() apply.Options {
	return apply.Options{State: n.state, Root: "/", Services: n.services, Version: "test"}
}

// pid is the process that runs with what the manifest says now.
func (n *node) pid(t *testing.T) int {
	t.Helper()
	m, err := readManifest(n.manifest)
	if err != nil {
		t.Fatal(err)
	}
	ps, err := m.Spec.Containers[0].runs()
	if err != nil || len(ps) != 1 {
		t.Fatalf("processes %v, %v", ps, err)
	}
	return ps[0].PID
}

func (n *node) unchanged(t *testing.T) {
	t.Helper()
	data, err := os.ReadFile(n.manifest)
	if err != nil || string(data) != string(n.before) {
		t.Errorf("the manifest is %q, %v", data, err)
	}
	files, err := os.ReadDir(filepath.Dir(n.manifest))
	if err != nil || len(files) != 1 {
		t.Errorf("the kubelet's directory holds %v, %v", files, err)
	}
	if err := n.services.Ready(t.Context(), remediate.Activation{Kind: remediate.RollOut, Unit: n.manifest}); err != nil {
		t.Error(err)
	}
}

func TestRollOut(t *testing.T) {
	n := newNode(t)
	old := n.pid(t)
	plan := n.propose(t, want.PodFlag{Warrant: want.Mine, Name: "profiling", Value: "false"}, want.PodFlag{Warrant: want.Mine, Name: "audit-log-maxage", Value: "30"})
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
		{"it ends at once", want.PodFlag{Warrant: want.Mine, Name: "max-requests-inflight", Value: "-1"}, "kube-apiserver does not stay up with its new arguments: it has ended 2 times"},
		{"it does not become ready", want.PodFlag{Warrant: want.Mine, Name: "goaway-chance", Value: "1"}, "kube-apiserver is not ready within 3s"},
		{"the kubelet may no longer ask", want.PodFlag{Warrant: want.Mine, Name: "anonymous-auth", Value: "false"}, "kube-apiserver refuses the kubelet's own probe"},
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
	plan := n.propose(t, want.PodFlag{Warrant: want.Mine, Name: "profilling", Value: "false"}, want.PodFlag{Warrant: want.Mine, Name: "audit-log-maxage", Value: "30d"},
		want.PodFlag{Warrant: want.Mine, Name: "audit-policy-file", Value: "/no/such/policy.yaml", Mounts: []want.Mount{{Path: "/no/such/policy.yaml", Type: "File", ReadOnly: true}}})
	reasons := ""
	for _, l := range plan.Left {
		reasons += l.Reason + "\n"
	}
	for _, why := range []string{"kube-apiserver knows no flag --profilling", "--audit-log-maxage of kube-apiserver takes a whole number", "--audit-policy-file names a file that is not there"} {
		if !strings.Contains(reasons, why) {
			t.Errorf("%q is not among\n%s", why, reasons)
		}
	}
	if !plan.Empty() {
		t.Errorf("%+v", plan)
	}
	if plan := n.propose(t, want.PodFlag{Warrant: want.Mine, Name: "profilling", Value: "false"}, want.PodFlag{Warrant: want.Mine, Name: "profiling", Value: "false"}); len(plan.Left) != 1 || len(plan.Changes) != 1 {
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
	if err := os.WriteFile(filepath.Join(filepath.Dir(n.manifest), ".kube-apiserver.yaml.swp"), n.before, 0o600); err != nil {
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
		{"no kubelet", func() { os.Remove(twin); n.services.opts.KubeletHealth = "http://127.0.0.1:1/healthz" }, "the kubelet is not well"},
	} {
		tt.do()
		if err := ready(); err == nil || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if run, err := apply.Apply(t.Context(), plan, n.options()); err == nil || !strings.Contains(err.Error(), "nothing has been changed") {
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
		{"three", "etcd_network_active_peers{Local=\"a\",Remote=\"b\"} 1\netcd_network_active_peers{Local=\"a\",Remote=\"c\"} 1\netcd_server_has_leader 1\n", ""},
		{"two", "etcd_network_active_peers{Local=\"a\",Remote=\"b\"} 1\netcd_server_has_leader 1\n", "etcd has two members that answer"},
		{"no leader", "etcd_server_has_leader 0\n", "etcd has no leader now"},
		{"nothing", "", "etcd has no leader now"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, tt.metrics) }))
		err := etcdReady(t.Context(), podContainer{Command: []string{"etcd", "--listen-metrics-urls=" + s.URL + ",http://192.0.2.1:1"}})
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
