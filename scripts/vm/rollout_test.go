package vm_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/kube"
	"example.com/harden/scripts/vm"
)

// TestRollOut takes a running control plane through harden: a flag that its API server refuses, one that it takes
// together with a key of the kubelet, and all the way back.
func TestRollOut(t *testing.T) {
	needsCluster(t)
	m := vm.Start(t, vm.ControlPlane(t))
	m.Install("example.com/harden/cmd/harden", "/usr/local/sbin/harden")
	m.Ready()
	if got := m.OK("kubectl get --raw /readyz; kubectl get node node1 -o jsonpath={.status.nodeInfo.kubeletVersion}"); got != "ok"+kube.Release {
		t.Errorf("the API server, and the kubelet's release: %s", got)
	}
	files, kept := nodeFiles(m), clusterKeeps(m)
	began := time.Now()
	stage := func(what string) { t.Logf("%s, at %s", what, time.Since(began).Round(time.Second)) }

	stage("a flag that the API server refuses")
	refused(t, m)
	if diff := lines(files, nodeFiles(m)); diff != "" {
		t.Errorf("after a roll-out that was taken back (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(kept, clusterKeeps(m)); diff != "" {
		t.Errorf("what the cluster keeps, after that (-want +got):\n%s", diff)
	}

	stage("a flag that it takes, and a key of the kubelet")
	bystanders := m.OK("pgrep -ax 'etcd|kube-controller|kube-scheduler'; pgrep -x containerd")
	taken(t, m)
	if diff := cmp.Diff(bystanders, m.OK("pgrep -ax 'etcd|kube-controller|kube-scheduler'; pgrep -x containerd")); diff != "" {
		t.Errorf("what else runs (-want +got):\n%s", diff)
	}

	stage("a second run")
	idle := nodeIdentity(m)
	if r := long(t, m, "--yes "+chosen, 0); r.Run == nil || r.Run.Outcome != "unchanged" {
		t.Errorf("a second run: %+v", r.Run)
	}
	if diff := lines(idle, nodeIdentity(m)); diff != "" {
		t.Errorf("a second run changed something:\n%s", diff)
	}

	stage("all the way back")
	if r := long(t, m, "rollback --yes", 0); r.Run == nil || r.Run.Outcome != "rolled-back" {
		t.Errorf("the way back: %+v", r.Run)
	}
	if diff := lines(files, nodeFiles(m)); diff != "" {
		t.Errorf("after the way back (-want +got):\n%s", diff)
	}
	m.Ready()
	if diff := cmp.Diff(kept, clusterKeeps(m)); diff != "" {
		t.Errorf("what the cluster keeps, after that (-want +got):\n%s", diff)
	}
	if out, code := m.Run("tr '\\0' '\\n' </proc/$(pgrep -x kube-apiserver)/cmdline | grep -e profiling -e audit"); code == 0 {
		t.Errorf("the API server still runs with %s", out)
	}
	if got := m.OK(podPids); got != "-1\n" {
		t.Errorf("the kubelet still limits a pod's processes to %s", got)
	}
	stage("the end")
}

// refused has harden turn on the audit log where the name of the log is a directory's: nothing is wrong with the manifest,
// and the API server ends as it opens the log.
func refused(t *testing.T, m *vm.Machine) {
	t.Helper()
	m.OK("mkdir -p /var/log/kubernetes/audit/audit.log")
	m.Put("/root/watch", 0o755, []byte(`
		was=
		while sleep 0.3; do
			grep -q audit-log-path /etc/kubernetes/manifests/kube-apiserver.yaml && manifest=new || manifest=old
			(: </dev/tcp/192.0.2.10/6443) 2>/dev/null && api=up || api=down
			[[ "$manifest $api" == "$was" ]] || echo "$manifest $api"
			was="$manifest $api"
		done`))
	m.OK("systemd-run -q --unit watch -p StandardOutput=file:/run/watched bash /root/watch")
	r := long(t, m, "--yes --only kubernetes/apiserver-audit-log", 4)
	m.OK("systemctl stop watch")
	if r.Run == nil || r.Run.Outcome != "rolled-back" || !strings.Contains(r.Run.Reason, "kube-apiserver") ||
		!strings.Contains(r.Run.Reason, "is a directory") {
		t.Errorf("the run: %+v", r.Run)
	}
	watched := m.OK("cat /run/watched")
	if !strings.HasSuffix(watched, "new down\nold down\nold up\n") {
		t.Errorf("the manifest was not put back without the API: one after the other there were\n%s", watched)
	}
	m.OK("rmdir /var/log/kubernetes/audit/audit.log")
	m.Ready()
}

const (
	chosen  = "--only kubernetes/apiserver-profiling,kubernetes/kubelet-pod-pids"
	podPids = `kubectl get --raw /api/v1/nodes/node1/proxy/configz | jq .kubeletconfig.podPidsLimit`
)

// taken has harden change what takes effect in a new API server and in a restarted kubelet, and looks past harden at both.
func taken(t *testing.T, m *vm.Machine) {
	t.Helper()
	if got := m.OK(podPids); got != "-1\n" {
		t.Fatalf("the kubelet limits a pod's processes before: %s", got)
	}
	before := m.OK("pgrep -x kube-apiserver")
	r := long(t, m, "--yes "+chosen, 0)
	if r.Run == nil || r.Run.Outcome != "applied" || r.Summary.States["fixed"] != 2 {
		t.Fatalf("the run: %+v, %v", r.Run, r.Summary.States)
	}
	safe := map[string]bool{}
	for _, c := range r.Plan.Changes {
		safe[c.Target] = c.Upgrade != nil && c.Upgrade.Safe
	}
	want := map[string]bool{"/etc/kubernetes/manifests/kube-apiserver.yaml": true, "/var/lib/kubelet/config.yaml": true}
	if diff := cmp.Diff(want, safe); diff != "" {
		t.Errorf("what changed, and whether it outlives an upgrade (-want +got):\n%s", diff)
	}
	if got := m.OK("pgrep -x kube-apiserver"); got == before || strings.Count(got, "\n") != 1 {
		t.Errorf("the API server was process %s and is %s", before, got)
	}
	m.OK("tr '\\0' '\\n' </proc/$(pgrep -x kube-apiserver)/cmdline | grep -qx -- --profiling=false")
	m.Ready() // the run's last word was that it is, so this only waits for the mirrors of the pods
	if out, code := m.Run("kubectl get --raw /debug/pprof/"); code == 0 {
		t.Errorf("the new API server still offers its profile: %s", out)
	}
	if got := m.OK(podPids); got != "4096\n" {
		t.Errorf("the kubelet limits a pod's processes to %s", got)
	}
	if r := long(t, m, "check "+chosen, 0); r.Summary.States["pass"] != 2 {
		t.Errorf("the checks afterwards: %v", r.Summary.States)
	}
	// kubeadm's own word on what an upgrade would make of the manifests: it may sort the flags, and no more
	upgrade, flags := m.OK("kubeadm upgrade diff "+kube.Release), map[string]int{}
	for line := range strings.Lines(upgrade) {
		if sign, flag, ok := strings.Cut(line, "    - --"); ok {
			flags[flag] += map[string]int{"+": 1, "-": -1}[sign]
		}
	}
	for flag, n := range flags {
		if n != 0 {
			t.Errorf("after an upgrade there is %+d of --%s in\n%s", n, flag, upgrade)
		}
	}
	if got := m.OK("kubectl -n kube-system get configmap kubeadm-config -o jsonpath={.data.ClusterConfiguration}"); !strings.Contains(got, "- name: profiling\n") {
		t.Errorf("what an upgrade makes the API server's manifest of:\n%s", got)
	}
	if got := m.OK("kubectl -n kube-system get configmap kubelet-config -o jsonpath={.data.kubelet}"); !strings.Contains(got, "podPidsLimit: 4096\n") {
		t.Errorf("what an upgrade makes the kubelet's configuration of:\n%s", got)
	}
}

// long runs a harden command that writes JSON and may take longer than the machine waits for a script, and wants its exit code.
func long(t *testing.T, m *vm.Machine, args string, want int) (r report) {
	t.Helper()
	began := time.Now()
	m.OK(`systemctl reset-failed long 2>/dev/null; systemctl stop long 2>/dev/null; rm -f /run/long.*
		systemd-run -q --unit long --remain-after-exit -p StandardOutput=file:/run/long.json -p StandardError=file:/run/long.err \
			/usr/local/sbin/harden ` + args + ` --format json`)
	m.Until("harden "+args, 40*time.Minute, "systemctl show -P SubState long | grep -qxE 'exited|failed'")
	t.Logf("harden %s took %s", args, time.Since(began).Round(time.Second))
	if got := strings.TrimSpace(m.OK("systemctl show -P ExecMainStatus long")); got != fmt.Sprint(want) {
		t.Fatalf("harden %s exited %s, want %d\n%s", args, got, want, m.OK("cat /run/long.err /run/long.json"))
	}
	out := m.OK("cat /run/long.json")
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("harden %s: %v\n%s", args, err, out)
	}
	return r
}

