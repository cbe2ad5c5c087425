package remediate

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/want"
	"example.com/harden/remediate/edit"
)

// An Upgrade is what the next "kubeadm upgrade" makes of a change: kubeadm writes its files anew from what the cluster
// keeps, and not from what is on the node's disk.
type Upgrade struct {
	Safe bool   // the change outlives it
	Note string // what else has to be changed so that it does; empty where it is safe
}

// kubeletConfig is where kubeadm writes the kubelet's configuration; flagsFile is what only kubeadm writes.
const (
	kubeletConfig = "/var/lib/kubelet/config.yaml"
	flagsFile     = "/var/lib/kubelet/kubeadm-flags.env"
)

// components are the places of ClusterConfiguration, by container.
var components = map[string]string{"kube-apiserver": "apiServer", "kube-controller-manager": "controllerManager", "kube-scheduler": "scheduler", "etcd": "etcd.local"}

// upgrade says what kubeadm will make of a change, nil where it has nothing to do with the file.
func (d *draft) upgrade(c Change) *Upgrade {
	if _, err := d.host.Info(flagsFile); err != nil || !c.Content() {
		return nil // not kubeadm's node; and the modes that kubeadm gives are those of an existing file, or 0600
	}
	var fields []want.Field
	var flags []want.PodFlag
	other := false
	for _, w := range c.Wants {
		switch w := w.(type) {
		case want.Field:
			fields = append(fields, w)
		case want.PodFlag:
			flags = append(flags, w)
		case want.Content, want.Flag:
			other = true
		}
	}
	switch {
	case len(flags) > 0:
		return upgradePod(c, flags)
	case len(fields) > 0 && c.Path == kubeletConfig:
		return upgradeKubelet(fields)
	case len(fields) > 0, other:
		return &Upgrade{Safe: true}
	}
	return nil
}

// upgradePod tells what ClusterConfiguration lacks of a manifest's flags and mounts.
func upgradePod(c Change, flags []want.PodFlag) *Upgrade {
	place, ok := components[flags[0].Container]
	if !ok {
		return &Upgrade{Safe: true} // no pod of kubeadm's
	}
	type volume struct {
		Name      string `yaml:"name"`
		HostPath  string `yaml:"hostPath"`
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly,omitempty"`
		PathType  string `yaml:"pathType"`
	}
	type arg struct {
		Name  string `yaml:"name"`
		Value string `yaml:"value"`
	}
	var say struct {
		Args    []arg    `yaml:"extraArgs,flow,omitempty"`
		Volumes []volume `yaml:"extraVolumes,flow,omitempty"`
	}
	var gone []string
	for _, f := range flags {
		value, there := edit.PodFlagValue(c.After.Data, f.Container, f.Name)
		switch {
		case !there && !slices.Contains(gone, "--"+f.Name):
			gone = append(gone, "--"+f.Name)
		case there && !slices.Contains(say.Args, arg{f.Name, value}):
			say.Args = append(say.Args, arg{f.Name, value})
		}
		for _, m := range f.Mounts {
			v := volume{edit.PodVolume(c.After.Data, f.Container, m.Path), m.Path, m.Path, m.ReadOnly, m.Type}
			if edit.PodVolume(c.Before.Data, f.Container, m.Path) == "" && v.Name != "" && !slices.Contains(say.Volumes, v) {
				say.Volumes = append(say.Volumes, v)
			}
		}
	}
	note := `"kubeadm upgrade" writes this file anew from ConfigMap kube-system/kubeadm-config`
	if len(say.Args)+len(say.Volumes) > 0 {
		note += fmt.Sprintf(", and joining nodes do: add to %s of its ClusterConfiguration %s", place, flow(say))
	}
	if len(gone) > 0 {
		note += fmt.Sprintf("; take %s out of %s.extraArgs there", strings.Join(gone, ", "), place)
	}
	if place == "etcd.local" && len(say.Volumes) > 0 {
		note += " (etcd has no extraVolumes: mounts need a patch, by --patches)"
	}
	if len(say.Args) > 0 {
		note += " (before v1beta4, extraArgs is a mapping of name to value)"
	}
	return &Upgrade{Note: note}
}

// upgradeKubelet tells what kubelet-config lacks. kubeadm sets rotateCertificates by itself.
func upgradeKubelet(fields []want.Field) *Upgrade {
	var parts []string
	for _, f := range fields {
		name := strings.Join(f.Field, ".")
		switch {
		case name == "rotateCertificates" && f.Value == true:
		case f.Value == nil:
			parts = append(parts, "take "+name+" out")
		default:
			parts = append(parts, "set "+name+": "+flow(f.Value))
		}
	}
	if len(parts) == 0 {
		return &Upgrade{Safe: true}
	}
	return &Upgrade{Note: fmt.Sprintf(`"kubeadm upgrade" writes this file anew from ConfigMap kube-system/kubelet-config, and joining nodes get it: under its key kubelet, %s`,
		strings.Join(parts, "; "))}
}

// flow is a value as YAML on one line, to be copied.
func flow(value any) string {
	var n yaml.Node
	if err := n.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	n.Style |= yaml.FlowStyle
	text, err := yaml.Marshal(&n)
	if err != nil {
		return fmt.Sprint(value)
	}
	return strings.Join(strings.Fields(string(text)), " ")
}
