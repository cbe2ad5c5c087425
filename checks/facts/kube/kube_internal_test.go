package kube

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestHostPath(t *testing.T) {
	p := StaticPod{Mounts: []Mounted{{Path: "/etc/kubernetes", HostPath: "/srv/k8s"},
		{Path: "/etc/kubernetes/pki", HostPath: "/srv/pki"},
		{Path: "/run/file", HostPath: "/srv/file"}, {Path: "/", HostPath: ""}}}
	for inside, want := range map[string]string{
		"/etc/kubernetes/pki/ca.crt": "/srv/pki/ca.crt", "/etc/kubernetes/x": "/srv/k8s/x", "/etc/kubernetes": "/srv/k8s",
		"/run/file": "/srv/file", "/etc/kubernetespki": "", "/var/log": "",
	} {
		if got, ok := p.Host(inside); got != want || ok != (want != "") {
			t.Errorf("%s is %q, %v; want %q", inside, got, ok, want)
		}
	}
}

func TestAuditLevel(t *testing.T) {
	var p AuditPolicy
	err := yaml.Unmarshal([]byte(`
rules:
- {level: None, users: ["system:kube-proxy"]}
- {level: None, userGroups: ["system:nodes"]}
- {level: RequestResponse, userGroups: ["system:authenticated"], verbs: [update],
   resources: [{group: "", resources: [configmaps]}]}
- {level: None, namespaces: [kube-system]}
- {level: None, nonResourceURLs: ["/healthz*"]}
- {level: Request, resources: [{group: "", resources: ["pods/*"]},
   {group: "", resources: [secrets], resourceNames: [one]}]}
- {level: Metadata, resources: [{group: "", resources: [pods]}, {group: apps}]}
`), &p)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ verb, group, resource, want string }{
		{"create", "", "pods/exec", "Request"}, {"create", "", "pods", "Metadata"},
		{"get", "apps", "deployments", "Metadata"},
		{"update", "", "configmaps", "RequestResponse"}, {"get", "", "configmaps", "None"}, {"get", "", "secrets", "None"},
		{"get", "", "services/proxy", "None"},
	} {
		if got := p.Level(test.verb, test.group, test.resource); got != test.want {
			t.Errorf("%s %s/%s: %s, want %s", test.verb, test.group, test.resource, got, test.want)
		}
	}
}

func TestEtcdField(t *testing.T) {
	for flag, want := range map[string]string{
		"cert-file": "client-transport-security.cert-file", "peer-cert-file": "peer-transport-security.cert-file",
		"peer-client-cert-auth": "peer-transport-security.client-cert-auth", "auto-tls": "client-transport-security.auto-tls",
		"data-dir": "data-dir", "listen-peer-urls": "listen-peer-urls",
	} {
		if got := strings.Join(etcdField(flag), "."); got != want {
			t.Errorf("%s is %s, want %s", flag, got, want)
		}
	}
}
