package rule

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
)

// A Key is a setting of dockerd: a key of daemon.json, or the flag that means the same.
type Key[T any] struct {
	name    string
	unset   T // what dockerd does when it is left out
	running func(*facts.Host, *docker.EngineFacts) (T, bool)
	also    func(*facts.Host, *docker.Daemon) map[string]any
}

// Daemon is the setting with that key of daemon.json; unset is what dockerd does when it is left out.
func Daemon[T any](key string, unset T) Key[T] { return Key[T]{name: key, unset: unset} }

// Told is the key's running value as the Docker Engine tells it; false where the Engine does not.
func (k Key[T]) Told(by func(*facts.Host, *docker.EngineFacts) (T, bool)) Key[T] {
	k.running = by
	return k
}

// Also asks for further keys together with this one; nil wants a key gone.
func (k Key[T]) Also(keys func(*facts.Host, *docker.Daemon) map[string]any) Key[T] {
	k.also = keys
	return k
}

// Setting is the key as a setting of dockerd on this host, or of the engine on another machine that was asked for.
func (k Key[T]) Setting() Setting[T] {
	return Setting[T]{Subject: "daemon " + k.name, On: func(h *facts.Host) (Told[T], error) {
		err := Here(h)
		if err == nil {
			d, err := docker.DaemonOf(h)
			return dockerd[T]{k, h, d}, err
		}
		_, unreached := docker.EngineSays(h)
		if errors.Is(unreached, facts.ErrAbsent) || errors.Is(err, facts.ErrUnanswered) {
			return nil, err
		}
		return elsewhere[T]{k, h}, nil
	}}
}

// Must is the rule that the key meets cond, as it runs and as it is configured.
func (k Key[T]) Must(cond be.Cond[T]) checks.Rule { return k.Setting().Must(cond) }

// Choose is Setting's.
func (k Key[T]) Choose(by func(*facts.Host) (T, error)) Setting[T] { return k.Setting().Choose(by) }

// Refuse is the key as a setting that is not asked for on a host where why gives a reason.
func (k Key[T]) Refuse(why func(*facts.Host, T) string) Setting[T] {
	s := k.Setting()
	s.Refuse = why
	return s
}

// Breaks is Setting's.
func (k Key[T]) Breaks(what func(*facts.Host) string) Setting[T] { return k.Setting().Breaks(what) }

// Next reads the key as dockerd would have it after a restart.
func (k Key[T]) Next(d *docker.Daemon) (Reading[T], error) {
	r := Reading[T]{Value: k.unset, By: d.Word()} // the default is the word of whoever runs it
	if d.KeysErr != nil {
		return r, d.KeysErr
	}
	o := d.Option(k.name)
	r.Text = ByDefault(text(r.Value))
	if o.File != nil {
		if err := json.Unmarshal(o.File, &r.Value); err != nil {
			return r, fmt.Errorf("%s: %s: %w", d.File, k.name, err)
		}
		r.Where, r.By = d.File, min(r.By, d.KeysBy)
		r.Text = text(r.Value) + " in " + d.File
	}
	if o.Next != nil {
		r.Where, r.By = fmt.Sprintf("--%s in %s", o.Next.Name, origin(o.Next)), min(r.By, o.Next.By)
		if err := ParseFlag(o.Next.Values, &r.Value); err != nil {
			return r, fmt.Errorf("%s: %w", r.Where, err)
		}
		r.Text = text(r.Value) + " by " + r.Where
	}
	if o.File != nil && o.Next != nil {
		r.Text = fmt.Sprintf("set twice, by %s and in %s", r.Where, d.File)
		r.Broken = "dockerd refuses to start with both: remove one of the two"
	}
	return r, nil
}

func (k Key[T]) told(h *facts.Host) (v T, ok bool) {
	e, err := docker.EngineSays(h)
	if err != nil || k.running == nil {
		return v, false
	}
	return k.running(h, e)
}

func inDaemon(v any) string { return text(v) + " in the running daemon" }

// An elsewhere is another machine's engine, which is judged by what it tells of itself: all that can be known from
// here.
type elsewhere[T any] struct {
	Key[T]
	host *facts.Host
}

func (e elsewhere[T]) Reading() (Reading[T], error) {
	v, ok := e.told(e.host)
	if !ok {
		return Reading[T]{}, fmt.Errorf("%w, and does not show its %s", facts.ErrElsewhere, e.name)
	}
	return Reading[T]{Value: v, Text: inDaemon(v), Stuck: "run harden on the machine of the Docker Engine"}, nil
}

func (elsewhere[T]) Running() Running[T] { return Running[T]{Settled: true} }

func (elsewhere[T]) Ask(T) ([]want.Want, string) { return nil, "" }

func (elsewhere[T]) TakeUp(be.Cond[T]) ([]want.Want, string, string) { return nil, "", "" }

// A dockerd is a key as the dockerd of this host has it.
type dockerd[T any] struct {
	Key[T]
	host   *facts.Host
	daemon *docker.Daemon
}

func (d dockerd[T]) Reading() (Reading[T], error) { return d.Next(d.daemon) }

func (d dockerd[T]) Running() Running[T] {
	v, told := d.told(d.host)
	restarted := d.host.Restarted(Service(d.daemon)) // what the Engine tells is of before it
	told = told && !restarted
	return Running[T]{Value: v, Known: told, Asked: told, Text: inDaemon(v),
		Settled: restarted || d.daemon.Settled(d.name), Since: "the configuration changed after dockerd started"}
}

