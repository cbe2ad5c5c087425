package docker

import (
	"example.com/harden/checks"
	"example.com/harden/checks/source"
)

// sources says by which rule a check judges the files that images and containers are made from, by the check's ID.
var sources = map[string]checks.Rule{
	"docker/user":                        source.Both(source.User, source.ComposeUser),
	"docker/trusted-images":              source.Both(source.Pinned, source.ComposeImage),
	"docker/image-healthcheck":           source.Healthcheck,
	"docker/package-index":               source.Update,
	"docker/image-setuid":                source.Setuid,
	"docker/no-add":                      source.Copy,
	"docker/image-secrets":               source.Both(source.Secrets, source.ComposeSecrets),
	"docker/apparmor":                    source.AppArmor,
	"docker/selinux":                     source.SELinux,
	"docker/capabilities":                source.Capabilities,
	"docker/privileged":                  source.Privileged,
	"docker/sensitive-mounts":            source.SensitiveMounts,
	"docker/low-ports":                   source.LowPorts,
	"docker/host-network":                source.HostNetwork,
	"docker/memory":                      source.Memory,
	"docker/cpu":                         source.CPU,
	"docker/read-only":                   source.ReadOnly,
	"docker/bound-ports":                 source.BoundPorts,
	"docker/restart-policy":              source.Restart,
	"docker/host-pid":                    source.HostPID,
	"docker/host-ipc":                    source.HostIPC,
	"docker/devices":                     source.Devices,
	"docker/mount-propagation":           source.Propagation,
	"docker/host-uts":                    source.HostUTS,
	"docker/container-seccomp":           source.Seccomp,
	"docker/container-cgroup-parent":     source.CgroupParent,
	"docker/container-no-new-privileges": source.NoNewPrivileges,
	"docker/container-healthcheck":       source.ComposeHealthcheck,
	"docker/pids":                        source.PIDs,
	"docker/default-bridge":              source.DefaultBridge,
	"docker/host-userns":                 source.HostUsers,
	"docker/socket-mounts":               source.SocketMounts,
}

// withSources gives checks their rules for sources.
func withSources(all []*checks.Check) []*checks.Check {
	for _, c := range all {
		c.Source = sources[c.ID]
	}
	return all
}
