package vm_test

import (
	"strings"
	"testing"
	"time"

	"example.com/harden/scripts/vm"
)

// TestControlPlane changes one flag of a running API server by hand: what a kubelet makes of a new manifest is what
// harden's own roll-out stands on.
func TestControlPlane(t *testing.T) {
	needsVM(t)
	m := vm.Start(t, vm.ControlPlane(t))
	m.Ready()
	if got := m.OK("kubectl get --raw /readyz"); got != "ok" {
		t.Errorf("/readyz answers %q", got)
	}
	if got := m.OK("kubectl get node node1 -o jsonpath='{.status.nodeInfo.kubeletVersion} {.metadata.labels.node-role\\.kubernetes\\.io/control-plane}'"); got != "v1.35.4 " {
		t.Errorf("the node: %q", got)
	}
	before := strings.TrimSpace(m.OK("pgrep -x kube-apiserver"))

	m.OK(`cd /etc/kubernetes && sed 's/^    - --allow-privileged=true/    - --profiling=false\n&/' manifests/kube-apiserver.yaml >new.yaml && mv new.yaml manifests/kube-apiserver.yaml`)
	m.Until("a new API server", 10*time.Minute, "pid=$(pgrep -x kube-apiserver) && [[ $pid != "+before+" ]] && tr '\\0' '\\n' </proc/$pid/cmdline | grep -qx -- --profiling=false")
	m.Ready()
	if out, code := m.Run("kubectl get --raw /debug/pprof/"); code == 0 {
		t.Errorf("the new API server still offers its profile: %s", out)
	}
}
