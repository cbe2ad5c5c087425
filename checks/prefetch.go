package checks

import (
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/kube"
)

// Prefetch begins to read what takes longest, the Docker Engine's answers above all, so that they are on their way
// while files are read, its objects only where all of them will be judged. It returns at once; what is read is
// remembered as if a check had asked.
func Prefetch(h *facts.Host, objects bool) {
	reads := []func(){func() { _, _ = docker.EngineSays(h) }, func() { _, _ = h.Audit() },
		func() { _, _ = h.AllProcesses("dockerd") }, func() { _, _ = kube.NodeOf(h) }}
	if objects {
		reads = append(reads, func() { _, _ = docker.Containers(h) }, func() { _, _ = docker.Images(h) },
			func() { _, _ = docker.Network(h, "bridge") }, func() { _, _ = docker.Networks(h) })
	}
	for _, read := range reads {
		go func() {
			defer func() { _ = recover() }() // whoever asks for the fact meets the panic again, and is guarded
			read()
		}()
	}
}
