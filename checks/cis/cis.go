// Package cis names the editions of the CIS benchmarks and says how the numbers people know resolve in them.
package cis

// A Benchmark is one edition of one benchmark.
type Benchmark string

// The editions of the CIS Docker Benchmark. Numbers moved between 1.2.0 and 1.5.0 (section 1 and the end of
// section 2), between 1.5.0 and 1.6.0 (Swarm and the whole of section 5) and at 1.8.0 (2.7 onwards).
const (
	Docker120 Benchmark = "docker@1.2.0"
	Docker150 Benchmark = "docker@1.5.0"
	Docker160 Benchmark = "docker@1.6.0"
	Docker170 Benchmark = "docker@1.7.0"
	Docker180 Benchmark = "docker@1.8.0"
)

// The editions of the CIS Kubernetes Benchmark. The oldest is named after the Kubernetes that it was made for, 1.24.
// Numbers moved after it in 1.2 (admission plugins) and 4.2 (the kubelet), and 2.0 has those of 1.12. 2.0.1 is 2.0 with
// another range of releases of Kubernetes (1.34 and 1.35) on its cover.
const (
	K8s124 Benchmark = "k8s@1.24"
	K8s110 Benchmark = "k8s@1.10"
	K8s111 Benchmark = "k8s@1.11"
	K8s112 Benchmark = "k8s@1.12"
	K8s20  Benchmark = "k8s@2.0"
)

// An edition says how the numbers of an edition follow from those of another.
type edition struct {
	name Benchmark

	// as is the edition that it has the numbers of; empty where the checks themselves say theirs.
	as Benchmark

	// moved is, by its number there, what number an item has here; empty where the item is gone.
	moved map[string]string
}

// editions lists every edition, the oldest of each benchmark first. A new one is an entry at the end of its
// benchmark's: it says as which one it is numbered and what it has moved. Only items that no edition has had so far
// are told by checks.
var editions = []edition{
	{name: Docker120}, {name: Docker150}, {name: Docker160}, {name: Docker170, as: Docker160}, {name: Docker180},
	{name: K8s124}, {name: K8s110}, {name: K8s111}, {name: K8s112}, {name: K8s20, as: K8s112},
}

// Editions lists every edition, the oldest of each benchmark first.
var Editions = names(editions)

func names(of []edition) []Benchmark {
	all := make([]Benchmark, len(of))
	for i, e := range of {
		all[i] = e.name
	}
	return all
}

// Items gives a check's number in each edition that asks for it.
type Items map[Benchmark]string

// numbered completes the numbers that a check says with those of the editions that follow from them.
func numbered(said Items) Items {
	items := Items{}
	for _, e := range editions {
		n := said[e.name]
		if e.as != "" && n == "" {
			n = items[e.as]
			if to, ok := e.moved[n]; ok {
				n = to
			}
		}
		if n != "" {
			items[e.name] = n
		}
	}
	return items
}

// Since gives the number of an item that came with an edition.
func Since(b Benchmark, n string) Items { return numbered(Items{b: n}) }

// Community gives the number of an item that docker-bench-security has and no edition: it stands beside those from
// 1.5.0 on, which is since when the script has it.
func Community(n string) Items { return Docker("", n, n, n) }

// Docker gives the numbers in editions 1.2.0, 1.5.0, 1.6.0 and 1.8.0. An empty number means that the edition has no
// such item.
func Docker(v120, v150, v160, v180 string) Items {
	return numbered(Items{Docker120: v120, Docker150: v150, Docker160: v160, Docker180: v180})
}

// K8s gives the numbers in editions 1.24, 1.10, 1.11 and 1.12. An empty number means that the edition has no such item.
func K8s(v124, v110, v111, v112 string) Items {
	return numbered(Items{K8s124: v124, K8s110: v110, K8s111: v111, K8s112: v112})
}

// K8sAlways gives a number that no edition has moved.
func K8sAlways(n string) Items { return K8s(n, n, n, n) }
