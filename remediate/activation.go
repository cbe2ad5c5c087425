package remediate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
)

// activateKey asks for what makes dockerd take up a key of its configuration file.
func (d *draft) activateKey(f fix, w want.Key) error {
	unit := "docker.service"
	daemon, err := docker.DaemonOf(d.host)
	if errors.Is(err, facts.ErrAbsent) || err == nil && daemon.Process == nil && !daemon.Unseen {
		return nil // nothing runs that could take it up; the next start will
	}
	alone := err == nil && daemon.Process != nil && daemon.Unit == "" // nobody would start it again
	if err == nil && daemon.Unit != "" {
		unit = daemon.Unit
	}
	switch {
	case want.Reloadable[w.Key[0]]:
	case alone:
		d.waiting = append(d.waiting, restart{f, unit,
			fmt.Sprintf("dockerd (PID %d) runs outside a service: restart it the way it was started", daemon.Process.PID)})
		return nil
	default:
		d.restart(f, w.Key[0], unit)
		return nil
	}
	if err == nil && daemon.Running.Carries(daemon.Next) {
		// dockerd refuses to reload a file with a key that it was started with as a flag. Live-restore is in
		// force already then: it was kept on while a run was taken back.
		if w.Key[0] == "live-restore" {
			return nil
		}
		return fmt.Errorf("restart dockerd first: it runs with --live-restore, which is not configured anywhere")
	}
	d.activate(f, Reload, unit)
	return nil
}

// networkKeys are what dockerd reads as it sets up its default network, which it leaves as it is while containers that
// survived its restart use it. Source: moby daemon/daemon_unix.go, configureNetworking.
var networkKeys = map[string]bool{"icc": true, "iptables": true, "ip6tables": true, "bip": true}

// A restart is asked for by a fix.
type restart struct {
	fix     fix
	unit    string
	pending string // why it has to wait; empty where that is known when the draft is complete
}

// restart asks for a restart that makes dockerd take up a key.
func (d *draft) restart(f fix, key, unit string) {
	if networkKeys[key] {
		// whether one is enough is known when the draft is complete
		d.network = append(d.network, restart{fix: f, unit: unit})
		return
	}
	d.activate(f, Restart, unit)
}

// deferred returns the restarts that have to wait: those that nothing here can do, and those for network keys, until
// the containers end. Others are asked for.
func (d *draft) deferred() []Activation {
	var later []Activation
	survivors := len(d.network) > 0 && d.survivors()
	for _, r := range append(slices.Clone(d.waiting), d.network...) {
		if r.pending == "" && !survivors {
			d.activate(r.fix, Restart, r.unit)
			continue
		}
		i := slices.IndexFunc(later, func(a Activation) bool { return a.Unit == r.unit })
		if i < 0 {
			i = len(later)
			later = append(later, Activation{Kind: Restart, Unit: r.unit, Class: want.Restart, Pending: cmp.Or(r.pending,
				"dockerd keeps its network while containers run: restart it when none runs, or reboot")})
		}
		later[i].Checks = addCheck(later[i].Checks, r.fix.check)
	}
	return later
}

// survivors reports whether containers would outlive a restart: they run, and live-restore is
// on or will be before it.
func (d *draft) survivors() bool {
	engine, err := docker.EngineSays(d.host)
	if err != nil {
		return false
	}
	cs, err := docker.Containers(d.host)
	running := err == nil && slices.ContainsFunc(cs, func(c docker.Container) bool { return c.State.Running })
	configured := false
	if daemon, err := docker.DaemonOf(d.host); err == nil {
		configured = string(daemon.Option("live-restore").File) == "true"
	}
	return running && (engine.LiveRestoreEnabled || configured || d.wantsLiveRestore())
}

func (d *draft) activate(f fix, kind Kind, unit string) {
	if d.asked[kind] == nil {
		d.asked[kind] = map[string]*Activation{}
	}
	a := d.asked[kind][unit]
	if a == nil {
		a = &Activation{Kind: kind, Unit: unit, Class: activationClass[kind]}
		d.asked[kind][unit] = a
	}
	a.Checks = addCheck(a.Checks, f.check)
}

var activationClass = map[Kind]want.Class{
	LoadAudit: want.Reload, ReloadManager: want.None, Reload: want.Reload, Restart: want.Restart,
	ComposeUp: want.Workload, RollOut: want.Workload, SetTimer: want.None}

// finish sorts the draft into what a plan holds: changes that change something, and activations in order.
func (d *draft) finish() {
	for _, c := range d.files {
		if c.changes() {
			c.Upgrade = d.upgrade(*c)
			d.changes = append(d.changes, *c)
		}
	}
	slices.SortFunc(d.changes, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	later := d.deferred()
	for _, kind := range Kinds { // of RecordInCluster there are none yet
		units := d.asked[kind]
		for _, unit := range slices.Sorted(maps.Keys(units)) {
			if d.idle(kind, unit) {
				continue
			}
			if kind == Reload && d.asked[Restart][unit] != nil && !d.wantsLiveRestore() {
				continue // the restart takes up what the reload would
			}
			d.activations = append(d.activations, *units[unit])
		}
	}
	d.activations = append(d.activations, later...)
	d.reads()
}

// reads notes of each service that Compose is to be called for what Compose reads, now and with the draft.
func (d *draft) reads() {
	var after *facts.Host
	for i := range d.activations {
		a := &d.activations[i]
		if a.Kind != ComposeUp {
			continue
		}
		if after == nil {
			after = d.host.With(d.overlay())
		}
		was, err := docker.ProjectOf(d.host, a.Unit)
		will, errAfter := docker.ProjectOf(after, a.Unit)
		if err = cmp.Or(err, errAfter); err != nil {
			a.Pending = err.Error()
			continue
		}
		a.Reads = &Reads{was.Sums, will.Sums, was.Running}
	}
}

// wantsLiveRestore reports whether live-restore is being turned on: dockerd decides by the value it has in memory
// whether containers survive a restart, so it must be reloaded first (reliability: file and restart alone kill them).
func (d *draft) wantsLiveRestore() bool {
	for _, c := range d.files {
		for _, w := range c.Wants {
			if k, ok := w.(want.Key); ok && slices.Equal(k.Key, []string{"live-restore"}) {
				return true
			}
		}
	}
	return false
}

// Kubelet reports whether a unit is the kubelet's.
func Kubelet(unit string) bool { return strings.Contains(unit, "kubelet") }
