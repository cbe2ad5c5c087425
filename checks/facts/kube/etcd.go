package kube

import (
	"maps"
	"slices"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A Saying is what counts of what a component is told of one option.
type Saying struct {
	Value string         // the last one; lists are with the Flags
	Name  string         // the flag as it is spelt; the field where a file says it
	Where string         // the file that says it, or "process"
	Field []string       // where a configuration file of etcd says it
	Env   bool           // an environment file of the unit says it, by the variable Name
	By    want.Authority // whose word it is
}

// Say returns what a component is told of an option, by the name of its flag. etcd takes options from its environment
// too, which flags beat, and from nowhere but --config-file where that is given. It reports false where nothing is
// said.
func (c *Component) Say(name string) (Saying, bool, error) {
	if c.Name == Etcd {
		d, err := c.etcdFile()
		if err != nil {
			return Saying{}, false, err
		}
		if d != nil {
			field := etcdField(name)
			v, ok := d.At(field...)
			if !ok {
				return Saying{Where: d.File, Field: field, By: d.By}, false, nil
			}
			return Saying{Value: v.String(), Name: strings.Join(field, "."), Where: d.File, Field: field, By: d.By}, true, nil
		}
	}
	if f, ok := c.Next[name]; ok {
		v, _ := c.Next.Last(name)
		return Saying{Value: v, Name: f.Name, Where: f.Origin, By: f.By}, true, nil
	}
	if c.Name == Etcd {
		variable := etcdVariable(name)
		if v, ok := c.variable(variable); ok {
			return Saying{Value: v.Value, Name: variable, Where: v.File, By: v.By, Env: v.Own}, true, nil
		}
	}
	return Saying{}, false, nil
}

// Ran returns what the running process was told of an option, as Say does of the next one: its values, of which etcd
// and the others take the last but for lists. since names the file that has changed after the process started, where
// what that held then is not known.
func (c *Component) Ran(name string) (values []string, since string) {
	if c.Process == nil || c.anew {
		s, ok, err := c.Say(name)
		if f, isFlag := c.Next[name]; isFlag && s.Field == nil {
			return f.Values, ""
		}
		return given(s.Value, ok && err == nil), ""
	}
	if c.Name == Etcd {
		if file, by := c.ranFile(); file != "" {
			return c.ranField(name, file, by)
		}
	}
	if f, ok := c.Running[name]; ok || c.Name != Etcd {
		return f.Values, ""
	}
	variable := etcdVariable(name)
	if c.Process.Env != nil {
		v := c.Process.Env[variable]
		return given(v, v != ""), ""
	}
	if file := c.newerEnvironment(); file != "" {
		return nil, file
	}
	v, ok := c.variable(variable)
	return given(v.Value, ok), ""
}

func given(value string, ok bool) []string {
	if !ok {
		return nil
	}
	return []string{value}
}

// ranFile is the configuration file that the running etcd was given; empty where none was.
func (c *Component) ranFile() (file string, by want.Authority) {
	file, ok := c.Running.Last("config-file")
	by = c.Running["config-file"].By
	if variable := etcdVariable("config-file"); !ok && c.Process.Env != nil {
		file, by = c.Process.Env[variable], c.Process.By
	} else if !ok {
		v, _ := c.variable(variable)
		file, by = v.Value, v.By
	}
	if on, ok := c.HostPath(file); ok && file != "" {
		file = on
	}
	return file, by
}

// ranField is what the running etcd has read of an option in its configuration file.
func (c *Component) ranField(name, file string, by want.Authority) (values []string, since string) {
	d, err := facts.DocumentBy(c.host, file, by)
	if err != nil {
		return nil, file
	}
	if !c.Loaded(d) {
		if d = facts.DocumentAt(c.host, d.File, c.Process.Started); d == nil {
			return nil, file
		}
	}
	v, ok := d.At(etcdField(name)...)
	if !ok {
		return nil, ""
	}
	return []string{v.String()}, ""
}

// newerEnvironment is a file that sets the component's environment and has changed since it was started; empty where
// none has.
func (c *Component) newerEnvironment() string {
	var files []string
	if c.Pod != nil {
		files = append(files, c.Pod.File)
	} else if u, err := c.host.Unit(c.Unit); err == nil {
		files = append(append(files, u.Fragment), u.DropIns...)
		for _, s := range u.All("Service", "EnvironmentFile") {
			files = append(files, strings.TrimPrefix(s.Value, "-"))
		}
	}
	for _, file := range files {
		if f, err := c.host.File(file); err == nil && f.Modified.After(c.Process.Started.Add(facts.Tick)) {
			return file
		}
	}
	return ""
}

// sameEnvironment reports whether etcd runs with the variables that its unit would set for it now.
func (c *Component) sameEnvironment() bool {
	if c.Name != Etcd || c.Unit == "" || c.Process == nil || c.Process.Env == nil {
		return true
	}
	u, err := c.host.Unit(c.Unit)
	if err != nil {
		return true
	}
	next := map[string]string{}
	for name, v := range u.Env {
		if strings.HasPrefix(name, "ETCD_") {
			next[name] = v.Value
		}
	}
	return maps.Equal(next, c.Process.Env)
}

// etcdVariable is the environment variable that says what a flag does. Source: etcd pkg/flags, SetFlagsFromEnv.
func etcdVariable(flag string) string {
	return "ETCD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// variable is what the component's pod or unit sets in its environment. An empty one says nothing to etcd.
func (c *Component) variable(name string) (facts.UnitVar, bool) {
	v := facts.UnitVar{}
	switch {
	case c.Pod != nil:
		v = facts.UnitVar{Value: c.Pod.Env[name], File: c.Pod.File, By: c.Pod.By}
	case c.Unit != "":
		u, err := c.host.Unit(c.Unit)
		if err != nil {
			return v, false
		}
		v = u.Env[name]
		v.By = min(v.By, c.UnitBy.By)
	}
	return v, v.Value != ""
}

// etcdFile is the document of --config-file, nil where there is none.
func (c *Component) etcdFile() (*facts.Document, error) {
	p, ok := c.Next.Last("config-file")
	by := c.Next["config-file"].By
	if !ok {
		v, _ := c.variable(etcdVariable("config-file"))
		p, by = v.Value, v.By
	}
	if p == "" {
		return nil, nil
	}
	if file, ok := c.HostPath(p); ok {
		p = file
	}
	return facts.DocumentBy(c.host, p, by)
}

// etcdField is where etcd's configuration file keeps what a flag says. Source: etcd.conf.yml.sample.
func etcdField(flag string) []string {
	peer, isPeer := strings.CutPrefix(flag, "peer-")
	switch {
	case isPeer && slices.Contains(etcdTLS, peer):
		return []string{"peer-transport-security", peer}
	case slices.Contains(etcdTLS, flag):
		return []string{"client-transport-security", flag}
	}
	return []string{flag}
}

var etcdTLS = []string{"cert-file", "key-file", "client-cert-auth", "trusted-ca-file", "auto-tls"}
