// Package compare holds harden's verdicts beside those of docker-bench-security and kube-bench, on the same hosts: each
// is equal, or is one of the differences that a table gives the reason of.
package compare

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/vm"
)

var update = flag.Bool("update", false,
	"record the verdicts of the others, and write the differences into DIFFERENCES.md")

// edition is the one that docker-bench-security's master is numbered by.
const edition = "docker@1.6.0"

// recorded holds docker-bench-security's verdicts on the test hosts: host, number, verdict. They stand in for the
// program itself, which DOCKER_BENCH_DIR leads to where it is at hand.
//
//go:embed recorded.tsv
var recorded string

// differences holds the verdicts that are not the same: number, docker-bench-security's, harden's, why.
//
//go:embed differences.tsv
var differences string

const page = "DIFFERENCES.md"

// alike gives what harden may say where docker-bench-security says this. Its INFO is also what it says of a file that
// is not there, and its NOTE of what it does not look at.
var alike = map[string][]string{"PASS": {"pass"}, "WARN": {"fail"}, "INFO": {"n/a", "manual"}, "NOTE": {"manual"}}

type (
	verdicts   map[string]string                     // by "host number"
	difference struct{ Number, Theirs, Ours string } // the number may be "number (host)"
)

func TestVerdicts(t *testing.T) {
	if testing.Short() {
		t.Skip("on a virtual machine: not in a -short run")
	}
	bench := os.Getenv("DOCKER_BENCH_DIR")
	theirs, ours := verdicts{}, verdicts{}
	for suffix, debian := range map[string]vm.Host{"": vm.Debian12, "-13": vm.Debian13} {
		m := vm.Start(t, vm.Careless(t, debian))
		m.Install("example.com/harden/cmd/harden", "/usr/local/sbin/harden")
		for _, host := range []string{"careless" + suffix, "hardened" + suffix} {
			if strings.HasPrefix(host, "hardened") {
				// dockerd with live-restore keeps its default bridge as it is while a container of it runs
				m.OK("docker stop -t 0 early web; harden --yes --allow all; docker start early web")
			}
			harden(t, m, host, ours)
			if bench != "" {
				dockerBench(t, m, bench, host, theirs)
			}
		}
	}
	switch {
	case bench == "":
		theirs = parse(recorded)
	case *update:
		record(t, theirs)
	default:
		if diff := cmp.Diff(parse(recorded), theirs); diff != "" {
			t.Errorf("docker-bench-security's verdicts are not as recorded (-recorded +now; -update records them):\n%s", diff)
		}
	}

	differ(t, "docker-bench-security", differences, alike, theirs, ours)
}

// remaining holds what docker-bench-security still warns of on a host to which harden has applied all that it may:
// number, why.
//
//go:embed remaining.tsv
var remaining string

// TestRemaining holds the hardened hosts to that: nothing else is left on Debian 12, nor on 13, and none of it is
// harden's to do.
func TestRemaining(t *testing.T) {
	for _, host := range []string{"hardened", "hardened-13"} {
		var left, told []string
		for _, row := range rows(recorded, 3) {
			if row[0] == host && row[2] == "WARN" {
				left = append(left, row[1])
			}
		}
		for _, row := range rows(remaining, 2) {
			told = append(told, row[0])
		}
		slices.Sort(left)
		slices.Sort(told)
		if diff := cmp.Diff(told, left); diff != "" {
			t.Errorf("%s (-told of +left):\n%s", host, diff)
		}
	}
}

// differ compares verdicts: each pair is alike, or one of the differences that are told of, and those are no more than
// are met. It gives the latter. A row may be of several numbers, with commas, and be held to one host by its name in
// brackets at the end.
func differ(t *testing.T, program, told string, alike map[string][]string, theirs,
	ours verdicts) (known map[difference]bool) {
	t.Helper()
	known, met := map[difference]bool{}, map[difference]bool{}
	for _, row := range rows(told, 4) {
		numbers, host, _ := strings.Cut(row[0], " (")
		for number := range strings.SplitSeq(numbers, ", ") {
			if host != "" {
				number += " (" + host
			}
			known[difference{number, row[1], row[2]}] = true
		}
	}
	for at, their := range theirs {
		host, number, _ := strings.Cut(at, " ")
		our, ok := ours[at]
		if !ok {
			t.Errorf("%s: harden has no %s", host, number)
			continue
		}
		if slices.Contains(alike[their], our) {
			continue
		}
		d := difference{number, their, our}
		if here := (difference{number + " (" + host + ")", their, our}); known[here] {
			d = here
		}
		met[d] = true
		if !known[d] {
			t.Errorf("%s: %s says %s of %s and harden says %s: nothing tells why", host, program, their, number, our)
		}
	}
	if diff := cmp.Diff(met, known); diff != "" {
		t.Errorf("the differences (-met +told of):\n%s", diff)
	}
	return known
}

