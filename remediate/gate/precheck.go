// Package gate says what may not be done on this host, and what the program that reads a file would refuse: prechecks
// of a whole plan, and the validation of each change. It writes nothing but the scratch file that dockerd judges.
package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// Precheck says what a plan would break on this very host: warnings, by check ID, that go with a change, and, by
// check ID, why a fix must not be made at all. It knows what the facts know and changes nothing.
func Precheck(_ context.Context, plan *remediate.Plan, h *facts.Host) (warnings map[string][]string,
	refusals map[string]string) {
	return judged(plan, h, false)
}

// PrecheckMoved is Precheck where somebody takes along what userns-remap hides: the containers are made again.
func PrecheckMoved(_ context.Context, plan *remediate.Plan, h *facts.Host) (warnings map[string][]string,
	refusals map[string]string) {
	return judged(plan, h, true)
}

func judged(plan *remediate.Plan, h *facts.Host, moved bool) (warnings map[string][]string,
	refusals map[string]string) {
	d, err := docker.DaemonOf(h)
	if err != nil {
		return nil, nil // no daemon of this host is touched by the plan
	}
	p := &precheck{host: h, daemon: d, moved: moved, warnings: map[string][]string{}, refusals: map[string]string{}}
	if d.Process != nil {
		p.engine, p.blind = docker.EngineSays(h)
		if p.blind == nil {
			p.containers, p.blind = docker.Containers(h)
		}
	}
	p.settings = p.settingsOf(plan)
	p.updates = plan.After().Updated
	for _, look := range []struct {
		key  string
		look func(*precheck, setting)
	}{
		{"icc", (*precheck).icc}, {"userns-remap", (*precheck).remap},
		{"log-driver", (*precheck).logDriver}, {"tlscacert", (*precheck).tlsFile}, {"tlscert", (*precheck).tlsFile},
		{"tlskey", (*precheck).tlsFile}, {"seccomp-profile", (*precheck).seccomp},
	} {
		if s, ok := p.settings[look.key]; ok {
			look.look(p, s)
		}
	}
	for _, a := range plan.Activations {
		if a.Kind == remediate.Restart && !remediate.Kubelet(a.Unit) {
			p.restart(a.Checks)
		}
	}
	return p.warnings, p.refusals
}

type precheck struct {
	host       *facts.Host
	daemon     *docker.Daemon
	engine     *docker.EngineFacts // nil when none answers
	containers []docker.Container
	blind      error // a dockerd runs, but why nothing of what it runs can be told
	moved      bool  // somebody takes along what userns-remap hides
	settings   map[string]setting
	updates    map[string]want.Limits // of the plan, by container
	warnings   map[string][]string
	refusals   map[string]string
}

// A setting is one key of dockerd's configuration as the plan would have it.
type setting struct {
	value  any
	flag   bool // as a flag, which only a restart brings into force
	checks []*checks.Check
}

func (p *precheck) warn(cs []*checks.Check, format string, args ...any) {
	for _, c := range cs {
		p.warnings[c.ID] = append(p.warnings[c.ID], fmt.Sprintf(format, args...))
	}
}

func (p *precheck) refuse(cs []*checks.Check, format string, args ...any) {
	for _, c := range cs {
		if _, ok := p.refusals[c.ID]; !ok {
			p.refusals[c.ID] = fmt.Sprintf(format, args...)
		}
	}
}

// settingsOf finds the daemon's settings in a plan and which checks want them. A change only lists both, so the
// checks themselves are asked again; what none of them owns up to is all of theirs.
func (p *precheck) settingsOf(plan *remediate.Plan) map[string]setting {
	found := map[string]setting{}
	for _, c := range plan.Changes {
		for _, w := range c.Wants {
			key, s, ok := p.settingOf(w)
			if !ok {
				continue
			}
			for _, k := range c.Checks {
				if p.wants(k, w) {
					s.checks = append(s.checks, k)
				}
			}
			if len(s.checks) == 0 {
				s.checks = c.Checks
			}
			s.checks = append(slices.Clone(found[key].checks), s.checks...)
			found[key] = s
		}
	}
	return found
}

func (p *precheck) settingOf(w want.Want) (key string, s setting, ok bool) {
	switch w := w.(type) {
	case want.Key:
		if len(w.Key) == 1 && p.same(w.File, p.daemon.File) {
			return w.Key[0], setting{value: w.Value}, true
		}
	case want.Flag:
		if w.Unit == p.daemon.Unit {
			return keyOf(w.Name), setting{value: w.Value, flag: true}, true
		}
	}
	return "", setting{}, false
}

func (p *precheck) same(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := p.host.Info(a)
	y, errY := p.host.Info(b)
	return errX == nil && errY == nil && x.Path == y.Path
}

func (p *precheck) wants(c *checks.Check, w want.Want) bool {
	if c.Rule == nil {
		return false
	}
	findings, _ := c.Rule.Judge(p.host)
	return slices.ContainsFunc(findings, func(f checks.Finding) bool {
		return slices.ContainsFunc(f.Wants, func(v want.Want) bool { return reflect.DeepEqual(v, w) })
	})
}

// is reports whether a setting is that boolean, whether JSON or a flag spells it.
func (s setting) is(b bool) bool {
	v, err := strconv.ParseBool(fmt.Sprint(s.value))
	return err == nil && v == b
}

// list returns a setting that is one text or several.
func (s setting) list() []string {
	var several []string
	if data, err := json.Marshal(s.value); err == nil && json.Unmarshal(data, &several) == nil {
		return several
	}
	if one := fmt.Sprint(s.value); s.value != nil && one != "" {
		return []string{one}
	}
	return nil
}

