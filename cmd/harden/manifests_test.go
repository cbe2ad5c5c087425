package main

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	types "example.com/harden/checks/schema"
)

// A workload is what the tests look at of a DaemonSet or a Job.
type workload struct {
	Kind string
	Spec struct{ Template struct{ Spec pod } }
}

type pod struct {
	HostPID                      bool  `yaml:"hostPID"`
	HostNetwork                  bool  `yaml:"hostNetwork"`
	AutomountServiceAccountToken *bool `yaml:"automountServiceAccountToken"`
	Tolerations                  []map[string]string
	Containers                   []struct {
		Args            []string
		SecurityContext struct {
			Privileged, AllowPrivilegeEscalation *bool
			ReadOnlyRootFilesystem               bool `yaml:"readOnlyRootFilesystem"`
			Capabilities                         struct{ Drop, Add []string }
		} `yaml:"securityContext"`
		VolumeMounts []struct {
			Name     string
			ReadOnly bool `yaml:"readOnly"`
		} `yaml:"volumeMounts"`
	}
}

// TestManifests renders each kustomization, holds its pods to Kubernetes' own types, to the least that they need, and
// their arguments to being a command line of this harden.
func TestManifests(t *testing.T) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skipf("needs kubectl: %v", err)
	}
	for dir, want := range map[string]struct {
		caps   []string
		engine bool
		reads  bool
	}{
		"audit":        {caps: []string{"DAC_READ_SEARCH"}, reads: true},
		"audit-docker": {caps: []string{"DAC_READ_SEARCH"}, reads: true, engine: true},
		"fix":          {caps: []string{"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "SETFCAP"}},
	} {
		out, err := exec.Command("kubectl", "kustomize", "../../scripts/kubernetes/"+dir).Output()
		if err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		found := 0
		for d := yaml.NewDecoder(bytes.NewReader(out)); ; {
			var doc yaml.Node
			if d.Decode(&doc) != nil {
				break
			}
			var w workload
			if err := doc.Decode(&w); err != nil {
				t.Fatal(err)
			}
			if w.Kind != "DaemonSet" && w.Kind != "Job" {
				continue
			}
			found++
			p := w.Spec.Template.Spec
			if err := types.Document(asPod(t, &doc), nil); err != nil {
				t.Errorf("%s: %v", dir, err)
			}
			if len(p.Containers) != 1 || p.HostPID || p.HostNetwork || p.AutomountServiceAccountToken == nil ||
				*p.AutomountServiceAccountToken || len(p.Tolerations) != 1 || p.Tolerations[0]["operator"] != "Exists" {
				t.Fatalf("%s: %+v", dir, p)
			}
			c := p.Containers[0]
			if s := c.SecurityContext; !s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) ||
				!slices.Equal(s.Capabilities.Add, want.caps) {
				t.Errorf("%s: %+v", dir, s)
			}
			for _, m := range c.VolumeMounts {
				if m.Name == "host" && m.ReadOnly != want.reads {
					t.Errorf("%s: the node's files are read-only: %v", dir, m.ReadOnly)
				}
			}
			if got := strings.Contains(strings.Join(c.Args, " "), "--docker-host="); got != want.engine {
				t.Errorf("%s: asks the Engine: %v", dir, got)
			}
			understood(t, c.Args)
		}
		if found != 1 {
			t.Errorf("%s: %d workloads", dir, found)
		}
	}
}

// asPod is the pod that a workload's template makes.
func asPod(t *testing.T, doc *yaml.Node) []byte {
	t.Helper()
	var w struct {
		Spec struct {
			Template struct{ Metadata, Spec yaml.Node }
		}
	}
	if err := doc.Decode(&w); err != nil {
		t.Fatal(err)
	}
	data, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": &w.Spec.Template.Metadata,
		"spec": &w.Spec.Template.Spec})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// understood holds arguments to being flags that go together. The directories are a node's, and not there.
func understood(t *testing.T, args []string) {
	t.Helper()
	cmd, rest, err := newRoot().Find(args)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	if _, err := loadConfig(cmd); err != nil {
		t.Errorf("%q: %v", args, err)
	}
}
