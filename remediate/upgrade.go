package remediate

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/schema"
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
var components = map[string]string{"kube-apiserver": "apiServer", "kube-controller-manager": "controllerManager",
	"kube-scheduler": "scheduler", "etcd": "etcd.local"}

// upgrade says what kubeadm will make of a change, nil where it has nothing to do with the file.
func (d *draft) upgrade(c Change) *Upgrade {
	if _, err := d.host.Info(flagsFile); err != nil || !c.Content() {
		return nil // not kubeadm's node; and the modes that kubeadm gives are those of an existing file, or 0600
	}
	var fields []want.Field
	pod, other := false, false
	for _, w := range c.Wants {
		switch w := w.(type) {
		case want.Field:
			fields = append(fields, w)
		case want.PodFlag:
			pod = true
		case want.Content, want.Flag:
			other = true
		}
	}
	switch {
	case pod:
		return upgradePod(c)
	case len(fields) > 0 && c.Path == kubeletConfig:
		return upgradeKubelet(fields)
	case len(fields) > 0, other:
		return &Upgrade{Safe: true}
	}
	return nil
}

// lacks is what ClusterConfiguration has to say of a manifest's flags and mounts.
func lacks(c Change) (place string, args []edit.ClusterArg, volumes []edit.ClusterVolume) {
	for _, w := range c.Wants {
		f, ok := w.(want.PodFlag)
		if !ok {
			continue
		}
		place = components[f.Container]
		value, there := edit.PodFlagValue(c.After.Data, f.Container, f.Name)
		if a := (edit.ClusterArg{Name: f.Name, Value: value, Gone: !there}); !slices.Contains(args, a) {
			args = append(args, a)
		}
		for _, m := range f.Mounts {
			v := edit.ClusterVolume{Name: edit.PodVolume(c.After.Data, f.Container, m.Path), HostPath: m.Path,
				MountPath: m.Path, ReadOnly: m.ReadOnly, PathType: m.Type}
			if edit.PodVolume(c.Before.Data, f.Container, m.Path) == "" && v.Name != "" && !slices.Contains(volumes, v) {
				volumes = append(volumes, v)
			}
		}
	}
	return place, args, volumes
}

func upgradePod(c Change) *Upgrade {
	place, args, volumes := lacks(c)
	if place == "" {
		return &Upgrade{Safe: true} // no pod of kubeadm's
	}
	var say struct {
		Args    []edit.ClusterArg    `yaml:"extraArgs,flow,omitempty"`
		Volumes []edit.ClusterVolume `yaml:"extraVolumes,flow,omitempty"`
	}
	say.Volumes = volumes
	var gone []string
	for _, a := range args {
		if a.Gone {
			gone = append(gone, "--"+a.Name)
		} else {
			say.Args = append(say.Args, a)
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
	return &Upgrade{Note: fmt.Sprintf(`"kubeadm upgrade" writes this file anew from ConfigMap `+
		`kube-system/kubelet-config, and joining nodes get it: under its key kubelet, %s`,
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

// A Cluster is what a cluster keeps for kubeadm to write files from.
type Cluster struct {
	Configuration string // ClusterConfiguration, in ConfigMap kubeadm-config
	Kubelet       string // KubeletConfiguration, in ConfigMap kubelet-config
}

// record has the cluster keep what the plan's changes would otherwise lose to "kubeadm upgrade". What it keeps already
// is safe; what cannot be edited there for certain stays a person's to do, with the reason.
func (p *planner) record(plan *Plan) {
	unsafe := func(c Change) bool { return c.Upgrade != nil && !c.Upgrade.Safe }
	if p.policy.Cluster == nil || !slices.ContainsFunc(plan.Changes, unsafe) {
		return
	}
	cluster, err := p.policy.Cluster(p.ctx)
	if err != nil {
		for i := range plan.Changes {
			if unsafe(plan.Changes[i]) {
				plan.Changes[i].Upgrade.Note += fmt.Sprintf(" (the cluster is not reachable: %v)", err)
			}
		}
		return
	}
	config := Record{"kube-system", "kubeadm-config", "ClusterConfiguration", cluster.Configuration, cluster.Configuration}
	kubelet := Record{"kube-system", "kubelet-config", "kubelet", cluster.Kubelet, cluster.Kubelet}
	classes := map[string]want.Class{}
	for i := range plan.Changes {
		c := &plan.Changes[i]
		if !unsafe(*c) {
			continue
		}
		r := &config
		if c.Path == kubeletConfig {
			r = &kubelet
		}
		after, err := r.keeping(*c)
		if err != nil {
			c.Upgrade.Note += fmt.Sprintf(" (harden has not done it: %v)", err)
			continue
		}
		r.After, c.Upgrade = after, &Upgrade{Safe: true}
		classes[r.ConfigMap] = max(classes[r.ConfigMap], c.Class)
	}
	for _, r := range []Record{config, kubelet} {
		if r.After != r.Before {
			plan.Activations = append(plan.Activations, Activation{Kind: RecordInCluster, Unit: r.String(),
				Class: classes[r.ConfigMap], Record: &r,
				Breaks: []string{"every node of the cluster gets it at its next kubeadm upgrade or join: files that it names " +
					"must be there"}})
		}
	}
}

// keeping is the text with a change's wants in it.
func (r *Record) keeping(c Change) (string, error) {
	data := []byte(r.After)
	if len(data) == 0 {
		return "", fmt.Errorf("%s has no %s", r, r.Key)
	}
	var err error
	if place, args, volumes := lacks(c); place != "" {
		if data, err = edit.ClusterConfiguration(data, place, args, volumes); err != nil {
			return "", fmt.Errorf("%s: %w", r, err)
		}
		return string(data), nil
	}
	for _, w := range c.Wants {
		f, ok := w.(want.Field)
		if !ok {
			continue
		}
		if data, err = edit.YAML(data, f.Field, f.Value); err != nil {
			return "", fmt.Errorf("%s: %w", r, err)
		}
	}
	if err := schema.Document(data, []byte(r.Before)); err != nil {
		return "", fmt.Errorf("%s: %w", r, err)
	}
	return string(data), nil
}
