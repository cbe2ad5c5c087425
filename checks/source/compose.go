package source

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/source"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/want"
)

// A Service judges one service of a Compose file.
type Service func(*facts.Host, *source.Service) ([]checks.Finding, error)

// Judge judges every service of every Compose file.
func (judge Service) Judge(h *facts.Host) ([]checks.Finding, error) {
	s, err := source.Of(h)
	if err != nil {
		return nil, err
	}
	if len(s.Composes) == 0 {
		return nil, unseen(s, rule.Inapplicable("no Compose file here"))
	}
	var all verdicts
	for _, c := range s.Composes {
		if c.Err != nil {
			all.add(nil, c.Err)
		}
		for _, service := range c.Services {
			all.add(judge.One(h, service))
		}
	}
	all.add(nil, unseen(s, nil))
	all.once()
	return all.settle()
}

// One judges one service. What is not known of it makes the verdict unknown; a variable that only whoever starts the
// project sets is for a person to look at.
func (judge Service) One(h *facts.Host, s *source.Service) ([]checks.Finding, error) {
	findings, err := judge(h, s)
	switch {
	case errors.Is(err, source.ErrVariable):
		err = manual("%s", strings.TrimSuffix(err.Error(), ": "+source.ErrVariable.Error())+": "+source.ErrVariable.Error())
	case err == nil && s.Err != nil:
		err = s.Err
	}
	return findings, err
}

// about is a finding of a service's key; v is where it says it, or the service itself where it says nothing.
func about(s *source.Service, v source.Value, key, got, must string) checks.Finding {
	return checks.Finding{Subject: v.File.As + " " + s.Name + " " + key, Got: masked(got), Must: must,
		Place: v.File.At(v.Line)}
}

// absent is a finding of a key that a service does not have.
func absent(s *source.Service, key, got, must string) checks.Finding {
	return about(s, s.Own(), key, got, must)
}

// A change is what is to be done to a service.
type change struct {
	key    []string // below the service
	value  any
	people bool
	breaks string
}

// fixed gives a finding the change that settles it, or the reason why it is left: what the service shares with others
// is not changed for all of them.
func fixed(s *source.Service, at source.Value, f checks.Finding, c change) checks.Finding {
	own := s.Own()
	switch {
	case s.Shared != "":
		f.Reason = fmt.Sprintf("%s is made from this service too, and would change with it", s.Shared)
	case own.Path == nil:
		f.Reason = "the whole service stands elsewhere too, by an alias: a change would reach both"
	case at.Path == nil:
		f.Reason = "it comes from an alias, a merge or another service, of which others may be made too"
	default:
		f.Wants = []want.Want{want.Compose{File: at.File.Path, Service: s.Name, Key: c.key, Value: c.value, People: c.people,
			Was: element(at, c)}}
		f.Breaks = c.breaks
	}
	return f
}

// element is what the element of a list holds that a change is about.
func element(at source.Value, c change) string {
	if len(c.key) < 2 || at.Node == nil || at.Node.Kind != yaml.ScalarNode || !slices.Equal(c.key, keyOf(at)) {
		return ""
	}
	if _, err := strconv.Atoi(c.key[len(c.key)-1]); err != nil {
		return ""
	}
	return at.Node.Value
}

// set settles a finding by a value of a key: where the service has it, or added to the service.
func set(s *source.Service, f checks.Finding, c change) checks.Finding {
	if v, ok := s.Get(c.key...); ok && v.Path != nil {
		return fixed(s, v, f, c)
	}
	return fixed(s, s.Own(), f, c) // what the service says itself counts more than what it merges or extends
}

// truth reads a boolean as Compose does.
func truth(v source.Value) (bool, error) {
	text, err := v.Text()
	if err != nil {
		return false, err
	}
	switch strings.ToLower(text) {
	case "true", "yes", "on", "y", "1":
		return true, nil
	case "false", "no", "off", "n", "0", "", "null", "~":
		return false, nil
	}
	return false, fmt.Errorf("%s: no boolean", v.File.At(v.Line))
}

// list is everything that a key lists, wherever the service has it from.
func list(s *source.Service, key string) (items []source.Value, texts []string, err error) {
	for _, v := range s.All(key) {
		for _, item := range v.Items() {
			text, errText := item.Text()
			if errText != nil {
				err = errText
				continue
			}
			items, texts = append(items, item), append(texts, text)
		}
	}
	return items, texts, err
}