func (p *precheck) running() []docker.Container { return running(p.containers) }

func running(all []docker.Container) []docker.Container {
	return slices.DeleteFunc(slices.Clone(all), func(c docker.Container) bool { return !c.State.Running })
}

// unbridged warns of a run that switches live-restore on: taken back, it ends the containers that have outlived it.
// OpenRC has nothing like a drop-in below /run that would keep live-restore on for one start: its scripts read files of
// /etc alone, and take nothing from the environment.
func (p *precheck) unbridged(cs []*checks.Check) {
	if _, ok := p.settings["live-restore"]; !ok || !docker.OpenRC(p.daemon.Unit) {
		return
	}
	if names := namesOf(p.running()); len(names) > 0 {
		p.warn(cs, "rolling this back restarts dockerd without live-restore, and OpenRC cannot keep it on for one "+
			"restart: these containers stop: %s", Join(names))
	}
}

// restart: without live-restore a restart of the daemon ends every container.
func (p *precheck) restart(cs []*checks.Check) {
	switch {
	case p.daemon.Process == nil:
		return
	case p.survives():
		p.unbridged(cs)
		return
	case p.blind != nil:
		p.warn(cs, "the restart stops every container, and harden cannot list them: %v", p.blind)
		return
	}
	var stay, back, tasks []string
	for _, c := range p.running() {
		// a label is anybody's: it counts for what is said alone, and only where there is a swarm
		if c.Config.Labels[docker.LabelSwarmService] != "" && docker.SwarmNode(p.host, p.daemon) != "" {
			tasks = append(tasks, nameOf(c))
			continue
		}
		policy := c.HostConfig.RestartPolicy.Name
		if next, err := docker.ParseRestart(p.updates[c.ID].Restart); err == nil {
			policy = next.Name // the plan changes it before it restarts dockerd
		}
		if policy == container.RestartPolicyAlways || policy == container.RestartPolicyUnlessStopped {
			back = append(back, nameOf(c))
		} else {
			stay = append(stay, nameOf(c))
		}
	}
	if len(stay) > 0 {
		p.warn(cs, "the restart stops these containers, and no restart policy restarts them: %s", Join(stay))
	}
	if len(back) > 0 {
		p.warn(cs, "the restart interrupts these containers: %s", Join(back))
	}
	if len(tasks) > 0 {
		p.warn(cs, "the restart ends these tasks, and the swarm replaces them: %s", Join(tasks))
	}
}

// survives reports whether live-restore spares the containers. The daemon that ends must have it in force, and the one
// that starts must have it configured; a reload brings the key, but never the flag, into force before.
func (p *precheck) survives() bool {
	if s, ok := p.settings["live-restore"]; ok {
		return s.is(true) && (!s.flag || p.engine != nil && p.engine.LiveRestoreEnabled)
	}
	if p.engine == nil || !p.engine.LiveRestoreEnabled {
		return false
	}
	o := p.daemon.Option("live-restore")
	flag, _ := p.daemon.Next.Bool("live-restore")
	return string(o.File) == "true" || flag
}

func (p *precheck) icc(s setting) {
	if !s.is(false) || p.engine == nil {
		return
	}
	var touched []string
	var talk bool
	for _, c := range p.running() {
		if !docker.OnDefaultBridge(&c) {
			continue
		}
		name := nameOf(c)
		if len(c.HostConfig.Links) > 0 {
			name += " (links to others: only the ports that those expose stay open to it)"
			talk = true
		} else if len(c.HostConfig.PortBindings) > 0 || c.HostConfig.PublishAllPorts {
			name += " (publishes ports: others on the bridge no longer reach it directly)"
			talk = true
		}
		touched = append(touched, name)
	}
	if talk || len(touched) > 1 {
		p.warn(s.checks, "these containers share the default bridge and can no longer reach each other: %s", Join(touched))
	}
	if p.engine.AtLeast(28, 0) {
		if _, err := p.host.Info("/proc/sys/net/bridge"); errors.Is(err, fs.ErrNotExist) {
			p.warn(s.checks, "Docker %s creates no bridge network with icc=false unless the kernel module br_netfilter is "+
				"loaded, and it is not", p.engine.ServerVersion)
		}
	}
}

func (p *precheck) logDriver(s setting) {
	for _, name := range s.list() {
		if err := logDriver(name, p.drivers()); err != nil {
			p.refuse(s.checks, "%v", err)
		}
	}
}

// drivers are the log drivers of the daemon, its plugins included; nil when it does not answer.
func (p *precheck) drivers() []string {
	if p.engine == nil {
		return nil
	}
	return p.engine.Plugins.Log
}

func (p *precheck) tlsFile(s setting) {
	for _, file := range s.list() {
		if _, err := p.host.Info(file); err != nil {
			p.refuse(s.checks, "dockerd would not start without its TLS file: %v", err)
		}
	}
}

func (p *precheck) seccomp(s setting) {
	for _, file := range s.list() {
		if err := seccompProfile(p.host, p.daemon, file); err != nil {
			p.refuse(s.checks, "dockerd would not start without its seccomp profile: %v", err)
		}
	}
}

func nameOf(c docker.Container) string { return facts.Clip(c.ShortName()) }

func namesOf(cs []docker.Container) (names []string) {
	for _, c := range cs {
		names = append(names, nameOf(c))
	}
	return names
}

// Join names at most a dozen: a longer list is read by nobody.
func Join(names []string) string {
	const most = 12
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
