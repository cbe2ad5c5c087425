package kubernetes

import (
	"fmt"
	"net"
	"slices"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// controllerManagerChecks is section 1.3.
var controllerManagerChecks = []*checks.Check{
	controllerManagerPodGC, controllerManagerProfiling, controllerManagerAccounts, controllerManagerTokenKey,
	controllerManagerRootCA, controllerManagerRotation, controllerManagerAddress,
}

var controllerManagerPodGC = &checks.Check{
	ID:      "kubernetes/controller-manager-pod-gc",
	Items:   cis.K8sAlways("1.3.1"),
	Title:   "pods that have ended are cleared away",
	Why:     "with 0 none ever is: a job in a loop fills etcd with them",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneDenial},
	Level:   1,
	Rule:    arg(kube.ControllerManager, "terminated-pod-gc-threshold", 12500).Must(within(1, 12500, 12500)),
}

// within requires a number within bounds.
func within(least, most, propose int) be.Cond[int] {
	return be.Cond[int]{
		Text:  fmt.Sprintf("between %d and %d", least, most),
		Holds: func(got int) bool { return got >= least && got <= most },
		Nearest: func(got int) (int, bool) {
			if got >= least && got <= most {
				return got, true
			}
			return propose, true
		},
	}
}

var controllerManagerProfiling = &checks.Check{
	ID:      "kubernetes/controller-manager-profiling",
	Items:   cis.K8sAlways("1.3.2"),
	Title:   "the controller manager's profiling endpoint is off",
	Why:     "profiles show what the program holds in memory, keys included, and making one slows it down",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneDisclosure, stride.KubernetesControlPlaneDenial},
	Level:   1,
	Rule:    arg(kube.ControllerManager, "profiling", true).Must(be.False),
}

var controllerManagerAccounts = &checks.Check{
	ID:    "kubernetes/controller-manager-accounts",
	Items: cis.K8sAlways("1.3.3"),
	Title: "each controller acts as a service account of its own",
	Why: "with one account for all, the least of the controllers has the rights of every other, and records " +
		"name none of them",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneElevation, stride.KubernetesControlPlaneRepudiation},
	Level:   1,
	Rule:    arg(kube.ControllerManager, "use-service-account-credentials", false).Must(be.True),
}

var controllerManagerTokenKey = &checks.Check{
	ID:      "kubernetes/controller-manager-token-key",
	Items:   cis.K8sAlways("1.3.4"),
	Title:   "service accounts' tokens are signed by a key that was chosen",
	Why:     "without it no controller can make tokens, or they are signed by a key that is used for other things too",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing},
	Level:   1,
	Manual: "name the private half of the key that the API server verifies tokens by " +
		"(--service-account-private-key-file)",
	Rule: namedFile(kube.ControllerManager, [2]string{"service-account-private-key-file", pki + "sa.key"}),
}

var controllerManagerRootCA = &checks.Check{
	ID:      "kubernetes/controller-manager-root-ca",
	Items:   cis.K8sAlways("1.3.5"),
	Title:   "pods are told whom to believe to be the API server",
	Why:     "a pod that is not told cannot verify the API server, and sends its token to whoever answers",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing},
	Level:   1,
	Manual:  "name the authority that signed the API server's certificate (--root-ca-file)",
	Rule:    namedFile(kube.ControllerManager, [2]string{"root-ca-file", pki + "ca.crt"}),
}

var controllerManagerRotation = &checks.Check{
	ID:      "kubernetes/controller-manager-rotation",
	Items:   cis.K8sAlways("1.3.6"),
	Title:   "renewal of kubelets' serving certificates is not switched off",
	Why:     "certificates that nobody renews end by not being verified any more",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing, stride.KubernetesControlPlaneDisclosure},
	Level:   2,
	Rule:    arg(kube.ControllerManager, "feature-gates", []string(nil)).Must(lacking(gate + "=false")),
}

var controllerManagerAddress = &checks.Check{
	ID:    "kubernetes/controller-manager-address",
	Items: cis.K8sAlways("1.3.7"),
	Title: "the controller manager listens on loopback alone",
	Why: "left out, the flag means every address: what it tells of itself, and its debugging endpoints, are " +
		"open to the network",
	Breaks:  "monitoring that reads port 10257 from another machine",
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneDisclosure, stride.KubernetesControlPlaneDenial},
	Level:   1,
	Rule:    arg(kube.ControllerManager, "bind-address", "0.0.0.0").Must(loopback),
}

// loopback requires an address of this machine alone.
var loopback = be.Cond[string]{
	Text:  "a loopback address",
	Holds: func(s string) bool { ip := net.ParseIP(s); return ip != nil && ip.IsLoopback() },
	Nearest: func(s string) (string, bool) {
		if ip := net.ParseIP(s); ip != nil && ip.IsLoopback() {
			return s, true
		}
		if ip := net.ParseIP(s); ip != nil && ip.To4() == nil && !slices.Equal(ip, net.IPv6unspecified) {
			return "::1", true
		}
		return "127.0.0.1", true
	},
}

// schedulerChecks is section 1.4.
var schedulerChecks = []*checks.Check{
	schedulerProfiling, schedulerAddress,
}

var schedulerProfiling = &checks.Check{
	ID:      "kubernetes/scheduler-profiling",
	Items:   cis.K8sAlways("1.4.1"),
	Title:   "the scheduler's profiling endpoint is off",
	Why:     "profiles show what the program holds in memory, and making one slows it down",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneDisclosure, stride.KubernetesControlPlaneDenial},
	Level:   1,
	Rule:    checks.Func(profiledScheduler),
}

// profiledScheduler judges the flag, or where the scheduler reads a file, that file, which then has the last word.
func profiledScheduler(h *facts.Host) ([]checks.Finding, error) {
	_, c, err := component(h, kube.Scheduler)
	if err != nil {
		return nil, err
	}
	flag := arg(kube.Scheduler, "profiling", true)
	file, ok := c.Next.Last("config")
	if !ok || file == "" {
		return flag.Must(be.False).Judge(h)
	}
	d, err := schedulerConfig(c)
	if err != nil {
		return nil, err
	}
	on := true
	v, given := d.At("enableProfiling")
	if given {
		if err := v.Decode(&on); err != nil {
			return nil, err
		}
	}
	f := checks.Finding{Subject: "kube-scheduler enableProfiling", Must: "false", Got: "true by " + d.File}
	switch {
	case on:
		if !given {
			f.Got = "unset in " + d.File + ", so true"
		}
		f.Reason = "set `enableProfiling: false` in " + d.File +
			" and start the scheduler again (while it reads a file, --profiling does not count)"
	case !c.Loaded(d):
		f.Got, f.Pending = "false by "+d.File+", which is newer than the running process", true
		f.Reason = "start the scheduler again"
	default:
		return nil, nil
	}
	return []checks.Finding{f}, nil
}

var schedulerAddress = &checks.Check{
	ID:    "kubernetes/scheduler-address",
	Items: cis.K8sAlways("1.4.2"),
	Title: "the scheduler listens on loopback alone",
	Why: "left out, the flag means every address: what it tells of itself, and its debugging endpoints, are " +
		"open to the network",
	Breaks:  "monitoring that reads port 10259 from another machine",
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneDisclosure, stride.KubernetesControlPlaneDenial},
	Level:   1,
	Rule:    arg(kube.Scheduler, "bind-address", "0.0.0.0").Must(loopback),
}
