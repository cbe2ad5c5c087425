package kube

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A Kubelet is the kubelet of this node: as it runs, and as it would run after a restart.
type Kubelet struct {
	Process   *facts.Process    // nil when none runs, or it is part of another program (k3s, MicroK8s)
	Unseen    bool              // what runs cannot be seen (--root)
	Within    string            // the program that it is part of, "k3s" or "kubelite"; empty where it is its own
	Unit      string            // "kubelet.service"; empty where systemd does not start it
	UnitBy    want.Warrant      // what entitles to change how Unit starts it
	Running   facts.Flags       // of the process's argv; nil when none runs
	Next      facts.Flags       // of the argv it would get from its unit; Running where no unit starts it
	File      string            // --config; empty where there is none
	Documents []*facts.Document // File, then the drop-ins of --config-dir, each of which overrides those before
	DropIns   []string          // the paths of the drop-ins
	Err       error             // why its configuration cannot be read; what a flag sets is known all the same
	Stale     bool              // what is configured is newer than the process
	Open      bool              // its whole configuration cannot be seen: what nothing here sets may be set all the same

	joined bool              // the file that --config names is there, or none is named
	newer  []*facts.Document // which documents are
	// loaded is what such a document held when the process started; nil where that is not known.
	loaded func(*facts.Document) *facts.Document
}

// maxConfigDepth is how deep directories below --config-dir may be.
const maxConfigDepth = 8

// KubeletUnit is the service that starts the kubelet of every packaging but those that are part of something else.
const KubeletUnit = "kubelet.service"

// readKubelet returns nil where there is no kubelet.
func readKubelet(h *facts.Host, f Flavour) (*Kubelet, error) {
	all, err := running(h, "kubelet")
	ps := all
	k := &Kubelet{Unseen: errors.Is(err, facts.ErrAbsent)}
	if err != nil && !k.Unseen {
		return nil, err
	}
	if ps = facts.Own(ps); len(ps) == 0 {
		if err := facts.Uncertain(all); err != nil {
			return nil, err
		}
	}
	if i := slices.IndexFunc(ps, func(p facts.Process) bool { return p.Unit == KubeletUnit }); i >= 0 {
		k.Process = &ps[i]
	} else if len(ps) > 0 {
		k.Process = &ps[0]
	}
	if k.Process != nil {
		k.Running = facts.ParseKubeFlags(facts.TokensOf(k.Process))
	}
	if known, err := kubeletStart(h, k, f); err != nil || !known {
		return nil, err
	}
	kubeletFiles(h, k)
	kubeletStale(h, k)
	return k, nil
}

// kubeletStart finds what the next start would pass the kubelet. It reports false where there is none to start.
func kubeletStart(h *facts.Host, k *Kubelet, f Flavour) (bool, error) {
	k.Next = k.Running
	switch f {
	case MicroK8s:
		args, err := flavourArgs(h, f, "kubelet")
		k.Within, k.Next = "kubelite", facts.ParseKubeFlags(args)
		return true, err
	case K3s, RKE2:
		args, err := flavourArgs(h, f, "kubelet")
		if f == K3s {
			k.Within = "k3s"
		}
		if k.Open = f == K3s || k.Process == nil; k.Open {
			own := facts.Token{Text: "--config-dir=" + DataDir(h, f) + "/agent/etc/kubelet.conf.d",
				File: string(f) + " itself", By: want.Root}
			k.Next = facts.ParseKubeFlags(append([]facts.Token{own}, args...))
		}
		return true, err
	}
	if k.Process != nil && k.Process.Unit != "" && k.Process.Unit != KubeletUnit {
		return true, nil // another program starts it and alone knows how
	}
	u, err := h.Unit(KubeletUnit)
	switch {
	case errors.Is(err, facts.ErrAbsent):
	case err != nil:
		return false, err
	case k.Process == nil || k.Process.Unit == KubeletUnit:
		args, sure := launch(u.Argv, "kubelet")
		if sure == surely {
			k.Unit, k.UnitBy, k.Next = KubeletUnit, u.Entitled(), facts.ParseKubeFlags(args)
			return true, nil
		}
		if k.Process == nil && len(u.Argv) > 0 {
			k.Err = fmt.Errorf("%s: the kubelet is started by a shell or another program, so its arguments are unknown",
				KubeletUnit)
			k.Open = true
			return true, nil
		}
	}
	if k.Process == nil && f == Kubeadm {
		return true, kubeadmStart(h, k)
	}
	return k.Process != nil || err == nil, nil
}

