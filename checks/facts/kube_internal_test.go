package facts

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/budget"
)

func TestParseKubeFlags(t *testing.T) {
	var tokens []Token
	for _, w := range []string{"--anonymous_auth=false", "--config", "/c.yaml", "--profiling", "-v=2", "--pod-max-pids",
		"-1", "--feature-gates=A=true,B=false", "--feature-gates", "C=true", "-auto-tls", "--seccomp-default", "stray",
		"--client-ca-file=", "--", "--last=1"} {
		tokens = append(tokens, Token{Text: w, File: "unit"})
	}
	flags := parseKubeFlags(tokens)
	got := map[string][]string{}
	for name, f := range flags {
		got[name] = f.Values
	}
	want := map[string][]string{"anonymous-auth": {"false"}, "config": {"/c.yaml"}, "profiling": {"true"}, "v": {"2"},
		"pod-max-pids":  {"-1"},
		"feature-gates": {"A=true,B=false", "C=true"}, "auto-tls": {"true"}, "seccomp-default": {"true"},
		"client-ca-file": {""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"A=true", "B=false", "C=true"}, flags.List("feature-gates")); diff != "" {
		t.Errorf("List (-want +got)\n%s", diff)
	}
	if name := flags["anonymous-auth"].Name; name != "anonymous_auth" {
		t.Errorf("spelt %q", name)
	}
}

func TestFlagsAlike(t *testing.T) {
	parse := func(line string) Flags {
		var tokens []Token
		for w := range strings.FieldsSeq(line) {
			tokens = append(tokens, Token{Text: w})
		}
		return parseKubeFlags(tokens)
	}
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"--profiling=false --v=2", "--v=2 --profiling=false", true},
		{"--profiling=0", "--profiling=false", true},
		{"--profiling", "--profiling=true", true},
		{"--v=1 --v=2", "--v=2", true}, // the last counts
		{"--v=1", "--v=2", false},
		{"--enable-admission-plugins=A --enable-admission-plugins=B", "--enable-admission-plugins=A,B", true}, // these add up
		{"--enable-admission-plugins=A", "--enable-admission-plugins=A,B", false},
		{"--v=1", "--v=1 --profiling", false},
	} {
		if got := parse(test.a).alike(parse(test.b)); got != test.want {
			t.Errorf("%q and %q: alike %v", test.a, test.b, got)
		}
	}
}

func TestParseYAML(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\nb: {c: [x]}\n":        "",
		"# comment\na: 1\n---\n":     "",
		`{"a": 1}`:                   "",
		"":                           "the file is empty",
		"# only a comment\n":         "the file is empty",
		"[1]":                        "line 1: the top level is not an object",
		"text":                       "line 1: the top level is not an object",
		"a: 1\nb:\n  c: 1\n  c: 2\n": `line 4: duplicate key "c"`,
		"a: 1\n---\nb: 2\n":          "line 3: a second document begins, which nothing reads",
		"a: [\n":                     "line 1: did not find expected node content",
		"a: b: c":                    "line 1: mapping values are not allowed in this context",
	} {
		got := ""
		if _, err := parseYAML(budget.New("", nil), []byte(text)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: (-want +got)\n%s", text, cmp.Diff(want, got))
		}
	}
}

// TestLook merges as RFC 7386 does, and quotes nothing of a value of the wrong type.
func TestLook(t *testing.T) {
	root, err := parseYAML(budget.New("", nil), []byte("a: {b: 1, c: null, d: &x secret}\ne: null\nf: 7\ng: *x\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := &Document{File: "/f", root: root}
	for field, want := range map[string]found{
		"a": said, "a.b": said, "a.c": removed, "a.z": silent, "e": removed, "e.z": removed, "f.z": removed, "z": silent,
		"g": said,
	} {
		if _, got := d.look(strings.Split(field, ".")); got != want {
			t.Errorf("%s: %d, want %d", field, got, want)
		}
	}
	if got := d.Text("g"); got != "secret" {
		t.Errorf("through its alias g is %q", got)
	}
	v, _ := d.At("a", "d")
	var n int
	if err := v.Decode(&n); err == nil || err.Error() != "/f: line 1: a value of another type is expected" {
		t.Errorf("error %v", err)
	}
}

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
	root, err := parseYAML(budget.New("", nil), []byte(`
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
`))
	if err != nil {
		t.Fatal(err)
	}
	var p AuditPolicy
	if err := (Value{"/p", root}).Decode(&p); err != nil {
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
