package kube_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/harden/scripts/kube"
	"example.com/harden/scripts/vm"
)

// A stand-in does what a kubelet does about the API server's manifest: it starts what that says, again when the file is
// another or the program has ended, and answers for its own health. The real one, which needs a machine, is in scripts/vm.
type standIn struct {
	t    *testing.T
	n    *kube.Node
	text string

	mu     sync.Mutex
	server *kube.Process
	starts int
}

// now gives the API server that runs, and how many were started.
func (s *standIn) now() (*kube.Process, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server, s.starts
}

// run begins with an API server that runs, and goes on until the test ends.
func (s *standIn) run() {
	s.t.Helper()
	l, err := s.n.Listen("127.0.0.1:10248")
	if err != nil {
		s.t.Fatal(err)
	}
	health := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go health.Serve(l)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ; ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
			s.sync()
		}
	}()
	s.t.Cleanup(func() { stop(); <-ended; health.Close() })
}

func (s *standIn) sync() {
	text, err := os.ReadFile(filepath.Join(s.n.Root, apiServer))
	if err != nil {
		s.t.Errorf("the manifest, while it is replaced: %v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if string(text) == s.text && s.server.Running() {
		return
	}
	if err := s.server.Stop(); err != nil {
		s.t.Error(err)
	}
	s.text = string(text)
	if s.server, err = s.n.Pod("kube-apiserver"); err != nil {
		s.t.Error(err)
	}
	s.starts++
}

// TestRollOut has harden, on the node itself, change the running API server, and then in a way that it does not run with.
func TestRollOut(t *testing.T) {
	t.Parallel()
	n := node(t)
	// nothing looks at the format of a log that is not written
	edit(t, n, apiServer, "    - --authorization-mode", "    - --audit-log-format=xml\n    - --authorization-mode")
	s := &standIn{t: t, n: n, server: up(t, n), text: n.Read(apiServer)}
	s.run()
	if err := vm.Compile(filepath.Join(n.Root, "root", "harden"), "example.com/harden/cmd/harden"); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) (r report) {
		t.Helper()
		kubelet := n.IdleKubelet()
		defer kubelet.Kill()
		p := n.Start("/bin/bash", append([]string{"-c", `exec /root/harden "$@" --config none --format json >/root/report.json`, "harden"}, args...)...)
		if p.Wait(); p.Code() != want {
			t.Fatalf("harden %q exited %d, want %d:\n%s", args, p.Code(), want, p.Log())
		}
		if err := json.Unmarshal([]byte(n.Read("/root/report.json")), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}

	if _, err := n.Get(superAdmin, "/debug/pprof/"); err != nil {
		t.Fatalf("profiling, before: %v", err)
	}
	first, _ := s.now()
	good := run(0, "--yes", "--allow", "workload", "--only", "1.2.15")
	if good.Run.Outcome != "applied" || len(good.Run.Activations) != 1 || good.Run.Activations[0].State != "done" || good.Results[0].State != "fixed" {
		t.Errorf("profiling off: %+v", good)
	}
	if second, starts := s.now(); starts != 1 || second.PID == first.PID {
		t.Errorf("the API server was started %d times", starts)
	}
	if _, err := n.Get(superAdmin, "/debug/pprof/"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("profiling, after: %v", err)
	}

	before := tree(t, n.Root, "etc/kubernetes")
	bad := run(4, "--yes", "--allow", "workload", "--only", "1.2.16")
	if bad.Run.Outcome != "rolled-back" || !strings.Contains(bad.Run.Reason, "it has ended 2 times") {
		t.Errorf("an audit log as XML: %+v", bad.Run)
	}
	for path, is := range tree(t, n.Root, "etc/kubernetes") {
		if is != before[path] {
			t.Errorf("%s is not what it was: %s", path, is)
		}
	}
	server, starts := s.now()
	if err := n.Ready(server); err != nil {
		t.Errorf("the API server, after all: %v", err)
	}
	if starts < 4 { // the good one, the bad one twice, and the good one
		t.Errorf("the API server was started %d times: the change was not tried", starts)
	}
}
