package kubernetes

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/want"
)

// An argument is a flag of one of the control plane's programs. It has a value as the program runs, and one as its
// manifest, its unit or its flavour's configuration has it.
type argument[T any] struct {
	program string
	name    string // without dashes
	unset   T
	refuse  func(*facts.Host, *facts.Component, T) string
}

func arg[T any](program, name string, unset T) argument[T] {
	return argument[T]{program: program, name: name, unset: unset}
}

// unless adds what keeps a value from being asked for on this host; an empty reason lets it.
func (a argument[T]) unless(why func(*facts.Host, *facts.Component, T) string) argument[T] {
	a.refuse = why
	return a
}

// component is one of a node's programs; ErrAbsent where it is not on this node.
func component(h *facts.Host, program string) (*facts.Node, *facts.Component, error) {
	n, err := h.Node()
	if err != nil {
		return nil, nil, err
	}
	c, err := n.Component(program)
	if errors.Is(err, facts.ErrAbsent) {
		return nil, nil, rule.Inapplicable("no %s is on this node", program)
	}
	return n, c, err
}

// A said is what a component is told of one flag, and where.
type said[T any] struct {
	value T
	facts.Saying
	ok bool
}

func (s said[T]) String() string {
	if s.ok {
		return fmt.Sprintf("%s by %s in %s", cmp.Or(flagText(s.value), "empty"), flagName(s.Saying), s.Where)
	}
	return rule.ByDefault(flagText(s.value))
}

func flagName(s facts.Saying) string {
	if s.Field != nil || strings.HasPrefix(s.Name, "ETCD_") {
		return s.Name
	}
	return "--" + s.Name
}

// read reads the argument as the program would be started next.
func (a argument[T]) read(c *facts.Component) (said[T], error) {
	s, ok, err := c.Say(a.name)
	out := said[T]{a.unset, s, ok}
	if err != nil {
		return out, err
	}
	if !ok && c.Open {
		return out, open(c, a.name)
	}
	if !ok {
		return out, nil
	}
	values := []string{s.Value}
	if f, isFlag := c.Next[a.name]; isFlag && s.Field == nil {
		values = f.Values
		if f.Unclear != "" && !strings.HasPrefix(s.Value, "https://") { // of a URL its scheme is what counts
			return out, fmt.Errorf("%s in %s: it comes from the variable %s, whose value cannot be told "+
				"here", flagName(s), s.Where, f.Unclear)
		}
	}
	if err := parseFlag(values, &out.value); err != nil {
		return out, fmt.Errorf("%s in %s: not a %T", flagName(s), s.Where, out.value)
	}
	if list, ok := any(out.value).([]string); ok {
		for _, e := range list {
			if strings.TrimSpace(e) != e {
				return out, fmt.Errorf("%s in %s: to %s the blank is part of the name %q, which it does not know; take the "+
					"blank out", flagName(s), s.Where, c.Name, e)
			}
		}
	}
	return out, nil
}

// open says why a flag of a program inside k3s is not known.
func open(c *facts.Component, name string) error {
	return fmt.Errorf("k3s starts %s in its own process and passes it --%s or not: its journal tells "+
		"(`journalctl -u k3s | grep 'Running %[1]s'`)", c.Name, name)
}

// Must is the rule that the argument meets cond, as the program runs and as it would be started next.
func (a argument[T]) Must(cond be.Cond[T]) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		n, c, err := component(h, a.program)
		if err != nil {
			return nil, err
		}
		s, err := a.read(c)
		if err != nil {
			return nil, err
		}
		f := checks.Finding{Subject: a.program + " --" + a.name, Got: s.String(), Must: cond.Text}
		if cond.Holds(s.value) {
			if a.takenUp(c, cond, &f) {
				return nil, nil
			}
			return []checks.Finding{f}, nil
		}
		v, ok := cond.Nearest(s.value)
		switch {
		case !ok:
		case a.refuse != nil && a.refuse(h, c, v) != "":
			f.Reason = a.refuse(h, c, v)
		default:
			f.Wants, f.Reason = a.ask(n, c, s, v)
		}
		return []checks.Finding{f}, nil
	})
}

// takenUp reports whether the program runs with a good value too; otherwise it makes f say what is to be done.
func (a argument[T]) takenUp(c *facts.Component, cond be.Cond[T], f *checks.Finding) bool {
	if c.Process == nil {
		return true
	}
	values, since := c.Ran(a.name)
	v := a.unset
	if len(values) > 0 && parseFlag(values, &v) != nil || since == "" && cond.Holds(v) {
		return true
	}
	f.Pending = true
	if since != "" {
		f.Got += fmt.Sprintf("; what runs is not known, since %s changed after %s started: not taken up yet", since, c.Name)
	} else {
		f.Got += fmt.Sprintf(", %s in the running process: not taken up yet", cmp.Or(flagText(v), rule.Unset))
	}
	f.Wants, f.Reason = takeUp(c, a.name)
	return false
}

// takeUp says how a program takes up what its manifest or unit says.
func takeUp(c *facts.Component, key string) ([]want.Want, string) {
	if c.Unit != "" {
		return []want.Want{want.Service{Unit: c.Unit, Key: key}}, ""
	}
	if c.Pod == nil {
		return nil, fmt.Sprintf("restart %s (process %d) the way it was started", c.Name, c.Process.PID)
	}
	return nil, fmt.Sprintf("the kubelet has not started the pod of %s again: see `crictl ps -a --name %s` and "+
		"`journalctl -u kubelet`",
		c.Pod.File, c.Name)
}

