package facts

import (
	"strings"

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

// etcdVariable is the environment variable that says what a flag does. Source: etcd pkg/flags, SetFlagsFromEnv.
func etcdVariable(flag string) string {
	return "ETCD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// variable is what the component's pod or unit sets in its environment. An empty one says nothing to etcd.
func (c *Component) variable(name string) (UnitVar, bool) {
	v := UnitVar{}
	switch {
	case c.Pod != nil:
		v = UnitVar{Value: c.Pod.Env[name], File: c.Pod.File, By: c.Pod.By}
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
func (c *Component) etcdFile() (*Document, error) {
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
	return c.host.documentBy(p, by)
}

// etcdField is where etcd's configuration file keeps what a flag says. Source: etcd.conf.yml.sample.
func etcdField(flag string) []string {
	peer, isPeer := strings.CutPrefix(flag, "peer-")
	switch {
	case isPeer && etcdTLS[peer]:
		return []string{"peer-transport-security", peer}
	case etcdTLS[flag]:
		return []string{"client-transport-security", flag}
	}
	return []string{flag}
}

var etcdTLS = set("cert-file", "key-file", "client-cert-auth", "trusted-ca-file", "auto-tls")