// nodeFiles is all of a node that a way back must give again: kind, mode, owner and bytes, a line for each file.
func nodeFiles(m *vm.Machine) string {
	return m.OK(`
		find /etc /var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env -xdev ! -type f -printf '%p %y %m %u:%g %l\n' | sort
		find /etc /var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env -xdev -type f -printf '%p %y %m %u:%g ' -exec sha256sum -z {} \; | tr '\0' '\n' | sort`)
}

// nodeIdentity is what a run that writes nothing leaves alone: every inode and time, and each process of the node.
func nodeIdentity(m *vm.Machine) string {
	return m.OK(`
		find /etc /var/lib/kubelet/config.yaml -xdev -printf '%p %i %m %U:%G %s %T@ %C@\n' | sort
		pgrep -ax 'kube.*|etcd|containerd'`)
}

// clusterKeeps is what kubeadm would write a node's files from.
func clusterKeeps(m *vm.Machine) string {
	return m.OK(`
		kubectl -n kube-system get configmap kubeadm-config -o jsonpath={.data.ClusterConfiguration}
		kubectl -n kube-system get configmap kubelet-config -o jsonpath={.data.kubelet}`)
}

// needsCluster leaves a control plane on an emulated processor, which takes a quarter of an hour, to `make kubernetes`.
func needsCluster(t *testing.T) {
	t.Helper()
	needsVM(t)
	if os.Getenv("HARDEN_KUBERNETES") != "full" {
		t.Skip("a control plane on a virtual machine: make kubernetes runs it")
	}
}
