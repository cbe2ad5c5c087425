package cis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Family is the part before the @: which benchmark it is an edition of.
func (b Benchmark) Family() string { f, _, _ := strings.Cut(string(b), "@"); return f }

// Version is the part after the @.
func (b Benchmark) Version() string { _, v, _ := strings.Cut(string(b), "@"); return v }

// Title is the edition's name as people say it.
func (b Benchmark) Title() string {
	return "CIS " + families[b.Family()].title + " Benchmark " + b.Version()
}

// families tell of each benchmark what people call it, and how the IDs of its checks begin.
var families = map[string]struct{ title, platform string }{
	"docker": {"Docker", "docker"},
	"k8s":    {"Kubernetes", "kubernetes"},
}

// Platform is what the edition is about: the part before the slash of its checks' IDs.
func (b Benchmark) Platform() string { return families[b.Family()].platform }

// Newest gives the newest edition of each benchmark, in the order of Editions.
func Newest() []Benchmark {
	var newest []Benchmark
	for _, b := range Editions {
		newest = slices.DeleteFunc(newest, func(n Benchmark) bool { return n.Family() == b.Family() })
		newest = append(newest, b)
	}
	return newest
}

// Find returns the edition that a user means by "docker@1.6.0", "1.6.0" or "docker", which is its newest. "kubernetes"
// means k8s, and a correction of an edition, 2.0.1 or 1.11.1, the edition.
func Find(name string) (Benchmark, error) {
	if rest, ok := strings.CutPrefix(name, "kubernetes"); ok {
		name = "k8s" + rest
	}
	for _, b := range slices.Backward(Editions) {
		if name == string(b) || name == b.Family() || name == b.Version() || corrects(name, b) {
			return b, nil
		}
	}
	names := make([]string, len(Editions))
	for i, b := range Editions {
		names[i] = string(b)
	}
	return "", fmt.Errorf("unknown benchmark %q; valid: %s", name, strings.Join(names, ", "))
}

// corrects reports whether a name is that of an edition of Kubernetes with a third number: those corrections have moved
// no item. The editions of Docker have three numbers of their own.
func corrects(name string, b Benchmark) bool {
	version := strings.TrimPrefix(name, b.Family()+"@")
	patch, ok := strings.CutPrefix(version, b.Version()+".")
	_, err := strconv.Atoi(patch)
	return ok && err == nil && b.Family() == "k8s"
}

// Section is the heading that an item is under, by its number: "3" for 3.17, "1.1" for 1.1.4.
func Section(number string) string {
	if i := strings.LastIndexByte(number, '.'); i > 0 {
		return number[:i]
	}
	return number
}

// Heading is the section that an item is under, and its title in our own words, empty when it has none here.
func (b Benchmark) Heading(number string) (section, title string) {
	section = Section(number)
	if b.Family() == "k8s" {
		return section, k8sHeadings[section]
	}
	title = headings[section]
	if b == Docker120 && section == "1.1" { // section 1 had its two halves the other way round
		title = headings["1.2"]
	} else if b == Docker120 && section == "1.2" {
		title = headings["1.1"]
	}
	return section, title
}

var headings = map[string]string{
	"1": "the host", "1.1": "the host's disk, users and audit rules", "1.2": "the host's system and its Docker",
	"2": "the daemon", "3": "the daemon's files", "4": "images", "5": "containers", "6": "operations", "7": "Swarm",
	"C.5.3": "capabilities that no container should have",
}

var k8sHeadings = map[string]string{
	"1.1": "the control plane's files", "1.2": "the API server", "1.3": "the controller manager",
	"1.4": "the scheduler",
	"2":   "etcd", "3.1": "who logs in to the cluster", "3.2": "the audit policy", "4.1": "the worker node's files",
	"4.2": "the kubelet", "4.3": "kube-proxy",
}

// Compare orders numbers as people count: 3.9 before 3.10, and C.5.3.1 after all of them. No number sorts last.
func Compare(a, b string) int {
	if x, y := strings.HasPrefix(a, "C."), strings.HasPrefix(b, "C."); x != y && a != "" && b != "" {
		if x {
			return 1
		}
		return -1
	}
	if a == "" || b == "" {
		return len(b) - len(a)
	}
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		m, _ := strconv.Atoi(x)
		n, _ := strconv.Atoi(y)
		return m - n
	})
}
