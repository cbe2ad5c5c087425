// Package docker is the catalogue of checks for a Docker host. Each file holds a part of one section of the CIS
// Docker Benchmark: the list of its checks, and each check followed by its own rule. What several of them need is in
// engine.go.
package docker

import (
	"slices"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
)

// All is every check of a Docker host, in the order of the benchmark's sections, which begin a line each.
var All = slices.Concat(
	hostChecks, auditChecks, systemChecks,
	inOrder(daemonChecks, networkChecks, privilegeChecks),
	fileChecks, socketChecks,
	imageChecks, historyChecks, contentChecks,
	swarmModeChecks, inOrder(confinementChecks, namespaceChecks, mountChecks, portChecks, limitChecks, runningChecks),
	operationChecks,
	swarmChecks,
	capabilityChecks,
)

// inOrder joins the parts of a section in the order of the newest edition's numbers.
func inOrder(parts ...[]*checks.Check) []*checks.Check {
	newest, _ := cis.Find("docker")
	all := slices.Concat(parts...)
	slices.SortStableFunc(all, func(a, b *checks.Check) int { return cis.Compare(a.Items[newest], b.Items[newest]) })
	return all
}