// appended settles a finding by one more element of a list.
func appended(s *source.Service, f checks.Finding, key, element string, people bool, breaks string) checks.Finding {
	v, ok := s.Get(key)
	switch {
	case ok && v.Path != nil && v.Node.Kind == yaml.SequenceNode:
		return fixed(s, v, f, change{[]string{key, "-"}, element, people, breaks})
	}
	var said []string
	for _, i := range s.Hidden(key) { // what is merged in would be replaced by a list of the service's own
		text, err := i.Text()
		said = append(said, i.Said())
		if err != nil || strings.HasSuffix(text, "unconfined") || strings.HasSuffix(text, "disable") {
			f.Reason = "what a merge brings here would have to be repeated, with what is to be gone"
			return f
		}
	}
	return fixed(s, s.Own(), f, change{[]string{key}, append(said, element), people, breaks})
}

// ComposeUser judges who a service runs as; where it does not say, the image does.
var ComposeUser Service = func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
	v, ok := s.Get("user")
	if !ok {
		return nil, rule.Inapplicable("the image says who runs")
	}
	user, err := v.Text()
	if err != nil || !IsRoot(user) {
		return nil, err
	}
	return []checks.Finding{about(s, v, "user", v.Said(), "a user other than root, by number")}, nil
}

// ComposeImage wants images pinned by digest, where the service does not build its own.
var ComposeImage Service = func(h *facts.Host, s *source.Service) ([]checks.Finding, error) {
	v, ok := s.Get("image")
	if _, builds := s.Get("build"); !ok || builds {
		return nil, rule.Inapplicable("it builds its image")
	}
	image, err := v.Text()
	if err != nil || strings.Contains(image, "@sha256:") || strings.Contains(image, "@sha512:") || trusted(h, image) {
		return nil, err
	}
	u := unpinned(h, image, v.Told())
	f := about(s, v, "image "+masked(v.Said()), u.Got, u.Must)
	f.Reason = u.Reason
	return []checks.Finding{f}, nil
}

// Privileged wants no service to be privileged.
var Privileged Service = func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
	v, ok := s.Get("privileged")
	if !ok {
		return nil, nil
	}
	if yes, err := truth(v); err != nil || !yes {
		return nil, err
	}
	f := about(s, v, "privileged", "true", "false, with cap_add and devices of what it needs")
	return []checks.Finding{set(s, f, change{[]string{"privileged"}, false, true,
		s.Name + " fails wherever it needs a capability or a device that it is not given by name"})}, nil
}

func capability(name string) string { return strings.TrimPrefix(strings.ToUpper(name), "CAP_") }

// Capabilities wants the default set at most, and not NET_RAW.
var Capabilities Service = func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
	added, adds, errAdd := list(s, "cap_add")
	_, drops, errDrop := list(s, "cap_drop")
	var findings []checks.Finding
	raw := false
	for i, c := range adds {
		name := capability(c)
		raw = raw || name == "NET_RAW" || name == "ALL"
		if name == "NET_RAW" || !slices.Contains(docker.DefaultCapabilities, name) {
			f := about(s, added[i], "cap_add "+masked(capability(added[i].Told())), "added",
				"of the default set at most, without NET_RAW")
			f.Reason = "take it out, unless the service does not work without it; then waive it"
			findings = append(findings, f)
		}
	}
	dropped := slices.ContainsFunc(drops,
		func(c string) bool { return capability(c) == "NET_RAW" || capability(c) == "ALL" })
	if errors.Join(errAdd, errDrop) != nil {
		return findings, errors.Join(errAdd, errDrop)
	}
	if !dropped && !raw {
		f := absent(s, "cap_drop", "not NET_RAW, nor ALL", "without NET_RAW")
		findings = append(findings, appended(s, f, "cap_drop", "NET_RAW", false,
			s.Name+" cannot ping, nor open any other raw socket"))
	}
	return findings, nil
}

// NoNewPrivileges wants that no process can gain privileges.
var NoNewPrivileges Service = func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
	items, texts, err := list(s, "security_opt")
	if err != nil {
		return nil, err
	}
	breaks := "set-user-ID programs in " + s.Name + ", su and sudo among them, no longer make root"
	for i, t := range texts {
		name, value, _ := strings.Cut(strings.Replace(t, "=", ":", 1), ":")
		if name != "no-new-privileges" {
			continue
		}
		if on, err := strconv.ParseBool(value); value == "" || err == nil && on {
			return nil, nil
		}
		f := about(s, items[i], "security_opt", items[i].Said(), "no-new-privileges:true")
		return []checks.Finding{fixed(s, items[i], f, change{keyOf(items[i]), "no-new-privileges:true", false, breaks})}, nil
	}
	f := absent(s, "security_opt", "without no-new-privileges", "no-new-privileges:true")
	return []checks.Finding{appended(s, f, "security_opt", "no-new-privileges:true", false, breaks)}, nil
}

