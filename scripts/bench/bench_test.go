// Package bench measures harden on this machine: as ratios to a bare Go program that makes the same Engine calls, and
// to docker-bench-security where DOCKER_BENCH_DIR leads to it and kube-bench where KUBE_BENCH_DIR does.
package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/harden/scripts/child"
	"example.com/harden/scripts/testdocker"
	"example.com/harden/scripts/vm"
)

// maxMemory bounds an audit's memory at its peak, in bytes. Times are told and not judged: they are the machine's too.
const maxMemory = 64 << 20

// BenchmarkCheck audits a host whose engine has one container, as a user does: a process each time.
func BenchmarkCheck(b *testing.B) {
	program, least, client := build(b, "cmd/harden"), build(b, "scripts/bench/bare"), build(b, "scripts/bench/client")
	d := testdocker.Start(b)
	d.Run("one", nil)
	whole := compare(b, program, least, client, d.Socket, record(b, program, d.Socket), maxMemory)
	besideDockerBench(b, d, whole, "docker-bench/harden")
}

// BenchmarkContainers audits a host whose engine runs twenty containers, beside docker-bench-security: as a user runs
// it, and with its sections on objects alone, while harden does all that it does.
func BenchmarkContainers(b *testing.B) {
	program, least, client := build(b, "cmd/harden"), build(b, "scripts/bench/bare"), build(b, "scripts/bench/client")
	d := testdocker.Start(b)
	for i := range 20 {
		d.Run(fmt.Sprintf("web%d", i), nil)
	}
	whole := compare(b, program, least, client, d.Socket, record(b, program, d.Socket), maxMemory)
	besideDockerBench(b, d, whole, "docker-bench/harden")
	besideDockerBench(b, d, whole, "docker-bench-objects/harden", "-c",
		"container_images,container_runtime,docker_security_operations,docker_swarm_configuration")
}

// besideDockerBench tells how many times as long as harden docker-bench-security takes, where DOCKER_BENCH_DIR leads to
// it.
func besideDockerBench(b *testing.B, d *testdocker.Daemon, whole time.Duration, unit string, args ...string) {
	b.Helper()
	dir := os.Getenv("DOCKER_BENCH_DIR")
	if dir == "" {
		return
	}
	script := exec.Command("bash", append([]string{"docker-bench-security.sh", "-b"}, args...)...)
	script.Dir, script.Env = b.TempDir(), append(os.Environ(), "DOCKER_HOST="+d.Host)
	if err := os.CopyFS(script.Dir, os.DirFS(dir)); err != nil { // it writes its log beside itself
		b.Fatal(err)
	}
	took := timed(func() {
		if out, err := script.CombinedOutput(); err != nil {
			b.Errorf("docker-bench-security: %v\n%s", err, out)
		}
	})
	b.Logf("docker-bench-security took %v", took)
	b.ReportMetric(took.Seconds()/whole.Seconds(), unit)
}

// compare times audits of the engine on a socket, the bare loop of their calls, and a loop over its containers that
// decodes them too, and bounds the audits' memory.
func compare(b *testing.B, program, least, client, socket string,
	calls []string, maxMemory int64) (whole time.Duration) {
	b.Helper()
	list := filepath.Join(b.TempDir(), "calls")
	if err := os.WriteFile(list, []byte(strings.Join(calls, "\n")), 0o600); err != nil {
		b.Fatal(err)
	}
	args := []string{program, "check", "--docker-host", "unix://" + socket, "--config", "none"}
	audit := func() { run(b, 2, args...) }
	audit() // what is read once from the disk is in memory from here on
	other := newBase(b, 2, args[1:]...)
	bare, decoded, whole := time.Hour, time.Hour, time.Hour
	for b.Loop() { // by turns, and the best of each, since this machine may have other work
		bare = min(bare, timed(func() { run(b, 0, least, socket, list) }))
		decoded = min(decoded, timed(func() { run(b, 0, client, socket) }))
		whole = min(whole, timed(audit))
		other.time()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(whole.Seconds()*1000, "ms/audit")
	b.ReportMetric(bare.Seconds()*1000, "ms/bare-loop")
	b.ReportMetric(float64(len(calls)), "engine-calls")
	peak := held(b, 2, args...)
	tellPeak(b, peak, maxMemory)
	other.tell(whole, peak)
	b.ReportMetric(whole.Seconds()/bare.Seconds(), "times-bare-loop")
	b.ReportMetric(whole.Seconds()/decoded.Seconds(), "times-client-loop")
	return whole
}

// BenchmarkVersion is the least that starting harden can take.
func BenchmarkVersion(b *testing.B) {
	program := build(b, "cmd/harden")
	other := newBase(b, 0, "version")
	best := time.Hour
	for b.Loop() {
		best = min(best, timed(func() { run(b, 0, program, "version") }))
		other.time()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(best.Seconds()*1000, "ms/start")
	other.tell(best, held(b, 0, program, "version"))
}

func build(b *testing.B, folder string) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), filepath.Base(folder))
	if err := vm.Compile(program, "example.com/harden/"+folder); err != nil {
		b.Fatal(err)
	}
	return program
}

// run runs a program that must exit so.
func run(b *testing.B, want int, argv ...string) {
	b.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = child.Environ()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
		b.Fatalf("%q: %v\n%s", argv, err, out)
	}
}

// held runs a program three times and gives the most memory that it held, in bytes.
func held(b *testing.B, want int, argv ...string) (peak int64) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "peak")
	for range 3 {
		run(b, want, child.Measured(file, argv...)...)
		one, err := child.Peak(file)
		if err != nil {
			b.Fatal(err)
		}
		peak = max(peak, one)
	}
	return peak
}

func tellPeak(b *testing.B, peak, most int64) {
	b.Helper()
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
	if peak > most {
		b.Errorf("it holds %d bytes of memory, more than %d", peak, most)
	}
}

func timed(f func()) time.Duration {
	begun := time.Now()
	f()
	return time.Since(begun)
}

// record gives what one audit asks the engine for, in order.
func record(b *testing.B, program, engine string) (uris []string) {
	b.Helper()
	seen := make(chan string, 100_000)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			if r.In.Method != http.MethodHead { // the client's ping is its own affair
				seen <- r.In.URL.RequestURI()
			}
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "docker"
		},
		Transport: transport(engine),
	}
	socket := filepath.Join(b.TempDir(), "proxy")
	l, err := net.Listen("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: proxy}
	go server.Serve(l)
	defer server.Close()
	run(b, 2, program, "check", "--docker-host", "unix://"+socket, "--config", "none", "--format", "json")
	for len(seen) > 0 {
		uris = append(uris, <-seen)
	}
	if len(uris) == 0 {
		b.Fatal("an audit asked the engine nothing")
	}
	return uris
}

func transport(socket string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
}
