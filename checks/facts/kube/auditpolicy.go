package kube

import (
	"fmt"
	"slices"
	"strings"
)

// An AuditPolicy is the file of --audit-policy-file. Of its rules the first that matches a request counts.
type AuditPolicy struct {
	OmitStages []string `yaml:"omitStages"`
	Rules      []AuditPolicyRule
}

// An AuditPolicyRule says at which level requests are recorded.
type AuditPolicyRule struct {
	Level           string
	Users           []string
	UserGroups      []string `yaml:"userGroups"`
	Verbs           []string
	Namespaces      []string
	NonResourceURLs []string `yaml:"nonResourceURLs"`
	OmitStages      []string `yaml:"omitStages"`
	Resources       []struct {
		Group         string
		Resources     []string
		ResourceNames []string `yaml:"resourceNames"`
	}
}

// The levels and stages that a policy can name. They are told apart by case.
var (
	auditLevels = []string{"None", "Metadata", "Request", "RequestResponse"}
	auditStages = []string{"RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"}
)

// invalid says why the API server refuses the policy; empty where it does not.
// Source: k8s.io/apiserver pkg/apis/audit/validation, pkg/audit/policy/reader.go.
func (p *AuditPolicy) invalid() string {
	if len(p.Rules) == 0 {
		return "it has no rules"
	}
	for i, r := range append([]AuditPolicyRule{{Level: "None", OmitStages: p.OmitStages}}, p.Rules...) {
		at := fmt.Sprintf("rule %d", i)
		if i == 0 {
			at = "omitStages"
		}
		if !slices.Contains(auditLevels, r.Level) {
			return fmt.Sprintf("%s: level is %q; valid: %s", at, r.Level, strings.Join(auditLevels, ", "))
		}
		for _, s := range r.OmitStages {
			if !slices.Contains(auditStages, s) {
				return fmt.Sprintf("%s: unknown stage %q; valid: %s", at, s, strings.Join(auditStages, ", "))
			}
		}
		if len(r.NonResourceURLs) > 0 && len(r.Resources)+len(r.Namespaces) > 0 {
			return at + ": nonResourceURLs cannot stand beside resources or namespaces"
		}
		for _, u := range r.NonResourceURLs {
			if u != "*" && (!strings.HasPrefix(u, "/") || strings.Contains(strings.TrimSuffix(u, "*"), "*")) {
				return fmt.Sprintf("%s: nonResourceURLs: %q is not a path", at, u)
			}
		}
		for _, g := range r.Resources {
			if strings.Contains(g.Group, "/") || len(g.ResourceNames) > 0 && len(g.Resources) == 0 {
				return at + ": resources: a group has no version, and resourceNames go with resources"
			}
		}
	}
	return ""
}

// recorded is the level of a rule, "None" where the stages that it and the policy leave out are all there are.
func (p *AuditPolicy) recorded(r *AuditPolicyRule) string {
	for _, s := range auditStages {
		if !slices.Contains(p.OmitStages, s) && !slices.Contains(r.OmitStages, s) {
			return r.Level
		}
	}
	return "None"
}

// Records reports whether any rule has anything recorded.
func (p *AuditPolicy) Records() bool {
	return slices.ContainsFunc(p.Rules, func(r AuditPolicyRule) bool { return p.recorded(&r) != "None" })
}

// Level is how a request by an ordinary user, in an ordinary namespace, is recorded: "None", "Metadata", "Request" or
// "RequestResponse". resource may be a subresource, "pods/exec". Rules for certain users, groups, namespaces or names
// match no ordinary request. Source: kubernetes apiserver/pkg/audit/policy/checker.go.
func (p *AuditPolicy) Level(verb, group, resource string) string {
	for _, r := range p.Rules {
		if r.ordinary() && (len(r.Verbs) == 0 || slices.Contains(r.Verbs, verb) || slices.Contains(r.Verbs, "*")) &&
			r.about(group, resource) {
			return p.recorded(&r)
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
			if pattern == resource || pattern == "*" ||
				isSub && (before == main && after == "*" || before == "*" && after == sub) {
				return true
			}
		}
	}
	return false
}
