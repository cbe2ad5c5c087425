package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"example.com/harden/checks/catalog"
	"example.com/harden/checks/docker"
	"example.com/harden/fixtures"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/diff"
	"example.com/harden/remediate/report"
)

var update = flag.Bool("update", false, "write golden files anew")

func TestMain(m *testing.M) {
	commands := map[string]func(){"harden": main, "AnsiballZ_harden": main, "panicking": panicking, "cutshort": cutShort,
		"twice": twice, "lockfile": lockfile, "held": holding, "signalled": signalled}
	if commands[filepath.Base(os.Args[0])] == nil {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) // under nohup the tests' programs would ignore it too
	}
	testscript.Main(m, commands)
}

// panicking is harden with a command that panics: no command of the real one should.
func panicking() {
	os.Exit(guard(func() error { panic("boom") }))
}

// cutShort is harden on r, gone in the moment in which it begins with its second file.
func cutShort() {
	writes := 0
	atStep(func(s apply.Step) {
		if s.Doing == apply.Writing {
			writes++
		}
		if writes == 2 {
			os.Exit(9)
		}
	})
}

// twice is harden on r, with another one started while it writes.
func twice() {
	atStep(func(s apply.Step) {
		if s.Doing == apply.Writing {
			os.Exit(run([]string{"--yes", "--root", "r"}))
		}
	})
}

func atStep(hook func(apply.Step)) {
	cmd := newRoot()
	cmd.SetContext(context.Background())
	s, err := open(cmd)
	if err != nil {
		panic(err)
	}
	s.Root = "r"
	plan, err := s.propose()
	if err != nil {
		panic(err)
	}
	o := s.options()
	o.Progress = hook
	_, err = apply.Apply(s.ctx, plan, o)
	os.Exit(exitCode(err))
}

func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, "HARDEN_CONFIG=none", "HARDEN_STATE="+filepath.Join(e.WorkDir, "state"), "LC_ALL=C.UTF-8",
				"TODAY="+time.Now().UTC().Format(time.DateOnly),
				"YESTERDAY="+time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly),
				"NEXTYEAR="+time.Now().UTC().AddDate(1, 0, 0).Format(time.DateOnly))
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("no condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "nobody": nobody, "expand": expand,
			"locked": locked, "released": released, "secrets": secrets, "damage": damage},
	})
}

// exits runs a program: exits CODE PROGRAM ARGS… keeps what it printed in the files stdout and stderr.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	runFor(ts, neg, args, &exec.Cmd{Path: "/proc/self/exe"})
}

// nobody is exits as a user who owns nothing.
func nobody(ts *testscript.TestScript, neg bool, args []string) {
	program := ts.MkAbs("harden")
	if _, err := os.Stat(program); err != nil { // the test binary is where nobody can reach it
		self, err := os.ReadFile("/proc/self/exe")
		ts.Check(err)
		syscall.ForkLock.RLock() // a program that another script starts meanwhile would hold this one open: text file busy
		err = os.WriteFile(program, self, 0o755)
		syscall.ForkLock.RUnlock()
		ts.Check(err)
		for dir := ts.MkAbs("."); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
			ts.Check(os.Chmod(dir, 0o711))
		}
	}
	runFor(ts, neg, args, &exec.Cmd{Path: program,
		SysProcAttr: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}})
}

// runFor runs cmd with these arguments. What it says on stderr goes to cmd.Stderr too.
func runFor(ts *testscript.TestScript, neg bool, args []string, cmd *exec.Cmd) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var stdout, stderr bytes.Buffer
	cmd.Args, cmd.Dir, cmd.Env, cmd.Stdout = args[1:], ts.MkAbs("."), environment(ts), &stdout
	if cmd.Stderr == nil {
		cmd.Stderr = io.Discard
	}
	cmd.Stderr = io.MultiWriter(&stderr, cmd.Stderr)
	err = cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		ts.Fatalf("%v", err)
	}
	ts.Check(os.WriteFile(ts.MkAbs("stdout"), stdout.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("stderr"), stderr.Bytes(), 0o600))
	if got := cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("exit code %d, want %d\n%s%s", got, want, stdout.String(), stderr.String())
	}
	ts.Check(asPublished(stdout.Bytes()))
}

