package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"
)

// Manifests is the folder of a Node's static pods.
const Manifests = "/etc/kubernetes/manifests"

// pod is what Pod needs of a static pod's manifest.
type pod struct {
	Kind string
	Spec struct {
		HostNetwork bool `yaml:"hostNetwork"`
		Containers  []struct {
			Command, Args []string
			Ports         []struct {
				Name          string
				ContainerPort string `yaml:"containerPort"`
			}
			StartupProbe   *probe `yaml:"startupProbe"`
			LivenessProbe  *probe `yaml:"livenessProbe"`
			ReadinessProbe *probe `yaml:"readinessProbe"`
			VolumeMounts   []struct {
				Name      string
				MountPath string `yaml:"mountPath"`
				ReadOnly  bool   `yaml:"readOnly"`
			} `yaml:"volumeMounts"`
		}
		Volumes []struct {
			Name     string
			HostPath struct{ Path, Type string } `yaml:"hostPath"`
		}
	}
}

// Pod runs the program of a static pod, by the name of its manifest without .yaml, as a kubelet would: with exactly the
// manifest's command line, and with nothing of the node below / but what the manifest mounts. A folder that must be
// there and is not ends in an error, as does a volume that is no path of the host.
func (n *Node) Pod(name string) (*Process, error) {
	n.t.Helper()
	var p pod
	if err := yaml.Unmarshal([]byte(n.Read(filepath.Join(Manifests, name+".yaml"))), &p); err != nil {
		return nil, err
	}
	if p.Kind != "Pod" || len(p.Spec.Containers) != 1 || !p.Spec.HostNetwork {
		return nil, fmt.Errorf("%s: not a pod of one container on the host's network", name)
	}
	container := p.Spec.Containers[0]
	argv := append(container.Command, container.Args...)
	if len(argv) == 0 {
		return nil, fmt.Errorf("%s: no command", name)
	}
	n.pods++
	root := filepath.Join(n.dir, fmt.Sprintf("%s-%d", name, n.pods))
	err := n.inside(func() error {
		volumes := map[string]string{}
		for _, v := range p.Spec.Volumes {
			path, err := n.volume(v.HostPath.Path, v.HostPath.Type)
			if err != nil {
				return fmt.Errorf("volume %s: %w", v.Name, err)
			}
			volumes[v.Name] = path
		}
		for _, d := range []string{"dev", "proc", "usr/local/bin"} { // an image FROM scratch, around the programs
			if err := bind(filepath.Join(n.Root, d), filepath.Join(root, d), d == "usr/local/bin"); err != nil {
				return err
			}
		}
		if err := os.MkdirAll(filepath.Join(root, "tmp"), 0o777); err != nil {
			return err
		}
		for _, m := range container.VolumeMounts {
			from, ok := volumes[m.Name]
			if !ok {
				return fmt.Errorf("no volume %s", m.Name)
			}
			if err := bind(from, filepath.Join(root, m.MountPath), m.ReadOnly); err != nil {
				return fmt.Errorf("volume %s: %w", m.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	process, err := n.contain(name, root, argv)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, probe := range []*probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
		if probe == nil {
			continue
		}
		get := probe.HTTPGet
		for _, p := range container.Ports {
			if p.Name == get.Port {
				get.Port = p.ContainerPort
			}
		}
		process.probes = append(process.probes, fmt.Sprintf("%s://%s%s", strings.ToLower(get.Scheme),
			net.JoinHostPort(get.Host, get.Port), get.Path))
	}
	return process, nil
}

// volume gives where a path of the host is for the test, made when its type says so.
func (n *Node) volume(path, kind string) (string, error) {
	if path == "" {
		return "", errors.New("not a path of the host")
	}
	at := filepath.Join(n.Root, path)
	switch kind {
	case "DirectoryOrCreate":
		return at, os.MkdirAll(at, 0o755)
	case "FileOrCreate":
		f, err := os.OpenFile(at, os.O_CREATE|os.O_RDONLY, 0o644)
		if err != nil {
			return "", err
		}
		return at, f.Close()
	}
	info, err := os.Stat(at)
	if err != nil {
		return "", fmt.Errorf("%s is not there", path)
	}
	if kind == "Directory" && !info.IsDir() || kind == "File" && !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no %s", path, kind)
	}
	return at, nil
}

// bind mounts a folder or a file of the host at another place, which it makes.
func bind(from, to string, readonly bool) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(to, 0o755)
	} else if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil {
		err = os.WriteFile(to, nil, 0o644)
	}
	if err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mount %s: %w", to, err)
	}
	if !readonly {
		return nil
	}
	if err := unix.Mount("", to, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount %s: %w", to, err)
	}
	return nil
}

