package edit

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A ClusterArg is a flag that kubeadm is to give a component, or no longer.
type ClusterArg struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value"`
	Gone  bool   `yaml:"-"`
}

// A ClusterVolume is a path of the node that kubeadm is to show a component.
type ClusterVolume struct {
	Name      string `yaml:"name"`
	HostPath  string `yaml:"hostPath"`
	MountPath string `yaml:"mountPath"`
	ReadOnly  bool   `yaml:"readOnly,omitempty"`
	PathType  string `yaml:"pathType"`
}

// ClusterConfiguration has kubeadm's configuration of the cluster give a component these flags and volumes, in the
// document's own version: v1beta4 has flags in a list, v1beta3 in a mapping. Component is a place in it, such as
// "apiServer" or "etcd.local".
func ClusterConfiguration(data []byte, component string, args []ClusterArg, volumes []ClusterVolume) ([]byte, error) {
	top, err := parseYAML(data)
	if err != nil {
		return nil, err
	}
	version := path.Base(textAt(top, "apiVersion"))
	if top == nil || textAt(top, "kind") != "ClusterConfiguration" ||
		path.Dir(textAt(top, "apiVersion")) != "kubeadm.k8s.io" ||
		version != "v1beta3" && version != "v1beta4" {
		return nil, errors.New("this is not a ClusterConfiguration of kubeadm in a version that harden knows (v1beta3, " +
			"v1beta4)")
	}
	place := strings.Split(component, ".")
	if len(volumes) > 0 && component == "etcd.local" {
		return nil, errors.New("kubeadm has no extraVolumes for etcd: use a kubeadm patch")
	}
	for _, a := range args {
		if data, err = clusterArg(data, append(slices.Clone(place), "extraArgs"), version == "v1beta4", a); err != nil {
			return nil, fmt.Errorf("%s.extraArgs: %w", component, err)
		}
	}
	for _, v := range volumes {
		if data, err = clusterVolume(data, append(slices.Clone(place), "extraVolumes"), v); err != nil {
			return nil, fmt.Errorf("%s.extraVolumes: %w", component, err)
		}
	}
	return data, nil
}

func clusterArg(data []byte, at []string, list bool, a ClusterArg) ([]byte, error) {
	if !list {
		if a.Gone {
			return YAML(data, append(at, a.Name), nil)
		}
		return YAML(data, append(at, a.Name), a.Value)
	}
	found := -1
	args, err := listAt(data, at)
	if err != nil {
		return nil, err
	}
	for i, e := range args {
		if textAt(e, "name") != a.Name {
			continue
		}
		if found >= 0 {
			return nil, fmt.Errorf("%s is there twice: edit it yourself", a.Name)
		}
		found = i
	}
	switch {
	case found >= 0 && a.Gone:
		return YAML(data, append(at, strconv.Itoa(found)), nil)
	case found >= 0:
		return YAML(data, append(at, strconv.Itoa(found), "value"), a.Value)
	case a.Gone:
		return data, nil
	}
	return YAML(data, append(at, "-"), map[string]any{"name": a.Name, "value": a.Value})
}

func clusterVolume(data []byte, at []string, v ClusterVolume) ([]byte, error) {
	volumes, err := listAt(data, at)
	if err != nil {
		return nil, err
	}
	for _, e := range volumes {
		switch {
		case path.Clean(textAt(e, "mountPath")) == v.MountPath && path.Clean(textAt(e, "hostPath")) == v.HostPath &&
			(v.ReadOnly || textAt(e, "readOnly") != "true"):
			return data, nil
		case path.Clean(textAt(e, "mountPath")) == v.MountPath, textAt(e, "name") == v.Name:
			return nil, fmt.Errorf("%s is another volume there: edit it yourself", v.Name)
		}
	}
	volume := map[string]any{"name": v.Name, "hostPath": v.HostPath, "mountPath": v.MountPath, "pathType": v.PathType}
	if v.ReadOnly {
		volume["readOnly"] = true
	}
	return YAML(data, append(at, "-"), volume)
}

func listAt(data []byte, at []string) ([]*yaml.Node, error) {
	n, err := parseYAML(data)
	if err != nil {
		return nil, err
	}
	for _, name := range at {
		n = field(n, name)
	}
	return elements(n), nil
}
