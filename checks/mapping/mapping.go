// Package mapping says which numbers of other frameworks each check answers. mappings.tsv has a row for each check,
// framework and source: a number comes from reading what the framework says, or from where one of DISA's rules leads. A
// check that no number is right for has a row that says so. The lists beside it are of every number that a framework
// has, so that no number can be made up.
package mapping

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A Framework is a catalogue of requirements that checks are mapped to, by the word before its numbers.
type Framework string

// The frameworks.
const (
	NIST       Framework = "nist"    // NIST SP 800-53, revision 5: controls and their enhancements
	Containers Framework = "800-190" // NIST SP 800-190: sections
	PCI        Framework = "pci"     // PCI DSS 4.0: requirements
	STIG       Framework = "stig"    // DISA's STIGs for Docker Enterprise and Kubernetes: vulnerability IDs
)

// Frameworks are all of them, in the order in which they are told.
var Frameworks = []Framework{NIST, Containers, PCI, STIG}

// Title is the framework's own name.
func (f Framework) Title() string {
	return map[Framework]string{NIST: "NIST SP 800-53r5", Containers: "NIST SP 800-190", PCI: "PCI DSS 4.0",
		STIG: "DISA STIG"}[f]
}

// none is in the place of a framework where a check is known to be mapped to nothing.
const none = "none"

//go:embed mappings.tsv lists/*.txt
var files embed.FS

// mapped are the numbers of each check, read when they are first asked for: most commands need none of them.
var mapped = sync.OnceValue(read)

func read() map[string]map[Framework][]string {
	all := map[string]map[Framework][]string{}
	data, err := files.ReadFile("mappings.tsv")
	if err != nil {
		panic(err) // it is part of the program
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")[1:] {
		f := strings.Split(line, "\t")
		if len(f) != 4 {
			panic(fmt.Sprintf("checks/mapping/mappings.tsv: %q has not four columns", line))
		}
		if f[1] == none {
			continue
		}
		if all[f[0]] == nil {
			all[f[0]] = map[Framework][]string{}
		}
		of := all[f[0]]
		of[Framework(f[1])] = append(of[Framework(f[1])], strings.Split(f[2], ",")...)
	}
	for _, f := range Frameworks {
		places := map[string]int{}
		for i, n := range List(f) {
			places[n] = i
		}
		for _, of := range all {
			slices.SortFunc(of[f], func(a, b string) int { return places[a] - places[b] })
		}
	}
	return all
}

// Numbers are those that a check answers, by framework, each list in the framework's own order. The map is not to be
// changed.
func Numbers(id string) map[Framework][]string { return mapped()[id] }

// List is every number that a framework has, in its order.
func List(f Framework) []string {
	data, err := files.ReadFile("lists/" + string(f) + ".txt")
	if err != nil {
		panic(err) // it is part of the program
	}
	return strings.Fields(string(data))
}

// Cut splits "nist:AC-6" into framework and number, which may be spelled in any case and with spaces.
func Cut(spec string) (f Framework, number string, ok bool) {
	name, number, ok := strings.Cut(spec, ":")
	f = Framework(strings.ToLower(name))
	if !ok || !slices.Contains(Frameworks, f) {
		return "", "", false
	}
	return f, strings.ToUpper(strings.ReplaceAll(number, " ", "")), true
}

// Covers reports whether a number is this one or beneath it: AC-6 covers its enhancement AC-6(10), 2.2 the requirement
// 2.2.4, and AC the whole family.
func Covers(number, other string) bool {
	rest, ok := strings.CutPrefix(other, number)
	return ok && number != "" && (rest == "" || strings.ContainsRune(".(-", rune(rest[0])))
}

// Known reports whether a framework has a number, or numbers beneath it.
func Known(f Framework, number string) bool {
	return slices.ContainsFunc(List(f), func(n string) bool { return Covers(number, n) })
}

// Above are the numbers that cover this one, itself the first.
func Above(number string) []string {
	all := []string{number}
	for i := len(number) - 1; i > 0; i-- {
		if strings.ContainsRune(".(-", rune(number[i])) {
			all = append(all, number[:i])
		}
	}
	return all
}
