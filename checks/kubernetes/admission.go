package kubernetes

import (
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

var apiserverExternalIPs = &checks.Check{
	ID:    "kubernetes/apiserver-external-ips",
	Items: cis.K8sAlways("1.2.3"),
	Title: "services cannot claim addresses outside the cluster",
	Why: "whoever may create a Service with externalIPs draws other people's traffic to a pod of their own " +
		"(CVE-2020-8554)",
	Breaks:  "new Services with spec.externalIPs, and changes to such: list them first with kubectl",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing, stride.KubernetesNodeTampering},
	Level:   1,
	Rule:    admits("DenyServiceExternalIPs"),
}

// admits is the rule that an admission plugin is switched on, and not off at the same time.
func admits(plugin string) checks.Rule {
	return admission(having(plugin), rule.All(
		arg(kube.APIServer, "enable-admission-plugins", []string(nil)).Must(having(plugin)),
		arg(kube.APIServer, "disable-admission-plugins", []string(nil)).Must(lacking(plugin))))
}

// having requires a list with one element.
func having(element string) be.Cond[[]string] {
	return be.Cond[[]string]{
		Text:  "with " + element,
		Holds: func(got []string) bool { return slices.Contains(got, element) },
		Nearest: func(got []string) ([]string, bool) {
			if !slices.Contains(got, element) {
				got = append(slices.Clone(got), element)
			}
			return got, true
		},
	}
}

var apiserverEventRate = &checks.Check{
	ID:      "kubernetes/apiserver-event-rate",
	Items:   cis.K8sAlways("1.2.9"),
	Title:   "the rate of events is limited",
	Why:     "one client in a loop fills etcd with events and starves everything else",
	Breaks:  "clients that send more events than the limits (50 a second for each namespace, 5000 for all) lose some",
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneDenial},
	Level:   1,
	Rule:    checks.Func(eventRate),
}

// eventRate wants the plugin, and limits for it: without a configuration it does not start.
func eventRate(h *facts.Host) ([]checks.Finding, error) {
	n, c, err := component(h, kube.APIServer)
	if err != nil {
		return nil, err
	}
	const plugin, flag = "EventRateLimit", "admission-control-config-file"
	findings, err := admits(plugin).Judge(h)
	if err != nil {
		return nil, err
	}
	f := checks.Finding{Subject: "limits of " + plugin, Must: "configured"}
	file, given := c.Next.Last(flag)
	switch {
	case !given && c.Open:
		return findings, open(c, flag)
	case !given:
		f.Got = "not configured: --" + flag + " is not passed"
		f.Wants, f.Reason = limitEvents(n, c)
	default:
		limited, err := limitsEvents(h, c, plugin, flag)
		if err != nil || limited {
			return findings, err
		}
		f.Got = "not configured in " + file
		f.Reason = fmt.Sprintf("add to plugins of %s: `{name: %s, configuration: {apiVersion: "+
			"eventratelimit.admission.k8s.io/v1alpha1, "+
			"kind: Configuration, limits: [{type: Namespace, qps: 50, burst: 100}, {type: Server, qps: 5000, burst: "+
			"20000}]}}`, then switch the plugin on", file, plugin)
	}
	if f.Reason != "" { // without its limits the plugin must not be switched on
		for i := range findings {
			findings[i].Wants, findings[i].Reason = nil, f.Reason
		}
	} else {
		for i := range findings {
			findings[i].Wants = append(slices.Clone(f.Wants), findings[i].Wants...)
		}
	}
	return append(findings, f), nil
}

func limitsEvents(h *facts.Host, c *kube.Component, plugin, flag string) (bool, error) {
	var config kube.AdmissionConfig
	d, err := c.Config(flag, &config)
	if err != nil {
		return false, err
	}
	for _, p := range config.Plugins {
		if p.Name != plugin {
			continue
		}
		limits := d.Part(p.Configuration)
		if p.Path != "" {
			if limits, err = h.Document(beside(c, d.File, p.Path)); err != nil {
				return false, err
			}
		}
		if limits == nil {
			return false, nil
		}
		if err := limits.Is("Configuration"); err != nil {
			return false, err
		}
		var all []any
		if v, ok := limits.At("limits"); ok {
			err = v.Decode(&all)
		}
		return len(all) > 0, err
	}
	return false, nil
}

// beside is where a file is that another one names, from where that one is or from the top.
func beside(c *kube.Component, file, named string) string {
	if !strings.HasPrefix(named, "/") {
		return file[:strings.LastIndexByte(file, '/')+1] + named
	}
	if on, ok := c.HostPath(named); ok {
		return on
	}
	return named
}