// probe is what a kubelet asks a container for; its port is a number or the name of one of the container's.
type probe struct {
	HTTPGet struct{ Host, Path, Port, Scheme string } `yaml:"httpGet"`
}

// Ready waits until all that the manifest has a kubelet ask for has been answered well: without a name, without looking
// at the certificate, as a kubelet asks. It gives the program's last words when that has ended before.
func (n *Node) Ready(p *Process) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client := n.client(&tls.Config{InsecureSkipVerify: true})
	for _, url := range p.probes {
		for last := errors.New(""); last != nil; {
			if _, last = fetch(ctx, client, url); last == nil {
				break
			}
			select {
			case <-p.done:
				return fmt.Errorf("%s has ended: %s\n%s", p.cmd.Args[0], p.cmd.ProcessState, tail(p.Log()))
			case <-ctx.Done():
				return fmt.Errorf("%s is not ready: %w\n%s", p.cmd.Args[0], last, tail(p.Log()))
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
	return nil
}

// Get asks the API server for a path, as the user of a kubeconfig file of the node, or as nobody for "". What is not
// answered by 200 is an error.
func (n *Node) Get(kubeconfig, path string) (string, error) {
	n.t.Helper()
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM([]byte(n.Read("/etc/kubernetes/pki/ca.crt"))) {
		return "", errors.New("pki/ca.crt: no certificate")
	}
	return n.ask(kubeconfig, "https://"+Address+":6443"+path, &tls.Config{RootCAs: authorities})
}

// Ask asks any of the node's servers for a URL, as Get does, but believes whatever certificate it shows.
func (n *Node) Ask(kubeconfig, url string) (string, error) {
	n.t.Helper()
	return n.ask(kubeconfig, url, &tls.Config{InsecureSkipVerify: true})
}

func (n *Node) ask(kubeconfig, url string, config *tls.Config) (string, error) {
	n.t.Helper()
	if kubeconfig != "" {
		pair, err := user(n.Read(kubeconfig))
		if err != nil {
			return "", fmt.Errorf("%s: %w", kubeconfig, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return fetch(context.Background(), n.client(config), url)
}

// user gives the client certificate that a kubeconfig file holds.
func user(kubeconfig string) (tls.Certificate, error) {
	var c struct {
		Users []struct {
			User struct {
				Certificate string `yaml:"client-certificate-data"`
				Key         string `yaml:"client-key-data"`
			}
		}
	}
	if err := yaml.Unmarshal([]byte(kubeconfig), &c); err != nil {
		return tls.Certificate{}, err
	}
	if len(c.Users) != 1 {
		return tls.Certificate{}, fmt.Errorf("%d users", len(c.Users))
	}
	certificate, err := base64.StdEncoding.DecodeString(c.Users[0].User.Certificate)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := base64.StdEncoding.DecodeString(c.Users[0].User.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certificate, key)
}

func (n *Node) client(config *tls.Config) *http.Client {
	return &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{DialContext: n.dial, TLSClientConfig: config, DisableKeepAlives: true},
	}
}

func fetch(ctx context.Context, client *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s\n%s", url, res.Status, body)
	}
	return string(body), err
}

// tail gives the last of what a program said.
func tail(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}
