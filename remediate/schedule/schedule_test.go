package schedule_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
	"example.com/harden/remediate"
	"example.com/harden/remediate/schedule"
)

// at is the host below a directory, as it is now.
func at(t *testing.T, root string) *facts.Host {
	return facts.New(t.Context(), live.New(root, live.DockerOptions{}), facts.Choices{})
}

func spec(manager schedule.Manager) *schedule.Spec {
	return &schedule.Spec{Manager: manager, Program: "/usr/local/sbin/harden", State: "/var/lib/harden",
		Metrics: schedule.DefaultMetrics,
		Audit:   schedule.Timing{Calendar: "daily", Delay: time.Hour}}
}

func applying(s *schedule.Spec, kinds ...remediate.Kind) *schedule.Spec {
	s.Apply = &schedule.Apply{Timing: schedule.Timing{Calendar: "weekly", Delay: 10 * time.Minute},
		Writable: []string{"/etc/docker"}, Kinds: kinds}
	return s
}

// write carries a plan out, as apply does where nothing goes wrong.
func write(t *testing.T, root string, p *remediate.Plan) {
	t.Helper()
	for _, c := range p.Changes {
		file := filepath.Join(root, c.Path)
		if c.Removed {
			must(t, os.Remove(file))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, c.After.Data, 0o644))
		must(t, os.Chmod(file, c.After.Mode))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// told is what a plan does, a line each.
func told(p *remediate.Plan) (lines []string) {
	for _, c := range p.Changes {
		lines = append(lines, c.Action()+" "+c.Path)
	}
	for _, a := range p.Activations {
		lines = append(lines, strings.TrimSpace(string(a.Kind)+" "+a.Unit))
	}
	return lines
}

func units(does, name string) []string {
	return []string{does + " /etc/systemd/system/" + name + ".service", does + " /etc/systemd/system/" + name + ".timer",
		does + " /etc/systemd/system/timers.target.d/" + name + ".conf"}
}

// TestPlan goes from one schedule to another, and wants of each plan what it does, and that it does all of it.
func TestPlan(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: what it writes has to be root's")
	}
	root := t.TempDir()
	later := spec(schedule.Systemd)
	later.Audit.Calendar = "Mon *-*-* 04:00:00"
	both := applying(spec(schedule.Systemd))
	both.Audit = later.Audit
	audit, apply := "set-timer harden-audit.timer", "set-timer harden-apply.timer"
	for _, step := range []struct {
		name string
		spec *schedule.Spec
		want []string
	}{
		{"nothing to remove", nil, nil},
		{"audit", spec(schedule.Systemd), append(units("create", "harden-audit"), "reload-systemd", audit)},
		{"another time", later, []string{"content /etc/systemd/system/harden-audit.timer", "reload-systemd", audit}},
		{"apply too", both, append(units("create", "harden-apply"), "reload-systemd", apply)},
		{"audit alone", later, append(units("remove", "harden-apply"), "reload-systemd", apply)},
		{"cron", applying(spec(schedule.Cron)), slices.Concat([]string{"create /etc/cron.d/harden"},
			units("remove", "harden-audit"), []string{"reload-systemd", audit})},
		{"nothing", nil, []string{"remove /etc/cron.d/harden"}},
	} {
		plan, err := schedule.Plan(at(t, root), step.spec)
		must(t, err)
		if diff := cmp.Diff(step.want, told(plan)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		write(t, root, plan)
		if again, err := schedule.Plan(at(t, root), step.spec); err != nil || !again.Empty() {
			t.Errorf("%s, again: %v, %v", step.name, told(again), err)
		}
	}
}

// TestAttributes puts a unit right that somebody else may write to, though its text is as it was.
func TestAttributes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: what it writes has to be root's")
	}
	root := t.TempDir()
	plan, err := schedule.Plan(at(t, root), spec(schedule.Systemd))
	must(t, err)
	write(t, root, plan)
	must(t, os.Chmod(filepath.Join(root, "/etc/systemd/system/harden-audit.service"), 0o666))
	plan, err = schedule.Plan(at(t, root), spec(schedule.Systemd))
	must(t, err)
	if len(plan.Changes) != 1 || plan.Changes[0].After.Mode != 0o644 {
		t.Errorf("a unit that everybody can write to: %+v", told(plan))
	}
}

