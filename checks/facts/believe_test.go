package facts_test

import (
	"io/fs"
	"strings"
	"testing"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/fixtures"
)

// TestDoubt has a program started by root, from where root alone can write, and then each way in which it may be
// another's.
func TestDoubt(t *testing.T) {
	const service = "/system.slice/kubelet.service"
	for _, tt := range []struct {
		name     string
		change   func(*facts.Process)
		systemd  bool
		exposed  string
		says     string // empty where the process counts
		noMatter bool   // whether systemd runs
	}{
		{"root's", func(*facts.Process) {}, false, "", "", false},
		{"a service", func(p *facts.Process) { p.Cgroup = service }, true, "", "", false},
		{"a service in a slice of its own", func(p *facts.Process) { p.Cgroup = "/runtime.slice/kubelet.service" }, true, "",
			"", false},
		{"upgraded since", func(p *facts.Process) { p.Deleted = true }, false, "", "", false},
		{"a service with mounts of its own", func(p *facts.Process) { p.Cgroup, p.OtherMounts = service, true }, true, "", "",
			false},
		{"a user's", func(p *facts.Process) { p.UID, p.RealUID, p.SavedUID = 1001, 1001, 1001 }, false, "",
			"it runs as uid 1001", true},
		{"a service's user", func(p *facts.Process) { p.UID, p.Cgroup = 1001, service }, true, "", "it runs as uid 1001",
			false},
		{"set-user-ID", func(p *facts.Process) { p.RealUID = 1001 }, false, "", "uid 1001 started it", true},
		{"that can become root again", func(p *facts.Process) { p.SavedUID = 1001 }, false, "", "uid 1001 started it", true},
		{"root of a user namespace", func(p *facts.Process) { p.OtherUsers = true }, false, "", "user namespace", true},
		{"another's program", func(p *facts.Process) { p.ProgramUID = 1001 }, false, "", "belongs to uid 1001", true},
		{"a program that a group can write", func(p *facts.Process) { p.ProgramMode = 0o775 }, false, "", "mode 0775", true},
		{"in another's directory", func(*facts.Process) {}, false, "uid 1001 owns /srv", "uid 1001 owns /srv", true},
		{"out of reach", func(p *facts.Process) { p.Exe = "(unreachable)/kubelet" }, false, "", "cannot be found", true},
		{"another file by now", func(p *facts.Process) { p.Elsewhere = true }, false, "", "not the file", true},
		{"a container in the host's process namespace", func(p *facts.Process) { p.OtherMounts = true }, false, "",
			"mount namespace", false},
		{"gone, in other mounts", func(p *facts.Process) { p.OtherMounts, p.Deleted, p.Cgroup = true, true, service }, true,
			"", "not the file", false},
		{"by hand, where systemd runs", func(*facts.Process) {}, true, "", "control group is /", false},
		{"of a session", func(p *facts.Process) { p.Cgroup = "/user.slice/user-0.slice/session-3.scope" }, true, "",
			"not a system service", false},
		{"of a user's systemd", func(p *facts.Process) {
			p.Cgroup = "/user.slice/user-0.slice/user@0.service/app.slice/kubelet.service"
		}, true, "", "not a system service", false},
		{"of a user's systemd, in a container",
			func(p *facts.Process) { p.Cgroup = "/docker/1/user.slice/user@0.service/kubelet.service" }, true, "",
			"not a system service", false},
		{"in a container's scope",
			func(p *facts.Process) { p.Cgroup, p.OtherMounts = "/system.slice/docker-1.scope/kubelet.service", true }, true, "",
			"mount namespace", false},
		{"of a session's scope", func(p *facts.Process) { p.Cgroup = "/system.slice/run-1.scope/kubelet.service" }, true, "",
			"not a system service", false},
		{"of a container's own cgroup",
			func(p *facts.Process) { p.Cgroup = "/docker/" + strings.Repeat("0a", 32) + "/kubelet.service" }, true, "",
			"not a system service", false},
		{"of a container below a service", func(p *facts.Process) {
			p.Cgroup = "/system.slice/docker.service/libpod-payload-" + strings.Repeat("0a", 32) + "/kubelet.service"
		}, true, "", "not a system service", false},
		{"whose arguments cannot be read", func(p *facts.Process) { p.Unread, p.Cgroup = "too many arguments", service },
			true, "", "too many arguments", false},
		{"of a pod", func(p *facts.Process) { p.Cgroup = "/kubepods.slice/x.service" }, true, "", "not a system service",
			false},
		{"outside of what can be seen", func(p *facts.Process) { p.Cgroup = "/../system.slice/kubelet.service" }, true, "",
			"not a system service", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := facts.Process{PID: 7, Exe: "/usr/bin/kubelet", Origin: facts.Origin{ProgramMode: 0o755}}
			tt.change(&p)
			for _, systemd := range []bool{false, true} {
				if systemd != tt.systemd && !tt.noMatter {
					continue
				}
				why := p.Doubt(systemd, tt.exposed)
				if tt.says == "" && why != "" || !strings.Contains(why, tt.says) {
					t.Errorf("systemd %v: %q, want %q", systemd, why, tt.says)
				}
			}
		})
	}
}

