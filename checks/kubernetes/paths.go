package kubernetes

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/want"
)

// mode is the rule that files have no bits beyond what cond allows.
func mode(paths rule.Paths, cond be.Cond[fs.FileMode]) checks.Rule {
	return kept(rule.Mode(paths).Must(cond))
}

// owner is the rule that files belong to root, by number where the host has no name for it.
func owner(paths rule.Paths) checks.Rule {
	return kept(rule.Owner(paths).Must(be.OneOf("root:root", "0:0")))
}

// kept leaves to people what a flavour would set back, a file that it writes anew, and what would keep a program from
// its files.
func kept(r checks.Rule) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		findings, err := r.Judge(h)
		n, nodeErr := h.Node()
		if nodeErr != nil {
			return findings, err
		}
		for i := range findings {
			f := &findings[i]
			for _, w := range f.Wants {
				why := locksOut(h, n, w)
				if n.Flavour.Generated() {
					why = setBack(n.Flavour, w)
				}
				if why != "" {
					f.Wants, f.Reason = nil, why
					break
				}
			}
		}
		return findings, err
	})
}

// setBack says of a flavour that writes a file anew what a person can try.
func setBack(f facts.Flavour, w want.Want) string {
	switch w := w.(type) {
	case want.Mode:
		return fmt.Sprintf("%s makes this file: run `chmod %04o %s`, and see whether it stays so when %[1]s is started "+
			"again", f, w.Mode, w.File)
	case want.Owner:
		return fmt.Sprintf("%s makes this file: run `chown %s %s`, and see whether it stays so when %[1]s is started "+
			"again", f, w.Owner, w.File)
	}
	return ""
}

// manifest is the file that the kubelet starts a program from.
func manifest(program string) rule.Paths {
	return func(h *facts.Host) ([]facts.Place, error) {
		_, c, err := component(h, program)
		if err != nil {
			return nil, err
		}
		if c.Pod == nil {
			return nil, rule.Inapplicable("no manifest starts %s on this node", program)
		}
		return rule.Named(c.Pod.Entitled(), c.Pod.File), nil
	}
}

// cniFiles are what the container runtime reads of the network, and the addresses that the host-local plugin has given
// away. Its lock files say nothing.
func cniFiles(h *facts.Host) ([]facts.Place, error) {
	n, _, err := theKubelet(h)
	if err != nil {
		return nil, err
	}
	dir, named, err := cniDir(h, n.Flavour)
	if err != nil {
		return nil, err
	}
	conf, err := below(h, dir, 1)
	if err != nil {
		return nil, err
	}
	conf = slices.DeleteFunc(conf, func(p string) bool {
		return !slices.Contains([]string{".conf", ".conflist", ".json"}, path.Ext(p))
	})
	state, err := below(h, "/var/lib/cni/networks", 4)
	if err != nil {
		return nil, err
	}
	state = slices.DeleteFunc(state, func(p string) bool { return path.Base(p) == "lock" })
	files := append(rule.Named(named, conf...), rule.Known(state...)...)
	if len(files) == 0 {
		return nil, rule.Inapplicable("%s has no configuration of a network", dir)
	}
	return files, nil
}

// cniDir is where containerd looks for the network's configuration.
func cniDir(h *facts.Host, f facts.Flavour) (string, want.Warrant, error) {
	own := want.Warrant{By: want.Root, Kind: want.CNIConfig}
	switch f {
	case facts.K3s, facts.RKE2:
		return h.DataDir(f) + "/agent/etc/cni/net.d", own, nil
	case facts.MicroK8s:
		return "/var/snap/microk8s/current/args/cni-network", own, nil
	}
	const containerd = "/etc/containerd/config.toml"
	config, err := h.File(containerd)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", own, err
	}
	for line := range strings.Lines(string(config.Data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if dir := strings.Trim(strings.TrimSpace(value), `"'`); strings.TrimSpace(name) == "conf_dir" && path.IsAbs(dir) {
			return dir, own.Naming(h.Vouch(containerd, want.Root), "conf_dir in "+containerd, want.CNIConfig), nil
		}
	}
	return "/etc/cni/net.d", own, nil
}

// below lists the files below a directory, down to a depth; none where it does not exist.
func below(h *facts.Host, dir string, depth int) ([]string, error) {
	var files []string
	err := walk(h, dir, depth, func(p string, i facts.Info) {
		if i.Type == 0 {
			files = append(files, p)
		}
	})
	return files, err
}

// walk visits what is below a directory, down to a depth. More than a budget's names are an error, never a part of
// them.
func walk(h *facts.Host, dir string, depth int, visit func(string, facts.Info)) error {
	return walkWithin(budget.New(dir, nil), h, dir, depth, visit)
}

