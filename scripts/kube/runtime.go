package kube

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupRoot is the control group below which a node's real kubelet makes those of its pods. It is the node's own: what
// is below a kubelet's root and no pod of its it ends.
func (n *Node) cgroupRoot() string {
	return "/harden-" + strings.ReplaceAll(filepath.Base(filepath.Dir(n.dir)), "_", "-")
}

// containerdConfig is for images that are there already, and for a machine whose root may not have CAP_SYS_RESOURCE: it
// takes that to spare a container from the kernel's out-of-memory killer.
const containerdConfig = `version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%s"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
`

// kubeletFits makes kubeadm's configuration of a kubelet one for a node that is not a machine: with version 1 of
// control groups, without systemd, and with as much room on its disk as the machine of the test happens to have.
const kubeletFits = `cgroupDriver: cgroupfs
cgroupRoot: %s
failCgroupV1: false
failSwapOn: false
localStorageCapacityIsolation: false
enforceNodeAllocatable: []
evictionHard:
  {memory.available: "0%%", nodefs.available: "0%%", imagefs.available: "0%%", nodefs.inodesFree: "0%%",
   imagefs.inodesFree: "0%%"}
`

// tunables are what a kubelet sets of the kernel, which is the whole machine's: the node is shown files that say so
// already.
var tunables = map[string]string{"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10",
	"kernel/panic_on_oops": "1", "kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000"}

// RealKubelet starts containerd, and a kubelet that runs the node's static pods by it: the real ones, in containers
// made by runc. What the node lacks for that is systemd, so that nothing starts the kubelet again, and a network for
// pods of their own, so that only those on the node's network run.
func (n *Node) RealKubelet() (kubelet *Process) {
	n.t.Helper()
	for name, value := range tunables {
		n.Write("/run/tunables/"+name, 0o644, value+"\n")
	}
	if _, err := n.Run("/bin/bash", "-euc", `
umount /sys/fs/cgroup # the machine's own is below
for f in $(cd /run/tunables && find . -type f); do mount --bind "/run/tunables/$f" "/proc/sys/$f"; done`); err != nil {
		n.t.Fatal(err)
	}
	n.makeGroups()
	n.Write("/etc/resolv.conf", 0o644, "")
	n.containerd()
	const file = "/var/lib/kubelet/config.yaml"
	var kept []string
	for line := range strings.Lines(n.Read(file)) {
		if key, _, _ := strings.Cut(line, ":"); !strings.Contains(kubeletFits, key+":") {
			kept = append(kept, line)
		}
	}
	n.Write(file, 0o600, strings.Join(kept, "")+fmt.Sprintf(kubeletFits, n.cgroupRoot()))
	return n.kubelet(nil)
}

// containerd starts the container runtime, and gives it the images of the control plane.
func (n *Node) containerd() {
	n.t.Helper()
	images := Images(n.t, n.bin)
	refs := slices.Sorted(maps.Keys(images))
	pause := refs[slices.IndexFunc(refs, func(ref string) bool { return strings.Contains(ref, "/pause:") })]
	n.Write("/etc/containerd/config.toml", 0o644, fmt.Sprintf(containerdConfig, pause))
	containerd := n.Start("/usr/bin/containerd")
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		if _, err := n.Run("/usr/bin/ctr", "version"); err == nil {
			break
		} else if time.Now().After(deadline) || !containerd.Running() {
			n.t.Fatalf("containerd: %v\n%s", err, containerd.Log())
		}
	}
	for _, ref := range refs {
		n.load(images[ref])
	}
}

// load gives the container runtime an image.
func (n *Node) load(archive []byte) {
	n.t.Helper()
	n.Write("/tmp/image.tar", 0o600, string(archive))
	if _, err := n.Run("/usr/bin/ctr", "-n", "k8s.io", "images", "import", "/tmp/image.tar"); err != nil {
		n.t.Fatal(err)
	}
}

// Load gives the container runtime an image FROM scratch that starts the one program in it, a file of the test's.
func (n *Node) Load(ref, program, file string) {
	n.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		n.t.Fatal(err)
	}
	archive, err := image(ref, program, text)
	if err != nil {
		n.t.Fatalf("%s: %v", ref, err)
	}
	n.load(archive)
}

// makeGroups makes the kubelet's root in every hierarchy of control groups that the machine has, until the test ends.
func (n *Node) makeGroups() {
	n.t.Helper()
	tops := []string{"/sys/fs/cgroup"}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.procs"); err != nil { // version 1, or both
		procs, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
		if err != nil {
			n.t.Fatal(err)
		}
		tops = nil
		for _, p := range procs {
			tops = append(tops, filepath.Dir(p))
		}
	}
	for _, top := range tops {
		if err := os.MkdirAll(top+n.cgroupRoot(), 0o755); err != nil {
			n.t.Fatal(err)
		}
	}
	n.t.Cleanup(func() {
		n.end()
		for _, top := range tops {
			clearGroup(top + n.cgroupRoot())
		}
	})
}

// clearGroup takes away a control group in which nothing runs any more, and those below it.
func clearGroup(dir string) {
	var dirs []string
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	for _, d := range slices.Backward(dirs) {
		for range 100 { // what ran in it may still be being buried
			if unix.Rmdir(d) != unix.EBUSY {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}
