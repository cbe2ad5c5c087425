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

// Items gives a check's number in each edition that asks for it.
type Items map[Benchmark]string

// Community gives the number of an item that docker-bench-security has and no edition: it stands beside those from
// 1.5.0 on, which is since when the script has it.
func Community(n string) Items { return Docker("", n, n, n) }

// Docker gives the numbers in editions 1.2.0, 1.5.0, 1.6.0 (the same in 1.7.0) and 1.8.0. An empty number means
// that the edition has no such item.
func Docker(v120, v150, v160, v180 string) Items {
	items := Items{}
	for b, n := range map[Benchmark]string{Docker120: v120, Docker150: v150, Docker160: v160, Docker170: v160,
		Docker180: v180} {
		if n != "" {
			items[b] = n
		}
	}
	return items
}

// K8s gives the numbers in editions 1.24, 1.10, 1.11 and 1.12 (the same in 2.0). An empty number means that the edition
// has no such item.
func K8s(v124, v110, v111, v112 string) Items {
	items := Items{}
	for b, n := range map[Benchmark]string{K8s124: v124, K8s110: v110, K8s111: v111, K8s112: v112, K8s20: v112} {
		if n != "" {
			items[b] = n
		}
	}
	return items
}

// K8sAlways gives a number that no edition has moved.
func K8sAlways(n string) Items { return K8s(n, n, n, n) }
