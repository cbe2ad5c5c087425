package facts

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/schema"
)

// versions are the apiVersions of each kind that a program of Kubernetes accepts in a file of its own. With any other
// it does not start. Source: the schemes of k8s.io/kubernetes and k8s.io/apiserver, 1.22 to 1.35.
var versions = map[string][]string{
	"Pod":                  {"v1"},
	"KubeletConfiguration": {"kubelet.config.k8s.io/v1beta1"},
	"AuthenticationConfiguration": {"apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1",
		"apiserver.config.k8s.io/v1alpha1"},
	"AuthorizationConfiguration": {"apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1",
		"apiserver.config.k8s.io/v1alpha1"},
	"EncryptionConfiguration": {"apiserver.config.k8s.io/v1"},
	"AdmissionConfiguration":  {"apiserver.config.k8s.io/v1", "apiserver.k8s.io/v1alpha1"},
	"Configuration":           {"eventratelimit.admission.k8s.io/v1alpha1"}, // of EventRateLimit
	"KubeProxyConfiguration":  {"kubeproxy.config.k8s.io/v1alpha1"},
	"Policy":                  {"audit.k8s.io/v1"},
	"KubeSchedulerConfiguration": {"kubescheduler.config.k8s.io/v1", "kubescheduler.config.k8s.io/v1beta3",
		"kubescheduler.config.k8s.io/v1beta2", "kubescheduler.config.k8s.io/v1beta1"},
}

// fields are those that a kind has, by the place of the object in it, where its program refuses a file with any
// other: the kubelet and the audit policy only warn. "[]" is each element of a list.
var fields = map[string]map[string][]string{
	"AuthenticationConfiguration": {
		"":                       {"apiVersion", "kind", "jwt", "anonymous"},
		"anonymous":              {"enabled", "conditions"},
		"anonymous.conditions[]": {"path"},
	},
	"AuthorizationConfiguration": {
		"":              {"apiVersion", "kind", "authorizers"},
		"authorizers[]": {"type", "name", "webhook"},
	},
	"EncryptionConfiguration": {
		"":                        {"apiVersion", "kind", "resources"},
		"resources[]":             {"resources", "providers"},
		"resources[].providers[]": {"aesgcm", "aescbc", "secretbox", "identity", "kms"},
	},
}

// Is returns an error unless the program that reads a document of this kind takes it for one.
func (d *Document) Is(kind string, more ...string) error {
	if got := d.Text("kind"); got != kind {
		return fmt.Errorf("%s: its kind is %q, not %s", d.File, got, kind)
	}
	if got := d.Text("apiVersion"); !slices.Contains(append(more, versions[kind]...), got) {
		return fmt.Errorf("%s: apiVersion: %q is refused for kind %s; use %s", d.File, got, kind, versions[kind][0])
	}
	if d.brace != nil {
		return fmt.Errorf("%s: %w", d.File, d.brace)
	}
	if known := fields[kind]; known != nil {
		if err := d.onlyKnown(d.root, "", known); err != nil {
			return err
		}
	}
	return d.typed(d.Text("apiVersion"), kind)
}

// IsKubeconfig returns an error unless a program takes the document for a kubeconfig, which need not say that it is
// one.
// Source: k8s.io/client-go tools/clientcmd, Load.
func (d *Document) IsKubeconfig() error { return d.typed("v1", "Config") }

// typed returns an error where any field has a value of another type than its kind has there: the whole file is refused
// then, so that no other field of it counts.
func (d *Document) typed(version, kind string) error {
	if err := schema.Types(version, kind, d.root); err != nil {
		return fmt.Errorf("%s: %w: its program refuses the file", d.File, err)
	}
	return nil
}

func (d *Document) onlyKnown(n *yaml.Node, at string, known map[string][]string) error {
	n = resolve(n)
	allowed, ok := known[at]
	switch {
	case n.Kind == yaml.SequenceNode:
		for _, e := range n.Content {
			if err := d.onlyKnown(e, at+"[]", known); err != nil {
				return err
			}
		}
		return nil
	case !ok || n.Kind != yaml.MappingNode:
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Tag != mergeTag && !slices.Contains(allowed, key.Value) {
			return fmt.Errorf("%s: line %d: unknown field %q: its program refuses the file; valid: %s", d.File, key.Line,
				key.Value, strings.Join(allowed, ", "))
		}
		if err := d.onlyKnown(n.Content[i+1], strings.TrimPrefix(at+"."+key.Value, "."), known); err != nil {
			return err
		}
	}
	return nil
}

// mergeTag is that of a key `<<`, which brings the keys of other objects into its own. The readers of Kubernetes take
// it so, though JSON has nothing like it. Source: sigs.k8s.io/yaml, YAMLToJSON.
const mergeTag = "!!merge"

// merged are the objects that an object brings in, what counts first first.
func merged(n *yaml.Node) (all []*yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != mergeTag {
			continue
		}
		from := resolve(n.Content[i+1])
		if from.Kind == yaml.SequenceNode {
			for _, e := range from.Content {
				all = append(all, resolve(e))
			}
			continue
		}
		all = append(all, from)
	}
	return all
}

// member is the value that an object has for a key, its own or one that it brings in; nil where it has none.
func member(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && n.Content[i].Tag != mergeTag {
			return resolve(n.Content[i+1])
		}
	}
	for _, from := range merged(n) {
		if v := member(from, key); v != nil {
			return v
		}
	}
	return nil
}

// unambiguous returns an error where an object has a key twice, or has one that it also brings in: of those one
// reader takes the one, one the other, and a strict one refuses the file.
func unambiguous(n *yaml.Node, known map[*yaml.Node]map[string]bool) error {
	if n.Kind == yaml.AliasNode {
		return nil
	}
	if n.Kind == yaml.MappingNode {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if seen[k.Value] {
				return fmt.Errorf("line %d: duplicate key %q", k.Line, k.Value)
			}
			seen[k.Value] = true
		}
		for _, from := range merged(n) {
			for key := range keysOf(from, known) {
				if seen[key] {
					return fmt.Errorf("line %d: %q is given and merged in: programs disagree which counts", n.Line, key)
				}
				seen[key] = true
			}
		}
	}
	for _, c := range n.Content {
		if err := unambiguous(c, known); err != nil {
			return err
		}
	}
	return nil
}

// keysOf are the keys of an object, those that it brings in too. known remembers each object: aliases of aliases have
// no end of paths.
func keysOf(n *yaml.Node, known map[*yaml.Node]map[string]bool) map[string]bool {
	if keys, ok := known[n]; ok {
		return keys
	}
	keys := map[string]bool{}
	known[n] = keys
	if n.Kind != yaml.MappingNode {
		return keys
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != mergeTag {
			keys[n.Content[i].Value] = true
		}
	}
	for _, from := range merged(n) {
		for key := range keysOf(from, known) {
			keys[key] = true
		}
	}
	return keys
}
