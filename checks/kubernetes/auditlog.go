package kubernetes

import (
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

var apiserverAuditLog = &checks.Check{
	ID:    "kubernetes/apiserver-audit-log",
	Items: cis.K8s("1.2.18", "1.2.16", "1.2.16", "1.2.16"),
	Title: "the API server's audit log is a file that outlives the server",
	Why: "without a log, or with one inside the container or without a policy, nobody can tell afterwards " +
		"who did what",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneRepudiation},
	Level:   1,
	Rule:    checks.Func(auditLog),
}

// auditLog judges where the log goes. Without a policy nothing is written to it, whatever it is.
func auditLog(h *facts.Host) ([]checks.Finding, error) {
	n, c, err := component(h, kube.APIServer)
	if err != nil {
		return nil, err
	}
	s, err := arg(kube.APIServer, "audit-log-path", "").read(c)
	if err != nil {
		return nil, err
	}
	p, _, err := loadPolicy(c)
	if err != nil {
		return nil, err
	}
	f := checks.Finding{Subject: "kube-apiserver --audit-log-path", Got: s.String(),
		Must: "a file on a volume, with a policy that fills it"}
	if s.Value == "-" {
		f.Got = "standard output"
		f.Reason = "name a file on a volume, or waive this if something collects the pod's output: the runtime keeps " +
			"little of it"
		return []checks.Finding{f}, nil
	}
	if s.Value != "" {
		problem, ok := onVolume(c, s.Value)
		switch {
		case !ok:
			f.Got = problem
			if strings.HasSuffix(problem, "read-only") {
				f.Reason = "mount that volume without readOnly"
				return []checks.Finding{f}, nil
			}
		case p == nil:
			f.Got = s.Value + ", to which nothing is written: there is no policy"
			f.Wants, f.Reason = askPolicy(h, n, c)
			return []checks.Finding{f}, nil
		default:
			if arg(kube.APIServer, "audit-log-path", "").takenUp(c, set, &f) {
				return nil, nil
			}
			return []checks.Finding{f}, nil
		}
	}
	f.Wants, f.Reason = askLog(h, n, c)
	if p == nil && f.Reason == "" {
		f.Wants, f.Reason = askPolicy(h, n, c)
		if s.Value != "" { // which names a place inside the container
			log, _ := askLog(h, n, c)
			f.Wants = append(f.Wants, log...)
		}
	}
	return []checks.Finding{f}, nil
}

var apiserverAuditAge = &checks.Check{
	ID:      "kubernetes/apiserver-audit-age",
	Items:   cis.K8s("1.2.19", "1.2.17", "1.2.17", "1.2.17"),
	Title:   "audit logs are kept for 30 days",
	Why:     "most intrusions are found weeks later, when the log of that day must still be there",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneRepudiation},
	Level:   1,
	Rule:    arg(kube.APIServer, "audit-log-maxage", 0).Must(be.AtLeast(30, 30)),
}

var apiserverAuditBackups = &checks.Check{
	ID:      "kubernetes/apiserver-audit-backups",
	Items:   cis.K8s("1.2.20", "1.2.18", "1.2.18", "1.2.18"),
	Title:   "ten rotated audit logs are kept",
	Why:     "with fewer an intruder who makes noise rotates their own traces away",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneRepudiation},
	Level:   1,
	Rule:    arg(kube.APIServer, "audit-log-maxbackup", 0).Must(be.AtLeast(10, 10)),
}

var apiserverAuditSize = &checks.Check{
	ID:      "kubernetes/apiserver-audit-size",
	Items:   cis.K8s("1.2.21", "1.2.19", "1.2.19", "1.2.19"),
	Title:   "audit logs grow to 100 MB before they rotate",
	Why:     "small files rotate fast, so that the same number of them holds less",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneRepudiation},
	Level:   1,
	Rule:    arg(kube.APIServer, "audit-log-maxsize", 0).Must(be.AtLeast(100, 100)),
}
