package kubernetes

import (
	"fmt"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// auditChecks is section 3, who logs in to the cluster and what is recorded of it.
var auditChecks = []*checks.Check{
	usersClientCertificates, usersServiceAccounts, usersBootstrapTokens, auditPolicy, auditPolicyCoverage,
}

var usersClientCertificates = &checks.Check{
	ID:      "kubernetes/users-client-certificates",
	Items:   cis.K8sAlways("3.1.1"),
	Title:   "people do not log in with client certificates",
	Why:     "a certificate cannot be revoked: who leaves, or loses a laptop, keeps their access until it ends",
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing, stride.KubernetesControlPlaneRepudiation},
	Level:   2,
	Review:  checks.ReviewAlways, // what only the cluster's own objects tell
	Rule:    checks.Func(certificateUsers),
}

// certificateUsers gathers how people can log in at all.
func certificateUsers(h *facts.Host) ([]checks.Finding, error) {
	_, c, err := component(h, kube.APIServer)
	if err != nil {
		return nil, err
	}
	var ways []string
	for _, flag := range []string{"oidc-issuer-url", "authentication-token-webhook-config-file"} {
		if v, ok := c.Next.Last(flag); ok && v != "" {
			ways = append(ways, "--"+flag)
		}
	}
	if _, ok := c.Next.Last("authentication-config"); ok {
		var config kube.AuthenticationConfig
		if d, err := c.Config("authentication-config", &config); err != nil {
			return nil, err
		} else if len(config.JWT) > 0 {
			ways = append(ways, "jwt in "+d.File)
		}
	}
	if len(ways) > 0 {
		return nil, fmt.Errorf("%w: people can log in by %s; whether some still use certificates, approved requests "+
			"for kubernetes.io/kube-apiserver-client and copies of admin.conf tell", checks.ErrManual,
			strings.Join(ways, ", "))
	}
	if c.Open {
		return nil, fmt.Errorf("%w: which ways of logging in k3s was given is not known", checks.ErrManual)
	}
	return nil, fmt.Errorf("%w: the API server has no way for people but certificates and tokens (no OIDC, no "+
		"webhook, no jwt)", checks.ErrManual)
}

var usersServiceAccounts = &checks.Check{
	ID:      "kubernetes/users-service-accounts",
	Items:   cis.K8s("", "3.1.2", "3.1.2", "3.1.2"),
	Title:   "people do not log in with service accounts' tokens",
	Why:     "what somebody does with a shared account's token names the account and not them",
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing, stride.KubernetesControlPlaneRepudiation},
	Level:   1,
	Review:  checks.ReviewAlways, // what only the cluster's own objects tell
	Rule: inCluster("list Secrets of type kubernetes.io/service-account-token and the role bindings of service " +
		"accounts that are named like people"),
}

// inCluster is for what only the cluster's own objects tell.
func inCluster(how string) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		if _, _, err := component(h, kube.APIServer); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: the cluster's objects are not looked into: %s", checks.ErrManual, how)
	})
}

var usersBootstrapTokens = &checks.Check{
	ID:      "kubernetes/users-bootstrap-tokens",
	Items:   cis.K8s("", "3.1.3", "3.1.3", "3.1.3"),
	Title:   "people do not log in with bootstrap tokens",
	Why:     "a token that lets nodes join lets whoever has it pose as one, and one without an end does so for ever",
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing, stride.KubernetesControlPlaneRepudiation},
	Level:   1,
	Review:  checks.ReviewAlways, // what only the cluster's own objects tell
	Rule: inCluster("look for Secrets of type bootstrap.kubernetes.io/token in kube-system that have no " +
		"expiration or extra groups (`kubeadm token list`)"),
}

var auditPolicy = &checks.Check{
	ID:      "kubernetes/audit-policy",
	Items:   cis.K8sAlways("3.2.1"),
	Title:   "an audit policy is loaded that records something somewhere",
	Why:     "without a policy, or without somewhere to write, the API server records nothing, whatever else is set",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneRepudiation},
	Level:   1,
	Rule:    checks.Func(hasPolicy),
}

