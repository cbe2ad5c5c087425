package vm_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"example.com/harden/scripts/vm"
)

// careless starts an unhardened host with harden installed.
func careless(t *testing.T) *vm.Machine {
	t.Helper()
	return carelessOf(t, vm.Debian12)
}

func carelessOf(t *testing.T, host vm.Host) *vm.Machine {
	t.Helper()
	needsVM(t)
	t.Parallel()
	m := vm.Start(t, vm.Careless(t, host))
	m.Install("example.com/harden/cmd/harden", "/usr/local/sbin/harden")
	return m
}

// A report is what these tests read of harden's JSON.
type report struct {
	Results []result
	Plan    *struct {
		Changes []change
		Held    []struct {
			Disruption string
			Changes    []change
		}
		Left []struct{ ID, Subject, Reason string }
	}
	Run *struct {
		ID, Outcome, Reason string
	}
	Summary struct {
		Selected int
		States   map[string]int
	}
}

type result struct {
	ID, Number, Status, State, Reason string
	Threats                           []string
}

type change struct {
	Target, Diff, Disruption string
	Checks                   []string
	Upgrade                  *struct{ Safe bool }
}

// harden runs a harden command that writes JSON, and wants its exit code.
func harden(t *testing.T, m *vm.Machine, args string, want int) report {
	t.Helper()
	out, code := m.Run("harden " + args + " --format json 2>/run/said")
	if code != want {
		t.Fatalf("harden %s exited %d, want %d\n%s\n%s", args, code, want, m.OK("cat /run/said"), out)
	}
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("harden %s: %v\n%s", args, err, out)
	}
	return r
}

// number finds the result of a number in the selected edition.
func (r report) number(t *testing.T, n string) result {
	t.Helper()
	i := slices.IndexFunc(r.Results, func(x result) bool { return x.Number == n })
	if i < 0 {
		t.Fatalf("there is no result for %s", n)
	}
	return r.Results[i]
}

// planned tells whether some change, held back or not, is made for the check.
func (r report) planned(id string) bool {
	has := func(c change) bool { return slices.Contains(c.Checks, id) && c.Diff != "" }
	if slices.ContainsFunc(r.Plan.Changes, has) {
		return true
	}
	for _, h := range r.Plan.Held {
		if slices.ContainsFunc(h.Changes, has) {
			return true
		}
	}
	return false
}

// portrait is all that a rollback must give back: each file below /etc, systemd's own and Compose projects' with its
// kind, mode, owner, bytes and extended attributes, a line each, and the audit rules of the kernel. augenrules keeps
// its last output beside the present one, whoever runs it and at boot too: that copy is auditd's own affair.
func portrait(m *vm.Machine) string {
	return m.OK(`
		at='/etc /usr/lib/systemd /srv'
		find $at -xdev ! -path /etc/audit/audit.rules.prev -printf '%p %y %m %u:%g %l\n' | sort
		find $at -xdev -type f ! -path /etc/audit/audit.rules.prev -print0 | sort -z | xargs -0 sha256sum
		getfattr -R -P --absolute-names -d -m - -e hex $at 2>/dev/null
		auditctl -l`)
}

// identity is what a run that writes nothing leaves alone: every inode and time of those files, and the daemon.
func identity(m *vm.Machine) string {
	return m.OK(`
		find /etc /lib/systemd /srv /var/lib/docker/containers -xdev -printf '%p %i %m %U:%G %s %T@ %C@\n' | sort
		systemctl show docker auditd -p MainPID,InvocationID,NRestarts`)
}

// limits is what the Engine and the kernel say of each container that runs, or of each of those named, whoever made it.
// The Engine has more than one word for what was not given, and cannot unset a memory limit, which the plan says: it is
// left out. So is the kernel's limit of processes: systemd gives one to what has none, and gives it again only when the
// container starts again.
func limits(m *vm.Machine, names ...string) string {
	return m.OK(these(names) + `
		docker inspect $all | jq -S 'sort_by(.Name)[] | {Name} + (.HostConfig | del(.Memory, .MemorySwap, .CpuShares) |
			.PidsLimit |= if . == 0 then null else . end | map_values(select(. != null and . != [])))'
		docker inspect -f '{{.Name}} {{.Id}}' $all | sort | while read name id; do
			cd /sys/fs/cgroup/system.slice/docker-$id.scope
			echo $name weight $(cat cpu.weight) processors $(cat cpu.max)
		done`)
}

// pids gives each container that runs, or each of those named, with its process and the time it was started.
func pids(m *vm.Machine, names ...string) string {
	return m.OK(these(names) + `docker inspect -f '{{.Name}} {{.State.Pid}} {{.State.StartedAt}}' $all | sort`)
}

// these sets a script's variable all to containers: those named, or where none is, those that run.
func these(names []string) string {
	if len(names) == 0 {
		return "all=$(docker ps -q --no-trunc)\n"
	}
	return "all='" + strings.Join(names, " ") + "'\n"
}

// lines gives the difference of two portraits, so that a failure shows files and not a page of hashes.
func lines(want, got string) string {
	var b strings.Builder
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	in := func(all []string) map[string]bool {
		set := map[string]bool{}
		for _, l := range all {
			set[l] = true
		}
		return set
	}
	inW, inG := in(w), in(g)
	for _, l := range w {
		if !inG[l] {
			b.WriteString("- " + l + "\n")
		}
	}
	for _, l := range g {
		if !inW[l] {
			b.WriteString("+ " + l + "\n")
		}
	}
	if b.Len() == 0 && want != got {
		return "the same lines in another order\n"
	}
	return b.String()
}
