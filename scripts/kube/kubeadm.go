package kube

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Config is the configuration that the clusters of tests are made of, for kubeadm: all defaults, but for a name, an
// address and the release.
//
//go:embed kubeadm.yaml
var Config string

// ConfigFile is where a node has Config.
const ConfigFile = "/etc/kubernetes/kubeadm.yaml"

// phases are those of kubeadm init that write a node's files and ask nobody.
var phases = []string{"certs all", "kubeconfig all", "etcd local", "control-plane all", "kubelet-start"}

// Kubeadm writes the files of a control plane's node with kubeadm's own phases.
func (n *Node) Kubeadm() {
	n.t.Helper()
	n.Write("/etc/hosts", 0o644, "127.0.0.1 localhost\n"+Address+" "+Name+"\n")
	n.Write(ConfigFile, 0o600, Config)
	for _, phase := range phases {
		args := append([]string{"init", "phase"}, strings.Fields(phase)...)
		if _, err := n.Run("kubeadm", append(args, "--config", ConfigFile)...); err != nil {
			n.t.Fatal(err)
		}
	}
}

// Kubelet has a real kubelet judge the node's configuration: flags as kubeadm's unit passes them with extra after them,
// /var/lib/kubelet/config.yaml, and the files that those name. A kubelet first reads and validates all of it, makes its
// clients and its authentication, and only then looks for a container runtime, of which the node has none: to get
// there is to have accepted the configuration. Else the error holds what the kubelet said.
func (n *Node) Kubelet(extra ...string) error {
	n.t.Helper()
	p := n.kubelet(extra)
	if p.Wait() == nil {
		return errors.New("the kubelet ends well, without a container runtime")
	}
	if strings.Contains(tail(p.Log()), "validate service connection") {
		return nil
	}
	return fmt.Errorf("kubelet: %s\n%s", p.cmd.ProcessState, tail(p.Log()))
}

// IdleKubelet starts a kubelet that stays, for whoever looks for its process: its container runtime is greeted and
// never answers, so that it has read its configuration, waits, and gives up after two minutes (runtimeRequestTimeout).
func (n *Node) IdleKubelet() *Process {
	n.t.Helper()
	socket := filepath.Join(n.Root, "run/containerd/containerd.sock")
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one before
		n.t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the test has ended
			}
			defer conn.Close()
			conn.Write([]byte{3: 4, 8: 0}) // the empty SETTINGS of HTTP/2, without which a client gives up in seconds
		}
	}()
	return n.kubelet(nil)
}

func (n *Node) kubelet(extra []string) *Process {
	n.t.Helper()
	args := []string{"--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf",
		"--kubeconfig=/etc/kubernetes/kubelet.conf",
		"--config=/var/lib/kubelet/config.yaml"}
	env := strings.TrimSpace(n.Read("/var/lib/kubelet/kubeadm-flags.env"))
	value, ok := strings.CutPrefix(env, `KUBELET_KUBEADM_ARGS="`)
	if !ok {
		n.t.Fatalf("kubeadm-flags.env: %q", env)
	}
	args = append(args, strings.Fields(strings.TrimSuffix(value, `"`))...)
	return n.Start("kubelet", append(args, extra...)...)
}