func hasPolicy(h *facts.Host) ([]checks.Finding, error) {
	n, c, err := component(h, kube.APIServer)
	if err != nil {
		return nil, err
	}
	f := checks.Finding{Subject: "kube-apiserver audit policy",
		Must: "loaded, with rules that record, and written somewhere"}
	p, d, err := loadPolicy(c)
	switch {
	case p == nil && err == nil:
		f.Got = "none: --audit-policy-file is not passed"
		f.Wants, f.Reason = askPolicy(h, n, c)
		return []checks.Finding{f}, nil
	case err != nil:
		return nil, err
	}
	if !p.Records() {
		f.Got = d.File + " records nothing"
		f.Reason = fmt.Sprintf("add a rule to %s, such as `- level: Metadata` at its end, and start the API server "+
			"again", d.File)
		return []checks.Finding{f}, nil
	}
	if problem, ok := backend(c); !ok {
		f.Got = "events of " + d.File + " go " + problem
		f.Wants, f.Reason = askLog(h, n, c)
		return []checks.Finding{f}, nil
	}
	if runs, _ := c.Running.Last("audit-policy-file"); c.Process != nil && runs == "" {
		f.Got, f.Pending = d.File+" is named, but not loaded by the running process", true
		f.Wants, f.Reason = takeUp(c, "audit-policy-file")
		return []checks.Finding{f}, nil
	}
	return nil, nil
}

// Where harden has the API server keep its policy and log.
const (
	policyFile = ours + "/audit-policy.yaml"
	logDir     = "/var/log/kubernetes/audit"
)

// policy is what harden proposes: who did what, of everything but the cluster's own watching, and the content of
// nothing.
const policy = `# Written by harden; "harden rollback" rolls it back.
# Metadata says who did what, when and from where. Nothing is recorded with its content: Secrets and tokens would be in the log.
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages:
- RequestReceived
rules:
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi/*"]
- level: None
  users: ["system:kube-proxy"]
  verbs: ["watch"]
- level: None
  userGroups: ["system:nodes"]
  verbs: ["get"]
  resources:
  - group: ""
    resources: ["nodes", "nodes/status"]
- level: None
  verbs: ["get", "update"]
  users: ["system:kube-controller-manager", "system:kube-scheduler"]
  resources:
  - group: coordination.k8s.io
    resources: ["leases"]
- level: Metadata
`

// loadPolicy reads the policy; nil where none is named.
func loadPolicy(c *kube.Component) (*kube.AuditPolicy, *facts.Document, error) {
	file, ok := c.Next.Last("audit-policy-file")
	if !ok || file == "" {
		if c.Open {
			return nil, nil, open(c, "audit-policy-file")
		}
		return nil, nil, nil
	}
	p := new(kube.AuditPolicy)
	d, err := c.Config("audit-policy-file", p)
	return p, d, err
}

// askPolicy wants harden's policy, and somewhere to write where there is nowhere yet.
func askPolicy(h *facts.Host, n *kube.Node, c *kube.Component) ([]want.Want, string) {
	flag, why := change(n, c, "audit-policy-file", kube.Saying{}, policyFile, nil, oursMounted)
	if why != "" {
		return nil, why + ", and the policy there"
	}
	wants := append([]want.Want{fileFor(c, policyFile, policy)}, flag...)
	if _, ok := backend(c); !ok {
		log, why := askLog(h, n, c)
		if why != "" {
			return nil, why
		}
		wants = append(wants, log...)
	}
	return wants, ""
}

// backend judges whether events are written anywhere: to a file on a volume that outlives the container, or to a
// webhook.
func backend(c *kube.Component) (problem string, ok bool) {
	if hook, set := c.Next.Last("audit-webhook-config-file"); set && hook != "" {
		return "", true
	}
	path, set := c.Next.Last("audit-log-path")
	switch {
	case !set || path == "":
		return "nowhere: --audit-log-path is not passed", false
	case path == "-":
		return "to standard output", true
	}
	return onVolume(c, path)
}

// onVolume judges whether a log is on a volume that can be written.
func onVolume(c *kube.Component, path string) (problem string, ok bool) {
	if c.Pod == nil {
		return "", true
	}
	for _, m := range c.Pod.Mounts {
		if facts.Within(path, m.Path) && m.ReadOnly {
			return path + " is on a volume that is mounted read-only", false
		}
	}
	if _, on := c.HostPath(path); !on {
		return path + " is inside the container, and goes with it", false
	}
	return "", true
}

