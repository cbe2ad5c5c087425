package edit_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/aymanbagabas/go-udiff"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/want"
	"example.com/harden/remediate/edit"
)

// changed is the lines that came and went, without what is around them.
func changed(before, after []byte) string {
	var lines []string
	for line := range strings.Lines(udiff.Unified("before", "after", string(before), string(after))) {
		if (line[0] == '+' || line[0] == '-') && !strings.HasPrefix(line, "+++") && !strings.HasPrefix(line, "---") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func kubeadm(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPodFlagKubeadm(t *testing.T) {
	apiserver := func(w want.PodFlag) want.PodFlag { w.Container = "kube-apiserver"; return w }
	for _, tt := range []struct {
		name, file string
		want       want.PodFlag
		diff       string
	}{
		{"a new flag where kubeadm would put it", "kube-apiserver.yaml",
			apiserver(want.PodFlag{Name: "profiling", Value: "false"}),
			"+    - --profiling=false\n"},
		{"the last", "kube-apiserver.yaml", apiserver(want.PodFlag{Name: "tls-cipher-suites", Add: []string{"A", "B"}}),
			"+    - --tls-cipher-suites=A,B\n"},
		{"another value", "kube-apiserver.yaml", apiserver(want.PodFlag{Name: "secure-port", Value: "6444"}),
			"-    - --secure-port=6443\n+    - --secure-port=6444\n"},
		{"the same value", "kube-apiserver.yaml", apiserver(want.PodFlag{Name: "secure-port", Value: "6443"}), ""},
		{"one more token", "kube-apiserver.yaml",
			apiserver(want.PodFlag{Name: "enable-admission-plugins", Add: []string{"EventRateLimit"}}),
			"-    - --enable-admission-plugins=NodeRestriction\n" +
				"+    - --enable-admission-plugins=NodeRestriction,EventRateLimit\n"},
		{"a token that is there", "kube-apiserver.yaml",
			apiserver(want.PodFlag{Name: "enable-admission-plugins", Add: []string{"NodeRestriction"}}), ""},
		{"the only token goes", "kube-apiserver.yaml",
			apiserver(want.PodFlag{Name: "enable-admission-plugins", Drop: []string{"NodeRestriction"}}),
			"-    - --enable-admission-plugins=NodeRestriction\n"},
		{"gone", "kube-apiserver.yaml", apiserver(want.PodFlag{Name: "client-ca-file", Gone: true}),
			"-    - --client-ca-file=/etc/kubernetes/pki/ca.crt\n"},
		{"a gate's token", "etcd.yaml", want.PodFlag{Container: "etcd", Name: "feature-gates",
			Add: []string{"InitialCorruptCheck=false", "X=true"}},
			"-    - --feature-gates=InitialCorruptCheck=true\n+    - --feature-gates=InitialCorruptCheck=false,X=true\n"},
		{"a file that is mounted already", "kube-apiserver.yaml",
			apiserver(want.PodFlag{Name: "encryption-provider-config", Value: "/etc/kubernetes/pki/enc.yaml",
				Mounts: []want.Mount{{Path: "/etc/kubernetes/pki/enc.yaml", Type: "File", ReadOnly: true}}}),
			"+    - --encryption-provider-config=/etc/kubernetes/pki/enc.yaml\n"},
		{"a file and a directory to see", "kube-apiserver.yaml",
			apiserver(want.PodFlag{Name: "audit-policy-file", Value: "/etc/kubernetes/audit/Policy.yaml",
				Mounts: []want.Mount{{Path: "/etc/kubernetes/audit/Policy.yaml", Type: "File", ReadOnly: true},
					{Path: "/var/log/kubernetes/audit", Type: "DirectoryOrCreate"}}}),
			`+    - --audit-policy-file=/etc/kubernetes/audit/Policy.yaml
+    - mountPath: /etc/kubernetes/audit/Policy.yaml
+      name: harden-policy
+      readOnly: true
+    - mountPath: /var/log/kubernetes/audit
+      name: harden-audit
+  - hostPath:
+      path: /etc/kubernetes/audit/Policy.yaml
+      type: File
+    name: harden-policy
+  - hostPath:
+      path: /var/log/kubernetes/audit
+      type: DirectoryOrCreate
+    name: harden-audit
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := kubeadm(t, tt.file)
			after, err := edit.PodFlag(before, tt.want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.diff, changed(before, after)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			again, err := edit.PodFlag(after, tt.want)
			if err != nil || &again[0] != &after[0] {
				t.Errorf("the second edit changed %q, %v", changed(after, again), err)
			}
		})
	}
}

const podHead = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n"

func TestPodFlag(t *testing.T) {
	flag := func(name, value string) want.PodFlag { return want.PodFlag{Container: "c", Name: name, Value: value} }
	logs := want.PodFlag{Container: "c", Name: "l", Value: "/var/log/a/x",
		Mounts: []want.Mount{{Path: "/var/log/a", Type: "DirectoryOrCreate"}}}
	for _, tt := range []struct {
		name, in string
		want     want.PodFlag
		out      string
	}{
		{"the other container stays", "  - name: b\n    command: [x, --f=1]\n  - name: c\n    command: [x, --f=1]\n",
			flag("f", "2"),
			"  - name: b\n    command: [x, --f=1]\n  - name: c\n    command: [x, --f=2]\n"},
		{"args", "  - name: c\n    command:\n    - x\n    args: # all of them\n    - --z=1 # last\n    - --a=1\n",
			flag("f", "2"),
			"  - name: c\n    command:\n    - x\n    args: # all of them\n    - --z=1 # last\n    - --a=1\n    - --f=2\n"},
		{"only args", "  - name: c\n    args:\n    - --z=1\n", flag("f", "2"),
			"  - name: c\n    args:\n    - --z=1\n    - --f=2\n"},
		{"in two words", "  - name: c\n    command:\n    - x\n    - --f # the flag\n    - a # its value\n    - --g\n",
			flag("f", "b"),
			"  - name: c\n    command:\n    - x\n    - --f # the flag\n    - b # its value\n    - --g\n"},
		{"gone in two words", "  - name: c\n    command:\n    - x\n    - --f\n    - a\n    - --g\n",
			want.PodFlag{Container: "c", Name: "f", Gone: true},
			"  - name: c\n    command:\n    - x\n    - --g\n"},
		{"a boolean without a value", "  - name: c\n    command: [x, --f, --g]\n", flag("f", "false"),
			"  - name: c\n    command: [x, --f=false, --g]\n"},
		{"an underscore", "  - name: c\n    command: [x, --f_g=1]\n", flag("f-g", "2"),
			"  - name: c\n    command: [x, --f_g=2]\n"},
		{"one dash", "  - name: c\n    command: [x, -f=1]\n", flag("f", "2"), "  - name: c\n    command: [x, -f=2]\n"},
		{"twice, and once in args", "  - name: c\n    command:\n    - x\n    - --f=1\n    - --g\n    - --f=2\n    args:\n" +
			"    - --f=3\n    - --h\n", flag("f", "4"),
			"  - name: c\n    command:\n    - x\n    - --g\n    args:\n    - --f=4\n    - --h\n"},
		{"a list in two places", "  - name: c\n    command:\n    - x\n    - --l=a,b\n    - --l=c\n",
			want.PodFlag{Container: "c", Name: "l", Add: []string{"d"}, Drop: []string{"b"}},
			"  - name: c\n    command:\n    - x\n    - --l=a,c,d\n"},
		{"a list whose last counts", "  - name: etcd\n    command:\n    - x\n    - --l=a,b\n    - --l=c\n",
			want.PodFlag{Container: "etcd", Name: "l", Add: []string{"d"}},
			"  - name: etcd\n    command:\n    - x\n    - --l=c,d\n"},
		{"a value that needs quotes", "  - name: c\n    command:\n    - x\n", flag("f", "a: b #c"),
			"  - name: c\n    command:\n    - x\n    - \"--f=a: b #c\"\n"},
		{"quotes are kept", "  - name: c\n    command:\n    - 'x'\n    - '--f=1'\n    - \"--g\"\n", flag("f", "2"),
			"  - name: c\n    command:\n    - 'x'\n    - '--f=2'\n    - \"--g\"\n"},
		{"an alias becomes a list of its own", "  - name: d\n    command: &x [x, --f=1]\n  - name: c\n    command: *x\n",
			flag("f", "2"),
			"  - name: d\n    command: &x [x, --f=1]\n  - name: c\n    command:\n    - x\n    - --f=2\n"},
		{"a boolean that has what is wanted", "  - name: c\n    command: [x, --f, --g]\n", flag("f", "true"),
			"  - name: c\n    command: [x, --f, --g]\n"},
		{"a boolean at the end", "  - name: c\n    command: [x, --f]\n", flag("f", "true"),
			"  - name: c\n    command: [x, --f]\n"},
		{"a list that is there once, of etcd", "  - name: etcd\n    command:\n    - x\n    - --l=a,b\n",
			want.PodFlag{Container: "etcd", Name: "l", Drop: []string{"a"}},
			"  - name: etcd\n    command:\n    - x\n    - --l=b\n"},
		{"a part of a volume is mounted", `  - name: c
    command: [x, --l=/var/log/a/x]
    volumeMounts:
    - {mountPath: /var/log, name: v, subPath: b}
  volumes:
  - {hostPath: {path: /var/log}, name: v}
`, logs, `  - name: c
    command: [x, --l=/var/log/a/x]
    volumeMounts:
    - {mountPath: /var/log, name: v, subPath: b}
    - mountPath: /var/log/a
      name: harden-a
  volumes:
  - {hostPath: {path: /var/log}, name: v}
  - hostPath:
      path: /var/log/a
      type: DirectoryOrCreate
    name: harden-a
`},
		{"below a mount", "  - name: c\n    command: [x, --l=/var/log/a/x]\n    volumeMounts:\n" +
			"    - {mountPath: /var/log/, name: v}\n  volumes:\n  - {hostPath: {path: /var/log}, name: v}\n", logs,
			"  - name: c\n    command: [x, --l=/var/log/a/x]\n    volumeMounts:\n    - {mountPath: /var/log/, name: v}\n" +
				"  volumes:\n  - {hostPath: {path: /var/log}, name: v}\n"},
		{"below a mount of something else, a volume to use again and a name that is taken", `  - name: c
    command: [x, --l=/var/log/a/x]
    volumeMounts:
    - mountPath: /var
      name: harden-a
  volumes:
  - name: harden-a
    emptyDir: {}
  - name: own
    hostPath: {path: /var/log/a}
`, logs, `  - name: c
    command: [x, --l=/var/log/a/x]
    volumeMounts:
    - mountPath: /var
      name: harden-a
    - mountPath: /var/log/a
      name: own
  volumes:
  - name: harden-a
    emptyDir: {}
  - name: own
    hostPath: {path: /var/log/a}
`},
		{"a mount that is not to be written to", `  - name: c
    command: [x, --l=/var/log/a/x]
    volumeMounts:
    - mountPath: /var/log
      name: harden-a
      readOnly: true
  volumes:
  - name: harden-a
    hostPath: {path: /var/log}
`, logs, `  - name: c
    command: [x, --l=/var/log/a/x]
    volumeMounts:
    - mountPath: /var/log
      name: harden-a
      readOnly: true
    - mountPath: /var/log/a
      name: harden-a-2
  volumes:
  - name: harden-a
    hostPath: {path: /var/log}
  - hostPath:
      path: /var/log/a
      type: DirectoryOrCreate
    name: harden-a-2
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := edit.PodFlag([]byte(podHead+tt.in), tt.want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(podHead+tt.out, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			again, err := edit.PodFlag(got, tt.want)
			if err != nil || &again[0] != &got[0] {
				t.Errorf("the second edit gave %q, %v", again, err)
			}
		})
	}
}

func TestPodFlagRefuses(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"no pod", "kind: Pod\n", "this is not the manifest of a pod"},
		{"no container", podHead + "  - name: d\n", `the pod has no container "c"`},
		{"a shell", podHead + "  - name: c\n    command: [/bin/sh, -c, x --f=1]\n",
			"the command is run by sh: edit it yourself"},
		{"a shell alone", podHead + "  - name: c\n    command: [/bin/sh]\n",
			"the command is run by sh: edit it yourself"},
		{"a shell in the arguments", podHead + "  - name: c\n    args: [/bin/bash, -c, x --f=1]\n",
			"the command is run by bash: edit it yourself"},
		{"no words", podHead + "  - name: c\n    command: [{x: 1}]\n",
			"line 6: command holds something that is not a word: edit it yourself"},
		{"an anchor", podHead + "  - name: c\n    command: &x [x, --f=1]\n  - name: d\n    command: *x\n",
			"line 6, column 14: the value has an anchor or a tag: edit it yourself"},
		{"another mount there", podHead + "  - name: c\n    command: [x]\n    volumeMounts:\n" +
			"    - {mountPath: /a/b, name: v}\n  volumes:\n  - {name: v, emptyDir: {}}\n",
			"/a/b is mounted in the container already, from somewhere else or read-only: choose one yourself"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := edit.PodFlag([]byte(tt.in),
				want.PodFlag{Container: "c", Name: "f", Value: "2",
					Mounts: []want.Mount{{Path: "/a/b", Type: "File", ReadOnly: true}}})
			if got != nil || err == nil || err.Error() != tt.want {
				t.Errorf("got %q, %v; want %s", got, err, tt.want)
			}
		})
	}
	for _, w := range []want.PodFlag{{Name: "-f"}, {Name: "f g"}, {Name: "f", Value: "a\nb"},
		{Name: "f", Value: "a", Add: []string{"b"}},
		{Name: "f", Mounts: []want.Mount{{Path: "a"}}}, {Name: "f", Mounts: []want.Mount{{Path: "/a/../b"}}}} {
		w.Container = "c"
		if got, err := edit.PodFlag([]byte(podHead+"  - name: c\n    command: [x]\n"), w); err == nil {
			t.Errorf("%+v became %q", w, got)
		}
	}
}

// TestPodFlagJSON holds that a manifest in JSON stays JSON: the kubelet reads what begins with a brace by its JSON
// reader.
func TestPodFlagJSON(t *testing.T) {
	before := "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"spec\": {\"containers\": [{\"name\": \"kube-scheduler\",\n" +
		"\t\"command\": [\"kube-scheduler\", \"--leader-elect=true\"]}]}}\n"
	want := strings.Replace(strings.Replace(before, `=true"]}`, `=true", "--profiling=false"],`+"\n\t"+
		`"volumeMounts": [{"mountPath": "/var/log/x", "name": "harden-x"}]}`, 1),
		`]}}`+"\n", `], "volumes": [{"hostPath": {"path": "/var/log/x", "type": "DirectoryOrCreate"}, `+
			`"name": "harden-x"}]}}`+"\n", 1)
	got, err := edit.PodFlag([]byte(before), wantPodFlag())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !json.Valid(got) {
		t.Errorf("not JSON:\n%s", got)
	}
	again, err := edit.PodFlag(got, wantPodFlag())
	if err != nil || string(again) != string(got) {
		t.Errorf("a second time, %v:\n%s", err, again)
	}
	flow := strings.Replace(before, `"kind"`, `kind`, 1) // YAML that the kubelet takes for JSON and refuses
	if _, err := edit.PodFlag([]byte(flow), wantPodFlag()); err == nil || !strings.Contains(err.Error(), "JSON") {
		t.Errorf("a manifest that begins with a brace and is not JSON: %v", err)
	}
}

func wantPodFlag() want.PodFlag {
	return want.PodFlag{Container: "kube-scheduler", Name: "profiling", Value: "false",
		Mounts: []want.Mount{{Path: "/var/log/x", Type: "DirectoryOrCreate"}}}
}

// TestVolumeNames makes a name of each path that a volume may have: a DNS label, of at most 63 characters with a
// number.
func TestVolumeNames(t *testing.T) {
	long := strings.Repeat("Ab", 40)
	for file, name := range map[string]string{
		"/etc/A_b.c.yaml":            "harden-a-b-c",
		"/etc/z0.9z":                 "harden-z0",
		"/etc/_.yaml":                "harden",
		"/" + long:                   "harden-" + strings.Repeat("ab", 25) + "a",
		"/" + long[:50] + "-" + long: "harden-" + strings.Repeat("ab", 25),
	} {
		w := want.PodFlag{Container: "c", Name: "f", Value: "x",
			Mounts: []want.Mount{{Path: file, Type: "File", ReadOnly: true}}}
		got, err := edit.PodFlag([]byte(podHead+"  - name: c\n    command: [x]\n"), w)
		if err != nil {
			t.Fatal(err)
		}
		if n := edit.PodVolume(got, "c", file); n != name {
			t.Errorf("%s is mounted from %q, want %q", file, n, name)
		}
	}
}
