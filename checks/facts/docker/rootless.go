package docker

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// An Other is a Docker daemon of this host beside the one that is judged.
type Other struct {
	PID     int    // 0 when none runs
	UID     uint32 // whose it is
	Sockets []string
}

// maxAsked is how many daemons are asked where they listen: the kernel goes through all its connections for each, and
// any user can start thousands.
const maxAsked = 20

// maxUsers is how many accounts are looked at for a Docker of their own.
const maxUsers = 1000

// rootlessUsers are the users who have set up a Docker of their own, by uid.
func rootlessUsers(h *facts.Host) ([]uint32, error) {
	f, err := h.File("/etc/passwd")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := facts.Accounts(f.Data)
	var users []uint32
	for _, a := range all[:min(len(all), maxUsers)] {
		if a.ID == 0 || len(a.Fields) < 6 || !path.IsAbs(a.Fields[5]) || a.Fields[5] == "/" {
			continue
		}
		for _, p := range []string{
			path.Join(a.Fields[5], ".config/docker/daemon.json"), path.Join(a.Fields[5], ".config/systemd/user/docker.service"),
			path.Join(a.Fields[5], ".config/systemd/user/default.target.wants/docker.service"), userSocket(a.ID),
		} {
			if _, err := h.Info(p); err == nil {
				users = append(users, a.ID)
				break
			}
		}
	}
	slices.Sort(users)
	return slices.Compact(users), nil
}

// userSocket is where a rootless dockerd listens by default.
func userSocket(uid uint32) string { return fmt.Sprintf("/run/user/%d/docker.sock", uid) }

// rootlessDaemon is a user's own daemon that does not run.
func rootlessDaemon(h *facts.Host, d *Daemon, uid uint32) error {
	d.Flavour, d.UID = "rootless", uid
	u, err := userUnit(h, uid, dockerUnit)
	if errors.Is(err, facts.ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	d.Unit, d.UnitBy = u.Name, want.Warrant{By: want.User, From: "the command of a user's " + u.Name}
	if startsDockerd(u) {
		d.Next = u.Flags()
	}
	return nil
}

// others are the daemons that d is not; those of users that do not run, where the system's would not be started either.
func others(h *facts.Host, d *Daemon) []Other {
	var all []Other
	running := map[uint32]bool{}
	ps, _ := h.AllProcesses("dockerd")
	for _, p := range ps {
		running[p.UID] = true
		if p.Contained || p.Doubted != "" && p.UID == 0 || d.Process != nil && d.Process.PID == p.PID {
			continue
		}
		o := Other{PID: p.PID, UID: p.UID}
		var ls []facts.Listener
		if len(all) < maxAsked {
			ls, _ = h.Listeners(p.PID) // who may not look is told less
		}
		for _, l := range ls {
			if strings.Contains(l.Address, "/libnetwork/") {
				continue // where its own helpers answer
			}
			o.Sockets = append(o.Sockets, endpointOf(l))
		}
		all = append(all, o)
	}
	if enabled, err := enabled(h); d.Flavour == "rootless" || err == nil && !enabled && d.Process == nil {
		users, _ := rootlessUsers(h)
		for _, uid := range users {
			if uid != d.UID && !running[uid] {
				all = append(all, Other{UID: uid, Sockets: []string{"unix://" + userSocket(uid)}})
			}
		}
	}
	return all
}

// endpointOf is a listener as --docker-host takes it.
func endpointOf(l facts.Listener) string {
	if l.Network == "unix" {
		return "unix://" + l.Address
	}
	return "tcp://" + l.Address
}

// The socket that clients use who are told of no other.
const (
	defaultSocket = "/run/docker.sock"
	longSocket    = "/var/run/docker.sock"
)

// Unanswered is an error where somebody has named a Docker Engine and it cannot be told which this is: it is not there,
// or does not answer. This host may have another, of which that one says nothing.
func Unanswered(h *facts.Host) error {
	_, at, err := h.Source().Engine(h.Context())
	known := false // whether a dockerd of this host is who listens there
	if at.PID > 1 {
		ps, _ := h.AllProcesses("dockerd")
		known = slices.ContainsFunc(ps, func(p facts.Process) bool { return p.PID == at.PID && !p.Contained })
	}
	if err == nil && !known && at.PID != 1 {
		_, err = EngineSays(h)
	}
	switch {
	case err == nil, at.From == "", at.From == Default, known, errors.Is(err, facts.ErrAbsent):
		return nil
	case at.Host == "unix://"+defaultSocket, at.Host == "unix://"+longSocket:
		return nil // the system's own, which just does not run
	}
	return fmt.Errorf("%w, so it is not used for this host: %w", ErrUnanswered, err)
}

// Default is who chose an endpoint that nobody named.
const Default = "default"

// names reports whether a daemon would listen where the Engine was looked for.
func names(h *facts.Host, d *Daemon) bool {
	_, at, _ := h.Source().Engine(h.Context())
	o := d.Option("hosts")
	var addresses []string
	if o.Next != nil {
		addresses = o.Next.Values
	}
	if keys, err := texts(o.File); err == nil {
		addresses = append(addresses, keys...)
	}
	return slices.Contains(addresses, at.Host)
}
