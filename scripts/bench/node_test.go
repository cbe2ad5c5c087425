package bench

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/harden/scripts/kube"
	"example.com/harden/scripts/vm"
)

// BenchmarkNode audits the node of a kubeadm control plane, whose parts run, beside kube-bench on the same node where
// KUBE_BENCH_DIR leads to it: to a folder with the program kube-bench and its cfg.
func BenchmarkNode(b *testing.B) {
	n := kube.NewNode(b)
	n.Kubeadm()
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		p, err := n.Pod(name)
		if err == nil {
			err = n.Ready(p)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := vm.Compile(filepath.Join(n.Root, "root", "harden"), "example.com/harden/cmd/harden"); err != nil {
		b.Fatal(err)
	}
	n.IdleKubelet() // last, since it does not wait for long

	type start func(program string, args ...string) *kube.Process
	audit := func(start start, program string) *kube.Process {
		p := start(program, "check", "--config", "none", "--format", "json")
		if p.Wait(); p.Code() != 2 {
			b.Fatalf("%s check exited %d:\n%s", program, p.Code(), p.Log())
		}
		return p
	}
	held := func(program string) (peak int64) {
		for range 3 {
			peak = max(peak, audit(n.Measure, program).Peak())
		}
		return peak
	}
	const program, another = "/root/harden", "/root/base"
	audit(n.Start, program) // what is read once from the disk is in memory from here on
	other := &base{b: b, best: time.Hour}
	if from := os.Getenv(baseEnv); from != "" {
		copied, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(n.Root, another), copied, 0o755)
		}
		if err != nil {
			b.Fatal(err)
		}
		other.run, other.held = func() { audit(n.Start, another) }, func() int64 { return held(another) }
	}
	whole := time.Hour
	for b.Loop() {
		whole = min(whole, timed(func() { audit(n.Start, program) }))
		other.time()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(whole.Seconds()*1000, "ms/audit")
	peak := held(program)
	tellPeak(b, peak, maxMemory)
	other.tell(whole, peak)
	if dir := os.Getenv("KUBE_BENCH_DIR"); dir != "" {
		profile, err := kube.Profile(filepath.Join(dir, "cfg"))
		if err != nil {
			b.Fatal(err)
		}
		if err := os.CopyFS(filepath.Join(n.Root, "root", "kube-bench"), os.DirFS(dir)); err != nil {
			b.Fatal(err)
		}
		// the sections that harden has, and then all of it as it is called by default: section 5 asks kubectl again and again
		sections := time.Hour
		for range 3 {
			sections = min(sections, timed(func() {
				p := kubeBench(b, n, "run", "--benchmark", profile, "--targets", "master,node,etcd,controlplane", "--json")
				b.ReportMetric(float64(p.Peak())/(1<<20), "kube-bench-peak-MiB")
			}))
		}
		all := timed(func() { kubeBench(b, n) })
		b.ReportMetric(sections.Seconds()/whole.Seconds(), "kube-bench/harden")
		b.ReportMetric(all.Seconds()/whole.Seconds(), "kube-bench-by-default/harden")
	}
}

func kubeBench(b *testing.B, n *kube.Node, args ...string) *kube.Process {
	b.Helper()
	args = append([]string{"KUBECONFIG=/etc/kubernetes/super-admin.conf", "/root/kube-bench/kube-bench"}, args...)
	p := n.Measure("/usr/bin/env", append(args, "--config-dir", "/root/kube-bench/cfg")...)
	if err := p.Wait(); err != nil {
		b.Errorf("kube-bench: %v\n%s", err, p.Log())
	}
	return p
}
