package kube

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// controlGroups are the directories of a control group, in the unified hierarchy or in systemd's own of version 1.
func controlGroups(group string) (dirs []string) {
	for _, top := range []string{"/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(top + "/cgroup.procs"); err == nil {
			dirs = append(dirs, filepath.Join(top, group))
		}
	}
	return dirs
}

// contain starts a pod's program as a container runtime would: in a process namespace of its own, and in the control
// group of a static pod, whose name is a hash.
func (n *Node) contain(pod, root string, argv []string) (*Process, error) {
	// a program of another process namespace cannot make a further one by itself
	p := n.start("/", "/usr/bin/unshare", append([]string{"--pid", "--fork", "--kill-child", "--root=" + root,
		"--"}, argv...))
	children := fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", p.PID)
	for p.Running() {
		text, err := os.ReadFile(children)
		if _, scanErr := fmt.Sscan(string(text), &p.PID); err == nil && scanErr == nil {
			return p, n.join(p, pod)
		}
		time.Sleep(time.Millisecond)
	}
	return p, nil // it has ended, as its log tells
}

// enter makes a control group and moves a process to it. The one before it in that pod may take the group away at the
// same time.
func enter(dir string, pid int) (err error) {
	for range 100 {
		if err = os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		err = os.WriteFile(dir+"/cgroup.procs", fmt.Append(nil, pid), 0)
		if !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENOENT) {
			break
		}
	}
	return err
}

// join moves a pod's program to its control group, until it ends.
func (n *Node) join(p *Process, pod string) error {
	hash := md5.Sum([]byte(n.dir + pod))
	dirs := controlGroups("/kubepods/burstable/pod" + hex.EncodeToString(hash[:]))
	var err error
	for _, dir := range dirs {
		err = errors.Join(err, enter(dir, p.PID))
	}
	if errors.Is(err, unix.ESRCH) {
		err = nil // it has ended meanwhile
	}
	go func() {
		<-p.done
		for _, dir := range dirs {
			clearGroup(dir)
		}
	}()
	return err
}
