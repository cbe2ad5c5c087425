package kubernetes

import (
	"fmt"
	"strconv"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// kernelChecks is the part of section 4.2 about what pods may do to the node's kernel, and what the kubelet expects
// of it.
var kernelChecks = []*checks.Check{
	kubeletPodPIDs, kubeletSeccompDefault, protectKernelDefaults,
}

var kubeletPodPIDs = &checks.Check{
	ID:      "kubernetes/kubelet-pod-pids",
	Items:   cis.K8s("", "4.2.13", "4.2.13", "4.2.13"),
	Title:   "a pod cannot use up the node's processes",
	Why:     "one fork bomb takes every process number, and nothing on the node can start any more",
	Breaks:  "pods with more than 4096 processes and threads: compare pids.current of their cgroups first",
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesNodeDenial},
	Level:   1,
	Rule:    same("podPidsLimit", "pod-max-pids", -1).Must(be.AtLeast(1, 4096)),
}

var kubeletSeccompDefault = &checks.Check{
	ID:    "kubernetes/kubelet-seccomp-default",
	Items: cis.K8s("", "", "4.2.14", "4.2.14"),
	Title: "pods that say nothing get the runtime's seccomp profile",
	Why:   "without a profile every call of the kernel is open to what runs in the pod, its riskiest included",
	Breaks: "containers created from then on that use calls which the runtime's profile refuses, such as nested " +
		"containers and debuggers",
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesNodeElevation},
	Level:   1,
	Rule:    same("seccompDefault", "seccomp-default", false).unless(noSeccompDefault).Must(be.True),
}

// noSeccompDefault says why the kubelet must not be told to use the runtime's profile: before 1.25 it refuses to
// start with it unless a feature gate is on, and before 1.22 it does not know it. Source: kubernetes
// pkg/kubelet/apis/config/validation, 1.22 to 1.24.
func noSeccompDefault(h *facts.Host, k *kube.Kubelet, _ bool) string {
	minor, known := kubeletMinor(h)
	gate := k.Option([]string{"featureGates", "SeccompDefault"}, "")
	switch {
	case !known || minor >= 25 || minor >= 22 && gate.Said && gate.Value.String() == "true":
		return ""
	case minor < 22:
		return fmt.Sprintf("the kubelet is 1.%d, which does not know seccompDefault; upgrade it to 1.25 or newer",
			minor)
	}
	return fmt.Sprintf("the kubelet is 1.%d, which refuses to start with seccompDefault unless the feature gate "+
		"SeccompDefault is on: set "+
		"`featureGates: {SeccompDefault: true}` first, or upgrade it to 1.25 or newer", minor)
}

// kubeletMinor is the kubelet's version, 35 of 1.35, as the package manager has it, or at most what the API server's
// image says, which a kubelet is never newer than. The kubelet itself is not asked: it would have to be run.
func kubeletMinor(h *facts.Host) (minor int, known bool) {
	const status, kubelet = "/var/lib/dpkg/status", "Package: kubelet"
	// it lists packages too that were removed and have left their configuration
	if strings.HasSuffix(facts.Stanza(h, status, kubelet, "Status: "), " installed") {
		version, ok := strings.CutPrefix(facts.Stanza(h, status, kubelet, "Version: "), "1.")
		digits, _, _ := strings.Cut(version, ".")
		if minor, err := strconv.Atoi(digits); ok && err == nil {
			return minor, true
		}
	}
	_, api, err := component(h, kube.APIServer)
	if err != nil || api.Pod == nil {
		return 0, false
	}
	return kube.MinorVersion(api.Pod.Image)
}

var protectKernelDefaults = &checks.Check{
	ID:    "kubernetes/protect-kernel-defaults",
	Items: cis.K8s("4.2.6", "", "", ""),
	Own:   true,
	Title: "the kubelet insists on the kernel's settings instead of changing them",
	Why: "a kernel tuned otherwise stops the node when memory runs out; a kubelet that silently sets it " +
		"hides that nobody configured it",
	Breaks: "the kubelet does not start while a setting differs: at the next boot too, which is why they are " +
		"written first",
	Class:   want.Restart,
	Threats: []stride.ID{stride.KubernetesNodeDenial},
	Level:   1,
	Rule:    checks.Func(kernelDefaults),
}

