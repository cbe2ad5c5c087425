package kubernetes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// apiServerChecks is section 1.2, how the API server is told to run.
var apiServerChecks = []*checks.Check{
	apiserverAnonymous, apiserverTokenFile, apiserverExternalIPs, apiserverKubeletClient, apiserverKubeletAuthority,
	apiserverAlwaysAllow, apiserverNodeAuthorizer, apiserverRBAC, apiserverEventRate, apiserverAlwaysAdmit,
	apiserverAlwaysPull, apiserverServiceAccountPlugin, apiserverNamespaceLifecycle, apiserverNodeRestriction,
	apiserverSecurePort, apiserverProfiling, apiserverAuditLog, apiserverAuditAge, apiserverAuditBackups,
	apiserverAuditSize, apiserverRequestTimeout, apiserverTokenLookup, apiserverTokenKey, apiserverEtcdClient,
	apiserverTLS, apiserverClientCA, apiserverEtcdCA, apiserverEncryption, apiserverEncryptionProvider,
	apiserverCiphers, apiserverTokenExtension,
}

var apiserverAnonymous = &checks.Check{
	ID:    "kubernetes/apiserver-anonymous",
	Items: cis.K8sAlways("1.2.1"),
	Title: "anonymous callers reach the API server's health paths at most",
	Why: "every anonymous call is one that no audit record can be held to, and one mistake in a role binding " +
		"away from rights",
	Breaks: "`kubeadm join` with a token reads a ConfigMap anonymously: while nodes join, add the path " +
		"/api/v1/namespaces/kube-public/configmaps/cluster-info to the conditions",
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing},
	Level:   1,
	Rule:    checks.Func(anonymous),
}

// healthPaths are what may be asked without credentials; the last is what `kubeadm join` reads.
var healthPaths = []string{"/livez", "/readyz", "/healthz", "/api/v1/namespaces/kube-public/configmaps/cluster-info"}

// anonymous judges --anonymous-auth and the file that can limit it to paths; only one of the two may say it.
func anonymous(h *facts.Host) ([]checks.Finding, error) {
	n, c, err := component(h, kube.APIServer)
	if err != nil {
		return nil, err
	}
	flag := arg(kube.APIServer, "anonymous-auth", true)
	f := checks.Finding{Subject: "kube-apiserver anonymous callers",
		Must: "refused, or limited to " + strings.Join(healthPaths[:3], ", ")}
	if file, ok := c.Next.Last("authentication-config"); ok {
		var config kube.AuthenticationConfig
		d, err := c.Config("authentication-config", &config)
		if err != nil {
			return nil, err
		}
		if a := config.Anonymous; a != nil {
			var wide []string
			for _, cond := range a.Conditions {
				if !slices.Contains(healthPaths, cond.Path) {
					wide = append(wide, cond.Path)
				}
			}
			switch {
			case !a.Enabled || len(a.Conditions) > 0 && len(wide) == 0:
				if runs, _ := c.Running.Last("authentication-config"); c.Process == nil || runs == file && c.Loaded(d) {
					return nil, nil
				}
				f.Got, f.Pending = "limited in "+d.File+", which the running process has not read", true
				f.Wants, f.Reason = takeUp(c, "authentication-config")
				return []checks.Finding{f}, nil
			case len(wide) > 0:
				f.Got = fmt.Sprintf("let in to %s by %s", strings.Join(wide, ", "), d.File)
			default:
				f.Got = "let in everywhere by " + d.File
			}
			f.Reason = fmt.Sprintf("leave only the paths %s in anonymous.conditions of %s, and start the API server "+
				"again",
				strings.Join(healthPaths[:3], ", "), d.File)
			return []checks.Finding{f}, nil
		}
		if s, err := flag.read(c); err != nil || !s.Value {
			return nil, err
		}
		f.Got = "let in: neither --anonymous-auth nor " + file + " says otherwise"
		f.Reason = fmt.Sprintf("add to %s: `anonymous: {enabled: true, conditions: [{path: /livez}, {path: /readyz}, "+
			"{path: /healthz}]}`, and start the API server again", file)
		return []checks.Finding{f}, nil
	}
	s, err := flag.read(c)
	if err != nil {
		return nil, err
	}
	if !s.Value {
		return flag.Must(be.False).Judge(h)
	}
	f.Got = "let in, --anonymous-auth being " + s.String()
	f.Wants, f.Reason = limitAnonymous(n, c, s)
	return []checks.Finding{f}, nil
}

