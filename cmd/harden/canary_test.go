package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

// A canaryRun is harden on a planted host: all that it has said is held to telling no canary.
type canaryRun struct {
	*testing.T
	planter
	dir   string
	leaks map[string][]string // what told a canary
	bytes int
}

func newCanaryRun(t *testing.T) *canaryRun {
	c := &canaryRun{T: t, planter: planter{of: map[string]string{}}, dir: t.TempDir(), leaks: map[string][]string{}}
	t.Cleanup(c.table)
	return c
}

// table says of each form what has told it, with -v; and fails for each that was told.
func (c *canaryRun) table() {
	leaked := 0
	for i, name := range c.canaries {
		by := c.leaks[name]
		if len(by) > 0 {
			leaked++
			c.Errorf("%q is told by %s", c.of[name], strings.Join(by, "; "))
		}
		c.Logf("%3d  %-6s  %q", i+1, map[bool]string{true: "LEAK", false: "hidden"}[len(by) > 0], c.of[name])
	}
	c.Logf("%d forms, %d leaks, %d bytes of output", len(c.canaries), leaked, c.bytes)
}

// hold looks for canaries in what something has said.
func (c *canaryRun) hold(by, text string) {
	c.bytes += len(text)
	for _, told := range c.told(text) {
		if !slices.Contains(c.leaks[told], by) {
			c.leaks[told] = append(c.leaks[told], by)
			c.Logf("%s:\n%s", by, lineWith(text, told))
		}
	}
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if i := strings.Index(line, part); i >= 0 {
			return line[max(0, i-200):min(len(line), i+100)]
		}
	}
	return ""
}

