package facts

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/want"
)

// A Place is a path that a fact names, and what entitles harden to change what is there.
type Place struct {
	Path string
	want.Warrant
}

// ByLink begins Info.Locked where somebody besides root decides which file a path leads to.
const ByLink = "reached through a link"

// Exposed says who besides root could put something else in the place of the last of chain, empty when nobody could.
// chain is every directory from the top down and then what is in the last of them, which may not exist yet. In a sticky
// directory nobody can take away what is root's. Access lists need no look: the group's bits are their mask.
func Exposed(chain []Info, exists bool) string {
	for n, dir := range chain {
		last := n == len(chain)-1
		if last && exists {
			break
		}
		kept := !last && dir.Mode&0o1000 != 0 && chain[n+1].UID == 0
		if why := Writable(dir); why != "" && (dir.UID != 0 || !kept) {
			return why
		}
	}
	return ""
}

// Writable says who besides root can write to a file or directory.
func Writable(i Info) string {
	switch {
	case i.UID != 0:
		return fmt.Sprintf("uid %d owns %s", i.UID, i.Path)
	case i.Mode&0o002 != 0:
		return "everybody can write to " + i.Path
	case i.Mode&0o020 != 0:
		return fmt.Sprintf("gid %d can write to %s", i.GID, i.Path)
	}
	return ""
}

// Exposed says who besides root could put something else at a path, empty when nobody could.
func (h *Host) Exposed(p string) (string, error) {
	chain, exists, err := h.Chain(p)
	if err != nil {
		return "", err
	}
	return Exposed(chain, exists), nil
}

// Guarded says who besides root could have written the file at a path, empty when nobody could.
func (h *Host) Guarded(p string) (string, error) {
	chain, exists, err := h.Chain(p)
	if err != nil {
		return "", err
	}
	if why := Exposed(chain, exists); why != "" || !exists {
		return why, nil
	}
	return Writable(chain[len(chain)-1]), nil
}

// Chain describes every directory above a path, the topmost first, and then the path itself where it exists. A link
// that another could lead elsewhere stands for its owner.
func (h *Host) Chain(p string) (chain []Info, exists bool, err error) {
	at, err := h.Info(p)
	exists = err == nil
	if errors.Is(err, fs.ErrNotExist) {
		if p == "/" {
			return nil, false, nil
		}
		if chain, _, err = h.Chain(path.Dir(p)); err != nil {
			return nil, false, err
		}
		return chain, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if strings.HasPrefix(at.Locked, ByLink) {
		return []Info{{Path: "the link at " + p, UID: nobody}, at}, exists, nil
	}
	for dir := path.Dir(at.Path); ; dir = path.Dir(dir) {
		info, err := h.Info(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, exists, err
		}
		if err == nil {
			chain = append(chain, info)
		}
		if dir == "/" || dir == "." {
			break
		}
	}
	slices.Reverse(chain)
	if at.Path != "/" {
		chain = append(chain, at)
	}
	return chain, exists, nil
}

// nobody is the uid that the kernel gives those whom it cannot name.
const nobody = 65534

// Vouch returns whose word the content of a file is: by's, who named the file, or a user's where one could have written
// it.
func (h *Host) Vouch(file string, by want.Authority) want.Authority {
	if by < want.Root {
		return by
	}
	if why, err := h.Guarded(file); err != nil || why != "" {
		return want.User
	}
	return want.Root
}

// WellKnown reports whether a path is where a program keeps what an item is about by default, so that harden would look
// there whoever names it.
func WellKnown(p string) bool {
	dir, base := path.Split(p)
	if slices.Contains([]string{".conf", ".yaml"}, path.Ext(base)) &&
		(dir == "/etc/kubernetes/" || dir == "/etc/kubernetes/manifests/") {
		return true
	}
	return wellKnown[p] || strings.HasPrefix(p, "/etc/kubernetes/pki/")
}

var wellKnown = set("/run/docker.sock", "/etc/docker/daemon.json", "/etc/default/docker", "/etc/sysconfig/docker",
	"/etc/default/kubelet", "/etc/sysconfig/kubelet", "/var/lib/kubelet/kubeadm-flags.env", "/var/lib/docker",
	"/var/lib/etcd", "/etc/kubernetes/pki", "/var/lib/kubelet/config.yaml", "/var/lib/kubelet/instance-config.yaml",
	"/var/lib/kubelet/pki/kubelet-client-current.pem")

// SystemDir reports whether a directory belongs to the whole system, so that no program's item is about it.
func SystemDir(dir string) bool {
	parent, base := path.Split(path.Clean(dir))
	switch parent = path.Clean(parent); parent {
	case "/":
		return wholeSystems[base] || base == ""
	case "/home", "/media", "/usr", "/run/user":
		return true
	case "/var", "/etc", "/usr/local", "/usr/share", "/run", "/root":
		return wholeBelow[parent+"/"+base]
	}
	return strings.HasPrefix(dir, "/proc/") || strings.HasPrefix(dir, "/sys/") || strings.HasPrefix(dir, "/dev/")
}

var (
	wholeSystems = set("bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "media", "mnt", "opt",
		"proc", "root", "run", "sbin", "snap", "srv", "sys", "tmp", "usr", "var")
	wholeBelow = set("/var/backups", "/var/cache", "/var/crash", "/var/lib", "/var/local", "/var/lock", "/var/log",
		"/var/mail", "/var/opt", "/var/run", "/var/snap", "/var/spool", "/var/tmp", "/var/www", "/etc/alternatives",
		"/etc/audit", "/etc/cron.d", "/etc/default", "/etc/init.d", "/etc/kubernetes", "/etc/pam.d", "/etc/pki",
		"/etc/profile.d", "/etc/security", "/etc/ssh",
		"/etc/ssl", "/etc/sudoers.d", "/etc/sysconfig", "/etc/systemd", "/etc/udev", "/run/lock", "/run/systemd", "/run/user",
		"/usr/local/bin", "/usr/local/etc", "/usr/local/lib", "/usr/local/sbin", "/usr/local/share",
		"/usr/share/ca-certificates",
		"/root/.ssh")
)