// limitAnonymous wants the file that leaves only the health paths anonymous. The flag alone is no way where the
// kubelet's own probes are anonymous: it would start the API server again for ever.
func limitAnonymous(n *kube.Node, c *kube.Component, s said[bool]) ([]want.Want, string) {
	if n.Flavour.Generated() || c.Pod == nil {
		return change(n, c, "anonymous-auth", s.from, "false", nil)
	}
	probed := slices.ContainsFunc(c.Pod.Probes, func(p kube.Probe) bool { return !p.Proof })
	minor, known := kube.MinorVersion(c.Pod.Image)
	why := ""
	for name := range c.Next {
		if strings.HasPrefix(name, "oidc-") {
			why = "--" + name + " cannot stand beside a file of --authentication-config: move what it says into jwt " +
				"of such a file first"
		}
	}
	switch {
	case why != "":
	case !known:
		why = fmt.Sprintf("the version of %s is unknown, and an API server before 1.32 cannot limit anonymous "+
			"callers to paths", c.Pod.Image)
	case minor < 32 && !probed:
		return change(n, c, "anonymous-auth", s.from, "false", nil)
	case minor < 32:
		why = fmt.Sprintf("Kubernetes 1.%d cannot limit them to paths", minor)
	}
	if why != "" && probed {
		why += ". --anonymous-auth=false is refused here: the kubelet's own probes are anonymous, and it would start " +
			"the API server again for ever"
	}
	if why != "" {
		return nil, why
	}
	version := "apiserver.config.k8s.io/v1"
	if minor < 34 {
		version += "beta1"
	}
	file := ours + "/authentication.yaml"
	wants := []want.Want{fileFor(c, file, "# Written by harden; \"harden rollback\" rolls it back.\n"+
		"# Only the paths that the kubelet's probes ask are open to callers without credentials.\n"+
		"apiVersion: "+version+"\nkind: AuthenticationConfiguration\nanonymous:\n  enabled: true\n  conditions:\n"+
		"  - path: /livez\n  - path: /readyz\n  - path: /healthz\n")}
	flag, _ := change(n, c, "authentication-config", kube.Saying{}, file, nil, oursMounted)
	wants = append(wants, flag...)
	if s.ok {
		gone, _ := change(n, c, "anonymous-auth", s.from, "", &want.PodFlag{Gone: true})
		wants = append(wants, gone...)
	}
	return wants, ""
}

var apiserverTokenFile = &checks.Check{
	ID:      "kubernetes/apiserver-token-file",
	Items:   cis.K8sAlways("1.2.2"),
	Title:   "no file of passwords or tokens lets callers in",
	Why:     "its tokens are kept in clear text, never expire, and cannot be revoked without a restart",
	Breaks:  "everybody who logs in with a token of that file: give them another way first",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing},
	Level:   1,
	Rule: rule.All(arg(kube.APIServer, "token-auth-file", "").Must(be.Unset),
		arg(kube.APIServer, "basic-auth-file", "").Must(be.Unset)),
}

var apiserverKubeletClient = &checks.Check{
	ID:    "kubernetes/apiserver-kubelet-client",
	Items: cis.K8sAlways("1.2.4"),
	Title: "the API server shows kubelets a certificate",
	Why: "to a kubelet a caller without one is anonymous, so that either it lets everybody in or nothing " +
		"reaches it",
	Class:   want.Workload,
	Breaks:  restarts,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing},
	Level:   1,
	Manual: "issue a client certificate for the API server by the authority that the kubelets trust, and name " +
		"it and its key",
	Rule: namedFile(kube.APIServer, [2]string{"kubelet-client-certificate", pki + "apiserver-kubelet-client.crt"},
		[2]string{"kubelet-client-key", pki + "apiserver-kubelet-client.key"}),
}

