package kubernetes

import (
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/want"
)

// lacking requires a list without one element.
func lacking(element string) be.Cond[[]string] {
	return be.Cond[[]string]{
		Text:    "without " + element,
		Holds:   func(got []string) bool { return !slices.Contains(got, element) },
		Nearest: func(got []string) ([]string, bool) { return without(got, []string{element}), true },
	}
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

// admits is the rule that an admission plugin is switched on, and not off at the same time.
func admits(plugin string) checks.Rule {
	return admission(having(plugin), rule.All(arg(facts.APIServer, "enable-admission-plugins",
		[]string(nil)).Must(having(plugin)),
		arg(facts.APIServer, "disable-admission-plugins", []string(nil)).Must(lacking(plugin))))
}

// defaultPlugin is the rule that a plugin which is on by default is on.
func defaultPlugin(plugin string) checks.Rule {
	return admission(having(plugin), arg(facts.APIServer, "disable-admission-plugins",
		[]string(nil)).Must(lacking(plugin)))
}

// admission judges --admission-control where that is passed, which is all the plugins there are, those by default
// among them; the API server refuses to start with it beside the flags of today. Source: k8s.io/kubernetes
// pkg/kubeapiserver/options/admission.go.
func admission(cond be.Cond[[]string], today checks.Rule) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		_, c, err := component(h, facts.APIServer)
		if err != nil {
			return nil, err
		}
		if _, old := c.Next["admission-control"]; old {
			return arg(facts.APIServer, "admission-control", []string(nil)).Must(cond).Judge(h)
		}
		return today.Judge(h)
	})
}

// eventRate wants the plugin, and limits for it: without a configuration it does not start.
func eventRate(h *facts.Host) ([]checks.Finding, error) {
	n, c, err := component(h, facts.APIServer)
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
		f.Reason = fmt.Sprintf("add to plugins of %s: `{name: %s, configuration: {"+
			"apiVersion: eventratelimit.admission.k8s.io/v1alpha1, "+
			"kind: Configuration, limits: [{type: Namespace, qps: 50, burst: 100}, "+
			"{type: Server, qps: 5000, burst: 20000}]}}`, then "+
			"switch the plugin on", file, plugin)
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

func limitsEvents(h *facts.Host, c *facts.Component, plugin, flag string) (bool, error) {
	var config facts.AdmissionConfig
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
func beside(c *facts.Component, file, named string) string {
	if !strings.HasPrefix(named, "/") {
		return file[:strings.LastIndexByte(file, '/')+1] + named
	}
	if on, ok := c.HostPath(named); ok {
		return on
	}
	return named
}

// limitEvents wants the two files that the plugin reads, and the flag that names the first.
func limitEvents(n *facts.Node, c *facts.Component) ([]want.Want, string) {
	const head = "# Written by harden; \"harden rollback\" takes it back.\n"
	flag, why := change(n, c, "admission-control-config-file", facts.Saying{}, ours+"/admission.yaml", nil, oursMounted)
	if why != "" {
		return nil, why
	}
	return append([]want.Want{
		fileFor(c, ours+"/eventratelimit.yaml", head+"apiVersion: eventratelimit.admission.k8s.io/v1alpha1\n"+
			"kind: Configuration\nlimits:\n- type: Namespace\n  qps: 50\n  burst: 100\n  cacheSize: 2000\n- type: Server\n  "+
			"qps: 5000\n  burst: 20000\n"),
		fileFor(c, ours+"/admission.yaml", head+"apiVersion: apiserver.config.k8s.io/v1\n"+
			"kind: AdmissionConfiguration\nplugins:\n- name: EventRateLimit\n  path: eventratelimit.yaml\n"),
	}, flag...), ""
}
