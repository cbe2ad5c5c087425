package kube

import (
	"strings"
)

// An envVar is one entry of a container's env.
type envVar struct {
	Name, Value string
	From        map[string]any `yaml:"valueFrom"`
}

// podEnv are the variables of a container by which the kubelet expands its command line.
type podEnv struct {
	values map[string]string
	unsure map[string]bool // their values come from elsewhere
	any    bool            // any other variable may be set too
}

// environ reads the variables in order: each may use those before it.
func environ(vars []envVar, from bool) podEnv {
	e := podEnv{map[string]string{}, map[string]bool{}, from}
	for _, v := range vars {
		if v.From != nil {
			e.unsure[v.Name] = true
			continue
		}
		value, unclear := e.expand(v.Value)
		e.values[v.Name] = value
		e.unsure[v.Name] = unclear != ""
	}
	return e
}

// expand replaces $(NAME) by the variable's value, $$ by a dollar, and leaves $(NAME) as it is where no such variable
// is set. unclear is the variable whose value cannot be told; it stays in the text. Source: kubernetes
// third_party/forked/golang/expansion.
func (e podEnv) expand(s string) (text, unclear string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		end := strings.IndexByte(s[i:], ')')
		switch {
		case s[i] == '$':
			b.WriteByte('$')
		case s[i] != '(' || end < 0:
			b.WriteByte('$')
			b.WriteByte(s[i])
		default:
			name := s[i+1 : i+end]
			i += end
			value, known := e.values[name]
			if e.unsure[name] || !known && (e.any || strings.HasPrefix(name, "KUBERNETES_")) { // which the kubelet sets itself
				unclear = name
			}
			if known && !e.unsure[name] {
				b.WriteString(value)
			} else {
				b.WriteString("$(" + name + ")")
			}
		}
	}
	return b.String(), unclear
}
