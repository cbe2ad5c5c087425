package kubernetes

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A setting is a field of the kubelet's configuration, or the flag that means the same and beats it. It has a value that
// runs and a value that would run after a restart, and both must meet what is required.
type setting[T any] struct {
	field  string // "authentication.anonymous.enabled"
	flag   string // without dashes; empty where no flag says it
	unset  T      // what the kubelet does where nobody says anything, when it is started with --config
	legacy T      // and without
	blank  string // what a file says that means unset
	refuse func(*facts.Host, *facts.Kubelet, T) string
}

// same is a setting whose default does not depend on --config.
func same[T any](field, flag string, unset T) setting[T] {
	return setting[T]{field: field, flag: flag, unset: unset, legacy: unset}
}

// unless adds what keeps a value from being asked for on this host; an empty reason lets it.
func (s setting[T]) unless(why func(*facts.Host, *facts.Kubelet, T) string) setting[T] {
	s.refuse = why
	return s
}

func (s setting[T]) path() []string { return strings.Split(s.field, ".") }

// A reading is a setting as it is configured.
type reading[T any] struct {
	value T
	opt   facts.KubeletOption
}

// by is whose word the value is.
func (r reading[T]) by() want.Authority {
	switch {
	case r.opt.Next != nil:
		return r.opt.Next.By
	case r.opt.Said:
		return r.opt.Over.By
	}
	return want.Root
}

// where names what sets the value; empty where the kubelet's default does.
func (r reading[T]) where() string {
	switch {
	case r.opt.Next != nil:
		return fmt.Sprintf("--%s in %s", r.opt.Next.Name, origin(r.opt.Next))
	case r.opt.Said:
		return r.opt.Value.File
	}
	return ""
}

func (r reading[T]) String() string {
	if w := r.where(); w != "" {
		return cmp.Or(flagText(r.value), "empty") + " by " + w
	}
	if t := text(r.value); t != unset {
		return "unset, so " + t
	}
	return unset
}

func origin(f *facts.Flag) string {
	if f.Origin == "process" {
		return "the running kubelet's command line"
	}
	return f.Origin
}

// read reads the setting as the kubelet would have it after a restart.
func (s setting[T]) read(k *facts.Kubelet) (reading[T], error) {
	r := reading[T]{value: s.unset, opt: k.Option(s.path(), s.flag)}
	if k.Legacy() {
		r.value = s.legacy
	}
	switch {
	case r.opt.Next != nil:
		if err := parseFlag(r.opt.Next.Values, &r.value); err != nil {
			return r, fmt.Errorf("--%s in %s: %w", r.opt.Next.Name, origin(r.opt.Next), err)
		}
	case k.Err != nil:
		return r, k.Err
	case r.opt.Said && s.blank != "" && r.opt.Value.String() == s.blank:
		r.opt.Said = false
	case r.opt.Said:
		return r, r.opt.Value.Decode(&r.value)
	case k.Open:
		return r, fmt.Errorf("nothing that can be seen sets %s: what is passed to the kubelet is not known", s.field)
	}
	return r, nil
}

// Must is the rule that the setting meets cond, as it runs and as it is configured.
func (s setting[T]) Must(cond be.Cond[T]) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		n, k, err := theKubelet(h)
		if err != nil {
			return nil, err
		}
		r, err := s.read(k)
		if err != nil {
			return nil, err
		}
		f := checks.Finding{Subject: "kubelet " + s.field, Got: r.String(), Must: cond.Text}
		if cond.Holds(r.value) {
			if s.takenUp(k, r, cond, &f) {
				return nil, nil
			}
			return []checks.Finding{f}, nil
		}
		v, ok := cond.Nearest(r.value)
		switch {
		case !ok:
		case s.refuse != nil && s.refuse(h, k, v) != "":
			f.Reason = s.refuse(h, k, v)
		default:
			f.Wants, f.Reason = ask(n, k, s.field, s.flag, v, r.opt)
		}
		return []checks.Finding{f}, nil
	})
}

