package mapping_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/mapping"
)

// TestTable holds each row to the lists of its framework, and the table to the catalogue: every check is mapped, or is
// said to be mapped to nothing.
func TestTable(t *testing.T) {
	lists := map[mapping.Framework][]string{}
	for _, f := range mapping.Frameworks {
		lists[f] = mapping.List(f)
		if sorted := slices.Sorted(slices.Values(lists[f])); len(slices.Compact(sorted)) != len(lists[f]) {
			t.Errorf("%s: a number is in its list twice", f)
		}
		if f.Title() == "" {
			t.Errorf("%s: no title", f)
		}
	}
	mapped, unmapped := map[string][][]string{}, map[string]bool{} // by check
	table, err := os.ReadFile("mappings.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(table), "\n"), "\n")[1:] {
		if row := strings.Split(line, "\t"); row[1] == "none" {
			unmapped[row[0]] = true
		} else {
			mapped[row[0]] = append(mapped[row[0]], row)
		}
	}
	for _, c := range catalog.All {
		if rows, unmapped := mapped[c.ID], unmapped[c.ID]; (len(rows) == 0) != unmapped {
			t.Errorf("%s: %d mappings, and a row that says there are none: %v; checks/mapping/mappings.tsv has "+
				"either", c.ID, len(rows), unmapped)
		}
		seen := map[mapping.Framework][]string{}
		for _, r := range mapped[c.ID] {
			framework, numbers, source := mapping.Framework(r[1]), strings.Split(r[2], ","), r[3]
			if source == "" {
				t.Errorf("%s: %s %s: no source", c.ID, framework, numbers)
			}
			for _, n := range numbers {
				if !slices.Contains(lists[framework], n) {
					t.Errorf("%s: %q is no number of %q", c.ID, n, framework)
				}
				if slices.Contains(seen[framework], n) {
					t.Errorf("%s: %s:%s twice", c.ID, framework, n)
				}
				seen[framework] = append(seen[framework], n)
			}
		}
	}
	for _, id := range slices.Concat(slices.Collect(maps.Keys(mapped)), slices.Collect(maps.Keys(unmapped))) {
		if !slices.ContainsFunc(catalog.All, func(c *checks.Check) bool { return c.ID == id }) {
			t.Errorf("%s: there is no such check", id)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, test := range []struct {
		number, other string
		want          bool
	}{
		{"AC-6", "AC-6", true}, {"AC-6", "AC-6(10)", true}, {"AC-6(1)", "AC-6(10)", false}, {"AC", "AC-6(10)", true},
		{"AC-1", "AC-17", false}, {"AC-6(10)", "AC-6", false}, {"2.2", "2.2.4", true}, {"2", "2.2.4", true},
		{"2.2", "2.21", false}, {"1", "10.2", false}, {"", "2.2", false},
	} {
		if got := mapping.Covers(test.number, test.other); got != test.want {
			t.Errorf("%q covers %q: %v", test.number, test.other, got)
		}
		if test.want && !slices.Contains(mapping.Above(test.other), test.number) {
			t.Errorf("%q is not above %q: %q", test.number, test.other, mapping.Above(test.other))
		}
	}
	for spec, want := range map[string]string{
		"nist:ac-6 (10)": "nist AC-6(10)", "NIST:AC-6": "nist AC-6", "800-190:4.4.3": "800-190 4.4.3",
		"docker:2.2": "", "nist": "",
	} {
		f, n, _ := mapping.Cut(spec)
		if got := strings.TrimSpace(string(f) + " " + n); got != want {
			t.Errorf("%s is cut into %q", spec, got)
		}
	}
}

func TestNumbers(t *testing.T) {
	want := map[mapping.Framework][]string{
		mapping.NIST: {"AC-3", "AC-14"}, mapping.Containers: {"4.3.1", "4.3.2"}, mapping.PCI: {"7.3.3", "8.2.1"},
		mapping.STIG: {"V-242390"},
	}
	if diff := cmp.Diff(want, mapping.Numbers("kubernetes/apiserver-anonymous")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if n := mapping.Numbers("docker/live-restore"); len(n) != 0 {
		t.Errorf("docker/live-restore is mapped to %v", n)
	}
}
