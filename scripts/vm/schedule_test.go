package vm_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"example.com/harden/scripts/vm"
)

const metrics = "/var/lib/node_exporter/textfile_collector/harden.prom"

// TestSchedule has a real systemd run harden by the clock: what the services can see and write, what they tell, and all
// the way back.
func TestSchedule(t *testing.T) {
	m := careless(t)
	m.OK("mkdir -p /var/lib/node_exporter/textfile_collector")
	before := portrait(m)

	t.Log("the units")
	m.OK("harden schedule install --yes --apply --randomized-delay 0s --apply-on-calendar '2099-01-01 00:00:00'")
	if out, code := m.Run("systemd-analyze verify /etc/systemd/system/harden-*.service " +
		"/etc/systemd/system/harden-*.timer 2>&1"); code != 0 || out != "" {
		t.Errorf("systemd-analyze verify exited %d:\n%s", code, out)
	}
	for _, unit := range []string{"harden-audit.service", "harden-apply.service"} {
		line := m.OK("systemd-analyze security --no-pager " + unit + " | tail -1")
		_, level, _ := strings.Cut(line, unit+": ")
		level, _, _ = strings.Cut(level, " ")
		if exposure, err := strconv.ParseFloat(level, 64); err != nil || exposure >= 4 {
			t.Errorf("%s is exposed: %v, %s", unit, err, line)
		} else {
			t.Logf("%s: exposure %v", unit, exposure)
		}
	}
	if got := m.OK("systemctl is-active harden-audit.timer harden-apply.timer"); got != "active\nactive\n" {
		t.Errorf("the timers: %s", got)
	}

	t.Log("the timer")
	m.OK("date -s 'tomorrow 00:05' >/dev/null; timeout 250 sh -c 'until [ -s " + metrics + " ]; do sleep 1; done'")
	over(m, "harden-audit")
	m.OK("! systemctl is-failed -q harden-audit")
	families := parsed(t, m)
	if sum(families["harden_checks"]) == 0 || len(families["harden_threat_checks"].GetMetric()) == 0 ||
		sum(families["harden_drift"]) != 0 {
		t.Errorf("the first metrics:\n%s", m.Get(metrics))
	}
	if diff := gocmp.Diff(verdicts(t, m.OK("harden check --exit-zero --format json")), kept(t, m)); diff != "" {
		t.Errorf("the sandbox sees another host than root does (-root +sandbox):\n%s", diff)
	}

	t.Log("what has changed")
	m.OK("systemctl start harden-audit")
	if got := said(m, "harden-audit"); got != "" {
		t.Errorf("nothing has changed, and this is told:\n%s", got)
	}
	m.OK("chmod 666 /lib/systemd/system/docker.service; systemctl start harden-audit")
	got := said(m, "harden-audit")
	if strings.Count(got, "✗ new")+strings.Count(got, "x new") != 1 || // by the locale of the unit
		!strings.Contains(got, "docker/service-unit-mode") || !strings.Contains(got, "1 change since") {
		t.Errorf("one thing has changed, and this is told:\n%s", got)
	}
	if n := sum(parsed(t, m)["harden_drift"]); n != 1 {
		t.Errorf("drift is %v", n)
	}
	m.OK("chmod 644 /lib/systemd/system/docker.service")

	t.Log("what the apply can write")
	named := strings.Fields(strings.ReplaceAll(strings.TrimPrefix(m.OK("systemctl show harden-apply -p ReadWritePaths"),
		"ReadWritePaths="), " -", " "))
	if diff := gocmp.Diff([]string{"/etc/default", "/etc/docker", "/var/lib/harden",
		"/var/lib/node_exporter/textfile_collector"}, sorted(named)); diff != "" {
		t.Errorf("the unit names (-want +got):\n%s", diff)
	}
	m.Put("/root/probe", 0o755, []byte(probe))
	m.OK(`
		mkdir -p /run/systemd/system/harden-apply.service.d
		printf '[Service]\nExecStart=\nExecStart=/bin/bash /root/probe\n' >/run/systemd/system/harden-apply.service.d/probe.conf
		systemctl daemon-reload && systemctl start harden-apply
		rm -r /run/systemd/system/harden-apply.service.d && systemctl daemon-reload`)
	wrote := strings.Fields(string(m.Get("/var/lib/harden/probe")))
	for _, d := range wrote {
		if !slices.ContainsFunc(named, func(n string) bool { return d == n || strings.HasPrefix(d, n+"/") }) {
			t.Errorf("the apply could write to %s, which its plan does not name", d)
		}
	}
	for _, n := range named {
		if !slices.Contains(wrote, n) {
			t.Errorf("the apply could not write to %s, which its plan names", n)
		}
	}
	if tried, err := strconv.Atoi(strings.TrimSpace(string(m.Get("/var/lib/harden/tried")))); err != nil || tried < 1000 {
		t.Errorf("only %d directories were tried: %v", tried, err)
	}
	m.OK("rm /var/lib/harden/probe /var/lib/harden/tried")

	t.Log("the apply")
	daemon := m.OK("systemctl show docker -p MainPID,NRestarts,InvocationID")
	m.OK("systemctl start harden-apply")
	if got := m.OK("stat -c '%a %U' /etc/docker/daemon.json /etc/default/docker"); got != "644 root\n644 root\n" {
		t.Errorf("after the apply: %s\n%s", got, said(m, "harden-apply"))
	}
	if got := said(m, "harden-apply"); !strings.Contains(got, "Applied as run 0002-") ||
		!strings.Contains(got, " 3 fixed, ") || strings.Count(got, "✓ fixed")+strings.Count(got, "+ fixed") != 4 {
		t.Errorf("the apply tells:\n%s", got)
	}
	if diff := gocmp.Diff(daemon, m.OK("systemctl show docker -p MainPID,NRestarts,InvocationID")); diff != "" {
		t.Errorf("the daemon (-want +got):\n%s", diff)
	}
	if n := sum(parsed(t, m)["harden_fixes_failed"]); n != 0 {
		t.Errorf("%v fixes failed", n)
	}

	t.Log("no two at once, and none beside dpkg")
	m.OK("chmod 666 /etc/default/docker")
	m.Put("/root/dpkg", 0o755, []byte(dpkg))
	m.OK(`
		/root/dpkg </dev/null >/run/dpkg 2>&1 & echo $! >/run/dpkg.pid
		timeout 60 sh -c 'until grep -q locked /run/dpkg; do sleep 0.2; done'
		systemctl start --no-block harden-apply
		timeout 60 sh -c 'until journalctl -u harden-apply -o cat | grep -q "dpkg is at work"; do sleep 0.2; done'`)
	if _, code := m.Run("systemctl start harden-audit"); code == 0 {
		t.Error("an audit ran beside an apply")
	}
	if got := m.OK("systemctl show harden-audit -p ExecMainStatus"); got != "ExecMainStatus=75\n" {
		t.Errorf("the second run: %s", got)
	}
	if got := said(m, "harden-audit"); !strings.Contains(got, "another run is active: PID") {
		t.Errorf("the second run tells:\n%s", got)
	}
	if got := m.OK("stat -c %a /etc/default/docker"); got != "666\n" {
		t.Errorf("applied beside dpkg: %s", got)
	}
	m.OK("kill $(cat /run/dpkg.pid)")
	over(m, "harden-apply")
	if got := m.OK("stat -c %a /etc/default/docker; systemctl show harden-apply -p " +
		"Result"); got != "644\nResult=success\n" {
		t.Errorf("once dpkg was done: %s\n%s", got, said(m, "harden-apply"))
	}
	m.OK("systemctl start harden-audit")

	t.Log("all the way back")
	m.OK("harden schedule remove --yes")
	if got, _ := m.Run("systemctl is-active harden-audit.timer harden-apply.timer"); got != "inactive\ninactive\n" {
		t.Errorf("the timers once removed: %s", got)
	}
	m.OK("harden rollback --yes")
	if got, _ := m.Run("systemctl is-active harden-audit.timer harden-apply.timer"); got != "active\nactive\n" {
		t.Errorf("the timers once their removal was taken back: %s", got)
	}
	m.OK("harden rollback --yes && harden rollback --yes && harden rollback --yes")
	if got, _ := m.Run("systemctl is-active harden-audit.timer harden-apply.timer"); got != "inactive\ninactive\n" {
		t.Errorf("the timers once all was taken back: %s", got)
	}
	if diff := lines(before, portrait(m)); diff != "" {
		t.Errorf("after taking all back (-want +got):\n%s", diff)
	}
}

