package docker

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/want"
)

// serviceUnit is the unit that starts dockerd and everything that overrides parts of it.
func serviceUnit(h *facts.Host) ([]facts.Place, error) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	if d.OpenRC() {
		return nil, rule.Inapplicable("OpenRC starts dockerd, by %s", d.Unit)
	}
	return unitFiles(h, rule.Service(d))
}

// unitDir is where administrators put units and what overrides them. To add a drop-in is to change a unit.
const unitDir = "/etc/systemd/system"

// recordedUnit is what must be watched to know of every change to the unit that starts dockerd.
func recordedUnit(h *facts.Host) ([]facts.Place, error) {
	files, err := serviceUnit(h)
	if err != nil {
		return nil, err
	}
	return append([]facts.Place{files[0], rule.Known(unitDir)[0]}, slices.DeleteFunc(files[1:], func(p facts.Place) bool {
		return strings.HasPrefix(p.Path, unitDir+"/")
	})...), nil
}

// socketUnit is the unit that opens dockerd's socket for it and everything that overrides parts of it.
func socketUnit(h *facts.Host) ([]facts.Place, error) {
	if err := rule.Here(h); err != nil {
		return nil, err
	}
	return unitFiles(h, "docker.socket")
}

func unitFiles(h *facts.Host, name string) ([]facts.Place, error) {
	u, err := h.Unit(name)
	if err != nil {
		return nil, err
	}
	return u.Files(), nil
}

// daemonJSON is the configuration file in use.
func daemonJSON(h *facts.Host) ([]facts.Place, error) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	if d.File == "" {
		return nil, d.KeysErr
	}
	return rule.Named(d.Entitled(), d.File), nil
}

func dataRoot(h *facts.Host) ([]facts.Place, error) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	return rule.Named(d.RootBy, d.DataRoot), nil
}

// program finds a program by the processes that run it and by where packages put it.
func program(name string) rule.Paths {
	return func(h *facts.Host) ([]facts.Place, error) {
		if err := rule.Here(h); err != nil {
			return nil, err
		}
		var paths []facts.Place
		running, err := h.Processes(name)
		if d, err := h.Daemon(); err == nil && name == "dockerd" && len(running) == 0 && d.Process != nil {
			running = []facts.Process{*d.Process} // a user's own
		}
		for _, p := range running {
			from := fmt.Sprintf("process %d, which runs it", p.PID)
			paths = append(paths, facts.Place{Path: p.Exe, Warrant: want.Warrant{By: p.By, From: from, Kind: want.Program}})
		}
		if errors.Is(err, facts.ErrAbsent) {
			err = nil // a host that does not run has its programs all the same
		}
		return append(paths, installed(name)...), err
	}
}

// runc is the program that the default runtime runs.
func runc(h *facts.Host) ([]facts.Place, error) {
	if err := rule.Here(h); err != nil {
		return nil, err
	}
	paths := installed("runc")
	if e, err := h.Engine(); err == nil && path.IsAbs(e.Runtimes["runc"].Path) {
		w := want.Warrant{From: "what dockerd says of itself", Kind: want.Program}
		if d, err := h.Daemon(); err == nil {
			w.By = d.Word()
		}
		paths = append(rule.Named(w, e.Runtimes["runc"].Path), paths...)
	}
	return paths, nil
}

func installed(name string) []facts.Place { return rule.Known(inDirs(name)...) }

func inDirs(name string) []string {
	var paths []string
	for _, dir := range []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"} {
		paths = append(paths, path.Join(dir, name))
	}
	return paths
}

// shim is one of containerd's shims.
func shim(name string) rule.Paths { return rule.At(inDirs(name)...) }

// Where containerd keeps its sockets and state: by itself, and when dockerd supervises it.
var (
	containerdDirs    = rule.At("/run/containerd", "/run/docker/containerd")
	containerdSockets = rule.At("/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock")
)

var hosts = rule.Daemon("hosts", rule.Default([]string(nil)))