var apiserverKubeletAuthority = &checks.Check{
	ID:    "kubernetes/apiserver-kubelet-authority",
	Items: cis.K8sAlways("1.2.5"),
	Title: "the API server verifies kubelets' certificates",
	Why: "whoever answers in a kubelet's name reads what is sent to containers there, passwords typed into a " +
		"shell among it",
	Class: want.Workload,
	Breaks: "logs, exec, port-forward and metrics of every node whose kubelet serves a certificate that it has " +
		"signed itself",
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing},
	Level:   1,
	Manual: "have every kubelet of the cluster serve a signed certificate first (serverTLSBootstrap, its requests " +
		"approved: 4.2.9 on each node), then pass --kubelet-certificate-authority=" + pki +
		"ca.crt; before that, logs and exec fail on the nodes that do not",
	Rule: arg(kube.APIServer, "kubelet-certificate-authority", "").Must(set),
}

var apiserverAlwaysAllow = &checks.Check{
	ID:      "kubernetes/apiserver-always-allow",
	Items:   cis.K8sAlways("1.2.6"),
	Title:   "the API server does not allow whatever anybody asks",
	Why:     "with AlwaysAllow every caller, anonymous ones included, is an administrator of the cluster",
	Breaks:  "every caller that has no rights of its own yet",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing, stride.KubernetesControlPlaneElevation},
	Level:   1,
	Rule: authorized("without AlwaysAllow",
		func(modes []string) bool { return !slices.Contains(modes, "AlwaysAllow") }),
}

// authorized judges the authorizers that the API server asks, by the flag or by the file that takes its place. Where
// neither says anything it asks none and allows all.
func authorized(must string, holds func(modes []string) bool) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		_, c, err := component(h, kube.APIServer)
		if err != nil {
			return nil, err
		}
		if _, ok := c.Next.Last("authorization-config"); ok {
			return authorizedByFile(c, must, holds)
		}
		return arg(kube.APIServer, "authorization-mode", []string{"AlwaysAllow"}).Must(be.Cond[[]string]{
			Text:  must,
			Holds: holds,
			Nearest: func(got []string) ([]string, bool) {
				kept := without(got, []string{"AlwaysAllow", "Node", "RBAC"})
				return append([]string{"Node", "RBAC"}, kept...), true
			},
		}).Judge(h)
	})
}

func authorizedByFile(c *kube.Component, must string, holds func(modes []string) bool) ([]checks.Finding, error) {
	var config kube.AuthorizationConfig
	d, err := c.Config("authorization-config", &config)
	if err != nil {
		return nil, err
	}
	var modes []string
	for _, a := range config.Authorizers {
		modes = append(modes, a.Type)
	}
	f := checks.Finding{Subject: "kube-apiserver --authorization-config",
		Got: cmp.Or(flagText(modes), rule.Unset) + " by " + d.File, Must: must}
	if holds(modes) {
		return nil, nil // the API server reads this file again by itself when it changes
	}
	f.Reason = fmt.Sprintf("make the authorizers of %s Node and RBAC, each `{type: …, name: …}`, and none of them "+
		"AlwaysAllow; the API server takes it up by itself", d.File)
	return []checks.Finding{f}, nil
}

var apiserverNodeAuthorizer = &checks.Check{
	ID:    "kubernetes/apiserver-node-authorizer",
	Items: cis.K8sAlways("1.2.7"),
	Title: "kubelets may only touch what is on their own node",
	Why: "without the Node authorizer one stolen kubelet certificate has to be given the Secrets of all " +
		"nodes to work at all",
	Breaks:  "every caller that has no role yet",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.KubernetesControlPlaneElevation},
	Level:   1,
	Rule:    authorized("with Node", func(modes []string) bool { return slices.Contains(modes, "Node") }),
}

var apiserverRBAC = &checks.Check{
	ID:      "kubernetes/apiserver-rbac",
	Items:   cis.K8sAlways("1.2.8"),
	Title:   "rights are given by roles",
	Why:     "without RBAC there is nothing to give anybody less than everything by",
	Breaks:  "every caller that has no role yet",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing, stride.KubernetesControlPlaneElevation},
	Level:   1,
	Rule:    authorized("with RBAC", func(modes []string) bool { return slices.Contains(modes, "RBAC") }),
}