func TestRefused(t *testing.T) {
	root := t.TempDir()
	for name, spoil := range map[string]func(*schedule.Spec){
		"another line":      func(s *schedule.Spec) { s.Audit.Calendar = "daily\nExecStart=/bin/sh" },
		"a specifier":       func(s *schedule.Spec) { s.Metrics = "/var/lib/%n/harden.prom" },
		"two paths":         func(s *schedule.Spec) { s.State = "/var/lib/harden /etc" },
		"a relative path":   func(s *schedule.Spec) { s.Program = "harden" },
		"a climbing path":   func(s *schedule.Spec) { s.State = "/var/lib/../../etc" },
		"all of /etc":       func(s *schedule.Spec) { s.Metrics = "/etc/harden.prom" },
		"an odd directory":  func(s *schedule.Spec) { s.Apply.Writable = []string{"/etc/na\xffme"} },
		"an odd argument":   func(s *schedule.Spec) { s.Args = []string{"--config=/etc/$(id)"} },
		"no time":           func(s *schedule.Spec) { s.Apply.Calendar = "" },
		"a delay backwards": func(s *schedule.Spec) { s.Audit.Delay = -time.Second },
	} {
		s := applying(spec(schedule.Systemd))
		spoil(s)
		if plan, err := schedule.Plan(at(t, root), s); err == nil {
			t.Errorf("%s is accepted: %v", name, told(plan))
		}
	}
}

// TestCron holds the fields to crontab(5), and to a host's own number that no restart changes.
func TestCron(t *testing.T) {
	line := func(machine, calendar string, delay time.Duration) string {
		t.Helper()
		root := t.TempDir()
		must(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
		must(t, os.WriteFile(filepath.Join(root, "etc/machine-id"), []byte(machine), 0o644))
		s := spec(schedule.Cron)
		s.Audit = schedule.Timing{Calendar: calendar, Delay: delay}
		plan, err := schedule.Plan(at(t, root), s)
		if err != nil {
			return err.Error()
		}
		lines := strings.Split(strings.TrimSpace(string(plan.Changes[0].After.Data)), "\n")
		return lines[len(lines)-1]
	}
	seen := map[string]bool{}
	for i := range 40 {
		got := line(strconv.Itoa(i), "daily", 2*time.Hour)
		if got != line(strconv.Itoa(i), "daily", 2*time.Hour) {
			t.Errorf("machine %d: not twice the same", i)
		}
		f := strings.Fields(got)
		minute, err1 := strconv.Atoi(f[0])
		hour, err2 := strconv.Atoi(f[1])
		if err1 != nil || err2 != nil || minute > 59 || hour > 1 ||
			strings.Join(f[2:], " ") != "* * * root ulimit -d 524288 && /usr/local/sbin/harden schedule run" {
			t.Errorf("machine %d: %s", i, got)
		}
		seen[got] = true
	}
	if len(seen) < 20 {
		t.Errorf("40 machines begin at %d times", len(seen))
	}
	for calendar, want := range map[string]string{
		"hourly": "0 * * * * root ", "daily": "0 0 * * * root ", "weekly": "0 0 * * 1 root ", "monthly": "0 0 1 * * root ",
		"*/15 1-5 * * mon,fri": "*/15 1-5 * * mon,fri root ", "04:00": "cron accepts", "@daily": "cron accepts",
		"1 2 3": "cron accepts",
	} {
		if got := line("x", calendar, 0); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", calendar, got, want)
		}
	}
}

