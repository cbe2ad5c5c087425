package kubernetes

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/want"
)

// An argument is a flag of one of the control plane's programs. It has a value as the program runs, and one as its
// manifest, its unit or its flavour's configuration has it.
type argument[T any] struct {
	program string
	name    string // without dashes
	unset   T
	refuse  func(*facts.Host, *kube.Component, T) string
}

func arg[T any](program, name string, unset T) argument[T] {
	return argument[T]{program: program, name: name, unset: unset}
}

// unless adds what keeps a value from being asked for on this host; an empty reason lets it.
func (a argument[T]) unless(why func(*facts.Host, *kube.Component, T) string) argument[T] {
	a.refuse = why
	return a
}

// component is one of a node's programs; ErrAbsent where it is not on this node.
func component(h *facts.Host, program string) (*kube.Node, *kube.Component, error) {
	n, err := kube.NodeOf(h)
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
	rule.Reading[T]
	from kube.Saying
	ok   bool
}

func flagName(s kube.Saying) string {
	if s.Field != nil || strings.HasPrefix(s.Name, "ETCD_") {
		return s.Name
	}
	return "--" + s.Name
}

// read reads the argument as the program would be started next.
func (a argument[T]) read(c *kube.Component) (said[T], error) {
	s, ok, err := c.Say(a.name)
	r := rule.Reading[T]{Value: a.unset, Text: rule.ByDefault(flagText(a.unset))}
	out := said[T]{r, s, ok}
	if err != nil {
		return out, err
	}
	if !ok && c.Open {
		return out, open(c, a.name)
	}
	if !ok {
		return out, nil
	}
	out.Where, out.By = flagName(s)+" in "+s.Where, s.By
	values := []string{s.Value}
	if f, isFlag := c.Next[a.name]; isFlag && s.Field == nil {
		values = f.Values
		if f.Unclear != "" && !strings.HasPrefix(s.Value, "https://") { // of a URL its scheme is what counts
			return out, fmt.Errorf("%s: it comes from the variable %s, whose value is unknown here",
				out.Where, f.Unclear)
		}
	}
	if err := parseFlag(values, &out.Value); err != nil {
		return out, fmt.Errorf("%s: not a %T", out.Where, out.Value)
	}
	if list, ok := any(out.Value).([]string); ok {
		for _, e := range list {
			if strings.TrimSpace(e) != e {
				return out, fmt.Errorf("%s: to %s the blank is part of the name %q, which it does not know; take the "+
					"blank out",
					out.Where, c.Name, e)
			}
		}
	}
	out.Text = cmp.Or(flagText(out.Value), "empty") + " by " + out.Where
	return out, nil
}

// open says why a flag of a program inside k3s is not known.
func open(c *kube.Component, name string) error {
	return fmt.Errorf("k3s starts %s in its own process and passes it --%s or not: see its journal "+
		"(`journalctl -u k3s | grep 'Running %[1]s'`)", c.Name, name)
}

// Must is the rule that the argument meets cond, as the program runs and as it would be started next.
func (a argument[T]) Must(cond be.Cond[T]) checks.Rule {
	on := rule.Setting[T]{Subject: a.program + " --" + a.name, On: func(h *facts.Host) (rule.Told[T], error) {
		n, c, err := component(h, a.program)
		return ofComponent[T]{a, n, c}, err
	}}
	if a.refuse != nil {
		on.Refuse = func(h *facts.Host, v T) string {
			_, c, err := component(h, a.program)
			if err != nil {
				return err.Error()
			}
			return a.refuse(h, c, v)
		}
	}
	return on.Must(cond)
}

// takenUp reports whether a program runs with a good value too; otherwise it makes f say what is to be done.
func (a argument[T]) takenUp(c *kube.Component, cond be.Cond[T], f *checks.Finding) bool {
	return rule.TakenUp(ofComponent[T]{argument: a, component: c}, cond, f)
}