func askLog(h *facts.Host, n *kube.Node, c *kube.Component) ([]want.Want, string) {
	if why := unwritable(h, c, logDir); why != "" && c.Pod != nil && !n.Flavour.Generated() {
		return nil, why
	}
	mount := want.Mount{Path: logDir, Type: "DirectoryOrCreate"}
	return change(n, c, "audit-log-path", kube.Saying{}, logDir+"/audit.log", nil, mount)
}

var auditPolicyCoverage = &checks.Check{
	ID:    "kubernetes/audit-policy-coverage",
	Items: cis.K8sAlways("3.2.2"),
	Title: "the audit policy covers what matters, and writes no secrets into the log",
	Why: "what an intruder does first is to read Secrets, run commands in pods and change workloads; a log " +
		"with the Secrets in it helps them",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneRepudiation, stride.KubernetesControlPlaneDisclosure},
	Level:   2,
	Rule:    checks.Func(coverage),
}

// sensitive are requests whose traces must be there, and those whose content must not. Those that make new credentials,
// certificate requests and tokens of service accounts, the benchmark names since 2.0.
var sensitive = []struct {
	verb, group, resource string
	exactly               bool // Metadata and no more
}{
	{"get", "", "secrets", true}, {"list", "", "secrets", true}, {"create", "", "secrets", true},
	{"update", "", "secrets", true},
	{"update", "", "configmaps", true}, {"create", "authentication.k8s.io", "tokenreviews", true},
	{"create", "", "pods", false}, {"update", "", "pods", false}, {"patch", "", "pods", false},
	{"delete", "", "pods", false},
	{"create", "apps", "deployments", false}, {"update", "apps", "deployments", false},
	{"patch", "apps", "deployments", false},
	{"delete", "apps", "deployments", false},
	{"create", "certificates.k8s.io", "certificatesigningrequests", false},
	{"create", "", "serviceaccounts/token", true},
	{"create", "", "pods/exec", false}, {"create", "", "pods/portforward", false},
	{"get", "", "pods/proxy", false}, {"get", "", "services/proxy", false},
}

// coverage tries the policy on requests that matter.
func coverage(h *facts.Host) ([]checks.Finding, error) {
	n, c, err := component(h, kube.APIServer)
	if err != nil {
		return nil, err
	}
	p, d, err := loadPolicy(c)
	if err != nil {
		return nil, err
	}
	f := checks.Finding{Subject: "kube-apiserver audit policy's rules",
		Must: "Metadata of Secrets, ConfigMaps, tokens and token reviews, and at least that of certificate requests, " +
			"of changes to workloads and of access into pods"}
	if p == nil {
		f.Got = "no policy, so that nothing is recorded"
		f.Wants, f.Reason = askPolicy(h, n, c)
		return []checks.Finding{f}, nil
	}
	var missing, leaking []string
	for _, s := range sensitive {
		level := p.Level(s.verb, s.group, s.resource)
		switch {
		case level == "None" || level == "":
			missing = append(missing, s.verb+" "+s.resource)
		case s.exactly && level != "Metadata":
			leaking = append(leaking, s.verb+" "+s.resource)
		}
	}
	var got []string
	if len(missing) > 0 {
		got = append(got, "not recorded: "+strings.Join(missing, ", "))
	}
	if len(leaking) > 0 {
		got = append(got, "recorded with their content: "+strings.Join(leaking, ", "))
	}
	switch {
	case len(got) > 0:
		f.Got = strings.Join(got, "; ") + " (" + d.File + ")"
		f.Reason = fmt.Sprintf("put a rule `- level: Metadata` for these before the others of %s, and start the API "+
			"server again: it does not read the file twice", d.File)
	case !c.Loaded(d):
		f.Got, f.Pending = d.File+" is newer than the running process, which has not read it as it is now", true
		f.Reason = "start the API server again"
	default:
		return nil, nil
	}
	return []checks.Finding{f}, nil
}
