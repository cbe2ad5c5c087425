package kubernetes

import (
	"cmp"
	"fmt"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/want"
)

// A setting is a field of the kubelet's configuration, or the flag that means the same and beats it.
type setting[T any] struct {
	field  string // "authentication.anonymous.enabled"
	flag   string // without dashes; empty where no flag says it
	unset  T      // what the kubelet does where nobody says anything, when it is started with --config
	legacy T      // and without
	blank  string // what a file says that means unset
	refuse func(*facts.Host, *kube.Kubelet, T) string
}

// same is a setting whose default does not depend on --config.
func same[T any](field, flag string, unset T) setting[T] {
	return setting[T]{field: field, flag: flag, unset: unset, legacy: unset}
}

// unless adds what keeps a value from being asked for on this host; an empty reason lets it.
func (s setting[T]) unless(why func(*facts.Host, *kube.Kubelet, T) string) setting[T] {
	s.refuse = why
	return s
}

func (s setting[T]) path() []string { return strings.Split(s.field, ".") }

func (s setting[T]) option(k *kube.Kubelet) kube.KubeletOption { return k.Option(s.path(), s.flag) }

func origin(f *facts.Flag) string { return rule.Origin(f, "the running kubelet's command line") }

// read reads the setting as the kubelet would have it after a restart.
func (s setting[T]) read(k *kube.Kubelet) (rule.Reading[T], error) {
	r := rule.Reading[T]{Value: s.unset, By: want.Root}
	if k.Legacy() {
		r.Value = s.legacy
	}
	r.Text = rule.ByDefault(flagText(r.Value))
	switch o := s.option(k); {
	case o.Next != nil:
		r.Where, r.By = fmt.Sprintf("--%s in %s", o.Next.Name, origin(o.Next)), o.Next.By
		if err := parseFlag(o.Next.Values, &r.Value); err != nil {
			return r, fmt.Errorf("%s: %w", r.Where, err)
		}
	case k.Err != nil:
		return r, k.Err
	case o.Said && s.blank != "" && o.Value.String() == s.blank:
		return r, nil
	case o.Said:
		r.Where, r.By = o.Value.File, o.Over.By
		if err := o.Value.Decode(&r.Value); err != nil {
			return r, err
		}
	case k.Open:
		return r, fmt.Errorf("nothing that can be seen sets %s: what is passed to the kubelet is not known", s.field)
	default:
		return r, nil
	}
	r.Text = cmp.Or(flagText(r.Value), "empty") + " by " + r.Where
	return r, nil
}

// Must is the rule that the setting meets cond, as it runs and as it is configured.
func (s setting[T]) Must(cond be.Cond[T]) checks.Rule {
	on := rule.Setting[T]{Subject: "kubelet " + s.field, On: func(h *facts.Host) (rule.Told[T], error) {
		n, k, err := theKubelet(h)
		return ofKubelet[T]{s, n, k}, err
	}}
	if s.refuse != nil {
		on.Refuse = func(h *facts.Host, v T) string {
			_, k, err := theKubelet(h)
			if err != nil {
				return err.Error()
			}
			return s.refuse(h, k, v)
		}
	}
	return on.Must(cond)
}

// ofKubelet is a setting as the kubelet of this node has it.
type ofKubelet[T any] struct {
	setting[T]
	node    *kube.Node
	kubelet *kube.Kubelet
}

func (s ofKubelet[T]) Reading() (rule.Reading[T], error) { return s.read(s.kubelet) }

// Running knows what the kubelet runs with where a flag says it, or where nothing has changed since it started.
func (s ofKubelet[T]) Running() rule.Running[T] {
	r := rule.Running[T]{Value: s.unset, Since: "the configuration changed after the kubelet started"}
	r.Settled = s.kubelet.Settled(s.path(), s.flag)
	if run := s.option(s.kubelet).Running; !r.Settled && run != nil {
		r.Known = parseFlag(run.Values, &r.Value) == nil
		r.Text = fmt.Sprintf("%s by --%s in the running kubelet", cmp.Or(flagText(r.Value), rule.Unset), run.Name)
	}
	return r
}

func (s ofKubelet[T]) Ask(v T) ([]want.Want, string) {
	return ask(s.node, s.kubelet, s.field, s.flag, v, s.option(s.kubelet))
}

func (s ofKubelet[T]) TakeUp(be.Cond[T]) (wants []want.Want, why, how string) {
	wants, why = restart(s.kubelet, s.field)
	return wants, why, "pending restart"
}

func restart(k *kube.Kubelet, field string) ([]want.Want, string) {
	if k.Unit == "" {
		return nil, fmt.Sprintf("restart the kubelet (process %d) the way it was started: no systemd unit of its own "+
			"does", k.Process.PID)
	}
	return []want.Want{want.Service{Unit: k.Unit, Key: field}}, ""
}

// ask wants a field to hold v where its effective value comes from: a flag that contradicts it goes, since flags beat
// files, and so does what a drop-in says, since drop-ins beat the file. Where it cannot be asked for it says why.
func ask(n *kube.Node, k *kube.Kubelet, field, flag string, v any, o kube.KubeletOption) ([]want.Want, string) {
	if n.Flavour.Generated() {
		argument := fmt.Sprintf("%s=%s", flag, flagText(v))
		if flag == "" {
			return nil, fmt.Sprintf("set %s: %s in the kubelet configuration that %s is given", field, flagText(v),
				n.Flavour)
		}
		return nil, instead(n.Flavour, "kubelet", argument)
	}
	if k.Process != nil && k.Unit == "" {
		return nil, fmt.Sprintf("set %s to %s where the kubelet (process %d) is started: no systemd unit of its own "+
			"does",
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
			return nil, fmt.Sprintf("start the kubelet with --config, and set %s to %s in that file", field,
				flagText(v))
		}
		return []want.Want{want.Flag{Unit: kube.KubeletUnit, Name: flag, Value: flagText(v),
			Warrant: kubeletStart(k)}}, ""
	}
	var wants []want.Want
	if o.Next != nil {
		wants = append(wants, want.Flag{Unit: kube.KubeletUnit, Name: o.Next.Name, Gone: true,
			Warrant: kubeletStart(k)})
	}
	return append(wants, want.Field{File: file, Field: strings.Split(field, "."), Value: v, Unit: kube.KubeletUnit,
		Warrant: k.Entitled(file)}), ""
}

// kubeletStart is the warrant of how the kubelet is started; where no unit is here it would be kubeadm's.
func kubeletStart(k *kube.Kubelet) want.Warrant {
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

// parseFlag reads the values of a flag as the programs of Kubernetes do, whose lists have commas.
func parseFlag(values []string, into any) error {
	if list, ok := into.(*[]string); ok {
		*list = facts.Flags{"": {Values: values}}.List("")
		return nil
	}
	return rule.ParseFlag(values, into)
}

const gate = "RotateKubeletServerCertificate"
