package facts_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"testing"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/facts/source"
)

// A memory is a host that has these files, and nothing that runs.
type memory struct {
	facts.Source
	files map[string]string
}

func (m memory) Stat(_ context.Context, p string) (facts.Info, error) {
	if text, ok := m.files[p]; ok {
		return facts.Info{Path: p, Mode: 0o644, Size: int64(len(text))}, nil
	}
	for file := range m.files {
		if strings.HasPrefix(file, strings.TrimSuffix(p, "/")+"/") {
			return facts.Info{Path: p, Type: fs.ModeDir, Mode: 0o755}, nil
		}
	}
	return facts.Info{}, fs.ErrNotExist
}

func (m memory) Read(_ context.Context, p string) ([]byte, error) {
	if text, ok := m.files[p]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func (m memory) List(_ context.Context, dir string) ([]string, error) {
	var names []string
	for file := range m.files {
		if rest, ok := strings.CutPrefix(file, strings.TrimSuffix(dir, "/")+"/"); ok {
			name, _, _ := strings.Cut(rest, "/")
			names = append(names, name)
		}
	}
	if names == nil {
		return nil, fs.ErrNotExist
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (m memory) Processes(context.Context, string) ([]facts.Process, error) {
	return nil, facts.ErrAbsent
}
func (m memory) Audit(context.Context) (facts.AuditState, error) {
	return facts.AuditState{}, facts.ErrAbsent
}

type reader struct {
	kind, file string
	more       map[string]string
	read       func(*facts.Host) error
}

// readers read a file of each kind with all that is then asked of it.
var readers = []reader{
	{"Dockerfile", "/src/Dockerfile", nil, sourcesOf},
	{"Compose", "/src/compose.yaml", map[string]string{"/src/.env": "A=" + strings.Repeat("a", 100_000)}, sourcesOf},
	{".env", "/src/.env", map[string]string{"/src/compose.yaml": "services: {a: {image: $A}}"}, sourcesOf},
	{"a unit", "/lib/systemd/system/docker.service", nil, unitOf},
	{"a drop-in", "/etc/systemd/system/docker.service.d/a.conf",
		map[string]string{"/lib/systemd/system/docker.service": "[Service]\nExecStart=/a $A\n"}, unitOf},
	{"an environment file", "/etc/default/docker", map[string]string{
		"/lib/systemd/system/docker.service": "[Service]\nEnvironmentFile=/etc/default/docker\nExecStart=/a $A ${A} $B\n"},
		unitOf},
	{"a document", "/a.yaml", nil, func(h *facts.Host) error {
		d, err := h.Document("/a.yaml")
		if err == nil {
			var into map[string]any
			d.At("a", "b")
			_ = d.Decode(&into)
		}
		return err
	}},
	{"a manifest", "/m/a.yaml", map[string]string{
		"/lib/systemd/system/kubelet.service": "[Service]\nExecStart=/usr/bin/kubelet --pod-manifest-path=/m\n"}, nodeOf},
	{"daemon.json", "/d", nil, func(h *facts.Host) error {
		f, _ := h.File("/d")
		_, err := docker.ParseKeys(f.Data)
		return err
	}},
	{"audit rules", "/etc/audit/rules.d/a.rules", nil, func(h *facts.Host) error { _, err := h.Audit(); return err }},
	{"kernel settings", "/etc/sysctl.d/a.conf", nil, func(h *facts.Host) error { _, err := h.Sysctls(); return err }},
	{"accounts", "/etc/passwd", nil, func(h *facts.Host) error {
		f, err := h.File("/etc/passwd")
		facts.Names(f.Data)
		return err
	}},
}

func unitOf(h *facts.Host) error {
	u, err := h.Unit("docker.service")
	if err == nil {
		u.Flags()
	}
	return err
}

// nodeOf asks for a program of Kubernetes that none of the files starts.
func nodeOf(h *facts.Host) error {
	n, err := kube.NodeOf(h)
	if err != nil {
		return err
	}
	if _, err = n.Component(kube.APIServer); errors.Is(err, facts.ErrAbsent) {
		return nil
	}
	return err
}

func sourcesOf(h *facts.Host) error {
	h.SourceDirs = []facts.SourceDir{{"/src", "src"}}
	s, err := source.Of(h)
	if err != nil {
		return err
	}
	for _, d := range s.Dockerfiles {
		err = errors.Join(err, d.Err)
		if d.Err == nil {
			d.Expand("${A}$B")
		}
	}
	for _, c := range s.Composes {
		err = errors.Join(err, c.Err)
		for _, service := range c.Services {
			for _, key := range []string{"environment", "ports", "privileged", "user"} {
				for _, v := range service.All(key) {
					for _, item := range v.Items() {
						_, _ = item.Text()
					}
					for range v.Assignments() {
					}
				}
			}
		}
		if c.Err == nil {
			c.Unset()
		}
	}
	return errors.Join(err, sourcesLeft(s))
}

func sourcesLeft(s *source.Files) error {
	if len(s.Skipped) > 0 {
		return fmt.Errorf("%v: %w", s.Skipped, budget.Err)
	}
	return nil
}

// costOf reads a text as one of the kinds and returns what that allocated.
func costOf(kind int, text string) (uint64, error) {
	r := readers[kind]
	files := map[string]string{r.file: text}
	for name, text := range r.more {
		files[name] = text
	}
	h := facts.New(context.Background(), memory{files: files}, facts.Choices{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := r.read(h)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, err
}

// mostAllocated is how much reading one file may allocate, garbage included.
const mostAllocated = 160 << 20

// TestCost reads texts as every kind of file, each of which some parser would make too much of.
func TestCost(t *testing.T) {
	rep := strings.Repeat
	doubled := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i, i+1)
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"merge keys": "x0: &m0 {a: b}\n" + doubled("x%[2]d: &m%[2]d {<<: [*m%[1]d, *m%[1]d]}\n", 30) +
			"services: {a: {<<: *m30}}\n",
		"laughs": "x0: &m0 [a, a]\n" + doubled("x%[2]d: &m%[2]d [*m%[1]d, *m%[1]d]\n", 40) +
			"services: {a: {environment: *m40}}\n",
		"variables":      "FROM x\nENV A=aaaaaaaaaa\n" + rep("ENV A=$A$A\n", 40) + "USER $A\n",
		"many variables": "services: {a: {user: \"" + rep("$A", 100_000) + "\"}}\n",
		"words":          "[Service]\nEnvironment=A=" + rep("a", 100_000) + "\nExecStart=/a " + rep("${A}", 10_000) + "\n",
		"assignments":    "A=" + rep("a ", 500_000) + "\nB=c\n",
		"lines":          rep("A=b\n", 250_000), "blank lines": rep("\n", 1<<20),
		"commas":   "{\"a\":[" + rep("0,", 500_000) + "0]}",
		"brackets": rep("[", 1<<20), "braces": rep(`{"a":`, 200_000), "dashes": rep("- ", 500_000),
		"list":      "a:\n" + rep("-\n", 500_000),
		"continued": "[Service]\nExecStart=/a \\\n" + rep("a\\\n", 300_000) + "b\n", "comments": rep("# a\n", 250_000),
		"rules": rep("-A exit,always -w /a -p wa\n", 30_000), "removed rules": rep("-W /a -p wa\n", 29_000),
		"one line": rep("a", 1<<20), "dollars": rep("$", 1<<20),
	} {
		for kind, r := range readers {
			if size, err := costOf(kind, text); size > mostAllocated {
				t.Errorf("%s as %s: %d MiB, %v", name, r.kind, size>>20, err)
			}
		}
	}
}

// FuzzCost holds the cost of any text, read as any kind of file. Errors of budgets are as good as any other answer.
func FuzzCost(f *testing.F) {
	for kind := range readers {
		f.Add(byte(kind), "a: &a {<<: [*a]}\n")
		f.Add(byte(kind), "services: {a: &a {extends: b, <<: [{c: $A}]}, b: {<<: *a, environment: {<<: *a}}}\n")
		f.Add(byte(kind), "ARG A=b\nFROM ${A//b/$A} AS c\nENV A=$A$A${A%%b*}\nFROM c\nUSER $A\n")
		f.Add(byte(kind), "[Service]\nEnvironment=A=b\nExecStart=/a $A ${A}${A}\n-w /a\n-A b\n{\"a\":[[0,1]]}\n")
	}
	f.Fuzz(func(t *testing.T, kind byte, text string) {
		if size, err := costOf(int(kind)%len(readers), text); size > mostAllocated {
			t.Fatalf("%s: %d MiB, %v", readers[int(kind)%len(readers)].kind, size>>20, err)
		}
	})
}

// TestWholeOrUnknown shows that what goes beyond a limit is told as such, and not as the part that was read.
func TestWholeOrUnknown(t *testing.T) {
	rep := strings.Repeat
	for kind, text := range map[string]string{
		"Dockerfile": "FROM x\n" + rep("RUN a\n", 5_000) + "USER a\n",
		"Compose":    "services:\n  a: {image: b}\nx:\n" + rep("- a\n", 40_000),
		".env":       rep("A=b\n", 40_000), "a unit": "[Service]\nExecStart=/a\n" + rep("A=b\n", 40_000),
		"a drop-in":           "[Service]\n" + rep("A=b\n", 40_000),
		"an environment file": rep("A=b\n", 40_000), "a document": "a:\n" + rep("- a\n", 40_000),
		"a manifest":  "kind: Pod\na:\n" + rep("- a\n", 40_000),
		"daemon.json": `{"a":[` + rep("0,", 40_000) + "0]}", "audit rules": rep("-w /a -p wa\n", 40_000),
		"kernel settings": rep("a.b=c\n", 40_000),
	} {
		i := slices.IndexFunc(readers, func(r reader) bool { return r.kind == kind })
		if _, err := costOf(i, text); !errors.Is(err, budget.Err) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	h := facts.New(context.Background(), memory{files: map[string]string{
		"/lib/systemd/system/kubelet.service": "[Service]\nExecStart=/usr/bin/kubelet --config-dir=/k\n",
		"/k/" + rep("d/", 10) + "a.conf":      ""}}, facts.Choices{})
	if err := nodeOf(h); err == nil || !strings.Contains(err.Error(), "go deeper than") {
		t.Errorf("too deep: %v", err)
	}
}
