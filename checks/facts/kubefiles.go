package facts

import (
	"fmt"
	"slices"
	"strings"
)

// An AuthenticationConfig is the file of --authentication-config, as far as it says who may be anonymous.
type AuthenticationConfig struct {
	JWT       []struct{}
	Anonymous *struct {
		Enabled    bool
		Conditions []struct{ Path string }
	}
}

// An AuthorizationConfig is the file of --authorization-config: the authorizers in the order in which they are asked.
type AuthorizationConfig struct {
	Authorizers []struct{ Type, Name string }
}

// An EncryptionConfig is the file of --encryption-provider-config. Of providers only the names are read: what is below
// them are keys.
type EncryptionConfig struct {
	Resources []struct {
		Resources []string
		Providers []map[string]struct{}
	}
}

// An AdmissionConfig is the file of --admission-control-config-file.
type AdmissionConfig struct {
	Plugins []struct {
		Name, Path    string
		Configuration map[string]any
	}
}

// An AuditPolicy is the file of --audit-policy-file. Of its rules the first that matches a request counts.
type AuditPolicy struct {
	Rules []AuditPolicyRule
}

// An AuditPolicyRule says at which level requests are recorded.
type AuditPolicyRule struct {
	Level           string
	Users           []string
	UserGroups      []string `yaml:"userGroups"`
	Verbs           []string
	Namespaces      []string
	NonResourceURLs []string `yaml:"nonResourceURLs"`
	Resources       []struct {
		Group         string
		Resources     []string
		ResourceNames []string `yaml:"resourceNames"`
	}
}

// The kinds of the files that the API server's flags name.
var kindOf = map[string]string{
	"authentication-config": "AuthenticationConfiguration", "authorization-config": "AuthorizationConfiguration",
	"encryption-provider-config": "EncryptionConfiguration", "admission-control-config-file": "AdmissionConfiguration",
	"audit-policy-file": "Policy",
}

// Config reads the file that one of the API server's flags names, into the type that goes with the flag. It fails where
// the file is of another kind: the API server does not start with it.
func (c *Component) Config(flag string, into any) (*Document, error) {
	d, err := c.Document(flag)
	if err != nil {
		return nil, err
	}
	if kind := d.Text("kind"); kind != kindOf[flag] {
		return nil, fmt.Errorf("%s: its kind is %q, not %s", d.File, kind, kindOf[flag])
	}
	return d, d.Decode(into)
}

// First returns the providers that encrypt a resource of the core group: those of the first entry that names it.
func (e *EncryptionConfig) First(resource string) []string {
	for _, r := range e.Resources {
		if !slices.Contains(r.Resources, resource) && !slices.Contains(r.Resources, "*.") && !slices.Contains(r.Resources, "*.*") {
			continue
		}
		names := []string{}
		for _, p := range r.Providers {
			for name := range p {
				names = append(names, name)
			}
		}
		return names
	}
	return nil
}

// Level is how a request by an ordinary user, in an ordinary namespace, is recorded: "None", "Metadata", "Request" or
// "RequestResponse". resource may be a subresource, "pods/exec". Rules for certain users, groups, namespaces or names match
// no ordinary request. Source: kubernetes apiserver/pkg/audit/policy/checker.go.
func (p *AuditPolicy) Level(verb, group, resource string) string {
	for _, r := range p.Rules {
		if r.ordinary() && (len(r.Verbs) == 0 || slices.Contains(r.Verbs, verb) || slices.Contains(r.Verbs, "*")) && r.about(group, resource) {
			return r.Level
		}
	}
	return "None"
}

func (r *AuditPolicyRule) ordinary() bool {
	everybody := len(r.UserGroups) == 0 || slices.Contains(r.UserGroups, "system:authenticated")
	return len(r.Users) == 0 && everybody && len(r.Namespaces) == 0
}

func (r *AuditPolicyRule) about(group, resource string) bool {
	if len(r.Resources) == 0 {
		return len(r.NonResourceURLs) == 0
	}
	for _, g := range r.Resources {
		if g.Group != group || len(g.ResourceNames) > 0 {
			continue
		}
		if len(g.Resources) == 0 {
			return true
		}
		for _, pattern := range g.Resources {
			main, sub, isSub := strings.Cut(resource, "/")
			before, after, _ := strings.Cut(pattern, "/")
			if pattern == resource || pattern == "*" || isSub && (before == main && after == "*" || before == "*" && after == sub) {
				return true
			}
		}
	}
	return false
}
