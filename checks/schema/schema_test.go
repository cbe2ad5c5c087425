package schema

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestDocumentKubeadm(t *testing.T) {
	files, err := filepath.Glob("../../remediate/edit/testdata/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !Known(data) {
			t.Errorf("%s is not judged", file)
		}
		if err := Document(data, nil); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestDocument(t *testing.T) {
	kubelet := "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: x, labels: {a: b}}\nspec:\n  containers:\n  - name: c\n"
	for _, tt := range []struct{ name, data, before, want string }{
		{"a kubelet", kubelet + "protectKernelDefaults: true\nstreamingConnectionIdleTimeout: 5m\nfeatureGates: {A: " +
			"true}\neventRecordQPS: 5\n", "", ""},
		{"unknown field", kubelet + "protectKernelDefault: true\n", "", "there is no field protectKernelDefault"},
		{"unknown field that was there", kubelet + "x: 1\npodPidsLimit: 5\n", kubelet + "x: 2\n", ""},
		{"unknown field below", kubelet + "authentication:\n  anonymous:\n    enable: false\n", "",
			"there is no field authentication.anonymous.enable"},
		{"a string for a bool", kubelet + "protectKernelDefaults: \"true\"\n", "", "protectKernelDefaults must be a boolean"},
		{"a number for a duration", kubelet + "streamingConnectionIdleTimeout: 5\n", "",
			`streamingConnectionIdleTimeout must be a duration such as "5m"`},
		{"no duration", kubelet + "streamingConnectionIdleTimeout: 5 minutes\n", "",
			`streamingConnectionIdleTimeout must be a duration such as "5m"`},
		{"a bool by YAML 1.1 for a string", kubelet + "tlsMinVersion: on\n", "", "tlsMinVersion must be a string"},
		{"a scalar for a list", kubelet + "tlsCipherSuites: A\n", "", "tlsCipherSuites must be a list"},
		{"a float for an int", kubelet + "podPidsLimit: 1.5\n", "", "podPidsLimit must be a whole number"},
		{"twice", kubelet + "podPidsLimit: 1\npodPidsLimit: 2\n", "", "podPidsLimit is there twice"},
		{"two documents", kubelet + "---\n" + kubelet, "", "there is more than one document"},
		{"a pod", pod + "    command: [a, b]\n    resources: {requests: {cpu: 1, memory: 5Mi}}\n    livenessProbe: " +
			"{httpGet: {port: 80}, periodSeconds: 5}\n", "", ""},
		{"a pod's field", pod + "    commands: [a]\n", "", "there is no field spec.containers[0].commands"},
		{"a number for a word", pod + "    command: [a, 5]\n", "", "spec.containers[0].command[1] must be a string"},
		{"a mount", pod + "    volumeMounts: [{name: a, mountPath: /b, readonly: true}]\n", "",
			"there is no field spec.containers[0].volumeMounts[0].readonly"},
		{"a mapping for a list", pod + "  volumes: {a: b}\n", "", "spec.volumes must be a list"},
		{"merged", pod + "    <<: {command: 5}\n", "", "spec.containers[0].command must be a list"},
		{"audit policy", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  resource: []\n", "",
			"there is no field rules[0].resource"},
		{"encryption", "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: " +
			"[secrets]\n  providers:\n  - aescbc: {keys: [{name: a, secret: b}]}\n  - identity: {}\n", "", ""},
		{"admission", "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n- name: " +
			"EventRateLimit\n  path: e.yaml\n  configuration: {a: b}\n", "", ""},
		{"event rates", "apiVersion: eventratelimit.admission.k8s.io/v1alpha1\nkind: Configuration\nlimits:\n- {type: " +
			"Server, qps: x, burst: 1}\n", "", "limits[0].qps must be a whole number"},
		{"authentication", "apiVersion: apiserver.config.k8s.io/v1beta1\nkind: AuthenticationConfiguration\nanonymous:\n " +
			" enabled: true\n  condition: []\n", "", "there is no field anonymous.condition"},
		{"something else", "apiVersion: v1\nkind: Secret\nx: y\n", "", ""},
		{"no YAML of ours", "a: [", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Document([]byte(tt.data), []byte(tt.before))
			if got := errText(err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTypes(t *testing.T) {
	for _, tt := range []struct{ version, kind, data, want string }{
		{"kubelet.config.k8s.io/v1beta1", "KubeletConfiguration", "x: 1\nmaxPods: 1\nmaxPods: 2\npodPidsLimit: 5.0\n", ""},
		{"kubelet.config.k8s.io/v1beta1", "KubeletConfiguration", "podPidsLimit: 1\nmaxPods: x\n",
			"line 2: maxPods must be a whole number"},
		{"kubelet.config.k8s.io/v1beta1", "KubeletConfiguration", "evictionHard: []\n",
			"line 1: evictionHard must be a mapping"},
		{"kubelet.config.k8s.io/v1beta1", "KubeletConfiguration", "a: &a\n- {maxPods: x}\n<<: *a\n",
			"line 2: maxPods must be a whole number"},
		{"kubelet.config.k8s.io/v1beta1", "KubeletConfiguration", "a: &a {maxPods: 1, <<: *a}\n<<: *a\n", ""},
		{"v1", "Pod", "spec: {hostNetwork: [yes]}\n", "line 1: spec.hostNetwork must be a boolean"},
		{"v1", "Secret", "data: []\n", ""},
	} {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(tt.data), &doc); err != nil {
			t.Fatal(err)
		}
		if got := errText(Types(tt.version, tt.kind, doc.Content[0])); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.data, got, tt.want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestFlag(t *testing.T) {
	for _, tt := range []struct {
		program     string
		minor       int
		name, value string
		want        string
	}{
		{"kube-apiserver", 35, "profiling", "false", ""},
		{"kube-apiserver", 35, "profilling", "false", "kube-apiserver knows no flag --profilling"},
		{"kube-apiserver", 35, "enable-admission-plugin", "X", "kube-apiserver knows no flag --enable-admission-plugin"},
		{"kube-apiserver", 35, "profiling", "nope", "--profiling of kube-apiserver takes a boolean"},
		{"kube-apiserver", 35, "audit-log-maxage", "30d", "--audit-log-maxage of kube-apiserver takes a whole number"},
		{"kube-apiserver", 0, "request-timeout", "300", `--request-timeout of kube-apiserver takes a duration such as "5m"`},
		{"kube-apiserver", 28, "authentication-config", "/x",
			"kube-apiserver knows no flag --authentication-config before 1.29, and this is 1.28"},
		{"kube-controller-manager", 35, "terminated-pod-gc-threshold", "10", ""},
		{"kube-scheduler", 35, "bind-address", "127.0.0.1", ""},
		{"etcd", 0, "peer-client-file", "x", "etcd knows no flag --peer-client-file"},
		{"etcd", 0, "peer-client-cert-auth", "true", ""},
		{"kubelet", 0, "anonymous-auth", "false", ""},
		{"something", 0, "x", "y", ""},
	} {
		if got := errText(Flag(tt.program, tt.minor, tt.name, tt.value)); got != tt.want {
			t.Errorf("%s --%s=%s: got %q, want %q", tt.program, tt.name, tt.value, got, tt.want)
		}
	}
}

func TestBoolean(t *testing.T) {
	for _, tt := range []struct {
		program, name  string
		boolean, known bool
	}{{"kubelet", "anonymous-auth", true, true}, {"kubelet", "read-only-port", false, true},
		{"kubelet", "x", false, false}, {"dockerd", "icc", false, false}} {
		if boolean, known := Boolean(tt.program, tt.name); boolean != tt.boolean || known != tt.known {
			t.Errorf("%s --%s: %v, %v", tt.program, tt.name, boolean, known)
		}
	}
}

func FuzzDocument(f *testing.F) {
	f.Add("a: &a {b: *a}")
	f.Add("containers: [{<<: [1]}]")
	f.Fuzz(func(t *testing.T, rest string) {
		if err := Document([]byte("apiVersion: v1\nkind: Pod\n"+rest), nil); err != nil &&
			strings.Contains(err.Error(), "%!") {
			t.Error(err)
		}
	})
}
