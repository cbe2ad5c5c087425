package rule

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A Key is a setting of dockerd: a key of daemon.json, or the flag that means the same. It has a value that runs and
// a value that would run after a restart, and both must meet what is required.
type Key[T any] struct {
	name    string
	unset   T
	running func(*facts.Host, *facts.EngineFacts) (T, bool)
	choose  func(*facts.Host) (T, error)
	also    func(*facts.Host, *facts.Daemon) map[string]any
	breaks  func(*facts.Host) string
}

// An Unset is what dockerd does when a setting is left out.
type Unset[T any] struct{ value T }

// Default says what a setting means where nobody wrote it down.
func Default[T any](v T) Unset[T] { return Unset[T]{v} }

// Daemon is the setting with that key of daemon.json.
func Daemon[T any](key string, unset Unset[T]) Key[T] {
	return Key[T]{name: key, unset: unset.value}
}

// Told is the setting's running value as the Docker Engine tells it; false where the Engine does not.
func (k Key[T]) Told(by func(*facts.Host, *facts.EngineFacts) (T, bool)) Key[T] {
	k.running = by
	return k
}

// ErrNotChosen means that the site has not chosen a value; the check's Manual says how.
var ErrNotChosen = errors.New("not chosen")

// Choose takes the value to ask for from the site's choices, where no nearest one exists. The error is
// ErrNotChosen, or why the choice cannot be asked for.
func (k Key[T]) Choose(by func(*facts.Host) (T, error)) Key[T] { k.choose = by; return k }

// Also asks for further keys together with a chosen value; nil wants a key gone.
func (k Key[T]) Also(keys func(*facts.Host, *facts.Daemon) map[string]any) Key[T] {
	k.also = keys
	return k
}

// Breaks says what the fix disturbs on this very host.
func (k Key[T]) Breaks(what func(*facts.Host) string) Key[T] { k.breaks = what; return k }

// Must is the rule that the setting meets cond, as it runs and as it is configured.
func (k Key[T]) Must(cond be.Cond[T]) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		if err := Here(h); err != nil {
			if _, unreached := h.Engine(); errors.Is(unreached, facts.ErrAbsent) ||
				errors.Is(err, facts.ErrUnanswered) {
				return nil, err
			}
			return k.judgeRemote(h, cond)
		}
		d, err := h.Daemon()
		if err != nil {
			return nil, err
		}
		next, err := k.Next(d)
		if v, ok := k.told(h); err != nil && ok && !cond.Holds(v) { // what runs is bad, whatever is configured
			return []checks.Finding{k.runs(v, cond, fmt.Sprintf("what is configured cannot be read: %v", err))}, err
		}
		if err != nil {
			return nil, err
		}
		return k.judge(h, d, next, cond)
	})
}

// judgeRemote judges another machine's engine by what it tells of itself, which is all that can be known from here.
func (k Key[T]) judgeRemote(h *facts.Host, cond be.Cond[T]) ([]checks.Finding, error) {
	v, ok := k.told(h)
	switch {
	case !ok:
		return nil, fmt.Errorf("%w, and does not tell its %s", facts.ErrElsewhere, k.name)
	case cond.Holds(v):
		return nil, nil
	}
	return []checks.Finding{k.runs(v, cond, "run harden on the machine of the Docker Engine")}, nil
}

func (k Key[T]) runs(v T, cond be.Cond[T], why string) checks.Finding {
	return checks.Finding{Subject: k.subject(), Got: text(v) + " in the running daemon", Must: cond.Text, Reason: why}
}

func (k Key[T]) subject() string { return "daemon " + k.name }

func (k Key[T]) told(h *facts.Host) (v T, ok bool) {
	e, err := h.Engine()
	if err != nil || k.running == nil {
		return v, false
	}
	return k.running(h, e)
}

// A Reading is a setting as it is configured.
type Reading[T any] struct {
	Value T
	Flag  *facts.Flag // the flag that sets it
	File  string      // the daemon.json that sets it; with a Flag too, dockerd refuses to start
}

// By is whose word the value is; dockerd's default is the word of whoever runs it.
func (r Reading[T]) By(d *facts.Daemon) want.Authority {
	by := d.Word()
	if r.File != "" {
		by = min(by, d.KeysBy)
	}
	if r.Flag != nil {
		by = min(by, r.Flag.By)
	}
	return by
}

// String tells the value and where it is written.
func (r Reading[T]) String() string {
	switch {
	case r.Flag != nil && r.File != "":
		return fmt.Sprintf("set twice, by %s and in %s", r.Where(), r.File)
	case r.Flag != nil:
		return fmt.Sprintf("%s by %s", text(r.Value), r.Where())
	case r.File != "":
		return fmt.Sprintf("%s in %s", text(r.Value), r.File)
	}
	if t := text(r.Value); t != unset {
		return "unset, so " + t
	}
	return unset
}

// Where names what sets the value.
func (r Reading[T]) Where() string {
	if r.Flag != nil {
		return fmt.Sprintf("--%s in %s", r.Flag.Name, origin(r.Flag))
	}
	return r.File
}