// Where kubeadm has its unit look for the kubelet's flags, and what the unit passes itself.
// Source: kubernetes/release cmd/krel/templates/latest/kubeadm/10-kubeadm.conf.
const (
	kubeadmEnv    = "/var/lib/kubelet/kubeadm-flags.env"
	kubeadmConfig = "/var/lib/kubelet/config.yaml"
)

// kubeadmStart is for a kubeadm node whose unit is not here, such as a copy of its files: it assumes kubeadm's own
// unit.
func kubeadmStart(h *facts.Host, k *Kubelet) error {
	args := []facts.Token{
		{Text: "--kubeconfig=/etc/kubernetes/kubelet.conf", File: "kubeadm's unit", By: want.Root},
		{Text: "--config=" + kubeadmConfig, File: "kubeadm's unit", By: want.Root},
	}
	for _, e := range []struct{ file, variable string }{
		{kubeadmEnv, "KUBELET_KUBEADM_ARGS"}, {"/etc/default/kubelet", "KUBELET_EXTRA_ARGS"},
		{"/etc/sysconfig/kubelet", "KUBELET_EXTRA_ARGS"},
	} {
		f, err := facts.FileWithin(h, budget.New(e.file, nil), e.file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		by := h.Vouch(e.file, want.Root)
		for _, a := range facts.ParseEnv(f.Data) {
			if a.Name == e.variable {
				for _, w := range facts.SplitWords(a.Value, false) {
					args = append(args, facts.Token{Text: w, File: e.file, Variable: a.Name, By: by})
				}
			}
		}
	}
	k.Next = facts.ParseKubeFlags(args)
	return nil
}

// kubeletFiles reads --config and the drop-ins of --config-dir: every *.conf below it, in lexical order, directories
// where their names come. Source: kubernetes cmd/kubelet/app/server.go, mergeKubeletConfigurations.
func kubeletFiles(h *facts.Host, k *Kubelet) {
	read := func(file string, by want.Authority) {
		d, err := facts.DocumentBy(h, file, by)
		if errors.Is(err, fs.ErrNotExist) {
			k.joined = k.joined && file != k.File
			err = fmt.Errorf("%s does not exist, though the kubelet is to read it", file)
		}
		if err == nil {
			err = d.Is("KubeletConfiguration")
		}
		if err != nil {
			k.Err = cmp.Or(k.Err, err)
			return
		}
		k.Documents = append(k.Documents, d)
	}
	k.joined = true
	start := facts.StartDir(h, k.Unit, k.Process)
	if k.File, _ = k.Next.Last("config"); k.File != "" {
		k.File = facts.From(start, k.File)
		read(k.File, k.Next["config"].By)
	}
	dir, _ := k.Next.Last("config-dir")
	if dir == "" {
		return
	}
	dir = facts.From(start, dir)
	var err error
	if k.DropIns, err = confsBelow(h, budget.New(dir, nil), dir, 0); err != nil {
		k.Err = cmp.Or(k.Err, err)
	}
	for _, p := range k.DropIns {
		read(p, k.Next["config-dir"].By)
	}
	if len(k.DropIns) > 0 {
		k.Open = false
	}
}

func confsBelow(h *facts.Host, b *budget.Budget, dir string, depth int) ([]string, error) {
	if i, err := h.Info(dir); err == nil && facts.SystemDir(i.Path) {
		return nil, fmt.Errorf("--config-dir: %s belongs to the whole system, so it is not read; "+
			"give the drop-ins a directory of their own", i.Path)
	}
	names, err := h.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = b.Spend(budget.Names, len(names), 0)
	}
	if err == nil && depth > maxConfigDepth {
		err = fmt.Errorf("%s: directories below --config-dir go deeper than %d levels, the limit", dir, maxConfigDepth)
	}
	if err != nil {
		return nil, err
	}
	var all []string
	for _, n := range names {
		p := path.Join(dir, n)
		if i, err := h.Info(p); err == nil && i.Type == fs.ModeDir {
			below, err := confsBelow(h, b, p, depth+1)
			if err != nil {
				return nil, err
			}
			all = append(all, below...)
		} else if strings.HasSuffix(n, ".conf") {
			all = append(all, p)
		}
	}
	return all, nil
}

