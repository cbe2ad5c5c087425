package facts

import (
	"strings"
)

// ParseKubeFlags reads the arguments of a program of Kubernetes or of etcd, the program's name left out. To them `_`
// and `-` are the same in a name, and one dash does where etcd is given one. A flag that kubeBools does not know takes
// the next word unless that is a flag too: none of these programs has positional arguments.
func ParseKubeFlags(args []Token) Flags {
	flags := Flags{}
	for i := 0; i < len(args) && args[i].Text != "--"; i++ {
		t := args[i]
		text, ok := strings.CutPrefix(t.Text, "-")
		if !ok {
			continue
		}
		spelt, value, given := strings.Cut(strings.TrimPrefix(text, "-"), "=")
		name := strings.ReplaceAll(spelt, "_", "-")
		switch {
		case given:
		case kubeBools[name] || i+1 == len(args) || isFlag(args[i+1].Text):
			value = "true"
		default:
			i++
			value, t = args[i].Text, args[i]
		}
		flags[name] = flags[name].with(spelt, value, t)
	}
	return flags
}

// isFlag tells a flag from a negative number.
func isFlag(word string) bool {
	rest, ok := strings.CutPrefix(word, "-")
	return ok && (rest == "" || rest[0] < '0' || rest[0] > '9')
}

// kubeBools are those flags of the programs of Kubernetes and of etcd that take no separate value and are seen without
// any.
var kubeBools = set("allocate-node-cidrs", "allow-privileged", "anonymous-auth", "authentication-token-webhook",
	"authorization-always-allow", "auto-tls", "client-cert-auth", "cloud-provider-opt-in", "contention-profiling",
	"enable-aggregator-routing", "enable-bootstrap-token-auth", "enable-debugging-handlers", "enable-server",
	"encryption-provider-config-automatic-reload", "fail-swap-on", "help", "keep-terminated-pod-volumes", "leader-elect",
	"make-iptables-util-chains", "masquerade-all", "peer-auto-tls", "peer-client-cert-auth", "profiling",
	"protect-kernel-defaults", "register-node", "rotate-certificates", "rotate-server-certificates",
	"runtime-cgroups-enabled",
	"seccomp-default", "serialize-image-pulls", "service-account-extend-token-expiration", "service-account-lookup",
	"use-service-account-credentials", "enable-v2", "pre-vote", "strict-reconfig-check", "enable-grpc-gateway",
	"force-new-cluster")

// List returns the elements of a flag whose value is a list separated by commas; repeated flags add up, as they do
// for kube-apiserver and the kubelet.
func (f Flags) List(name string) []string {
	var all []string
	for _, v := range f[name].Values {
		for e := range strings.SplitSeq(v, ",") {
			if e != "" {
				all = append(all, e)
			}
		}
	}
	return all
}

// Says reports whether both say the same of one flag to a program of Kubernetes: the last of several values counts
// but for lists, where all do.
func (f Flags) Says(g Flags, name string) bool {
	if addUp[name] {
		return strings.Join(f.List(name), ",") == strings.Join(g.List(name), ",")
	}
	v, okV := f.Last(name)
	w, okW := g.Last(name)
	if okV == okW && v == w {
		return true
	}
	x, okX := f.Bool(name)
	y, okY := g.Bool(name)
	return kubeBools[name] && okX && okY && x == y
}

// addUp are the flags whose occurrences add up.
var addUp = set("admission-control", "authorization-mode", "disable-admission-plugins", "enable-admission-plugins",
	"feature-gates", "service-account-key-file", "tls-cipher-suites", "tls-sni-cert-key")

// Alike reports whether both say the same of every flag.
func (f Flags) Alike(g Flags) bool {
	for name := range f {
		if _, ok := g[name]; !ok || !f.Says(g, name) {
			return false
		}
	}
	return len(f) == len(g)
}
