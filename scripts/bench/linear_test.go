package bench

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/live"
	"example.com/harden/checks/want"
	"example.com/harden/fixtures"
	"example.com/harden/remediate"
	"example.com/harden/remediate/gate"
)

// loads are hosts and repositories of which there can be more and more: n services, containers or static pods, each
// with fixes of its own.
var loads = map[string]func(tb testing.TB, n int) func() *facts.Host{
	"services":   services,
	"containers": containers,
	"pods":       pods,
}

func services(tb testing.TB, n int) func() *facts.Host {
	var text strings.Builder
	text.WriteString("services:\n")
	for i := range n {
		fmt.Fprintf(&text, "  s%d:\n    image: nginx\n    restart: always\n    privileged: true\n    pid: host\n", i)
	}
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(text.String()), 0o644); err != nil {
		tb.Fatal(err)
	}
	return func() *facts.Host {
		dirs := []facts.SourceDir{{Path: dir, As: "."}}
		h := facts.New(tb.Context(), live.Beneath(dirs), facts.Choices{})
		h.SourceDirs = dirs
		return h
	}
}

// A crowded host is a recorded one with other containers.
type crowded struct {
	*fixtures.Recording
	all []docker.Container
}

type crowdedEngine struct {
	docker.Engine
	all []docker.Container
}

func (c crowded) Engine(ctx context.Context) (facts.API, facts.Endpoint, error) {
	e, at, err := c.Recording.Engine(ctx)
	engine, _ := e.(docker.Engine)
	return crowdedEngine{engine, c.all}, at, err
}

func (e crowdedEngine) Containers(context.Context) ([]docker.Container, error) { return e.all, nil }

func containers(tb testing.TB, n int) func() *facts.Host {
	rec, err := fixtures.Load("docker/loose.txtar")
	if err != nil {
		tb.Fatal(err)
	}
	all := make([]docker.Container, n)
	for i := range all {
		c := docker.Container{ID: fmt.Sprintf("%064x", i+1), Name: fmt.Sprintf("/web%d", i),
			State: docker.ContainerState{Status: "exited"}}
		c.HostConfig.RestartPolicy.Name = container.RestartPolicyAlways
		c.HostConfig.Privileged = true
		all[i] = c
	}
	return func() *facts.Host { return facts.New(tb.Context(), crowded{rec, all}, facts.Choices{}) }
}

func pods(tb testing.TB, n int) func() *facts.Host {
	rec, err := fixtures.Load("kubernetes/kubeadm.txtar")
	if err != nil {
		tb.Fatal(err)
	}
	added := facts.Overlay{Files: map[string]facts.File{}}
	for i := range n {
		p := fmt.Sprintf("/etc/kubernetes/manifests/scheduler%03d.yaml", i)
		data := fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata:\n  name: scheduler%d\n  namespace: "+
			"kube-system\nspec:\n  containers:\n  - name: s\n"+
			"    image: registry.k8s.io/kube-scheduler:v1.34.0\n    command:\n    - kube-scheduler\n    - --profiling=true\n", i)
		added.Files[p] = facts.File{Info: facts.Info{Path: p, Mode: fs.FileMode(0o644), User: "root", Group: "root",
			Links: 1, Size: int64(len(data))}, Data: []byte(data)}
	}
	return func() *facts.Host { return rec.Host(tb.Context()).With(added) }
}

// plan judges a host by everything and plans all fixes, as a dry run does.
func plan(tb testing.TB, h *facts.Host) *remediate.Plan {
	tb.Helper()
	p, err := remediate.Propose(tb.Context(), h, checks.Run(tb.Context(), h, catalog.All), remediate.Policy{
		Allow: func(*checks.Check, want.Class) bool { return true }, Precheck: gate.Precheck, Validate: gate.Validate})
	if err != nil {
		tb.Fatal(err)
	}
	if len(p.Changes)+len(p.Updates) == 0 {
		tb.Fatal("nothing is planned")
	}
	return p
}

// BenchmarkPropose is a dry run of more and more services, containers and pods: the time of each stays about the same.
func BenchmarkPropose(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(loads)) {
		load, first := loads[name], 0.0
		for _, n := range []int{20, 40, 80, 160, 320} {
			host := load(b, n)
			b.Run(fmt.Sprintf("%s-%d", name, n), func(b *testing.B) {
				begun := spent(b)
				for b.Loop() {
					plan(b, host())
				}
				each := float64((spent(b) - begun).Microseconds()) / float64(b.N*n)
				if n == 20 {
					first = each
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(each, "µs/each")
				b.ReportMetric(each/first, "times-that-of-20")
			})
		}
	}
}

// spent is the time that processors have given the process: the machine may have other work.
func spent(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// TestLinear holds that a dry run of twice as many takes about twice the memory in all, which no other work of the
// machine changes, as it would the time.
func TestLinear(t *testing.T) {
	for name, load := range loads {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "pods" {
				t.Skip("judges each of 960 pods by every check")
			}
			bytes := func(n int) uint64 {
				host := load(t, n)
				plan(t, host()) // what is made once
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				plan(t, host())
				runtime.ReadMemStats(&after)
				return after.TotalAlloc - before.TotalAlloc
			}
			half, whole := bytes(160), bytes(320)
			t.Logf("160: %d KiB, 320: %d KiB, %.2f times", half>>10, whole>>10, float64(whole)/float64(half))
			if whole*10 > half*23 {
				t.Errorf("320 take %d bytes, more than 2.3 times the %d of 160", whole, half)
			}
		})
	}
}
