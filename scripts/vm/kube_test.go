package vm_test

import (
	"strings"
	"testing"
	"time"

	"example.com/harden/scripts/kube"
	"example.com/harden/scripts/vm"
)

// TestControlPlane changes a running control plane by hand. What a kubelet makes of a manifest, of one that the API server
// refuses, and of its own configuration, is what harden's roll-out stands on.
func TestControlPlane(t *testing.T) {
	needsVM(t)
	t.Parallel()
	m := vm.Start(t, vm.ControlPlane(t))
	m.Ready()
	if got := m.OK("kubectl get --raw /readyz"); got != "ok" {
		t.Errorf("/readyz answers %q", got)
	}
	if got := m.OK("kubectl get node node1 -o jsonpath={.status.nodeInfo.kubeletVersion}"); got != kube.Release {
		t.Errorf("the kubelet is of %s", got)
	}
	// what an upgrade by kubeadm would write again
	m.OK("kubectl -n kube-system get configmap kubeadm-config kubelet-config")

	t.Log("a flag of the API server")
	before := strings.TrimSpace(m.OK("pgrep -x kube-apiserver"))
	m.OK("cp /etc/kubernetes/manifests/kube-apiserver.yaml /root/first.yaml")
	manifest(m, "/root/first.yaml", "--profiling=false")
	m.Until("a new API server", 10*time.Minute, "pid=$(pgrep -x kube-apiserver) && [[ $pid != "+before+` ]] &&
		tr '\0' '\n' </proc/$pid/cmdline | grep -qx -- --profiling=false`)
	m.Ready()
	if out, code := m.Run("kubectl get --raw /debug/pprof/"); code == 0 {
		t.Errorf("the new API server still offers its profile: %s", out)
	}

	t.Log("a flag that the API server refuses")
	m.OK("cp /etc/kubernetes/manifests/kube-apiserver.yaml /root/second.yaml")
	manifest(m, "/root/second.yaml", "--profilling=false")
	// the API cannot be asked for what became of it: the container's own log is there without
	m.Until("the refusal", 10*time.Minute, `grep -qs 'unknown flag: --profilling' /var/log/pods/kube-system_kube-apiserver-node1_*/kube-apiserver/*.log`)
	if out, code := m.Run("kubectl get --raw /readyz"); code == 0 {
		t.Errorf("an API server that refused its flag answers: %s", out)
	}
	m.OK("mv /root/second.yaml /etc/kubernetes/manifests/kube-apiserver.yaml")
	m.Ready()

	t.Log("a key of the kubelet")
	const idle = `kubectl get --raw /api/v1/nodes/node1/proxy/configz | jq -r .kubeletconfig.streamingConnectionIdleTimeout`
	if got := m.OK(idle); got != "4h0m0s\n" {
		t.Errorf("the kubelet's default is %s", got)
	}
	running := m.OK("pgrep -x kube-apiserver")
	m.OK("sed -i 's/^streamingConnectionIdleTimeout: 0s$/streamingConnectionIdleTimeout: 5m0s/' /var/lib/kubelet/config.yaml && systemctl restart kubelet")
	m.Until("the kubelet's new configuration", 10*time.Minute, "[[ $("+idle+") == 5m0s ]]")
	m.Ready()
	if got := m.OK("pgrep -x kube-apiserver"); got != running {
		t.Errorf("a restart of the kubelet has made another API server: %s, it was %s", got, running)
	}
}

// manifest puts the API server's manifest in place with one more flag, by one rename from outside its folder.
func manifest(m *vm.Machine, from, flag string) {
	m.OK(`sed 's/^    - --allow-privileged=true$/    - ` + flag + `\n&/' ` + from + ` >/etc/kubernetes/new.yaml &&
		! cmp -s ` + from + ` /etc/kubernetes/new.yaml && mv /etc/kubernetes/new.yaml /etc/kubernetes/manifests/kube-apiserver.yaml`)
}
