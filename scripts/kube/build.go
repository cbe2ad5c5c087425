// Package kube gives tests the real parts of Kubernetes: the programs of one release, built from its Go module, and a
// node made of namespaces on which they run from the very files that kubeadm writes.
package kube

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"example.com/harden/scripts/built"
)

// Release is the release of Kubernetes that build/go.mod names.
const Release = "v1.35.4"

// programs are the packages that are built, by the name of the program.
var programs = map[string]string{
	"etcd":                    "go.etcd.io/etcd/server/v3",
	"kube-apiserver":          "k8s.io/kubernetes/cmd/kube-apiserver",
	"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
	"kube-scheduler":          "k8s.io/kubernetes/cmd/kube-scheduler",
	"kubeadm":                 "k8s.io/kubernetes/cmd/kubeadm",
	"kubectl":                 "k8s.io/kubernetes/cmd/kubectl",
	"kubelet":                 "k8s.io/kubernetes/cmd/kubelet",
	"pause":                   "./pause",
}

// Binaries is a folder of static programs, each by its usual name: etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler, kubeadm, kubectl, kubelet, and pause.
type Binaries struct{ Dir string }

// Path gives where a program is.
func (b Binaries) Path(program string) string { return filepath.Join(b.Dir, program) }

// Build gives the programs of Release. The first call on a machine compiles them, which takes two processors about ten
// minutes and 3 GB of memory, and keeps them in the user's cache.
func Build(t testing.TB) Binaries {
	t.Helper()
	var flags strings.Builder
	// a program that is not told its release takes itself for v0.0.0, and kubeadm then refuses the release of the others
	for _, p := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		fmt.Fprintf(&flags, " -X %s.gitVersion=%s -X %[1]s.gitMajor=1 -X %[1]s.gitMinor=35 -X %[1]s.gitTreeState=clean",
			p, Release)
	}
	dir, _, err := built.Programs{Kind: "kubernetes", Module: "scripts/kube/build", Packages: programs,
		Flags: flags.String()}.Build()
	if err != nil {
		t.Fatalf("the programs of Kubernetes: %v", err)
	}
	return Binaries{dir}
}