func TestExposed(t *testing.T) {
	dir := func(path string, mode fs.FileMode, uid uint32) facts.Info {
		return facts.Info{Path: path, Type: fs.ModeDir, Mode: mode, UID: uid}
	}
	file := func(uid uint32) facts.Info { return facts.Info{Path: "/x", UID: uid, Mode: 0o666} }
	top := dir("/", 0o755, 0)
	for _, tt := range []struct {
		name  string
		chain []facts.Info
		gone  bool
		says  string
	}{
		{"root's", []facts.Info{top, dir("/a", 0o755, 0), file(1001)}, false, ""},
		{"to be made", []facts.Info{top, dir("/a", 0o755, 0)}, true, ""},
		{"a user's directory", []facts.Info{top, dir("/a", 0o700, 1001), file(0)}, false, "uid 1001 owns /a"},
		{"above root's", []facts.Info{top, dir("/a", 0o755, 1001), dir("/a/b", 0o755, 0), file(0)}, false,
			"uid 1001 owns /a"},
		{"a group's", []facts.Info{top, dir("/a", 0o775, 0), file(0)}, false, "gid 0 can write to /a"},
		{"anybody's", []facts.Info{top, dir("/a", 0o757, 0), file(0)}, false, "everybody can write to /a"},
		{"sticky, root's in it", []facts.Info{top, dir("/tmp", 0o1777, 0), dir("/tmp/a", 0o755, 0), file(0)}, false, ""},
		{"sticky, a file of root's", []facts.Info{top, dir("/tmp", 0o1777, 0), file(0)}, false, ""},
		{"sticky, a user's in it", []facts.Info{top, dir("/tmp", 0o1777, 0), file(1001)}, false,
			"everybody can write to /tmp"},
		{"sticky, nothing there", []facts.Info{top, dir("/tmp", 0o1777, 0)}, true, "everybody can write to /tmp"},
		{"sticky, and a user's", []facts.Info{top, dir("/a", 0o1777, 1001), file(0)}, false, "uid 1001 owns /a"},
	} {
		if got := facts.Exposed(tt.chain, !tt.gone); got != tt.says {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.says)
		}
	}
}

// TestAuthority asks of files and of what is put together from them whose word it is.
func TestAuthority(t *testing.T) {
	r, err := fixtures.Load("docker/authority.txtar")
	if err != nil {
		t.Fatal(err)
	}
	h := r.Host(t.Context())
	for path, by := range map[string]want.Authority{
		"/etc/docker/daemon.json": want.Root, "/srv/team/daemon.json": want.User, "/srv/open/daemon.json": want.User,
		"/etc/lent.json": want.User, "/etc/link.json": want.User, "/etc/nothing.json": want.Root,
	} {
		if got := h.Vouch(path, want.Root); got != by {
			t.Errorf("%s: %v, want %v", path, got, by)
		}
	}
	if got := h.Vouch("/etc/docker/daemon.json", want.Guest); got != want.Guest {
		t.Errorf("what a container names is the word of %v", got)
	}
	u, err := h.Unit("docker.service")
	if err != nil {
		t.Fatal(err)
	}
	flags := u.Flags()
	for flag, by := range map[string]want.Authority{"icc": want.Root, "log-level": want.User, "data-root": want.User,
		"tlskey": want.Root} {
		if got := flags[flag].By; got != by {
			t.Errorf("--%s: %v, want %v", flag, got, by)
		}
	}
	if u.By != want.User || u.CommandBy != want.User {
		t.Errorf("the unit is the word of %v, its command of %v", u.By, u.CommandBy)
	}
}