func TestWritable(t *testing.T) {
	root := t.TempDir()
	for _, d := range []string{"etc/docker/certs.d", "etc/default", "etc/systemd/system"} {
		must(t, os.MkdirAll(filepath.Join(root, d), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(root, "etc/docker/daemon.json"), nil, 0o644))
	must(t, os.WriteFile(filepath.Join(root, "etc/default/docker"), nil, 0o644))
	for _, test := range []struct{ targets, want []string }{
		{nil, nil},
		{[]string{"/etc/docker/daemon.json"}, []string{"/etc/docker"}},
		{[]string{"/etc/docker", "/etc/docker/daemon.json"}, []string{"/etc/docker"}},
		{[]string{"/etc/docker/daemon.json", "/etc/docker/certs.d"}, []string{"/etc/docker"}},
		{[]string{"/etc/docker/daemon.json", "/etc/default/docker"}, []string{"/etc/default", "/etc/docker"}},
		{[]string{"/etc/systemd/system/docker.service.d/zz.conf"}, []string{"/etc/systemd/system"}},
	} {
		got, err := schedule.Writable(at(t, root), test.targets)
		must(t, err)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.targets, diff)
		}
	}
}

// TestUnits has systemd's own judgement of the units: what it would complain of, and how far each is exposed, on its
// scale from 0 to 10.
func TestUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skipf("systemd judges its own units: %v", err)
	}
	dir := t.TempDir()
	s := applying(spec(schedule.Systemd), remediate.LoadAudit, remediate.Reload, remediate.Restart)
	s.Program = "/bin/true" // verify looks for it
	plan, err := schedule.Plan(at(t, t.TempDir()), s)
	must(t, err)
	args := []string{"verify"}
	for _, c := range plan.Changes {
		file := filepath.Join(dir, filepath.Base(c.Path))
		must(t, os.WriteFile(file, c.After.Data, 0o644))
		if filepath.Ext(file) != ".conf" {
			args = append(args, file)
		}
	}
	if out, err := exec.Command(analyze, args...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	for _, name := range []string{"harden-audit.service", "harden-apply.service"} {
		out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=40",
			filepath.Join(dir, name)).CombinedOutput()
		if err != nil { // the threshold is in tenths
			t.Errorf("systemd-analyze security %s: %v\n%s", name, err, out[max(0, len(out)-200):])
		}
	}
	for name, want := range map[string]string{"harden-audit.service": "MemoryMax=512M\nTasksMax=256\n",
		"harden-apply.service": "MemoryMax=1024M\nTasksMax=256\n"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(text), want) ||
			!strings.Contains(string(text), "TimeoutStartSec=") {
			t.Errorf("%s has no limits: %v", name, err)
		}
	}
	for _, want := range []string{"ReadWritePaths=-/etc/audit\n", "ReadWritePaths=-/run/systemd/system\n", "CAP_KILL"} {
		text, err := os.ReadFile(filepath.Join(dir, "harden-apply.service"))
		must(t, err)
		if !strings.Contains(string(text), want) {
			t.Errorf("an apply that may activate everything lacks %s", want)
		}
	}
}

// TestCronLimits has the shell that cron starts run what the crontab says, in the place of harden a program that tells
// how much memory it may write to.
func TestCronLimits(t *testing.T) {
	program := filepath.Join(t.TempDir(), "limits")
	must(t, os.WriteFile(program, []byte("#!/bin/sh\nulimit -d\n"), 0o755))
	s := applying(spec(schedule.Cron))
	s.Program = program
	plan, err := schedule.Plan(at(t, t.TempDir()), s)
	must(t, err)
	var got []string
	for line := range strings.Lines(string(plan.Changes[0].After.Data)) {
		if _, command, ok := strings.Cut(strings.TrimSpace(line), " root "); ok {
			out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput()
			must(t, err)
			got = append(got, strings.TrimSpace(string(out)))
		}
	}
	if diff := cmp.Diff([]string{"524288", "1048576"}, got); diff != "" {
		t.Errorf("limits in KiB (-want +got)\n%s", diff)
	}
}
