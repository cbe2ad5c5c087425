package vm

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/harden/scripts/kube"
)

//go:embed kube.sh
var controlPlane string

// slow is what an emulated processor needs of kubeadm's patience.
const slow = `timeouts: {controlPlaneComponentHealthCheck: 30m0s, kubeletHealthCheck: 30m0s, kubernetesAPICall: 10m0s}
---
`

// leaderless spares the two that elect a leader the election: where the processor is shared they would lose a lease
// that nobody else wants, end over it, and use up what is left of the processor as they start again.
const leaderless = `controllerManager: {extraArgs: [{name: leader-elect, value: "false"}]}
scheduler: {extraArgs: [{name: leader-elect, value: "false"}]}
`

// ControlPlane gives the test host as the one node of a cluster that kubeadm init made of it: kubelet.service and
// containerd, with etcd, the API server, the controller manager and the scheduler as static pods, all running and ready,
// unhardened. Docker is off. The node is node1, its API server https://192.0.2.10:6443.
func ControlPlane(t testing.TB) Snapshot {
	t.Helper()
	base, bin := Build(t, Debian12), kube.Build(t)
	config := strings.Replace(kube.Config, "---\n", slow, 1) + leaderless
	sum := sha256.Sum256([]byte(base.disk + bin.Key + config + controlPlane))
	return kept(t, "kube", hex.EncodeToString(sum[:8]), func(dir string) Snapshot {
		began := time.Now()
		stage := func(what string) { t.Logf("%s after %s", what, time.Since(began).Round(time.Second)) }
		m := StartIn(t, base, dir)
		stage("the machine answers")
		for _, program := range []string{"kubeadm", "kubectl", "kubelet"} {
			text, err := os.ReadFile(bin.Path(program))
			if err != nil {
				t.Fatal(err)
			}
			m.Put("/usr/bin/"+program, 0o755, text)
		}
		stage("programs put")
		images := kube.Images(t, bin)
		for _, ref := range slices.Sorted(maps.Keys(images)) {
			m.Put("/root/image.tar", 0o600, images[ref])
			m.OK("ctr -n k8s.io images import /root/image.tar && rm /root/image.tar")
		}
		stage("images imported")
		m.Put("/root/kubeadm.yaml", 0o600, []byte(config))
		m.OK(controlPlane)
		m.Until("kubeadm init", 45*time.Minute, "systemctl show -P SubState kubeadm-init | grep -qxE 'exited|failed'")
		m.OK("systemctl is-active kubeadm-init || { journalctl --no-pager -u kubeadm-init; exit 1; }")
		stage("kubeadm init ended")
		m.Ready()
		stage("all ready")
		return m.Snapshot()
	})
}

// settled is a script that ends well when the API server says that it, the node, and each static pod are ready.
const settled = `set -eo pipefail
kubectl get --raw /readyz
kubectl wait --for=condition=Ready --timeout=5s node/node1
pods=$(kubectl -n kube-system get pods -l tier=control-plane -o name)
[[ $(wc -l <<<"$pods") -eq 4 ]]
kubectl -n kube-system wait --for=condition=Ready --timeout=5s $pods`

// Ready waits until a machine that went on from ControlPlane has its API server, its node and its static pods ready.
func (m *Machine) Ready() {
	m.t.Helper()
	m.Until("the control plane", 20*time.Minute, settled)
}

// Until runs a script of the machine again and again until it ends well. It fails the test, with what the script said
// last, after so long; the time is a bound and not a measure.
func (m *Machine) Until(what string, bound time.Duration, script string) {
	m.t.Helper()
	for deadline := time.Now().Add(bound); ; time.Sleep(time.Second) {
		out, code := m.Run(script)
		if code == 0 {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("%s: not after %s: exited %d:\n%s", what, bound, code, out)
		}
	}
}