// probe tries to make a file in every directory there is, and keeps where it could. What systemd makes for the service
// alone (/tmp, /var/tmp, /dev), and what is no file of the host's (/proc, /sys), is left out.
const probe = `
find / /run -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /var/tmp \) -prune -o -type d -print0 |
while IFS= read -r -d '' d; do
	n=$((n + 1)); echo $n >&3
	if { : >"$d/.probe"; } 2>/dev/null; then rm "$d/.probe"; echo "$d"; fi
done 3>/tmp/tried >/var/lib/harden/probe
tail -1 /tmp/tried >/var/lib/harden/tried
`

// dpkg locks as dpkg does, until it is killed.
const dpkg = `#!/usr/bin/perl
use Fcntl;
$| = 1;
open(my $f, "+>>", "/var/lib/dpkg/lock-frontend") or die;
my $lock = pack("ssx4qqlx4", F_WRLCK, 0, 0, 0, 0);
fcntl($f, F_SETLK, $lock) or die "$!";
print "locked\n";
sleep 1000;
`

// over waits until a service that runs once has run.
func over(m *vm.Machine, unit string) {
	m.OK("timeout 200 sh -c 'while [ $(systemctl show " + unit + " -p ActiveState --value) = activating ]; do sleep " +
		"1; done'")
}

// said is what a service printed when it last ran.
func said(m *vm.Machine, unit string) string {
	return m.OK(fmt.Sprintf("journalctl --sync; journalctl -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show %s -p "+
		"InvocationID --value)", unit))
}

// parsed reads the metrics as Prometheus does.
func parsed(t *testing.T, m *vm.Machine) map[string]*dto.MetricFamily {
	t.Helper()
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(bytes.NewReader(m.Get(metrics)))
	if err != nil {
		t.Fatalf("%s: %v", metrics, err)
	}
	return families
}

func sum(f *dto.MetricFamily) (sum float64) {
	for _, m := range f.GetMetric() {
		sum += m.GetGauge().GetValue()
	}
	return sum
}

// verdicts gives the statuses of a report.
func verdicts(t *testing.T, text string) map[string]string {
	t.Helper()
	var r report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, x := range r.Results {
		all[x.ID] = cmp.Or(x.Status, "none") + " " + x.Reason
	}
	if len(all) == 0 {
		t.Fatalf("no results in %s", text)
	}
	return all
}

// kept gives the statuses of the last scheduled run.
func kept(t *testing.T, m *vm.Machine) map[string]string {
	t.Helper()
	if got := m.OK("stat -c '%a %u' /var/lib/harden/last.json"); got != "600 0\n" {
		t.Errorf("the last report: %s", got)
	}
	var look struct{ Report json.RawMessage }
	if err := json.Unmarshal(m.Get("/var/lib/harden/last.json"), &look); err != nil {
		t.Fatal(err)
	}
	return verdicts(t, string(look.Report))
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