// harden runs the program in the directory of the test, and returns what it has said.
func (c *canaryRun) harden(env []string, args ...string) string {
	c.Helper()
	cmd := exec.CommandContext(c.Context(), "/proc/self/exe", args...)
	cmd.Args[0] = "harden"
	if other := os.Getenv("HARDEN_BINARY"); other != "" { // another build, such as an older release
		cmd.Path = other
	}
	cmd.Dir = c.dir
	cmd.Env = append([]string{"TESTSCRIPT_COMMAND=harden", "HARDEN_CONFIG=none", "LC_ALL=C.UTF-8",
		"HARDEN_STATE=" + filepath.Join(c.dir, "state"), "PATH=/usr/bin:/bin"}, env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == exitInternal {
		c.Fatalf("%q: %v\n%s", args, err, out.String())
	}
	c.hold("harden "+strings.Join(args, " "), out.String())
	return out.String()
}

// module runs the program as Ansible does.
func (c *canaryRun) module(arguments map[string]any) string {
	c.Helper()
	data, err := json.Marshal(arguments)
	if err != nil {
		c.Fatal(err)
	}
	c.write("arguments", string(data), 0o600)
	return c.harden(nil, "ansible-module", filepath.Join(c.dir, "arguments"))
}

func (c *canaryRun) write(name, text string, mode uint32) {
	c.Helper()
	file := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
	if err := os.Chmod(file, os.FileMode(mode)); err != nil {
		c.Fatal(err)
	}
}

// host plants a host below r.
func (c *canaryRun) host() {
	c.Helper()
	c.write("r/etc/passwd", "root:x:0:0::/root:/bin/sh\n", 0o644)
	c.write("r/etc/group", "root:x:0:\n", 0o644)
	for _, program := range []string{"usr/bin/dockerd", "usr/bin/kubelet", "usr/sbin/auditctl"} {
		c.write("r/"+program, "\x7fELF", 0o755)
	}
	c.write("r/usr/lib/systemd/system/kubelet.service", "[Service]\nExecStart=/usr/bin/kubelet "+
		"--config=/var/lib/kubelet/config.yaml --kubeconfig=/etc/kubernetes/kubelet.conf\n", 0o644)
	for _, file := range slices.Sorted(keysOf(canaryFiles)) {
		c.write("r"+file, c.content(file), canaryFiles[file].mode)
	}
}

// content is a file with its forms planted.
func (c *canaryRun) content(file string) string {
	var planted []string
	for _, f := range forms {
		if f.file == file {
			planted = append(planted, c.plant(file, f.text))
		}
	}
	return strings.Replace(canaryFiles[file].skeleton, "%s", strings.Join(planted, "\n"), 1)
}

// TestCanaries plants every form of secret on a host, and has every command say all that it has to say, in every
// format.
func TestCanaries(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	c := newCanaryRun(t)
	c.host()
	if len(c.canaries) < 60 {
		t.Errorf("%d forms", len(c.canaries))
	}
	root := []string{"--root", "r"}
	with := func(args ...string) []string { return append(args, root...) }
	c.formats(with)
	for _, format := range []string{"text", "json"} {
		c.harden(nil, with("check", "-v", "--format", format)...)
		c.harden(nil, with("--dry-run", "--allow", "all", "--format", format)...)
		c.harden(nil, with("threats", "--format", format)...)
		c.harden(nil, with("explain", "docker/icc", "--format", format)...)
		c.harden(nil, with("explain", "docker/insecure-registries", "--format", format)...)
	}
	c.harden(nil, with("check", "--out", "report.txt", "-v")...)
	plan := c.harden(nil, with("--dry-run", "--allow", "all", "--out", "plan.json")...)
	if !strings.Contains(plan, "‹redacted ") || !strings.Contains(plan, "etcd.yaml") {
		t.Errorf("nothing is hidden in a plan that has something to hide:\n%s", plan)
	}
	c.files("report.txt", "plan.json")
	diff := c.module(map[string]any{"root": filepath.Join(c.dir, "r"),
		"state_dir": filepath.Join(c.dir, "state"), "allow": []string{"all"},
		"_ansible_check_mode": true, "_ansible_diff": true})
	for _, file := range []string{inDaemon, inPod, inEtcd, inKubelet} {
		if !strings.Contains(diff, `"before_header":"`+file) {
			t.Errorf("Ansible is not shown %s:\n%s", file, diff)
		}
	}
	c.harden(nil, "apply", "plan.json")
	if said := c.harden(nil, "history"); !strings.Contains(said, "applied") {
		t.Errorf("the plan was not applied:\n%s", said)
	}
	for _, format := range []string{"text", "json"} {
		if said := c.harden(nil, "history", "1", "--format", format); !strings.Contains(said, "‹redacted ") {
			t.Errorf("nothing is hidden in the diffs of a run:\n%s", said)
		}
	}
	c.touch()
	c.drift(with)
	c.harden(nil, "schedule", "run", "--root", "r", "--metrics", filepath.Join(c.dir, "metrics.prom"))
	c.files("metrics.prom", "state/last.json", "state/score.json")
	reports, err := filepath.Glob(filepath.Join(c.dir, "state/reports/*.json"))
	if err != nil || len(reports) != 1 {
		c.Fatalf("%d reports are kept: %v", len(reports), err)
	}
	c.files("state/reports/" + filepath.Base(reports[0]))
	c.harden(nil, "diff", "plan.json", "last", "--format", "json")
	c.harden(nil, "merge", "plan.json", reports[0], "--format", "json")
	c.rollback(with)
}

// formats writes the plan in every format, in one audit, and what was saved of it in every format again.
func (c *canaryRun) formats(with func(...string) []string) {
	c.Helper()
	args := with("--dry-run", "--allow", "all")
	var files []string
	for _, name := range report.Formats(report.OfReport) {
		file := "plan." + name
		args, files = append(args, "--out", name+"="+file), append(files, file)
	}
	c.harden(nil, args...)
	c.files(files...)
	for _, name := range report.Formats(report.OfReport) {
		if said := c.harden(nil, "report", "plan.json", "--format", name); len(said) < 1000 {
			c.Errorf("--format %s says nothing of a check:\n%.500s", name, said)
		}
	}
}

// touch changes every line of every file by a plan of its own, so that there is no line that drift and rollback do not
// show.
func (c *canaryRun) touch() {
	c.Helper()
	h := facts.New(c.Context(), live.New(filepath.Join(c.dir, "r"), live.DockerOptions{}), facts.Choices{})
	plan := new(remediate.Plan)
	for _, file := range slices.Sorted(keysOf(canaryFiles)) {
		before, err := h.File(file)
		if err != nil {
			c.Fatal(err)
		}
		after := before
		after.Data = bytes.ReplaceAll(before.Data, []byte("\n"), []byte(" \n"))
		plan.Changes = append(plan.Changes, remediate.Change{Path: file, Before: before, After: after,
			Warrants: []want.Warrant{want.Mine}})
	}
	o := apply.Options{State: filepath.Join(c.dir, "state"), Root: filepath.Join(c.dir, "r"), Version: "x"}
	run, err := apply.Apply(c.Context(), plan, o)
	if err != nil || run.Outcome != apply.Applied {
		c.Fatal(run, err)
	}
}

// files holds files that harden has written.
func (c *canaryRun) files(names ...string) {
	c.Helper()
	for _, n := range names {
		data, err := os.ReadFile(filepath.Join(c.dir, n))
		if err != nil {
			c.Error(err)
		}
		c.hold(n, string(data))
	}
}

// drift changes every file that was changed, whole, so that every line of it is in a diff: by other text, and by what
// no parser takes.
func (c *canaryRun) drift(with func(...string) []string) {
	c.Helper()
	for _, break_ := range []func(string) string{
		func(s string) string { return "# x\n" + strings.ReplaceAll(s, "\n", " \n") },
		func(s string) string {
			return strings.Replace(strings.ReplaceAll(s, ": ", ":\n    "), "\n}", "", 1) + "\n{["
		},
		func(string) string { return "" },
	} {
		kept := map[string][]byte{}
		for file := range canaryFiles {
			data, err := os.ReadFile(filepath.Join(c.dir, "r", file))
			if err != nil {
				c.Fatal(err)
			}
			kept[file] = data
			if err := os.WriteFile(filepath.Join(c.dir, "r", file), []byte(break_(string(data))), 0o600); err != nil {
				c.Fatal(err)
			}
		}
		for _, format := range []string{"text", "json"} {
			c.harden(nil, with("drift", "--format", format)...)
			c.harden(nil, with("check", "-v", "--format", format)...)
			c.harden(nil, with("--dry-run", "--allow", "all", "--format", format)...)
			c.harden(nil, with("rollback", "--dry-run", "--format", format)...)
		}
		for file, data := range kept {
			if err := os.WriteFile(filepath.Join(c.dir, "r", file), data, 0o600); err != nil {
				c.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(c.dir, "r", file), 0o644); err != nil {
				c.Fatal(err)
			}
		}
	}
}

func (c *canaryRun) rollback(with func(...string) []string) {
	c.Helper()
	for _, format := range []string{"text", "json"} {
		c.harden(nil, with("history", "--format", format)...)
		c.harden(nil, with("rollback", "--dry-run", "--format", format)...)
	}
	c.module(map[string]any{"mode": "rollback", "run": "newest", "root": filepath.Join(c.dir, "r"),
		"state_dir": filepath.Join(c.dir, "state"), "_ansible_check_mode": true, "_ansible_diff": true})
	c.harden(nil, with("rollback", "--yes")...)
	c.harden(nil, with("history")...)
}

// TestCanariesOfSources does so for a repository.
func TestCanariesOfSources(t *testing.T) {
	c := newCanaryRun(t)
	for i, f := range sourceForms { // each between two lines that are changed
		around := "services:\n  a:\n    image: x:1\n    privileged: true\n%s\n    restart: always\n"
		dir := fmt.Sprintf("src/%d/", i)
		if f.file == "Dockerfile" {
			around = "FROM x:1\nADD conf /a/\n%s\nADD conf /b/\n"
			c.write(dir+"conf", "x", 0o644)
		}
		c.write(dir+f.file, strings.Replace(around, "%s", c.plant(f.file, f.text), 1), 0o644)
	}
	c.write("src/.env", "X="+c.canary(".env")+
		"\nSECRET="+c.canary(".env")+"\nCOMPOSE_PASS='"+c.canary(".env")+"'\n", 0o644)
	c.write("src/b/compose.yaml", "services:\n  a:\n    image: ${X}\n    user: ${X:-root}\n"+
		"    cgroup_parent: $SECRET\n    restart: ${X}\n", 0o644)
	c.write("src/b/.env", "X="+c.canary("b/.env")+"\nSECRET="+c.canary("b/.env")+"\n", 0o644)
	c.write("src/broken/compose.yaml", "services:\n  a:\n    environment: {DB_PASS: "+
		c.canary("broken")+"\n  token: "+c.canary("broken")+"\n ]", 0o644)
	c.write("src/broken/Dockerfile", "FROM x\nENV\nPASSWORD="+c.canary("broken")+"\n", 0o644)
	for _, format := range []string{"text", "json"} {
		c.harden(nil, "check", "-v", "--source", "src", "--format", format)
		shown := c.harden(nil, "--dry-run", "--source", "src", "--format", format)
		if !strings.Contains(shown, "‹redacted ") || !strings.Contains(shown, "MODE: x") {
			t.Errorf("nothing is hidden, or all is:\n%s", shown)
		}
	}
}
