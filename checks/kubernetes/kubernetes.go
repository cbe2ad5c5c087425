// Package kubernetes is the catalogue of checks for a Kubernetes node and its control plane. Each file holds a part of
// one section of the CIS Kubernetes Benchmark: the list of its checks, and each check followed by its own rule. What
// several of them need is in node.go, argument.go and setting.go (what programs are told) and paths.go.
package kubernetes

import (
	"slices"
)

// All is every check of a Kubernetes node, in the order of the benchmark's sections.
var All = forEveryPod(slices.Concat(
	controlPlaneChecks, pkiChecks, apiServerChecks, controllerManagerChecks, schedulerChecks, etcdChecks, auditChecks,
	workerChecks, kubeletChecks, certificateChecks, kernelChecks, proxyChecks,
))