// takenUp reports whether the kubelet runs with the value that is configured, or with another good one; otherwise it
// makes f ask for the restart.
func (s setting[T]) takenUp(k *facts.Kubelet, r reading[T], cond be.Cond[T], f *checks.Finding) bool {
	if k.Settled(s.path(), s.flag) {
		return true
	}
	if run := r.opt.Running; run != nil {
		v := s.unset
		if err := parseFlag(run.Values, &v); err == nil {
			if cond.Holds(v) {
				return true
			}
			f.Got += fmt.Sprintf(", %s by --%s in the running kubelet: pending restart", text(v), run.Name)
		}
	} else {
		f.Got += "; what runs is not known, since the configuration changed after the kubelet started: pending restart"
	}
	f.Pending = true
	f.Wants, f.Reason = restart(k, s.field)
	return false
}

func restart(k *facts.Kubelet, field string) ([]want.Want, string) {
	if k.Unit == "" {
		return nil, fmt.Sprintf("restart the kubelet (process %d) the way it was started: no systemd unit of its own does", k.Process.PID)
	}
	return []want.Want{want.Service{Unit: k.Unit, Key: field}}, ""
}

// ask wants a field to hold v where its effective value comes from: a flag that contradicts it goes, since flags beat
// files, and so does what a drop-in says, since drop-ins beat the file. Where it cannot be asked for it says why.
func ask(n *facts.Node, k *facts.Kubelet, field, flag string, v any, o facts.KubeletOption) ([]want.Want, string) {
	if n.Flavour.Generated() {
		argument := fmt.Sprintf("%s=%s", flag, flagText(v))
		if flag == "" {
			return nil, fmt.Sprintf("set %s: %s in the kubelet configuration that %s is given", field, flagText(v), n.Flavour)
		}
		return nil, instead(n.Flavour, "kubelet", argument)
	}
	if k.Process != nil && k.Unit == "" {
		return nil, fmt.Sprintf("set %s to %s where the kubelet (process %d) is started: no systemd unit of its own does",
			field, flagText(v), k.Process.PID)
	}
	file := k.File
	switch {
	case o.Over != nil && (file == "" || o.Over.File != k.Documents[0].File):
		file = o.Over.File // the drop-in that has the last word
	case file == "" && len(k.DropIns) > 0:
		file = k.DropIns[len(k.DropIns)-1]
	}
	if file == "" { // there is no file, so that a flag is all that can say it
		if flag == "" {
			return nil, fmt.Sprintf("start the kubelet with --config, and set %s to %s in that file", field, flagText(v))
		}
		return []want.Want{want.Flag{Unit: facts.KubeletUnit, Name: flag, Value: flagText(v), Warrant: kubeletStart(k)}}, ""
	}
	var wants []want.Want
	if o.Next != nil {
		wants = append(wants, want.Flag{Unit: facts.KubeletUnit, Name: o.Next.Name, Gone: true, Warrant: kubeletStart(k)})
	}
	return append(wants, want.Field{File: file, Field: strings.Split(field, "."), Value: v, Unit: facts.KubeletUnit,
		Warrant: k.Entitled(file)}), ""
}

// kubeletStart is the warrant of how the kubelet is started; where no unit is here it would be kubeadm's.
func kubeletStart(k *facts.Kubelet) want.Warrant {
	if k.Unit == "" {
		return want.Mine
	}
	return k.UnitBy
}

// flagText spells a value as a command line does.
func flagText(v any) string {
	if list, ok := v.([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(v)
}

const unset = "unset"

func text(v any) string {
	if s := flagText(v); s != "" {
		return s
	}
	return unset
}

// parseFlag reads the values of a flag as the programs of Kubernetes do: of a list all count, of anything else the last.
func parseFlag(values []string, into any) error {
	last := ""
	if len(values) > 0 {
		last = values[len(values)-1]
	}
	var err error
	switch into := into.(type) {
	case *bool:
		*into, err = strconv.ParseBool(last)
	case *int:
		*into, err = strconv.Atoi(last)
	case *string:
		*into = last
	case *[]string:
		*into = facts.Flags{"": {Values: values}}.List("")
	default:
		err = fmt.Errorf("no flag is a %T", into)
	}
	return err
}
