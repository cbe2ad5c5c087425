package kubernetes

import (
	"fmt"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/rule"
)

// theKubelet is the kubelet of this node; ErrAbsent where there is none.
func theKubelet(h *facts.Host) (*kube.Node, *kube.Kubelet, error) {
	n, err := kube.NodeOf(h)
	if err != nil {
		return nil, nil, err
	}
	if n.Kubelet == nil {
		return nil, nil, rule.Inapplicable("no kubelet runs on this host")
	}
	return n, n.Kubelet, nil
}

// instead says where a flavour that generates the files of Kubernetes reads what a program is to be passed, and which
// line says it. argument is "profiling=false", or a flag's name where it must go.
func instead(f kube.Flavour, program, argument string) string {
	switch f {
	case kube.K3s, kube.RKE2:
		name := strings.ToLower(string(f))
		service := map[kube.Flavour]string{kube.K3s: "k3s", kube.RKE2: "rke2-server"}[f]
		if program == "kubelet" || program == kube.KubeProxy {
			service += fmt.Sprintf(" (on an agent %s-agent)", name)
		}
		if !strings.Contains(argument, "=") {
			return fmt.Sprintf("%s writes its files anew at each start: take %s out of %s-arg in "+
				"/etc/rancher/%s/config.yaml, then restart %s", f, argument, program, name, service)
		}
		return fmt.Sprintf("%s writes its files anew at each start: put `%s-arg: [\"%s\"]` into "+
			"/etc/rancher/%s/config.yaml "+
			"(beside what that list has already), then restart %s", f, program, argument, name, service)
	case kube.MicroK8s:
		verb := "put --" + argument + " into"
		if !strings.Contains(argument, "=") {
			verb = "take --" + argument + " out of"
		}
		return fmt.Sprintf("%s /var/snap/microk8s/current/args/%s, then run `snap restart microk8s.daemon-kubelite`",
			verb, program)
	case kube.K0s:
		section := map[string]string{kube.APIServer: "spec.api", kube.ControllerManager: "spec.controllerManager",
			kube.Scheduler: "spec.scheduler",
			kube.Etcd:      "spec.storage.etcd", kube.KubeProxy: "spec.network.kubeProxy"}[program]
		if program == "kubelet" {
			return fmt.Sprintf("k0s starts the kubelet: pass --kubelet-extra-args=--%s to `k0s install worker`, or "+
				"say it in a profile of spec.workerProfiles", argument)
		}
		return fmt.Sprintf("k0s starts this program: put %s into %s.extraArgs of /etc/k0s/k0s.yaml, then run `k0s "+
			"stop` and `k0s start`", argument, section)
	case kube.Talos:
		section := "cluster." + map[string]string{kube.APIServer: "apiServer",
			kube.ControllerManager: "controllerManager",
			kube.Scheduler:         "scheduler", kube.Etcd: "etcd", kube.KubeProxy: "proxy"}[program]
		if program == "kubelet" {
			section = "machine.kubelet"
		}
		return fmt.Sprintf("Talos keeps this in its machine configuration: %s in %s.extraArgs, by `talosctl patch "+
			"machineconfig`",
			argument, section)
	}
	return fmt.Sprintf("%s writes this from the node's launch configuration: say %s there, and replace the node", f,
		argument)
}

const restarts = "the pod is started again: for as long as that takes, this node's part of the control plane does " +
	"not answer"