// secrets fails where one of the secrets that the scripts plant is in one of these files.
func secrets(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: secrets FILE…")
	}
	for _, file := range args {
		text := ts.ReadFile(file)
		for _, s := range []string{"x7Kq2LmZ9vBt4RyWs8Nd", "hunter2", "correcthorse1", "MIIEpAIBAAKC", "Q3EGRTL7XWYZ2PVN",
			"s3kr1t"} {
			if strings.Contains(text, s) {
				ts.Fatalf("%s tells the secret %q:\n%s", file, s, text)
			}
		}
	}
}

// damage flips a bit of one byte of a file, from behind where the number is negative: damage PATTERN N.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: damage PATTERN N")
	}
	files, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if len(files) != 1 {
		ts.Fatalf("%s: %d files", args[0], len(files))
	}
	data, err := os.ReadFile(files[0])
	ts.Check(err)
	if at < 0 {
		at += len(data)
	}
	data[at] ^= 0x02
	ts.Check(os.WriteFile(files[0], data, 0o600))
}

// expand puts the values of the environment's variables into a file.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

func environment(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"HARDEN_CONFIG", "HARDEN_STATE", "HARDEN_ONLY", "HARDEN_LEVEL", "HARDEN_ALLOW",
		"HARDEN_DRY_RUN", "DOCKER_HOST", "LC_ALL", "NO_COLOR"} {
		// a script can unset none, and harden takes none empty
		if value := ts.Getenv(name); value != "" || name == "NO_COLOR" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// recorded is a session on a recorded host.
func recorded(t *testing.T, name string, allow ...string) *session {
	t.Helper()
	r, err := fixtures.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	config := &Config{Root: "/", State: t.TempDir(), Choices: r.Choices}
	if config.Allow, err = classes(allow); err != nil {
		t.Fatal(err)
	}
	s := &session{Config: config, teller: teller{config, io.Discard, diff.NewRedactor([]byte("test"))}, ctx: t.Context(),
		now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), host: r.Host(t.Context())}
	if s.selection, err = catalog.Select(catalog.All, s.Query); err != nil {
		t.Fatal(err)
	}
	s.results = s.judge(s.ctx, s.host, s.selection.Checks)
	return s
}

// reported is the report of a session's plan, without what this machine and this build would put into it.
func reported(t *testing.T, s *session) *report.Report {
	t.Helper()
	plan, err := s.plan()
	if err != nil {
		t.Fatal(err)
	}
	r := s.planned(plan)
	r.Host.Name, r.Version = "recorded", "0"
	r.Host.Notes = slices.DeleteFunc(r.Host.Notes, func(n string) bool { return strings.HasPrefix(n, "not root") })
	r.Settle()
	return r
}

// TestGolden holds the text that people read, whole, of three hosts: one with Docker where everything is at its
// defaults, a node of kubeadm's, and a laptop on which dockerd is not running. Of the last, all that comes before the
// plan fits one screen.
func TestGolden(t *testing.T) {
	for name, recording := range map[string]string{
		"docker": "docker/loose.txtar", "kubeadm": "kubernetes/kubeadm.txtar", "laptop": "docker/debian.txtar",
	} {
		var b bytes.Buffer
		if err := report.Views[0].Write(&b, reported(t, recorded(t, recording)), report.Style{}); err != nil {
			t.Fatal(err)
		}
		golden := "testdata/" + name + ".golden"
		if *update {
			if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("(-want +got), go test ./cmd/harden -update takes it\n%s", diff)
		}
		findings, _, planned := strings.Cut(b.String(), "\nThe plan: ")
		if n := strings.Count(findings, "\n"); name == "laptop" && (n > 50 || !planned) {
			t.Errorf("%s: %d lines come before the plan, more than a screen has", name, n)
		}
	}
}