// apiSockets is the unix sockets that dockerd serves its API on.
func apiSockets(h *facts.Host) ([]facts.Place, error) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	addresses, err := hosts.Next(d)
	w := want.Warrant{By: addresses.By(d), From: "the addresses that dockerd listens at", Kind: want.Socket}
	var paths []facts.Place
	for _, a := range addresses.Value {
		switch p, unix := strings.CutPrefix(a, "unix://"); {
		case unix:
			paths = append(paths, rule.Named(w, cmp.Or(p, "/run/docker.sock"))...)
		case strings.HasPrefix(a, "fd://"):
			for _, s := range streams(h) {
				if path.IsAbs(s.Path) {
					paths = append(paths, s)
				}
			}
		}
	}
	if len(addresses.Value) == 0 && d.Flavour == "rootless" {
		w.By = d.Word()
		paths = append(paths, rule.Named(w, fmt.Sprintf("/run/user/%d/docker.sock", d.UID))...)
	} else if len(addresses.Value) == 0 {
		paths = append(paths, rule.Known("/run/docker.sock")...)
	}
	return paths, err
}

// recordedSocket is the sockets and docker.socket, which says whose they will be. docker-bench-security looks at that alone.
func recordedSocket(h *facts.Host) ([]facts.Place, error) {
	paths, err := apiSockets(h)
	if err != nil {
		return nil, err
	}
	if u, ok := activated(h); ok {
		paths = append(paths, u.Files()[0])
	}
	return paths, nil
}

// streams is what docker.socket listens on.
func streams(h *facts.Host) []facts.Place {
	u, err := h.Unit("docker.socket")
	if err != nil {
		return nil
	}
	var all []facts.Place
	for _, s := range u.All("Socket", "ListenStream") {
		w := want.Warrant{By: s.By, From: "ListenStream= in " + s.File, Kind: want.Socket}
		all = append(all, rule.Named(w, strings.NewReplacer("%t", "/run").Replace(s.Value))...)
	}
	return all
}

// activated reports whether systemd opens the API's socket, so that docker.socket says whose it is.
func activated(h *facts.Host) (*facts.Unit, bool) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, false
	}
	addresses, _ := hosts.Next(d)
	for _, a := range addresses.Value {
		if strings.HasPrefix(a, "fd://") {
			u, err := h.Unit("docker.socket")
			return u, err == nil
		}
	}
	return nil, false
}

// Where certs.d keeps what dockerd trusts of registries and shows them of itself.
const registryCerts = "/etc/docker/certs.d"

// registryFiles finds the files of certs.d with one of these extensions. It is certs.d/HOST/FILE; what is deeper,
// dockerd does not read.
func registryFiles(extensions ...string) rule.Paths {
	return func(h *facts.Host) ([]facts.Place, error) {
		if err := rule.Here(h); err != nil {
			return nil, err
		}
		var paths []facts.Place
		registries, err := h.List(registryCerts)
		if err != nil {
			return nil, facts.Absent(err)
		}
		for _, r := range registries {
			dir := path.Join(registryCerts, r)
			if i, err := h.Info(dir); err == nil && i.Type != fs.ModeDir {
				continue
			}
			names, err := h.List(dir)
			if err != nil {
				return paths, err
			}
			for _, n := range names {
				for _, e := range extensions {
					if path.Ext(n) == e {
						paths = append(paths, rule.Known(path.Join(dir, n))...)
					}
				}
			}
		}
		if len(paths) == 0 {
			return nil, rule.Inapplicable("%s: no %s file", registryCerts, strings.Join(extensions, " or "))
		}
		return paths, nil
	}
}

// tlsFile is the file that a key of dockerd's TLS names; while TLS is on, the file that it reads unasked.
func tlsFile(key, unasked string, kind want.Kind) rule.Paths {
	return func(h *facts.Host) ([]facts.Place, error) {
		d, err := rule.Dockerd(h)
		if err != nil {
			return nil, err
		}
		named, err := rule.Daemon(key, rule.Default("")).Next(d)
		if err != nil || named.Value != "" {
			return rule.Named(want.Warrant{By: named.By(d), From: "--" + key + " or " + key + " in " + d.File, Kind: kind}, named.Value), err
		}
		for _, k := range []string{"tls", "tlsverify"} {
			if on, err := rule.Daemon(k, rule.Default(false)).Next(d); err != nil || on.Value {
				return rule.Named(want.Warrant{By: d.Word(), From: "dockerd's default", Kind: kind}, path.Join("/root/.docker", unasked)), err
			}
		}
		return nil, rule.Inapplicable("dockerd uses no TLS")
	}
}