func (d dockerd[T]) Ask(v T) ([]want.Want, string) {
	keys := map[string]any{d.name: v}
	if d.also != nil {
		maps.Copy(keys, d.also(d.host, d.daemon))
	}
	return Ask(d.daemon, keys)
}

// TakeUp asks for nothing but the reload or restart that takes up what is configured already, and names it.
func (d dockerd[T]) TakeUp(cond be.Cond[T]) (wants []want.Want, why, how string) {
	o, unit := d.daemon.Option(d.name), d.daemon.Unit
	reload := want.Reloadable[d.name] && o.Next == nil
	switch {
	case d.daemon.Flavour == "rootless":
		why = fmt.Sprintf("run `systemctl --user restart docker` as uid %d", d.daemon.UID)
	case blocked(d.daemon) != "":
		why = blocked(d.daemon)
	case reload && o.File == nil: // dockerd keeps the old value of a key that is gone: only an explicit one resets it
		if v, ok := cond.Nearest(d.unset); ok {
			wants, why = Ask(d.daemon, map[string]any{d.name: v})
		}
		return wants, why, "a reload does not reset omitted keys"
	case reload:
		return []want.Want{want.Service{Unit: Service(d.daemon), Key: d.name, Reload: true}}, "", "pending reload"
	case unit == "":
		why = fmt.Sprintf("restart dockerd (process %d) the way it was started: no service does", d.daemon.Process.PID)
	default:
		wants = []want.Want{want.Service{Unit: unit, Key: d.name}}
	}
	return wants, why, "pending restart"
}

// Service is the unit that a plan restarts to restart dockerd, also where none has started it.
func Service(d *docker.Daemon) string { return cmp.Or(d.Unit, "docker.service") }

// Ask wants keys of daemon.json to hold values, each where its effective value comes from, since dockerd refuses to
// start when a key is set by a flag too. Where one of them cannot be set it says why and wants nothing.
func Ask(d *docker.Daemon, keys map[string]any) (wants []want.Want, why string) {
	if d.Flavour == "rootless" {
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			if flag := d.Option(key).Next; flag != nil { // dockerd does not start with both
				return nil, fmt.Sprintf("dockerd is a user's own: as uid %d, change --%s in %s and run `systemctl "+
					"--user restart docker`",
					d.UID, flag.Name, origin(flag))
			}
		}
		return nil, fmt.Sprintf("dockerd is a user's own: as uid %d, set %s in %s and run `systemctl --user restart "+
			"docker`",
			d.UID, spell(keys), d.File)
	}
	if why := blocked(d); why != "" {
		return nil, why
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		v, flag := keys[key], d.Option(key).Next
		switch {
		case flag != nil && d.OpenRC() && flag.Variable == "":
			return nil, fmt.Sprintf("change --%s where dockerd gets it: %s, which is its package's", flag.Name,
				origin(flag))
		case flag != nil && d.Unit != "" && (scalar(v) || empty(v)):
			w := want.Flag{Unit: d.Unit, Name: flag.Name, Warrant: d.UnitBy}
			if d.OpenRC() {
				w.File, w.Variable = flag.Origin, flag.Variable
				w.Warrant = want.Warrant{By: flag.By, From: "what " + d.Unit + " reads"}
			}
			if w.Gone = empty(v); !w.Gone {
				w.Value = fmt.Sprint(v)
			}
			wants = append(wants, w)
			continue
		case flag != nil:
			return nil, fmt.Sprintf("change --%s where dockerd gets it: %s", flag.Name, origin(flag))
		}
		if v == "" {
			v = nil // an empty value is better said by no key at all
		}
		wants = append(wants, want.Key{File: d.File, Key: []string{key}, Value: v, Warrant: d.Entitled()})
	}
	return wants, ""
}

// blocked says why dockerd must not be made to take up its configuration at all: it would not come back.
func blocked(d *docker.Daemon) string {
	if d.Keys == nil {
		return ""
	}
	for _, key := range d.Keys.Order {
		if o := d.Option(key); o.Next != nil && key != "runtimes" { // which dockerd merges
			return fmt.Sprintf("first repair %s, which is set by --%s in %s and in %s: dockerd refuses to start",
				key, o.Next.Name, origin(o.Next), d.File)
		}
	}
	return ""
}

// spell writes keys as daemon.json would.
func spell(keys map[string]any) string {
	data, err := json.Marshal(keys)
	if err != nil {
		return fmt.Sprint(keys)
	}
	return string(data[1 : len(data)-1])
}

// scalar reports whether one flag can say all of v.
func scalar(v any) bool {
	switch v.(type) {
	case bool, string:
		return true
	}
	return false
}

// empty reports whether v is a list of nothing, which a flag says by not being there.
func empty(v any) bool {
	list, ok := v.([]string)
	return ok && len(list) == 0
}

func origin(f *facts.Flag) string {
	return Origin(f, "the command line of the running dockerd, which no systemd unit started")
}

// text spells a value as reports do.
func text(v any) string {
	switch v := v.(type) {
	case []string:
		return cmp.Or(strings.Join(v, ", "), Unset)
	case string:
		return cmp.Or(v, Unset)
	}
	return fmt.Sprint(v)
}