// TestNode holds the report to saying what was found of Kubernetes.
func TestNode(t *testing.T) {
	want := &report.Node{Flavour: "kubeadm", Manifests: "/etc/kubernetes/manifests",
		Config: []string{"/var/lib/kubelet/config.yaml"},
		Components: []report.Component{
			{Name: "kubelet", PID: 1500, From: "kubelet.service"},
			{Name: "kube-apiserver", PID: 1200, From: "/etc/kubernetes/manifests/kube-apiserver.yaml"},
			{Name: "kube-controller-manager", PID: 1300, From: "/etc/kubernetes/manifests/kube-controller-manager.yaml"},
			{Name: "kube-scheduler", PID: 1400, From: "/etc/kubernetes/manifests/kube-scheduler.yaml"},
			{Name: "etcd", PID: 1100, From: "/etc/kubernetes/manifests/etcd.yaml"},
			{Name: "kube-proxy", PID: 1600, From: "the command line of process 1600"},
		}}
	r := recorded(t, "kubernetes/kubeadm.txtar").report("check")
	if diff := cmp.Diff(want, r.Host.Node); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var b bytes.Buffer
	r.Settle()
	if err := report.Views[0].Write(&b, r, report.Style{}); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"  kubernetes kubeadm\n",
		"             etcd by /etc/kubernetes/manifests/etcd.yaml, PID 1100\n",
		"             the kubelet reads /var/lib/kubelet/config.yaml\n",
		fmt.Sprintf("          docker is not installed: %d not applicable\n", len(docker.All)),
		"  ✗ fail    4.2.14  kubelet seccompDefault: unset, so false; must be true\n"} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("no line %q in\n%s", line, b.String())
		}
	}
	for name, want := range map[string]string{"kubernetes/k3s.txtar": "k3s makes the files of Kubernetes itself",
		"kubernetes/pending.txtar": "is newer than the running processes"} {
		if notes := recorded(t, name).report("check").Host.Notes; !strings.Contains(strings.Join(notes, "\n"), want) {
			t.Errorf("%s: no note says %q: %q", name, want, notes)
		}
	}
}

// TestRunCode holds the exit code to what became of a run, whatever the format.
func TestRunCode(t *testing.T) {
	for _, test := range []struct {
		outcome  apply.Outcome
		verdict  string
		detailed bool
		want     int
	}{
		{apply.Unchanged, report.Sound, true, 0},
		{apply.Unchanged, report.Findings, true, 0},
		{apply.Applied, report.Changed, false, 0},
		{apply.Applied, report.Changed, true, 2},
		{apply.Applied, report.Broken, false, 6},
		{apply.RolledBack, report.Broken, true, 4},
		{apply.Failed, report.Broken, false, 4},
	} {
		s := &session{Config: &Config{Detailed: test.detailed}}
		r := &report.Report{Summary: report.Summary{Verdict: test.verdict}}
		if got := exitCode(s.runCode(&apply.Run{Outcome: test.outcome}, r, s.resumed)); got != test.want {
			t.Errorf("%+v exits %d", test, got)
		}
	}
}

func TestLockedExits75(t *testing.T) {
	if got := exitCode(fmt.Errorf("state: %w", &apply.LockedError{PID: 1})); got != exitLocked {
		t.Errorf("exit code %d", got)
	}
}

// TestCatalogue holds the table of CATALOGUE.md to the catalogue.
func TestCatalogue(t *testing.T) {
	var out bytes.Buffer
	cmd := newRoot()
	cmd.SetArgs([]string{"docs", "table"})
	cmd.SetOut(&out)
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	generated(t, "../../checks/CATALOGUE.md", "items", out.String())
}
