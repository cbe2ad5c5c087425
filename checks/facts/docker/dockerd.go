package docker

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// dockerd finds the daemon that the engine's endpoint belongs to, nil when none runs. Several can run side by side:
// then the one that listens on the endpoint counts, then the one of the default pid file, then the eldest. A user's own
// counts where it is who answers, or where nothing would start one of the system's: else any user could hide that one.
func dockerd(h *facts.Host, engine *EngineFacts) (*facts.Process, error) {
	all, err := h.AllProcesses("dockerd")
	if errors.Is(err, facts.ErrAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(slices.Clone(all), func(p facts.Process) bool { return p.Contained })
	_, at, _ := h.Source().Engine(h.Context())
	if at.PID > 1 {
		i := slices.IndexFunc(all, func(p facts.Process) bool { return p.PID == at.PID })
		if i >= 0 && (rootless(&all[i]) || all[i].Doubted == "") {
			return legible(&all[i])
		}
		if i >= 0 { // no other is judged in its place
			return nil, facts.Uncertain(all[i : i+1])
		}
	}
	if Unanswered(h) != nil {
		return nil, nil // whatever else runs here, it is not the one that was asked for
	}
	ps := facts.Own(all)
	if at.Asleep {
		return nil, nil // that of the system does not run; others are not taken for it
	}
	if len(ps) == 0 {
		if err := facts.Uncertain(all); err != nil {
			return nil, err
		}
		return usersDockerd(h, all, engine)
	}
	if len(ps) == 1 {
		return &ps[0], nil
	}
	ps = slices.SortedFunc(slices.Values(ps), func(a, b facts.Process) int { return a.PID - b.PID })
	var serving []facts.Process
	for _, p := range ps {
		ls, err := h.Listeners(p.PID)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if engine != nil && slices.ContainsFunc(ls, func(l facts.Listener) bool { return serves(h, l, engine.Host) }) {
			serving = append(serving, p)
		}
	}
	if len(serving) > 0 {
		ps = serving
	}
	const pidFile = "/run/docker.pid"
	if f, err := h.File(pidFile); err == nil && h.Vouch(pidFile, want.Root) == want.Root {
		pid, _ := strconv.Atoi(strings.TrimSpace(string(f.Data)))
		if i := slices.IndexFunc(ps, func(p facts.Process) bool { return p.PID == pid }); i >= 0 {
			return &ps[i], nil
		}
	}
	return &ps[0], nil
}

// rootless reports whether a process is a user's own.
func rootless(p *facts.Process) bool { return p.UID != 0 }

// usersDockerd is a rootless daemon, where the system has none of its own that would be started.
func usersDockerd(h *facts.Host, all []facts.Process, engine *EngineFacts) (*facts.Process, error) {
	all = slices.DeleteFunc(slices.Clone(all), func(p facts.Process) bool { return !rootless(&p) })
	if len(all) == 0 || engine != nil && engine.PID != 0 { // what answers has been looked for already
		return nil, nil
	}
	if enabled, err := enabled(h); err != nil || enabled {
		return nil, err
	}
	first := slices.MinFunc(all, func(a, b facts.Process) int { return a.PID - b.PID })
	return legible(&first)
}

// legible is an error of a process whose arguments could not be read.
func legible(p *facts.Process) (*facts.Process, error) {
	if p.Unread != "" {
		return nil, fmt.Errorf("%s (PID %d): %s", path.Base(p.Exe), p.PID, p.Unread)
	}
	return p, nil
}

// enabled reports whether systemd would start the system's daemon.
func enabled(h *facts.Host) (bool, error) {
	for _, link := range []string{"multi-user.target.wants/docker.service", "sockets.target.wants/docker.socket"} {
		_, err := h.Info(path.Join("/etc/systemd/system", link))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return err == nil, err
		}
	}
	return false, nil
}

// serves reports whether a listener is where clients of host end up.
func serves(h *facts.Host, l facts.Listener, host string) bool {
	network, address, _ := strings.Cut(host, "://")
	if network == "unix" {
		if l.Network != "unix" {
			return false
		}
		a, errA := h.Info(address)
		b, errB := h.Info(l.Address)
		return address == l.Address || errA == nil && errB == nil && a.Path == b.Path
	}
	return strings.HasPrefix(l.Network, "tcp") && port(l.Address) == port(address)
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
