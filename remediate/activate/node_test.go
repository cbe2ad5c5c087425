package activate

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
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
	n := &node{manifest: filepath.Join(dir, "manifests", "kube-apiserver.yaml"),
		program: filepath.Join(dir, "kube-apiserver"), state: filepath.Join(dir, "state")}
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
	n.services = New(Options{KubeletHealth: health, DockerHost: "unix://" + filepath.Join(dir, "none.sock"),
		Progress: func(s string) { t.Log(s) },
		RollOut: Waits{Appear: 10 * time.Second, Ready: 3 * time.Second, Stable: 500 * time.Millisecond,
			Settle: 2 * time.Second, Poll: 30 * time.Millisecond}})
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
	out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-days", "1",
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
