package kube

import (
	"errors"
	"example.com/harden/checks/facts"
	"fmt"
)

// startedBy finds what starts a component that no manifest does.
func (n *Node) startedBy(c *Component) error {
	if c.Pod != nil {
		return nil
	}
	switch n.Flavour {
	case K3s, MicroK8s:
		return n.builtIn(c)
	}
	if c.Process != nil {
		c.Next = c.Running
	}
	unit := c.Name + ".service"
	if c.Process != nil && c.Process.Unit != unit || n.Flavour != "" && n.Flavour != ByHand && n.Flavour != Kubeadm {
		return nil
	}
	if c.Name == Etcd && c.Process == nil && n.Kubelet == nil {
		return nil
	}
	u, err := n.host.Unit(unit)
	if errors.Is(err, facts.ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	switch args, sure := launch(u.Argv, c.Name); {
	case sure == surely:
		c.Unit, c.UnitBy, c.Next = unit, u.Entitled(), facts.ParseKubeFlags(args)
	case c.Process == nil && len(u.Argv) > 0:
		return fmt.Errorf("%s: %s is started by a shell or another program, so its arguments are unknown", unit, c.Name)
	}
	return nil
}

// k3sServer is what a server of k3s has and an agent has not.
const k3sServer = "/server/tls"

// builtIn is for flavours that run the programs of Kubernetes in one process.
func (n *Node) builtIn(c *Component) error {
	args, err := flavourArgs(n.host, n.Flavour, c.Name)
	if err != nil {
		return err
	}
	if n.Flavour == MicroK8s {
		if args != nil {
			c.Within, c.Next = "kubelite", facts.ParseKubeFlags(args)
		}
		return nil
	}
	present := c.Name == KubeProxy
	if !present {
		place := DataDir(n.host, K3s) + k3sServer
		if c.Name == Etcd {
			place = DataDir(n.host, K3s) + "/server/db/etcd"
		}
		_, err := n.host.Info(place)
		if present = err == nil; !present && !errors.Is(facts.Absent(err), facts.ErrAbsent) {
			return err
		}
	}
	if present {
		c.Within, c.Next, c.Open = "k3s", facts.ParseKubeFlags(args), true
	}
	return nil
}
