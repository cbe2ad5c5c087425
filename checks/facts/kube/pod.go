package kube

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A StaticPod is one container of a pod that the kubelet runs from a file.
type StaticPod struct {
	File      string         // its manifest, where it really is
	By        want.Authority // whose word the manifest is
	NamedBy   want.Authority // who says that the kubelet runs it: whoever names the directory that it is in
	UID       string         // that the manifest gives the pod itself; empty where the kubelet does
	Name      string         // the pod's, with its namespace: "kube-system/kube-apiserver"
	Container string         // the container's name in it
	Image     string
	Argv      []string // command and arguments together, variables expanded
	Env       map[string]string
	Mounts    []Mounted
	Probes    []Probe // that are asked over HTTP
	Runs      Identity

	tokens []facts.Token // of Argv
}

// A Mounted is a path of the node that a container sees.
type Mounted struct {
	Path     string // in the container
	HostPath string // on the node
	ReadOnly bool
}

// A Probe is one question over HTTP that the kubelet asks a container, to restart it, or to call it not ready, when the
// answer is an error.
type Probe struct {
	Path  string
	Proof bool // it carries an Authorization header
}

// A podFile is a pod's manifest as far as harden reads it.
type podFile struct {
	Metadata struct{ UID, Name, Namespace string }
	Spec     struct {
		Security   securityContext `yaml:"securityContext"`
		HostUsers  *bool           `yaml:"hostUsers"`
		Containers []podContainer
		Volumes    []struct {
			Name     string
			HostPath struct{ Path string } `yaml:"hostPath"`
		}
	}
}

type podContainer struct {
	Name, Image   string
	Command, Args []string
	Security      securityContext `yaml:"securityContext"`
	Env           []envVar
	EnvFrom       []map[string]any `yaml:"envFrom"`
	Mounts        []struct {
		Name     string
		Path     string `yaml:"mountPath"`
		SubPath  string `yaml:"subPath"`
		ReadOnly bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
	Liveness  podProbe `yaml:"livenessProbe"`
	Readiness podProbe `yaml:"readinessProbe"`
	Startup   podProbe `yaml:"startupProbe"`
}

type podProbe struct {
	HTTPGet struct {
		Path    string
		Headers []struct{ Name string } `yaml:"httpHeaders"`
	} `yaml:"httpGet"`
}

// Entitled is the warrant of the manifest.
func (p *StaticPod) Entitled() want.Warrant {
	return want.Warrant{By: p.NamedBy, From: "the kubelet's staticPodPath", Kind: want.Manifest}
}

// Host translates a path as the container sees it to where it is on the node. It reports false for what is in the
// container alone.
func (p *StaticPod) Host(inside string) (string, bool) {
	best := Mounted{}
	for _, m := range p.Mounts {
		if facts.Within(inside, m.Path) && len(m.Path) > len(best.Path) {
			best = m
		}
	}
	if best.HostPath == "" {
		return "", false
	}
	return path.Join(best.HostPath, strings.TrimPrefix(inside, best.Path)), true
}

// staticPods reads the manifests in a directory as the kubelet does: every file whose name does not begin with a dot.
// It may also be a single file.
// What cannot be read, or is no pod, is an error by itself, since the kubelet then runs the others. Source: kubernetes
// pkg/kubelet/config/file.go.
func staticPods(h *facts.Host, dir string, by want.Authority) (pods []StaticPod, errs []error) {
	if i, err := h.Info(dir); err == nil && i.Type == 0 {
		pods, err = podManifest(h, dir, by)
		return pods, oneError(err)
	}
	names, err := h.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, oneError(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, ".") {
			continue
		}
		file := path.Join(dir, name)
		if i, err := h.Info(file); err == nil && i.Type != 0 {
			continue
		}
		containers, err := podManifest(h, file, by)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		pods = append(pods, containers...)
	}
	return pods, errs
}

func oneError(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}

func podManifest(h *facts.Host, file string, by want.Authority) ([]StaticPod, error) {
	doc, err := facts.DocumentBy(h, file, by)
	if err != nil {
		return nil, err
	}
	if err := doc.Is("Pod"); err != nil {
		return nil, err
	}
	var pod podFile
	if err := doc.Decode(&pod); err != nil {
		return nil, err
	}
	volumes := map[string]string{}
	for _, v := range pod.Spec.Volumes {
		volumes[v.Name] = v.HostPath.Path
	}
	var containers []StaticPod
	for _, c := range pod.Spec.Containers {
		p := StaticPod{File: doc.File, By: doc.By, NamedBy: by, UID: pod.Metadata.UID,
			Name:      cmp.Or(pod.Metadata.Namespace, "default") + "/" + pod.Metadata.Name,
			Container: c.Name, Image: c.Image, Runs: pod.identity(&c, doc.File)}
		env := environ(c.Env, len(c.EnvFrom) > 0)
		p.Env = env.values
		for _, word := range slices.Concat(c.Command, c.Args) {
			t := facts.Token{File: p.File, By: p.By}
			t.Text, t.Unclear = env.expand(word)
			p.tokens, p.Argv = append(p.tokens, t), append(p.Argv, t.Text)
		}
		for _, m := range c.Mounts {
			if on := volumes[m.Name]; on != "" {
				p.Mounts = append(p.Mounts, Mounted{path.Clean(m.Path), path.Join(on, m.SubPath), m.ReadOnly})
			}
		}
		for _, probe := range []podProbe{c.Liveness, c.Readiness, c.Startup} {
			if get := probe.HTTPGet; get.Path != "" {
				proof := false
				for _, header := range get.Headers {
					proof = proof || strings.EqualFold(header.Name, "Authorization")
				}
				p.Probes = append(p.Probes, Probe{get.Path, proof})
			}
		}
		containers = append(containers, p)
	}
	return containers, nil
}

// starts reports whether the container runs a program, and with which arguments. Where its image alone says what it
// runs, the names of the container and of the image tell which program that may be.
func (p *StaticPod) starts(name string) ([]facts.Token, surety) {
	args, sure := launch(p.tokens, name)
	image, _, _ := strings.Cut(path.Base(p.Image), ":")
	if sure == not && (len(p.Argv) == 0 || strings.HasPrefix(p.Argv[0], "-")) && (p.Container == name || image == name) {
		sure = maybe
	}
	return args, sure
}

// flags are the arguments of whatever the container runs.
func (p *StaticPod) flags() facts.Flags { return facts.ParseKubeFlags(p.tokens) }