// Next reads the setting as dockerd would have it after a restart.
func (k Key[T]) Next(d *facts.Daemon) (Reading[T], error) {
	r := Reading[T]{Value: k.unset}
	if d.KeysErr != nil {
		return r, d.KeysErr
	}
	o := d.Option(k.name)
	if o.File != nil {
		r.File = d.File
		if err := json.Unmarshal(o.File, &r.Value); err != nil {
			return r, fmt.Errorf("%s: %s: %w", d.File, k.name, err)
		}
	}
	if o.Next != nil {
		r.Flag = o.Next
		if err := parse(r.Flag.Values, &r.Value); err != nil {
			return r, fmt.Errorf("--%s in %s: %w", r.Flag.Name, origin(r.Flag), err)
		}
	}
	return r, nil
}

func (k Key[T]) judge(h *facts.Host, d *facts.Daemon, next Reading[T], cond be.Cond[T]) ([]checks.Finding, error) {
	f := checks.Finding{Subject: k.subject(), Got: next.String(), Must: cond.Text}
	run, known := k.told(h)
	settled := h.Restarted(Service(d)) || d.Settled(k.name)
	if h.Restarted(Service(d)) {
		known = false // what the Engine tells is of before the restart
	}
	switch {
	case next.Flag != nil && next.File != "":
		f.Reason = "dockerd refuses to start with both: remove one of the two"
		return []checks.Finding{f}, nil
	case !cond.Holds(next.Value):
		if known && cond.Holds(run) {
			f.Got += ", from the next start on; " + text(run) + " in the running daemon"
		}
		k.repair(h, d, next, cond, &f)
	case known && !cond.Holds(run):
		f.Got += ", " + text(run) + " in the running daemon: " + k.pending(d, next, cond, &f)
	case known || settled:
		return nil, nil
	default:
		f.Got += "; what runs is not known, since the configuration changed after dockerd started: " +
			k.pending(d, next, cond, &f)
	}
	if k.breaks != nil {
		f.Breaks = k.breaks(h)
	}
	return []checks.Finding{f}, nil
}

// repair asks for the nearest value that is good, or for the one that the site has chosen.
func (k Key[T]) repair(h *facts.Host, d *facts.Daemon, next Reading[T], cond be.Cond[T], f *checks.Finding) {
	v, ok := cond.Nearest(next.Value)
	keys := map[string]any{}
	if !ok {
		if k.choose == nil {
			return
		}
		var err error
		if v, err = k.choose(h); err != nil {
			if !errors.Is(err, ErrNotChosen) {
				f.Reason = err.Error()
			}
			return
		}
		if k.also != nil {
			maps.Copy(keys, k.also(h, d))
		}
	}
	keys[k.name] = v
	f.Wants, f.Reason = Ask(d, keys)
}

// pending asks for nothing but the reload or restart that takes up what is configured already, and names it.
func (k Key[T]) pending(d *facts.Daemon, next Reading[T], cond be.Cond[T], f *checks.Finding) string {
	f.Pending = true
	reload := want.Reloadable[k.name] && next.Flag == nil
	switch {
	case d.Flavour == "rootless":
		f.Reason = fmt.Sprintf("run `systemctl --user restart docker` as uid %d", d.UID)
	case blocked(d) != "":
		f.Reason = blocked(d)
	case reload && next.File == "": // dockerd keeps the old value of a key that is gone: only an explicit one resets it
		if v, ok := cond.Nearest(next.Value); ok {
			f.Wants, f.Reason = Ask(d, map[string]any{k.name: v})
		}
		return "a reload does not reset what is merely left out"
	case reload:
		f.Wants = []want.Want{want.Service{Unit: Service(d), Key: k.name, Reload: true}}
		return "pending reload"
	case d.Unit == "":
		f.Reason = fmt.Sprintf("restart dockerd (process %d) the way it was started: no service does", d.Process.PID)
	default:
		f.Wants = []want.Want{want.Service{Unit: d.Unit, Key: k.name}}
	}
	return "pending restart"
}

// Service is the unit that a plan restarts to restart dockerd, also where none has started it.
func Service(d *facts.Daemon) string { return cmp.Or(d.Unit, "docker.service") }

// Ask wants keys of daemon.json to hold values, each where its effective value comes from, since dockerd refuses to
// start when a key is set by a flag too. Where one of them cannot be set it says why and wants nothing.
func Ask(d *facts.Daemon, keys map[string]any) (wants []want.Want, why string) {
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
func blocked(d *facts.Daemon) string {
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
	if f.Origin == "process" {
		return "the command line of the running dockerd, which no systemd unit started"
	}
	return f.Origin
}

// A Flagger reads itself from the values of a repeated flag.
type Flagger interface{ FromFlags(values []string) error }

// parse reads the values of a flag as dockerd would.
func parse(values []string, v any) error {
	last := ""
	if len(values) > 0 {
		last = values[len(values)-1]
	}
	switch v := v.(type) {
	case *bool:
		b, err := strconv.ParseBool(last)
		*v = b
		return err
	case *string:
		*v = last
	case *[]string:
		*v = values
	case Flagger:
		return v.FromFlags(values)
	default:
		return fmt.Errorf("no flag of dockerd is a %T", v)
	}
	return nil
}

const unset = "unset"

func text(v any) string {
	switch v := v.(type) {
	case []string:
		if len(v) == 0 {
			return unset
		}
		return strings.Join(v, ", ")
	case string:
		return cmp.Or(v, unset)
	}
	return fmt.Sprint(v)
}
