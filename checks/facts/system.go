package facts

import (
	"slices"
	"strings"
)

// systemDirs are the directories of which a container must not be able to write anything; of sharedDirs single entries
// are anybody's.
var (
	systemDirs = []string{"/boot", "/dev", "/etc", "/proc", "/root", "/sys", "/usr", "/bin", "/sbin", "/lib", "/lib32",
		"/lib64", "/libx32", "/var/lib/docker", "/var/lib/containerd", "/run/docker", "/run/containerd", "/run/systemd"}
	sharedDirs = []string{"/home", "/run", "/var", "/var/lib", "/var/log"}
)

// OfSystem reports whether who can write below a path of the host can write to the system's own directories, more among
// them.
func OfSystem(path string, more ...string) bool {
	if slices.Contains(sharedDirs, path) {
		return true
	}
	for _, dir := range slices.Concat(systemDirs, more) {
		if Within(path, dir) || Within(dir, path) {
			return true
		}
	}
	return false
}

// Within reports whether a clean path is dir or below it.
func Within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