var apiserverSecurePort = &checks.Check{
	ID:      "kubernetes/apiserver-secure-port",
	Items:   cis.K8s("1.2.16", "", "", ""),
	Own:     true,
	Title:   "the API server has a port with TLS",
	Why:     "without one everything that is said to it can be read and changed on the way",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing},
	Level:   1,
	Rule: rule.All(arg(kube.APIServer, "secure-port", 6443).Must(be.AtLeast(1, 6443)),
		passed(kube.APIServer, "insecure-port", arg(kube.APIServer, "insecure-port", 0).Must(be.Equal(0)))),
}

var apiserverProfiling = &checks.Check{
	ID:      "kubernetes/apiserver-profiling",
	Items:   cis.K8s("1.2.17", "1.2.15", "1.2.15", "1.2.15"),
	Title:   "the API server's profiling endpoint is off",
	Why:     "profiles show what the server holds in memory, and making one slows it down",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneDisclosure, stride.KubernetesControlPlaneDenial},
	Level:   1,
	Rule:    arg(kube.APIServer, "profiling", true).Must(be.False),
}

var apiserverRequestTimeout = &checks.Check{
	ID:      "kubernetes/apiserver-request-timeout",
	Items:   cis.K8s("1.2.22", "1.2.20", "1.2.20", "1.2.20"),
	Title:   "requests that take minutes are ended",
	Why:     "requests that may go on for ever tie the server up; those that end at once fail on slow links",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneDenial},
	Level:   1,
	Rule:    arg(kube.APIServer, "request-timeout", "1m0s").Must(between("1s", "5m0s", "1m0s")),
}

// between requires a duration within bounds.
func between(least, most, propose string) be.Cond[string] {
	low, _ := time.ParseDuration(least)
	high, _ := time.ParseDuration(most)
	holds := func(s string) bool {
		d, err := time.ParseDuration(s)
		return err == nil && low <= d && d <= high
	}
	return be.Cond[string]{
		Text:  fmt.Sprintf("between %s and %s", least, most),
		Holds: holds,
		Nearest: func(s string) (string, bool) {
			if !holds(s) {
				s = propose
			}
			return s, true
		},
	}
}

var apiserverTokenLookup = &checks.Check{
	ID:      "kubernetes/apiserver-token-lookup",
	Items:   cis.K8s("1.2.23", "1.2.21", "1.2.21", "1.2.21"),
	Title:   "a service account's token ends with the account",
	Why:     "otherwise a token stays good after its account, or its Secret, was deleted",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing, stride.KubernetesControlPlaneElevation},
	Level:   1,
	Rule:    arg(kube.APIServer, "service-account-lookup", true).Must(be.True),
}

var apiserverTokenKey = &checks.Check{
	ID:      "kubernetes/apiserver-token-key",
	Items:   cis.K8s("1.2.24", "1.2.22", "1.2.22", "1.2.22"),
	Title:   "service accounts' tokens are verified by a key of their own",
	Why:     "without one the server's TLS key signs them too, and cannot be renewed without breaking every pod",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing},
	Level:   1,
	Manual: "name the public half of the key that the controller manager signs tokens with " +
		"(--service-account-key-file)",
	Rule: checks.Func(tokenKey),
}

// tokenKey is given by a file, or by a signer outside that also says how to verify.
func tokenKey(h *facts.Host) ([]checks.Finding, error) {
	_, c, err := component(h, kube.APIServer)
	if err != nil {
		return nil, err
	}
	if e, ok := c.Next.Last("service-account-signing-endpoint"); ok && e != "" {
		return nil, nil
	}
	return namedFile(kube.APIServer, [2]string{"service-account-key-file", pki + "sa.pub"}).Judge(h)
}

var apiserverTokenExtension = &checks.Check{
	ID:    "kubernetes/apiserver-token-extension",
	Items: cis.K8s("", "", "1.2.30", "1.2.30"),
	Title: "tokens of pods end after an hour, not after a year",
	Why: "the API server makes them good for a year for the sake of old clients; a stolen one is as good for " +
		"as long",
	Breaks: "clients that read their token once and never again: see the metric " +
		"serviceaccount_stale_tokens_total first",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing, stride.KubernetesControlPlaneElevation},
	Level:   1,
	Rule:    arg(kube.APIServer, "service-account-extend-token-expiration", true).Must(be.False),
}