// ofComponent is an argument as one of the control plane's programs, or etcd, has it.
type ofComponent[T any] struct {
	argument[T]
	node      *kube.Node
	component *kube.Component
}

func (a ofComponent[T]) Reading() (rule.Reading[T], error) {
	s, err := a.read(a.component)
	return s.Reading, err
}

func (a ofComponent[T]) Running() rule.Running[T] {
	c := a.component
	if c.Process == nil {
		return rule.Running[T]{Settled: true}
	}
	values, since := c.Ran(a.name)
	r := rule.Running[T]{Value: a.unset, Since: fmt.Sprintf("%s changed after %s started", since, c.Name)}
	r.Settled = len(values) > 0 && parseFlag(values, &r.Value) != nil
	r.Known = since == "" && !r.Settled
	r.Text = cmp.Or(flagText(r.Value), rule.Unset) + " in the running process"
	return r
}

// Ask wants the argument to be v. Of a list it asks for single elements, so that those that are not named stay.
func (a ofComponent[T]) Ask(v T) ([]want.Want, string) {
	s, err := a.read(a.component)
	if err != nil {
		return nil, err.Error()
	}
	was, isList := any(s.Value).([]string)
	text, shape := flagText(v), (*want.PodFlag)(nil)
	switch {
	case isList:
		is := any(v).([]string)
		shape = &want.PodFlag{Add: without(is, was), Drop: without(was, is)}
	case text == "":
		shape = &want.PodFlag{Gone: true}
	}
	return change(a.node, a.component, a.name, s.from, text, shape)
}

func (a ofComponent[T]) TakeUp(be.Cond[T]) (wants []want.Want, why, how string) {
	wants, why = takeUp(a.component, a.name)
	return wants, why, "not taken up yet"
}

// takeUp says how a program takes up what its manifest or unit says.
func takeUp(c *kube.Component, key string) ([]want.Want, string) {
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
func change(n *kube.Node, c *kube.Component, name string, s kube.Saying, value string, shape *want.PodFlag,
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
		return nil, fmt.Sprintf("set %s to %s in %s, which %s reads instead of its flags, and have it start again",
			name, value, s.Where, c.Name)
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
func sees(h *facts.Host, c *kube.Component, path string) bool {
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

// kubeadm's directory of certificates and keys.
const pki = "/etc/kubernetes/pki/"

// ours is the directory of the files that harden gives the API server. The whole of it is mounted into the pod: a file
// that is mounted by itself stays what it was when it is replaced.
const ours = "/etc/kubernetes/harden"

var oursMounted = want.Mount{Path: ours, Type: "DirectoryOrCreate", ReadOnly: true}

// lacking requires a list without one element.
func lacking(element string) be.Cond[[]string] {
	return be.Cond[[]string]{
		Text:    "without " + element,
		Holds:   func(got []string) bool { return !slices.Contains(got, element) },
		Nearest: func(got []string) ([]string, bool) { return without(got, []string{element}), true },
	}
}

// urls is the rule that none of a list of URLs is without TLS. Changing one means changing others with it, so that a
// person must.
func urls(program, name, unset, how string) checks.Rule {
	plain := func(u string) bool {
		u = strings.ToLower(strings.TrimSpace(u))
		return strings.HasPrefix(u, "http://") && !(name == metricsURLs && loopbackURL(u))
	}
	must := arg(program, name, unset).Must(be.Cond[string]{
		Text:    "https:// alone",
		Holds:   func(s string) bool { return !slices.ContainsFunc(strings.Split(s, ","), plain) },
		Nearest: func(string) (string, bool) { return "", false },
	})
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		findings, err := must.Judge(h)
		for i := range findings {
			if !findings[i].Pending {
				findings[i].Reason = how
			}
		}
		return findings, err
	})
}

// metricsURLs is where etcd tells its metrics and whether it is well. Its clients' certificates do not guard it.
const metricsURLs = "listen-metrics-urls"

func loopbackURL(text string) bool {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
