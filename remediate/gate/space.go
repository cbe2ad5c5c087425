package gate

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts"
	"example.com/harden/remediate"
	"example.com/harden/remediate/edit"
)

// ValidateHere is Validate for a change of this very machine, where the room on its disks counts too.
func ValidateHere(ctx context.Context, c remediate.Change, h *facts.Host) error {
	if err := Validate(ctx, c, h); err != nil {
		return err
	}
	return room(c)
}

// room asks whether there is enough for the audit log that a manifest is to have an API server write: a full disk takes
// etcd with it.
func room(c remediate.Change) error {
	const container = "kube-apiserver"
	now, ok := edit.PodFlagValue(c.After.Data, container, "audit-log-path")
	if !ok || now == "-" || !path.IsAbs(now) {
		return nil
	}
	number := func(data []byte, flag string, otherwise int64) int64 {
		text, _ := edit.PodFlagValue(data, container, flag)
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
			return min(n, 1<<30) // megabytes or files: more is more than any disk has, and their product must be a number
		}
		return otherwise
	}
	// kube-apiserver writes 100 MB to a file where nothing else is said, and any number of files: ten are counted.
	need := func(data []byte) int64 {
		return number(data, "audit-log-maxsize", 100) * (number(data, "audit-log-maxbackup", 10) + 1)
	}
	if before, ok := edit.PodFlagValue(c.Before.Data, container, "audit-log-path"); ok && before == now &&
		need(c.After.Data) <= need(c.Before.Data) ||
		bytes.Equal(c.Before.Data, c.After.Data) {
		return nil
	}
	var st unix.Statfs_t
	dir := path.Dir(now)
	for unix.Statfs(dir, &st) != nil {
		if dir == "/" {
			return nil // which cannot be
		}
		dir = path.Dir(dir)
	}
	if free := int64(st.Bavail) * int64(st.Bsize) >> 20; free < need(c.After.Data) {
		return fmt.Errorf("the audit log may grow to %d MB, and %d MB are free at %s", need(c.After.Data), free, dir)
	}
	return nil
}
