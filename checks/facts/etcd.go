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
	By    want.Authority // whose word it is
}

// Say returns what a component is told of an option, by the name of its flag. etcd takes options from its environment
// too, which flags beat, and from nowhere but --config-file where that is given. It reports false where nothing is said.
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
			return Saying{v.String(), strings.Join(field, "."), d.File, field, d.By}, true, nil
		}
	}
	if f, ok := c.Next[name]; ok {
		v, _ := c.Next.Last(name)
		return Saying{Value: v, Name: f.Name, Where: f.Origin, By: f.By}, true, nil
	}
	if c.Name == Etcd && c.Pod != nil {
		variable := "ETCD_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if v, ok := c.Pod.Env[variable]; ok {
			return Saying{Value: v, Name: variable, Where: c.Pod.File, By: c.Pod.By}, true, nil
		}
	}
	return Saying{}, false, nil
}

// etcdFile is the document of --config-file, nil where there is none.
func (c *Component) etcdFile() (*Document, error) {
	p, ok := c.Next.Last("config-file")
	by := c.Next["config-file"].By
	if !ok && c.Pod != nil {
		p, by = c.Pod.Env["ETCD_CONFIG_FILE"], c.Pod.By
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