// ask wants the argument to be v. Of a list it asks for single elements, so that those that are not named stay.
func (a argument[T]) ask(n *facts.Node, c *facts.Component, s said[T], v T) ([]want.Want, string) {
	was, isList := any(s.value).([]string)
	switch {
	case !isList && flagText(v) == "":
		return change(n, c, a.name, s.Saying, "", &want.PodFlag{Gone: true})
	case !isList:
		return change(n, c, a.name, s.Saying, flagText(v), nil)
	}
	is := any(v).([]string)
	return change(n, c, a.name, s.Saying, flagText(v), &want.PodFlag{Add: without(is, was), Drop: without(was, is)})
}

func without(list, gone []string) []string {
	var rest []string
	for _, e := range list {
		if !slices.Contains(gone, e) {
			rest = append(rest, e)
		}
	}
	return rest
}

// change wants a flag to hold value, or what shape says of a list or of a flag that must go, where the program gets it
// from.
func change(n *facts.Node, c *facts.Component, name string, s facts.Saying, value string, shape *want.PodFlag,
	mounts ...want.Mount) ([]want.Want, string) {
	variable := strings.HasPrefix(s.Name, "ETCD_") && s.Field == nil
	if s.Name != "" && s.Field == nil && !variable {
		name = s.Name
	}
	argument := name + "=" + value
	gone := shape != nil && shape.Gone
	if gone {
		argument = name
	}
	switch {
	case n.Flavour.Generated():
		return nil, instead(n.Flavour, c.Name, argument)
	case s.Field != nil && c.Unit != "":
		return []want.Want{want.Field{File: s.Where, Field: s.Field, Value: typed(value), Unit: c.Unit,
			Warrant: want.Warrant{By: s.By, From: "--config-file", Kind: want.EtcdConfig}}}, ""
	case s.Field != nil:
		return nil, fmt.Sprintf("set %s to %s in %s, which %s reads instead of its flags, and have it start "+
			"again", name, value, s.Where, c.Name)
	case variable && s.Env:
		return []want.Want{want.Env{File: s.Where, Name: s.Name, Value: value, Unit: c.Unit,
			Warrant: want.Warrant{By: s.By, From: "EnvironmentFile= of " + c.Unit}}}, ""
	case variable && c.Pod != nil:
		return nil, fmt.Sprintf("set %s to %s in the environment of %s", s.Name, value, s.Where)
	case c.Pod != nil:
		w := want.PodFlag{Manifest: c.Pod.File, Container: c.Pod.Container, Name: name, Value: value, Mounts: mounts,
			Warrant: c.Pod.Entitled()}
		if c.Pod.Container != c.Name {
			w.Program = c.Name
		}
		if shape != nil {
			w.Value, w.Add, w.Drop, w.Gone = "", shape.Add, shape.Drop, shape.Gone
		}
		return []want.Want{w}, ""
	case c.Unit != "" && gone:
		return []want.Want{want.Flag{Unit: c.Unit, Name: name, Gone: true, Warrant: c.UnitBy}}, ""
	case c.Unit != "":
		w := want.Flag{Unit: c.Unit, Name: name, Value: value, Warrant: c.UnitBy}
		if shape != nil && !variable {
			w.Add, w.Drop = shape.Add, shape.Drop
		}
		return []want.Want{w}, ""
	}
	return nil, fmt.Sprintf("start %s with --%s: no manifest and no unit of its own does", c.Name, argument)
}

// typed is a value as YAML has it: a boolean where the text is one.
func typed(value string) any {
	switch value {
	case "true":
		return true
	case "false":
		return false
	}
	return value
}

// passed is a rule about a flag that is right where nobody passes it.
func passed(program, name string, r checks.Rule) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		_, c, err := component(h, program)
		if err != nil {
			return nil, err
		}
		if _, ok, err := c.Say(name); err != nil || !ok {
			return nil, err
		}
		return r.Judge(h)
	})
}

// namedFile is the rule that each of flags names a file. Where one does not, the file that kubeadm has made for it is
// asked for, if the program sees it there.
func namedFile(program string, flags ...[2]string) checks.Rule {
	var rules []checks.Rule
	for _, f := range flags {
		rules = append(rules, checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
			_, c, err := component(h, program)
			if err != nil {
				return nil, err
			}
			return arg(program, f[0], "").Must(be.Cond[string]{
				Text:    "set",
				Holds:   func(s string) bool { return s != "" },
				Nearest: func(string) (string, bool) { return f[1], f[1] != "" && sees(h, c, f[1]) },
			}).Judge(h)
		}))
	}
	return rule.All(rules...)
}

// sees reports whether a program finds a file at a path, and can read it.
func sees(h *facts.Host, c *facts.Component, path string) bool {
	on, ok := c.HostPath(path)
	if !ok {
		return false
	}
	i, err := h.Info(on)
	return err == nil && c.Identity().Reads(i)
}

// set requires that a value is given at all.
var set = be.Cond[string]{
	Text:    "set",
	Holds:   func(s string) bool { return s != "" },
	Nearest: func(s string) (string, bool) { return s, s != "" },
}