// limitEvents wants the two files that the plugin reads, and the flag that names the first.
func limitEvents(n *kube.Node, c *kube.Component) ([]want.Want, string) {
	const head = "# Written by harden; \"harden rollback\" rolls it back.\n"
	flag, why := change(n, c, "admission-control-config-file", kube.Saying{}, ours+"/admission.yaml", nil, oursMounted)
	if why != "" {
		return nil, why
	}
	return append([]want.Want{
		fileFor(c, ours+"/eventratelimit.yaml", head+"apiVersion: eventratelimit.admission.k8s.io/v1alpha1\n"+
			"kind: Configuration\nlimits:\n- type: Namespace\n  qps: 50\n  burst: 100\n  cacheSize: 2000\n- type: "+
			"Server\n  qps: 5000\n  burst: 20000\n"),
		fileFor(c, ours+"/admission.yaml", head+"apiVersion: apiserver.config.k8s.io/v1\n"+
			"kind: AdmissionConfiguration\nplugins:\n- name: EventRateLimit\n  path: eventratelimit.yaml\n"),
	}, flag...), ""
}

var apiserverAlwaysAdmit = &checks.Check{
	ID:      "kubernetes/apiserver-always-admit",
	Items:   cis.K8sAlways("1.2.10"),
	Title:   "the plugin that admits everything is not switched on",
	Why:     "AlwaysAdmit looks at nothing; that it is there says that nobody chose what should be looked at",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesNodeTampering},
	Level:   1,
	Rule: admission(lacking("AlwaysAdmit"),
		arg(kube.APIServer, "enable-admission-plugins", []string(nil)).Must(lacking("AlwaysAdmit"))),
}

// admission judges --admission-control where that is passed, which is all the plugins there are, those by default
// among them; the API server refuses to start with it beside the flags of today. Source: k8s.io/kubernetes
// pkg/kubeapiserver/options/admission.go.
func admission(cond be.Cond[[]string], today checks.Rule) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		_, c, err := component(h, kube.APIServer)
		if err != nil {
			return nil, err
		}
		if _, old := c.Next["admission-control"]; old {
			return arg(kube.APIServer, "admission-control", []string(nil)).Must(cond).Judge(h)
		}
		return today.Judge(h)
	})
}

var apiserverAlwaysPull = &checks.Check{
	ID:    "kubernetes/apiserver-always-pull",
	Items: cis.K8sAlways("1.2.11"),
	Title: "every start of a pod asks the registry for its image",
	Why:   "otherwise whoever knows the name of a private image that some node has already can run and read it",
	Breaks: "pods do not start while their registry cannot be reached, and images that were only loaded onto " +
		"nodes never do",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.KubernetesControlPlaneDisclosure},
	Level:   1,
	Rule:    admits("AlwaysPullImages"),
}

var apiserverServiceAccountPlugin = &checks.Check{
	ID:      "kubernetes/apiserver-service-account-plugin",
	Items:   cis.K8s("1.2.13", "1.2.12", "1.2.12", "1.2.12"),
	Title:   "every pod runs with a service account that exists",
	Why:     "without the plugin a pod can name an account that it has no right to",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneElevation},
	Level:   1,
	Rule:    defaultPlugin("ServiceAccount"),
}

// defaultPlugin is the rule that a plugin which is on by default is on.
func defaultPlugin(plugin string) checks.Rule {
	return admission(having(plugin),
		arg(kube.APIServer, "disable-admission-plugins", []string(nil)).Must(lacking(plugin)))
}

var apiserverNamespaceLifecycle = &checks.Check{
	ID:      "kubernetes/apiserver-namespace-lifecycle",
	Items:   cis.K8s("1.2.14", "1.2.13", "1.2.13", "1.2.13"),
	Title:   "nothing is created in namespaces that do not exist or are going away",
	Why:     "such objects escape the quotas and policies of their namespace, and keep it from ever being deleted",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneDenial, stride.KubernetesNodeTampering},
	Level:   1,
	Rule:    defaultPlugin("NamespaceLifecycle"),
}

var apiserverNodeRestriction = &checks.Check{
	ID:    "kubernetes/apiserver-node-restriction",
	Items: cis.K8s("1.2.15", "1.2.14", "1.2.14", "1.2.14"),
	Title: "a kubelet can change its own node's objects alone",
	Why: "with one node's credentials an intruder otherwise labels other nodes, and draws their secrets and " +
		"pods over",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesNodeTampering, stride.KubernetesControlPlaneElevation},
	Level:   1,
	Rule:    admits("NodeRestriction"),
}
