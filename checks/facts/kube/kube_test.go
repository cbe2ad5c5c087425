package kube_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/fixtures"
)

func TestInStaticPod(t *testing.T) {
	const hash = "0123456789abcdef0123456789abcdef"
	for _, tt := range []struct {
		cgroup, root, uid string
		want              bool
	}{
		{"/kubepods/burstable/pod" + hash + "/0123", "", "", true},
		{"/kubepods/pod" + hash + "/0123", "", "", true},
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + hash + ".slice/cri-containerd-1.scope", "", "",
			true},
		{"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" + hash +
			".slice/x", "/kubelet", "", true},
		{"/kubelet/kubepods/pod" + hash + "/x", "kubelet", "", true},
		{"/kubepods/besteffort/pod8b5a1c1e-0000-4000-8000-000000000000/0123/pod" + hash, "", "", false}, // a pod's own making
		{"/kubepods/besteffort/pod8b5a1c1e-0000-4000-8000-000000000000/poda-b-c", "", "a-b-c", false},
		{"/kubepods.slice/kubepods-pod8b5a1c1e_0000_4000_8000_000000000000.slice/cri-1.scope/kubepods-pod" + hash + ".slice",
			"", "", false},
		{"/kubepods/burstable/poda-b-c/0123", "", "a-b-c", true},
		{"/kubepods.slice/kubepods-poda_b_c.slice/0123", "", "a-b-c", true},
		{"/kubepods/burstable/pod0f3c1c1e-96ab-4d1e-9a0e-0123456789ab/0123", "", "", false}, // the API server's
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0f3c1c1e_96ab_4d1e_9a0e_0123456789ab.slice/x", "",
			"", false},
		{"/user.slice/user-1001.slice/user@1001.service/kubepods/pod" + hash + "/x", "", "", false},
		{"/user.slice/user-1001.slice/user@1001.service/kubepods/pod" + hash + "/x", "/kubelet", "", false},
		{"/kubelet/kubepods/pod" + hash + "/x", "", "", false},
		{"/../kubepods/pod" + hash + "/x", "", "", false},
		{"/docker/kubepods/pod" + hash, "", "", false},
		{"/kubepods-pod" + hash + ".slice", "", "", false},
		{"", "", "", false},
	} {
		if got := kube.InStaticPod(tt.cgroup, tt.root, tt.uid); got != tt.want {
			t.Errorf("%s below %q: %v, want %v", tt.cgroup, tt.root, got, tt.want)
		}
	}
}

// TestImpostors finds the programs of a node among others that are called like them and have their arguments.
func TestImpostors(t *testing.T) {
	r, err := fixtures.Load("kubernetes/impostors.txtar")
	if err != nil {
		t.Fatal(err)
	}
	h := r.Host(t.Context())
	n, err := kube.NodeOf(h)
	if err != nil {
		t.Fatal(err)
	}
	pids := map[string]int{"kubelet": n.Kubelet.Process.PID}
	for _, name := range kube.Programs {
		c, err := n.Component(name)
		if err != nil {
			t.Fatal(err)
		}
		pids[name] = c.Process.PID
	}
	genuine := map[string]int{"kubelet": 1500, "etcd": 1100, "kube-apiserver": 1200, "kube-controller-manager": 1300,
		"kube-scheduler": 1400, "kube-proxy": 1600}
	if diff := cmp.Diff(genuine, pids); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var uncounted []string
	for _, p := range facts.Uncounted(h, append([]string{"dockerd", "containerd", "kubelet"}, kube.Programs...)...) {
		uncounted = append(uncounted, fmt.Sprintf("%d: %s", p.PID, p.Doubted))
	}
	want := []string{"604: it runs as uid 1001, not as root", "601: it runs as uid 1001, not as root"}
	if diff := cmp.Diff(want, uncounted); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
