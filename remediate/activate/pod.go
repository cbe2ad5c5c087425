package activate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/facts/live"
	"example.com/harden/remediate/linux"
)

// A manifest is a static pod's file, as far as a roll-out has to know it.
type manifest struct {
	Kind     string
	Metadata struct{ Name, Namespace string }
	Spec     struct {
		HostNetwork bool           `yaml:"hostNetwork"`
		Containers  []podContainer `yaml:"containers"`
	}

	path    string
	written time.Time // when the file got its present name
}

type podContainer struct {
	Name, Image   string
	Command, Args []string
	Ports         []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	Liveness  *probe `yaml:"livenessProbe"`
	Readiness *probe `yaml:"readinessProbe"`
	Startup   *probe `yaml:"startupProbe"`

	uid string // of its pod, where the manifest gives it one
}

type probe struct {
	Delay    int `yaml:"initialDelaySeconds"`
	Period   int `yaml:"periodSeconds"`
	Failures int `yaml:"failureThreshold"`
	HTTP     *struct {
		Host, Path, Port, Scheme string
		Headers                  []struct{ Name, Value string } `yaml:"httpHeaders"`
	} `yaml:"httpGet"`
}

func readManifest(path string) (*manifest, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := &manifest{path: path}
	var named struct{ Metadata struct{ UID string } }
	if err := errors.Join(budget.Unmarshal(data, m), budget.Unmarshal(data, &named)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range m.Spec.Containers {
		m.Spec.Containers[i].uid = named.Metadata.UID
	}
	if m.Kind != "Pod" || len(m.Spec.Containers) == 0 {
		return nil, fmt.Errorf("%s is not the manifest of a pod", path)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	m.written = time.Unix(st.Ctim.Unix()) // a rename changes it, and nothing can set it
	for _, c := range m.Spec.Containers {
		if len(c.argv()) == 0 {
			return nil, fmt.Errorf("%s: what container %s runs is in its image, so its process cannot be identified",
				path, c.Name)
		}
	}
	return m, nil
}

// patience is for how long the kubelet lets a container start before it starts it again: whoever made that longer has a
// slow machine. Zero where no startup probe says it.
func (c podContainer) patience() time.Duration {
	if c.Startup == nil {
		return 0
	}
	return time.Duration(c.Startup.Delay+cmp.Or(c.Startup.Period, 10)*cmp.Or(c.Startup.Failures, 3)) * time.Second
}

func (c podContainer) argv() []string { return slices.Concat(c.Command, c.Args) }

// arguments are what a program that a wrapper starts is given; nil where none is wrapped.
func (c podContainer) arguments() []string {
	all := c.argv()
	for _, name := range kube.Programs {
		if n, ok := kube.Before(all, name); ok && n > 1 {
			return all[n:]
		}
	}
	return nil
}

// alone returns an error when the kubelet reads another file of the same pod: the last of them wins, and not always
// the same.
func (m *manifest) alone() error {
	files, err := os.ReadDir(filepath.Dir(m.path))
	if err != nil {
		return err
	}
	for _, f := range files {
		p := filepath.Join(filepath.Dir(m.path), f.Name())
		if strings.HasPrefix(f.Name(), ".") || f.IsDir() || p == m.path {
			continue
		}
		other, err := os.ReadFile(p)
		if err != nil {
			continue
		}
		var o manifest
		if budget.Unmarshal(other, &o) == nil && o.Kind == "Pod" && o.Metadata == m.Metadata {
			return fmt.Errorf("%s is the same pod, and the kubelet reads both: move it to another directory", p)
		}
	}
	return nil
}

// A question is what the kubelet asks a container over HTTP.
type question struct {
	url     string
	headers [][2]string
}

// questions are a container's probes: what the kubelet goes by to restart it is what has to be answered. An API server
// that has none is asked all the same.
func (m *manifest) questions(c podContainer) (all []question) {
	for _, p := range []*probe{c.Startup, c.Liveness, c.Readiness} {
		if p == nil || p.HTTP == nil {
			continue
		}
		host := p.HTTP.Host
		if host == "" && m.Spec.HostNetwork {
			host = "127.0.0.1"
		}
		port := p.HTTP.Port
		for _, named := range c.Ports {
			if named.Name == port {
				port = strconv.Itoa(named.ContainerPort)
			}
		}
		if _, err := strconv.Atoi(port); err != nil || host == "" {
			continue // in a network of its own
		}
		u := url.URL{Scheme: strings.ToLower(p.HTTP.Scheme), Host: net.JoinHostPort(host, port)}
		if u.Scheme == "" {
			u.Scheme = "http"
		}
		q := question{url: u.String() + "/" + strings.TrimPrefix(p.HTTP.Path, "/")}
		for _, h := range p.HTTP.Headers {
			q.headers = append(q.headers, [2]string{h.Name, h.Value})
		}
		if !slices.ContainsFunc(all, func(o question) bool { return o.url == q.url }) {
			all = append(all, q)
		}
	}
	if len(all) > 0 || c.Name != "kube-apiserver" || !m.Spec.HostNetwork {
		return all
	}
	port := "6443"
	for _, word := range c.argv() {
		if v, ok := strings.CutPrefix(word, "--secure-port="); ok {
			port = v
		}
	}
	return []question{{url: "https://127.0.0.1:" + port + "/livez"}, {url: "https://127.0.0.1:" + port + "/readyz"}}
}

// runs finds the processes with a container's arguments that the kubelet has started for it, or root. The arguments
// alone prove nothing: anybody can start a program with them.
func (c podContainer) runs() ([]process, error) {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	want, args := c.argv(), c.arguments()
	var found []process
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		data, err := os.ReadFile("/proc/" + d.Name() + "/cmdline")
		if err != nil || len(data) == 0 {
			continue
		}
		got := strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
		if len(c.Command) == 0 && len(got) > len(want) {
			got = got[len(got)-len(want):] // behind what the image says
		}
		whole := slices.EqualFunc(got, want, sameWord)
		if len(args) > 0 && len(got) <= len(want) { // a wrapper may have become the program, or stay beside it
			tail := got[max(len(got)-len(args), 0):]
			whole = whole || slices.EqualFunc(tail, args, sameWord)
		}
		if !whole {
			continue
		}
		if start, err := startOf(pid); err == nil && c.started(pid) {
			found = append(found, process{pid, start})
		}
	}
	return found, nil
}

// started reports whether the kubelet has started a process from the container's manifest, or root has.
func (c podContainer) started(pid int) bool {
	p, err := live.New("/", live.DockerOptions{}).Process(pid)
	if err != nil {
		return false
	}
	if p.Contained {
		return !p.OtherUsers && kube.InStaticPod(p.Cgroup, cgroupRoot(), c.uid)
	}
	return ours(pid) == nil
}

// cgroupRoot is where the kubelet puts the control groups of pods, as it was when it was first asked for.
var cgroupRoot = sync.OnceValue(func() string {
	n, err := kube.NodeOf(facts.New(context.Background(), live.New("/", live.DockerOptions{}), facts.Choices{}))
	if err != nil {
		return ""
	}
	return n.Kubelet.CgroupRoot()
})

// sameWord compares an argument with what the manifest says. $(NAME) is what the kubelet puts in from the environment.
func sameWord(got, want string) bool {
	before, rest, ok := strings.Cut(want, "$(")
	if !ok {
		return got == want
	}
	return strings.HasPrefix(got, before) && strings.Contains(rest, ")")
}

// began gives the wall-clock time at which a process began.
func (p process) began() (time.Time, error) {
	var boot unix.Timespec
	if err := unix.ClockGettime(linux.CLOCK_BOOTTIME, &boot); err != nil {
		return time.Time{}, err
	}
	const tick = time.Second / 100 // USER_HZ is 100 wherever Linux has a /proc
	age := time.Duration(boot.Nano()) - time.Duration(p.Start)*tick
	if age < 0 {
		return time.Time{}, errors.New("start time in the future")
	}
	return time.Now().Add(-age), nil
}
