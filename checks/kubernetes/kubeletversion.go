package kubernetes

import (
	"fmt"
	"strconv"
	"strings"

	"example.com/harden/checks/facts"
)

// kubeletMinor is the kubelet's version, 35 of 1.35, as the package manager has it, or at most what the API server's
// image says, which a kubelet is never newer than. The kubelet itself is not asked: it would have to be run.
func kubeletMinor(h *facts.Host) (minor int, known bool) {
	status, err := h.File("/var/lib/dpkg/status")
	if err == nil {
		for entry := range strings.SplitSeq(string(status.Data), "\n\n") {
			if !strings.HasPrefix(strings.TrimPrefix(entry, "\n"), "Package: kubelet\n") {
				continue
			}
			_, version, _ := strings.Cut(entry, "\nVersion: 1.")
			digits, _, _ := strings.Cut(version, ".")
			if minor, err := strconv.Atoi(digits); err == nil {
				return minor, true
			}
		}
	}
	_, api, err := component(h, facts.APIServer)
	if err != nil || api.Pod == nil {
		return 0, false
	}
	return facts.MinorVersion(api.Pod.Image)
}

// noSeccompDefault says why the kubelet must not be told to use the runtime's profile: before 1.25 it refuses to
// start with it unless a feature gate is on, and before 1.22 it does not know it. Source: kubernetes
// pkg/kubelet/apis/config/validation, 1.22 to 1.24.
func noSeccompDefault(h *facts.Host, k *facts.Kubelet, _ bool) string {
	minor, known := kubeletMinor(h)
	gate := k.Option([]string{"featureGates", "SeccompDefault"}, "")
	switch {
	case !known || minor >= 25 || minor >= 22 && gate.Said && gate.Value.String() == "true":
		return ""
	case minor < 22:
		return fmt.Sprintf("the kubelet is 1.%d, which does not know seccompDefault; upgrade it to 1.25 or newer", minor)
	}
	return fmt.Sprintf("the kubelet is 1.%d, which refuses to start with seccompDefault unless the feature gate "+
		"SeccompDefault is on: set "+
		"`featureGates: {SeccompDefault: true}` first, or upgrade it to 1.25 or newer", minor)
}