// kernelSettings are what the kubelet sets, or with protectKernelDefaults insists on. Source: kubernetes
// pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables.
var kernelSettings = []struct{ name, value, kernel string }{
	{"vm.overcommit_memory", "1", "0"},
	{"vm.panic_on_oom", "0", "0"},
	{"kernel.panic", "10", "0"},
	{"kernel.panic_on_oops", "1", "0"},
	{"kernel.keys.root_maxkeys", "1000000", "1000000"},
	{"kernel.keys.root_maxbytes", "25000000", "25000000"},
}

const sysctlFile = "/etc/sysctl.d/90-harden-kubelet.conf"

// kernelDefaults wants protectKernelDefaults, and the settings that it insists on in a file that the next boot reads:
// right after it is switched on they are right because the kubelet itself had set them, and after a boot it would not
// start.
func kernelDefaults(h *facts.Host) ([]checks.Finding, error) {
	s := same("protectKernelDefaults", "protect-kernel-defaults", false)
	findings, err := s.Must(be.True).Judge(h)
	if err != nil {
		return nil, err
	}
	boot, err := h.Sysctls()
	if err != nil {
		return findings, err
	}
	var lines strings.Builder
	lines.WriteString("# Written by harden; \"harden rollback\" rolls it back. The kubelet insists on these " +
		"(protectKernelDefaults).\n")
	var missing, against []string
	for _, kernel := range kernelSettings {
		fmt.Fprintf(&lines, "%s = %s\n", kernel.name, kernel.value)
		set, ok := boot[kernel.name]
		switch {
		case ok && set.Value != kernel.value:
			against = append(against, fmt.Sprintf("%s = %s in %s", kernel.name, set.Value, set.File))
		case !ok && kernel.kernel != kernel.value:
			missing = append(missing, kernel.name)
		}
	}
	if len(against)+len(missing) == 0 {
		return findings, nil
	}
	file := want.Content{File: sysctlFile, Data: lines.String(), Mode: 0o644, Warrant: want.Mine}
	why := unready(h, against)
	if len(findings) == 0 { // switched on, and it will not survive a boot
		f := checks.Finding{Subject: "kernel settings at boot", Must: "what the kubelet insists on",
			Got: "left as they are: " + strings.Join(append(missing, against...), ", "), Reason: why}
		if why == "" {
			f.Wants = []want.Want{file}
		}
		return []checks.Finding{f}, nil
	}
	for i := range findings {
		switch {
		case why != "":
			findings[i].Wants, findings[i].Reason = nil, why
		case len(findings[i].Wants) > 0:
			findings[i].Wants = append([]want.Want{file}, findings[i].Wants...)
		}
	}
	return findings, nil
}

// unready says why the kubelet would not come back if it insisted: a setting that another file overrides, or that is
// not right now.
func unready(h *facts.Host, against []string) string {
	if len(against) > 0 {
		return "another file sets what the kubelet would not start with: change " + strings.Join(against, ", ")
	}
	if i, err := h.Info(sysctlFile); err == nil && i.Size > 0 {
		return fmt.Sprintf("%s is there and does not say all that the kubelet insists on: complete it", sysctlFile)
	}
	var wrong []string
	for _, kernel := range kernelSettings {
		f, err := h.File("/proc/sys/" + strings.ReplaceAll(kernel.name, ".", "/"))
		if err != nil {
			continue // a host that does not run
		}
		if now := strings.TrimSpace(string(f.Data)); now != kernel.value {
			wrong = append(wrong, fmt.Sprintf("%s is %s", kernel.name, now))
		}
	}
	if len(wrong) > 0 {
		return fmt.Sprintf("the kernel is not set so now (%s): write the six settings to %s, run `sysctl -p %[2]s`, "+
			"then run harden again",
			strings.Join(wrong, ", "), sysctlFile)
	}
	return ""
}