// keyOf is a value's path below its service; nil where it has none.
func keyOf(v source.Value) []string {
	if len(v.Path) < 3 {
		return nil
	}
	return slices.Clone(v.Path[2:])
}

// unconfined wants an option that switches a protection off to be gone.
func unconfined(name, value string) Service {
	return func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
		items, texts, err := list(s, "security_opt")
		var findings []checks.Finding
		for i, t := range texts {
			n, v, _ := strings.Cut(strings.Replace(t, "=", ":", 1), ":")
			if n == name && v == value {
				f := about(s, items[i], "security_opt", items[i].Said(), "left out")
				findings = append(findings, fixed(s, items[i], f,
					change{keyOf(items[i]), nil, true, s.Name + " may do something that the protection refuses"}))
			}
		}
		return findings, err
	}
}

// Rules of what a security option can switch off.
var (
	AppArmor = unconfined("apparmor", "unconfined")
	SELinux  = unconfined("label", "disable")
	Seccomp  = unconfined("seccomp", "unconfined")
)

// ReadOnly wants a root file system that nothing writes to.
var ReadOnly Service = func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
	v, ok := s.Get("read_only")
	got := "unset"
	if !ok {
		v = s.Own()
	} else if yes, err := truth(v); err != nil || yes {
		return nil, err
	} else {
		got = "false"
	}
	f := about(s, v, "read_only", got, "true, with tmpfs or a volume for what it writes")
	return []checks.Finding{set(s, f, change{[]string{"read_only"}, true, true,
		s.Name + " fails to write anywhere but to its volumes: give it tmpfs for the rest"})}, nil
}

// Namespaces of the host.
var (
	HostPID   = namespace("pid")
	HostIPC   = namespace("ipc")
	HostUTS   = namespace("uts")
	HostUsers = namespace("userns_mode")
)

func namespace(key string) Service {
	return func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
		v, ok := s.Get(key)
		if !ok {
			return nil, nil
		}
		if text, err := v.Text(); err != nil || text != "host" {
			return nil, err
		}
		f := about(s, v, key, "host", "left out")
		c := change{[]string{key}, nil, true, s.Name + " no longer sees what the host has there"}
		bare := f
		for _, v := range s.All(key) { // what counts less shows once what counts more is gone
			if text, err := v.Text(); err != nil || text != "host" {
				break
			}
			one := fixed(s, v, bare, c)
			if len(one.Wants) == 0 {
				f.Wants, f.Breaks, f.Reason = nil, "", one.Reason
				break
			}
			f.Wants, f.Breaks = append(f.Wants, one.Wants[len(one.Wants)-1]), c.breaks
		}
		return []checks.Finding{f}, nil
	}
}

// HostNetwork wants networks of the containers' own. Which ports are to be published instead nobody but a person knows.
var HostNetwork = networkMode("host", "networks of its own, and ports")

// DefaultBridge wants no service on the network that everything else is on too.
var DefaultBridge = networkMode("bridge", "networks of its own")

func networkMode(bad, must string) Service {
	return func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
		v, ok := s.Get("network_mode")
		if !ok {
			return nil, nil
		}
		if text, err := v.Text(); err != nil || text != bad {
			return nil, err
		}
		f := about(s, v, "network_mode", bad, must)
		f.Reason = "take network_mode out and name networks and ports: which ones only you know"
		return []checks.Finding{f}, nil
	}
}

// Devices wants none of the host's.
var Devices Service = func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
	var findings []checks.Finding
	const must = "left out, or read-only and waived"
	var errs []error
	for _, key := range []string{"devices", "device_cgroup_rules"} {
		items, _, err := list(s, key)
		for _, item := range items {
			findings = append(findings, about(s, item, key+" "+masked(item.Said()), "given", must))
		}
		errs = append(errs, err)
	}
	for _, keys := range [][]string{{"gpus"}, {"deploy", "resources", "reservations", "devices"}} {
		if v, ok := s.Get(keys...); ok && len(v.Items()) > 0 {
			findings = append(findings, about(s, v, strings.Join(keys, "."), "given", must))
		}
	}
	return findings, errors.Join(errs...)
}

// CgroupParent wants the Engine's own.
var CgroupParent Service = func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
	v, ok := s.Get("cgroup_parent")
	if !ok {
		return nil, nil
	}
	text, err := v.Text()
	if err != nil || text == "" {
		return nil, err
	}
	return []checks.Finding{about(s, v, "cgroup_parent", v.Said(), "left out, or waived where the group is meant")}, nil
}
