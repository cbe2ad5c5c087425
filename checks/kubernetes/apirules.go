package kubernetes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/want"
)

// ours is the directory of the files that harden gives the API server. The whole of it is mounted into the pod: a file
// that is mounted by itself stays what it was when it is replaced.
const ours = "/etc/kubernetes/harden"

var oursMounted = want.Mount{Path: ours, Type: "DirectoryOrCreate", ReadOnly: true}

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

// healthPaths are what may be asked without credentials; the last is what `kubeadm join` reads.
var healthPaths = []string{"/livez", "/readyz", "/healthz", "/api/v1/namespaces/kube-public/configmaps/cluster-info"}

// anonymous judges --anonymous-auth and the file that can limit it to paths; only one of the two may say it.
func anonymous(h *facts.Host) ([]checks.Finding, error) {
	n, c, err := component(h, facts.APIServer)
	if err != nil {
		return nil, err
	}
	flag := arg(facts.APIServer, "anonymous-auth", true)
	f := checks.Finding{Subject: "kube-apiserver anonymous callers", Must: "refused, or " +
		"limited to " + strings.Join(healthPaths[:3], ", ")}
	if file, ok := c.Next.Last("authentication-config"); ok {
		var config facts.AuthenticationConfig
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
			f.Reason = fmt.Sprintf("leave only the paths %s in anonymous.conditions of %s, and start the API server again",
				strings.Join(healthPaths[:3], ", "), d.File)
			return []checks.Finding{f}, nil
		}
		if s, err := flag.read(c); err != nil || !s.Value {
			return nil, err
		}
		f.Got = "let in: neither --anonymous-auth nor " + file + " says otherwise"
		f.Reason = fmt.Sprintf("add to %s: `anonymous: {enabled: true, conditions: [{path: /livez}, {path: /readyz}, "+
			"{path: /healthz}]}`, "+
			"and start the API server again", file)
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
func limitAnonymous(n *facts.Node, c *facts.Component, s said[bool]) ([]want.Want, string) {
	if n.Flavour.Generated() || c.Pod == nil {
		return change(n, c, "anonymous-auth", s.from, "false", nil)
	}
	probed := slices.ContainsFunc(c.Pod.Probes, func(p facts.Probe) bool { return !p.Proof })
	minor, known := facts.MinorVersion(c.Pod.Image)
	why := ""
	for name := range c.Next {
		if strings.HasPrefix(name, "oidc-") {
			why = "--" + name + " cannot stand beside a file of --authentication-config: move what it says into jwt of such a " +
				"file first"
		}
	}
	switch {
	case why != "":
	case !known:
		why = fmt.Sprintf("the version of %s cannot be told, and an API server before 1.32 cannot limit anonymous callers "+
			"to paths", c.Pod.Image)
	case minor < 32 && !probed:
		return change(n, c, "anonymous-auth", s.from, "false", nil)
	case minor < 32:
		why = fmt.Sprintf("Kubernetes 1.%d cannot limit them to paths", minor)
	}
	if why != "" && probed {
		why += ". --anonymous-auth=false is refused here: the kubelet's own probes are anonymous, and it would start the " +
			"API server " +
			"again for ever"
	}
	if why != "" {
		return nil, why
	}
	version := "apiserver.config.k8s.io/v1"
	if minor < 34 {
		version += "beta1"
	}
	file := ours + "/authentication.yaml"
	wants := []want.Want{fileFor(c, file, "# Written by harden; \"harden rollback\" takes it back.\n"+
		"# Only the paths that the kubelet's probes ask are open to callers without credentials.\n"+
		"apiVersion: "+version+"\nkind: AuthenticationConfiguration\nanonymous:\n  enabled: true\n  conditions:\n"+
		"  - path: /livez\n  - path: /readyz\n  - path: /healthz\n")}
	flag, _ := change(n, c, "authentication-config", facts.Saying{}, file, nil, oursMounted)
	wants = append(wants, flag...)
	if s.ok {
		gone, _ := change(n, c, "anonymous-auth", s.from, "", &want.PodFlag{Gone: true})
		wants = append(wants, gone...)
	}
	return wants, ""
}

// authorized judges the authorizers that the API server asks, by the flag or by the file that takes its place. Where
// neither says anything it asks none and allows all.
func authorized(must string, holds func(modes []string) bool) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		_, c, err := component(h, facts.APIServer)
		if err != nil {
			return nil, err
		}
		if _, ok := c.Next.Last("authorization-config"); ok {
			return authorizedByFile(c, must, holds)
		}
		return arg(facts.APIServer, "authorization-mode", []string{"AlwaysAllow"}).Must(be.Cond[[]string]{
			Text:  must,
			Holds: holds,
			Nearest: func(got []string) ([]string, bool) {
				kept := without(got, []string{"AlwaysAllow", "Node", "RBAC"})
				return append([]string{"Node", "RBAC"}, kept...), true
			},
		}).Judge(h)
	})
}