// harden adds what harden says of every item.
func harden(t *testing.T, m *vm.Machine, host string, to verdicts) {
	t.Helper()
	var report struct {
		Results []struct{ Number, Status string }
	}
	out, code := m.Run("harden check --format json --only 'docker/*' --benchmark " + edition)
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 2 {
		t.Fatalf("harden check exited %d: %v\n%s", code, err, out)
	}
	for _, r := range report.Results {
		to[host+" "+r.Number] = r.Status
	}
}

// dockerBench adds what docker-bench-security says of the items that harden has. It is run by bash, since half of its
// tests mean something else to another shell.
func dockerBench(t *testing.T, m *vm.Machine, dir, host string, to verdicts) {
	t.Helper()
	archive, err := exec.Command("tar", "-C", dir, "-c", "docker-bench-security.sh", "functions", "tests").Output()
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	m.Put("/root/bench.tar", 0o600, archive)
	m.OK(`mkdir -p bench && cd bench && tar xf ../bench.tar && bash docker-bench-security.sh -b -l log \
		-c host_configuration,docker_daemon_configuration,docker_daemon_files,container_images >/dev/null 2>&1 </dev/null`)
	var report struct {
		Tests []struct {
			Results []struct{ ID, Result string }
		}
	}
	// the program writes a comma too many between its sections now and then
	text := bytes.ReplaceAll(m.Get("/root/bench/log.json"), []byte(",\n      ]"), []byte("\n      ]"))
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatalf("docker-bench-security's report: %v\n%s", err, text)
	}
	for _, section := range report.Tests {
		for _, r := range section.Results {
			// of section 4 harden has this one; and 1.1.12 is written twice over
			if number := strings.Fields(r.ID)[0]; !strings.HasPrefix(number, "4.") || number == "4.5" {
				to[host+" "+number] = r.Result
			}
		}
	}
}

// TestDifferences holds the tables of DIFFERENCES.md to the differences that the comparisons accept.
func TestDifferences(t *testing.T) {
	tables := []struct{ name, head, told string }{
		{"differences", "| item (1.6.0) | docker-bench-security | harden | why |\n|---|---|---|---|\n",
			differences + objectDifferences},
		{"kube-differences", "| item (2.0) | kube-bench | harden | why |\n|---|---|---|---|\n", kubeDifferences},
	}
	for _, table := range tables {
		begin, end := "<!-- "+table.name+" -->\n", "<!-- /"+table.name+" -->\n"
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		head, rest, ok := strings.Cut(string(text), begin)
		shown, tail, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s has no place for the table, between %q and %q", page, begin, end)
		}
		var b strings.Builder
		b.WriteString(table.head)
		for _, row := range rows(table.told, 4) {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
		if *update {
			if err := os.WriteFile(page, []byte(head+begin+b.String()+end+tail), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(b.String(), shown); diff != "" {
			t.Errorf("%s: the table %s; -update writes it (-want +got):\n%s", page, table.name, diff)
		}
	}
}

// rows splits a table into its fields.
func rows(tsv string, fields int) [][]string {
	var all [][]string
	for line := range strings.Lines(tsv) {
		row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(row) != fields {
			panic(fmt.Sprintf("%q has %d fields, want %d", line, len(row), fields))
		}
		all = append(all, row)
	}
	return all
}

func parse(tsv string) verdicts {
	all := verdicts{}
	for _, row := range rows(tsv, 3) {
		all[row[0]+" "+row[1]] = row[2]
	}
	return all
}

func record(t *testing.T, all verdicts) {
	t.Helper()
	var b strings.Builder
	for _, at := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s\t%s\n", strings.ReplaceAll(at, " ", "\t"), all[at])
	}
	if err := os.WriteFile("recorded.tsv", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
