package kube

import (
	"regexp"
	"slices"
	"strings"
)

// staticUID is how the kubelet names a static pod: by a hash. The API server gives every other pod a UUID, with dashes.
// Source: kubernetes pkg/kubelet/config/common.go.
var staticUID = regexp.MustCompile(`^pod[0-9a-f]{32}$`)

// InStaticPod reports whether a control group is one that the kubelet made for a container of a static pod: below
// "kubepods" at the very top, or below the kubelet's cgroupRoot. Users may have groups of their own, named as they
// like, but never there, and those that a pod makes are below its own. ids are those that manifests give their pods
// themselves.
func InStaticPod(cgroup, cgroupRoot string, ids ...string) bool {
	rest, ok := belowKubepods(cgroup, cgroupRoot)
	if !ok {
		return false
	}
	for _, name := range rest {
		name = strings.TrimSuffix(name, ".slice")
		if i := strings.LastIndex(name, "-pod"); i >= 0 { // systemd's: kubepods-burstable-podUID.slice
			name = name[i+1:]
		}
		if !strings.HasPrefix(name, "pod") {
			continue // a class of service
		}
		return staticUID.MatchString(name) || slices.ContainsFunc(ids, func(id string) bool {
			return id != "" && name == "pod"+id || name == "pod"+strings.ReplaceAll(id, "-", "_")
		})
	}
	return false
}

func belowKubepods(cgroup, cgroupRoot string) ([]string, bool) {
	names := strings.Split(strings.Trim(cgroup, "/"), "/")
	root := strings.FieldsFunc(cgroupRoot, func(r rune) bool { return r == '/' })
	for n, want := range append(root, "kubepods") {
		if n >= len(names) {
			return nil, false
		}
		// systemd names a slice after all that are above it: kubelet.slice/kubelet-kubepods.slice
		slice := strings.Join(append(slices.Clone(root[:min(n, len(root))]), want), "-") + ".slice"
		if names[n] != want && names[n] != slice {
			return nil, false
		}
	}
	return names[len(root)+1:], true
}
