package docker_test

import (
	"testing"

	"example.com/harden/checks/facts/docker"
)

func TestFlagName(t *testing.T) {
	for key, want := range map[string]string{
		"icc": "icc", "labels": "label", "hosts": "host", "insecure-registries": "insecure-registry",
		"registry-mirrors": "registry-mirror", "default-ulimits": "default-ulimit", "log-opts": "log-opt",
		"storage-opts": "storage-opt", "authorization-plugins": "authorization-plugin", "dns": "dns", "dns-opts": "dns-opt",
		"runtimes": "add-runtime", "default-address-pools": "default-address-pool", "features": "feature",
		"allow-nondistributable-artifacts": "allow-nondistributable-artifacts", "tls": "tls", "iptables": "iptables",
		"log-driver": "log-driver", "exec-opts": "exec-opt", "graph": "data-root",
		"node-generic-resources": "node-generic-resource",
	} {
		if got := docker.FlagName(key); got != want {
			t.Errorf("FlagName(%q) = %q, want %q", key, got, want)
		}
	}
}
