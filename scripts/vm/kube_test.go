package vm_test

import (
	"strings"
	"testing"
	"time"

	"example.com/harden/scripts/kube"
	"example.com/harden/scripts/vm"
)

// TestControlPlane changes one flag of a running API server by hand: what a kubelet makes of a new manifest is what
// harden's own roll-out stands on.
func TestControlPlane(t *testing.T) {
	needsVM(t) // and alone: on a processor shared with other machines its parts lose their leases faster than they start
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

	before := strings.TrimSpace(m.OK("pgrep -x kube-apiserver"))
	m.OK("cp /etc/kubernetes/manifests/kube-apiserver.yaml /root/first.yaml")
	manifest(m, "/root/first.yaml", "--profiling=false")
	m.Until("a new API server", 10*time.Minute, "pid=$(pgrep -x kube-apiserver) && [[ $pid != "+before+` ]] &&
		tr '\0' '\n' </proc/$pid/cmdline | grep -qx -- --profiling=false`)
	m.Ready()
	if out, code := m.Run("kubectl get --raw /debug/pprof/"); code == 0 {
		t.Errorf("the new API server still offers its profile: %s", out)
	}
}

// manifest puts the API server's manifest in place with one more flag, by one rename from outside its folder.
func manifest(m *vm.Machine, from, flag string) {
	m.OK(`sed 's/^    - --allow-privileged=true$/    - ` + flag + `\n&/' ` + from + ` >/etc/kubernetes/new.yaml &&
		! cmp -s ` + from + ` /etc/kubernetes/new.yaml && mv /etc/kubernetes/new.yaml /etc/kubernetes/manifests/kube-apiserver.yaml`)
}