// kubeletStale finds out what changed after the kubelet was started, and what harden's own runs remember of it.
func kubeletStale(h *facts.Host, k *Kubelet) {
	if k.Process == nil {
		return
	}
	if h.Restarted(cmp.Or(k.Unit, KubeletUnit)) {
		k.Running = k.Next
		return
	}
	for _, d := range k.Documents {
		if h.Plan().Files[d.File].Data != nil || d.Changed.After(k.Process.Started.Add(facts.Tick)) {
			k.newer = append(k.newer, d)
		}
	}
	k.loaded = func(d *facts.Document) *facts.Document { return facts.DocumentAt(h, d.File, k.Process.Started) }
	k.Stale = len(k.newer) > 0 || !k.Running.Alike(k.Next)
}

// A KubeletOption is what each place that configures the kubelet says of one field.
type KubeletOption struct {
	Value   facts.Value     // of the last document that says something
	Said    bool            // whether one does
	Over    *facts.Document // the document that Value is in; nil where none says anything
	Next    *facts.Flag     // as the kubelet would be started next; nil where it is not passed. It beats Value.
	Running *facts.Flag     // as it was started
}

// Option collects what is said of a field, a path from the top of the document, and of the flag that means the same;
// flag may be empty. It does not know defaults.
func (k *Kubelet) Option(field []string, flag string) KubeletOption {
	o := KubeletOption{}
	for _, d := range slices.Backward(k.Documents) {
		v, how := d.Look(field)
		if how == facts.Silent {
			continue
		}
		o.Value, o.Said, o.Over = v, how == facts.Said, d
		break
	}
	if f, ok := k.Next[flag]; ok && flag != "" {
		o.Next = &f
	}
	if f, ok := k.Running[flag]; ok && flag != "" {
		o.Running = &f
	}
	return o
}

// Entitled is the warrant of one of the files that the kubelet's configuration is read from.
func (k *Kubelet) Entitled(file string) want.Warrant {
	flag := "config-dir"
	if file == k.File || len(k.Documents) > 0 && k.File != "" && file == k.Documents[0].File {
		flag = "config"
	}
	f := k.Next[flag]
	return want.Warrant{By: f.By, From: "--" + flag + " in " + f.Origin, Kind: want.KubeletConfig}
}

// CgroupRoot is the control group below which the kubelet makes those of pods; empty for the top, and where there is no
// kubelet.
func (k *Kubelet) CgroupRoot() string {
	if k == nil {
		return ""
	}
	o := k.Option([]string{"cgroupRoot"}, "cgroup-root")
	switch {
	case o.Next != nil && len(o.Next.Values) > 0:
		return o.Next.Values[len(o.Next.Values)-1]
	case o.Said:
		return o.Value.String()
	}
	return ""
}

// podsFrom is what names a URL from which the kubelet takes static pods too; empty where nothing does.
func (k *Kubelet) podsFrom() string {
	o := k.Option([]string{"staticPodURL"}, "manifest-url")
	switch {
	case o.Next != nil:
		return "--manifest-url in " + o.Next.Origin
	case o.Said && o.Value.String() != "":
		return "staticPodURL in " + o.Over.File
	}
	return ""
}

// Legacy reports whether the kubelet takes the defaults of its flags, which are laxer, and not those of its file: it is
// started without --config, even where there are drop-ins. Source: kubernetes cmd/kubelet/app/options,
// applyLegacyDefaults.
func (k *Kubelet) Legacy() bool { return k.File == "" }

// Settled reports whether what is configured of one field is what the process was started with.
func (k *Kubelet) Settled(field []string, flag string) bool {
	if k.Process == nil {
		return true
	}
	if flag != "" {
		if !k.Running.Says(k.Next, flag) {
			return false
		}
		if _, set := k.Next[flag]; set {
			return true // it beats what the files say
		}
	}
	return k.unchanged(field)
}

func (k *Kubelet) unchanged(field []string) bool {
	if !k.Running.Says(k.Next, "config") || !k.Running.Says(k.Next, "config-dir") {
		return false
	}
	for _, d := range k.newer {
		was := k.loaded(d)
		if was == nil {
			return false
		}
		v, howV := d.Look(field)
		w, howW := was.Look(field)
		if howV != howW || howV == facts.Said && v.String() != w.String() {
			return false
		}
	}
	return true
}
