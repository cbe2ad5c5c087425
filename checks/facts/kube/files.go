package kube

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks/facts"
	"go.yaml.in/yaml/v3"
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
		Configuration yaml.Node
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
func (c *Component) Config(flag string, into any) (*facts.Document, error) {
	d, err := c.Document(flag)
	if err != nil {
		return nil, err
	}
	var more []string
	if minor, known := MinorVersion(c.image()); flag == "audit-policy-file" && known && minor < 24 {
		more = []string{"audit.k8s.io/v1beta1"}
	}
	if err := d.Is(kindOf[flag], more...); err != nil {
		return nil, err
	}
	if err := d.Decode(into); err != nil {
		return nil, err
	}
	if p, ok := into.(*AuditPolicy); ok {
		if problem := p.invalid(); problem != "" {
			return nil, fmt.Errorf("%s: %s, so the API server refuses it", d.File, problem)
		}
	}
	return d, nil
}

// image is that of the component's container; empty where it is in none that a manifest starts.
func (c *Component) image() string {
	if c.Pod == nil {
		return ""
	}
	return c.Pod.Image
}

// MinorVersion reads 35 from the image registry.k8s.io/kube-apiserver:v1.35.4.
func MinorVersion(image string) (int, bool) {
	image, _, _ = strings.Cut(image, "@")
	_, tag, ok := strings.Cut(image[strings.LastIndexByte(image, '/')+1:], ":v1.")
	digits := strings.FieldsFunc(tag, func(r rune) bool { return r < '0' || r > '9' })
	if !ok || len(digits) == 0 {
		return 0, false
	}
	minor, err := strconv.Atoi(digits[0])
	return minor, err == nil
}

// First returns the providers that encrypt a resource of the core group: those of the first entry that names it.
func (e *EncryptionConfig) First(resource string) []string {
	for _, r := range e.Resources {
		if !slices.Contains(r.Resources, resource) && !slices.Contains(r.Resources, "*.") &&
			!slices.Contains(r.Resources, "*.*") {
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