func walkWithin(b *budget.Budget, h *facts.Host, dir string, depth int, visit func(string, facts.Info)) error {
	names, err := h.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = b.Spend(budget.Names, len(names), 0)
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		p := path.Join(dir, name)
		i, err := h.Info(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		visit(p, i)
		if i.Type == fs.ModeDir && depth > 1 {
			if err := walkWithin(b, h, p, depth-1, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// etcdData is etcd's data directory; what is in it is never touched.
func etcdData(h *facts.Host) ([]facts.Place, error) {
	n, c, err := component(h, facts.Etcd)
	if err != nil {
		return nil, err
	}
	if c.Within == "k3s" {
		return rule.Known(h.DataDir(facts.K3s) + "/server/db/etcd"), nil
	}
	s, ok, err := c.Say("data-dir")
	if err != nil {
		return nil, err
	}
	if !ok || !path.IsAbs(s.Value) {
		return nil, fmt.Errorf("where etcd keeps its data is not known: --data-dir is %q in %s", s.Value, c.Where())
	}
	dir, ok := c.HostPath(s.Value)
	if !ok && n.Flavour == facts.RKE2 {
		dir, ok = s.Value, true // its manifest mounts what is above
	}
	if !ok {
		return nil, fmt.Errorf("--data-dir=%s is in no volume of %s", s.Value, c.Where())
	}
	return rule.Named(want.Warrant{By: s.By, From: flagName(s) + " in " + s.Where, Kind: want.EtcdData}, dir), nil
}

// etcdOwner compares whom etcd runs as with whose its data is. kubeadm runs it as root, and a user of its own would
// help nothing there: that is no reason to ask for one.
func etcdOwner(h *facts.Host) ([]checks.Finding, error) {
	n, c, err := component(h, facts.Etcd)
	if err != nil {
		return nil, err
	}
	dirs, err := etcdData(h)
	if err != nil {
		return nil, err
	}
	i, err := h.Info(dirs[0].Path)
	if err != nil {
		return nil, facts.Absent(err)
	}
	runs := c.Identity().UID
	switch {
	case c.Process != nil:
		runs = c.Process.UID
	case i.UID == 0 || !c.Identity().Root() && !c.Identity().Unsure:
	case c.Unseen:
		return nil, fmt.Errorf("whom etcd runs as cannot be seen, so that whom %s must belong to is not known", i.Path)
	default:
		return nil, fmt.Errorf("etcd does not run, so that whom %s must belong to is not known", i.Path)
	}
	switch {
	case runs == 0 && i.UID == 0:
		return nil, rule.Inapplicable("etcd runs as root here, so that its data belongs to root (%s)", n.Flavour)
	case runs == i.UID:
		return nil, nil
	}
	return []checks.Finding{{Subject: i.Path, Got: i.Owner(), Must: fmt.Sprintf("uid %d, whom etcd runs as", runs)}}, nil
}

// adminConfigs are the kubeconfigs of administrators that a flavour makes.
func adminConfigs(h *facts.Host) ([]facts.Place, error) {
	n, err := h.Node()
	if err != nil {
		return nil, err
	}
	switch n.Flavour {
	case facts.K3s, facts.RKE2:
		name := strings.ToLower(string(n.Flavour))
		return rule.Known("/etc/rancher/"+name+"/"+name+".yaml", h.DataDir(n.Flavour)+"/server/cred/admin.kubeconfig"), nil
	case facts.MicroK8s:
		return rule.Known("/var/snap/microk8s/current/credentials/client.config"), nil
	}
	return rule.Known("/etc/kubernetes/admin.conf", "/etc/kubernetes/super-admin.conf"), nil
}

// kubeconfig is the file by which a program finds and proves itself to the API server; k3s has it under a name of its
// own.
func kubeconfig(program, rancher string) rule.Paths {
	return func(h *facts.Host) ([]facts.Place, error) {
		_, c, err := component(h, program)
		if err != nil {
			return nil, err
		}
		switch c.Within {
		case "k3s":
			return rule.Known(h.DataDir(facts.K3s) + "/server/cred/" + rancher + ".kubeconfig"), nil
		}
		files := flagFiles(c, want.Kubeconfig, "kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
		if file, ok := c.Next.Last("config"); ok && file != "" && program == facts.Scheduler { // which beats --kubeconfig
			d, err := schedulerConfig(c)
			if err != nil {
				return nil, err
			}
			if inside := d.Text("clientConnection", "kubeconfig"); inside != "" {
				on, ok := c.HostPath(inside)
				if !ok {
					return nil, fmt.Errorf("%s: clientConnection.kubeconfig: %s is in no volume of %s", d.File, inside, c.Where())
				}
				by := want.Warrant{By: min(d.By, c.Next["config"].By), From: "clientConnection.kubeconfig in " + d.File,
					Kind: want.Kubeconfig}
				files = append(files, rule.Named(by, on)...)
			}
		}
		if len(files) == 0 {
			return nil, rule.Inapplicable("%s is given no kubeconfig", program)
		}
		return files, nil
	}
}

// schedulerConfig is the file that the scheduler reads.
func schedulerConfig(c *facts.Component) (*facts.Document, error) {
	d, err := c.Document("config")
	if err != nil {
		return nil, err
	}
	return d, d.Is("KubeSchedulerConfiguration")
}

// flagFiles are the files that a component's flags name, each once.
func flagFiles(c *facts.Component, kind want.Kind, flags ...string) (files []facts.Place) {
	for _, flag := range flags {
		p, ok := c.Path(flag, kind)
		if ok && !slices.ContainsFunc(files, func(f facts.Place) bool { return f.Path == p.Path }) {
			files = append(files, p)
		}
	}
	return files
}