func authorizedByFile(c *facts.Component, must string, holds func(modes []string) bool) ([]checks.Finding, error) {
	var config facts.AuthorizationConfig
	d, err := c.Config("authorization-config", &config)
	if err != nil {
		return nil, err
	}
	var modes []string
	for _, a := range config.Authorizers {
		modes = append(modes, a.Type)
	}
	f := checks.Finding{Subject: "kube-apiserver --authorization-config", Got: cmp.Or(flagText(modes),
		rule.Unset) + " by " + d.File, Must: must}
	if holds(modes) {
		return nil, nil // the API server reads this file again by itself when it changes
	}
	f.Reason = fmt.Sprintf("make the authorizers of %s Node and RBAC, each `{type: …, name: …}`, and none of them "+
		"AlwaysAllow; the API "+
		"server takes it up by itself", d.File)
	return []checks.Finding{f}, nil
}

// tokenKey is given by a file, or by a signer outside that also says how to verify.
func tokenKey(h *facts.Host) ([]checks.Finding, error) {
	_, c, err := component(h, facts.APIServer)
	if err != nil {
		return nil, err
	}
	if e, ok := c.Next.Last("service-account-signing-endpoint"); ok && e != "" {
		return nil, nil
	}
	return namedFile(facts.APIServer, [2]string{"service-account-key-file", pki + "sa.pub"}).Judge(h)
}

const encryptionSteps = "a key cannot be taken back once Secrets are written with it, and every control-plane node " +
	"needs the same one: so by hand. " +
	"1. Make a key (`head -c 32 /dev/urandom | base64`) and keep a copy outside the cluster. 2. On every control-plane " +
	"node write " +
	"/etc/kubernetes/harden/encryption.yaml, mode 0600: `{apiVersion: apiserver.config.k8s.io/v1, " +
	"kind: EncryptionConfiguration, resources: " +
	"[{resources: [secrets], providers: [{identity: {}}, {secretbox: {keys: [{name: key1, secret: …}]}}]}]}` " +
	"with the key in the place of …, mount the directory and pass " +
	"--encryption-provider-config. 3. When all of them run with it, put secretbox before identity on each, one after " +
	"the other. 4. Write the " +
	"Secrets again: `kubectl get secrets -A -o json | kubectl replace -f -`"

// encryption judges whether a readable configuration is named. What it says of Secrets is judged by another item.
func encryption(h *facts.Host) ([]checks.Finding, error) {
	n, c, err := component(h, facts.APIServer)
	if err != nil {
		return nil, err
	}
	const flag = "encryption-provider-config"
	s, err := arg(facts.APIServer, flag, "").read(c)
	if err != nil && !c.Open {
		return nil, err
	}
	if s.Value != "" {
		var config facts.EncryptionConfig
		_, err := c.Config(flag, &config)
		return nil, err
	}
	f := checks.Finding{Subject: "kube-apiserver --" + flag, Got: s.String(), Must: "set"}
	switch n.Flavour {
	case facts.K3s:
		doc, err := h.Document("/etc/rancher/k3s/config.yaml")
		if err == nil && doc.Text("secrets-encryption") == "true" {
			return nil, nil
		}
		if _, e := h.Info(h.DataDir(facts.K3s) + "/server/cred/encryption-config.json"); e == nil {
			return nil, nil
		}
		f.Reason = "put `secrets-encryption: true` into /etc/rancher/k3s/config.yaml and follow `k3s secrets-encrypt enable`"
	case facts.MicroK8s, facts.Talos:
		f.Reason = instead(n.Flavour, c.Name, flag+"=FILE")
	}
	return []checks.Finding{f}, nil
}

// encrypting are the providers that the benchmark accepts: aesgcm is none, since its keys must be changed too often.
var encrypting = []string{"secretbox", "kms", "aescbc"}

func encryptsSecrets(h *facts.Host) ([]checks.Finding, error) {
	_, c, err := component(h, facts.APIServer)
	if err != nil {
		return nil, err
	}
	const flag = "encryption-provider-config"
	if file, ok := c.Next.Last(flag); !ok || file == "" {
		if c.Open {
			return nil, open(c, flag)
		}
		return nil, rule.Inapplicable("nothing is encrypted: --%s is not passed", flag)
	}
	var config facts.EncryptionConfig
	d, err := c.Config(flag, &config)
	if err != nil {
		return nil, err
	}
	f := checks.Finding{Subject: "encryption of secrets", Must: "by " + strings.Join(encrypting, ", ") + " first"}
	providers := config.First("secrets")
	switch {
	case len(providers) == 0:
		f.Got = "no entry of " + d.File + " names them"
	case !slices.Contains(encrypting, providers[0]):
		f.Got = providers[0] + " comes first in " + d.File
	case !c.Loaded(d) && !reloads(c):
		f.Got, f.Pending = providers[0]+" comes first in "+d.File+", which is newer than the running process", true
		f.Reason = "start the API server again: it has not read the file as it is now"
	default:
		return nil, nil
	}
	return []checks.Finding{f}, nil
}

// reloads reports whether the API server reads its encryption configuration again when it changes.
func reloads(c *facts.Component) bool {
	yes, _ := c.Next.Bool("encryption-provider-config-automatic-reload")
	return yes
}

func apiServerCiphers(h *facts.Host) ([]checks.Finding, error) {
	_, c, err := component(h, facts.APIServer)
	if err != nil {
		return nil, err
	}
	version := arg(facts.APIServer, "tls-min-version", "")
	if v, ok := c.Next.Last("tls-min-version"); ok && v == "VersionTLS13" {
		return version.Must(be.Equal("VersionTLS13")).Judge(h)
	}
	return arg(facts.APIServer, "tls-cipher-suites", []string(nil)).Must(strongSuites).Judge(h)
}
