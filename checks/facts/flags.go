package facts

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks/want"
)

// A Flag is one command-line flag as a program would take it.
type Flag struct {
	Name     string
	Values   []string       // in order; for a scalar the last one counts
	Origin   string         // where the last value is written: "process", a unit file or drop-in, an environment file
	Variable string         // the environment file's variable that holds the last value; else empty
	By       want.Authority // whose word they are, of several the least
	Unclear  string         // the variable of a pod that is part of a value, which so cannot be told
}

// with is the flag with one more value.
func (f Flag) with(name, value string, t Token) Flag {
	by := t.By
	if len(f.Values) > 0 {
		by = min(by, f.By)
	}
	return Flag{name, append(f.Values, value), t.File, t.Variable, by, cmp.Or(t.Unclear, f.Unclear)}
}

// Flags are a program's flags by their long name, without dashes.
type Flags map[string]Flag

// Last returns the value that counts of a flag that takes one.
func (f Flags) Last(name string) (string, bool) {
	v, ok := f[name]
	if !ok || len(v.Values) == 0 {
		return "", ok
	}
	return v.Values[len(v.Values)-1], true
}

// Bool returns the value of a yes-or-no flag. It reports false when the flag is not passed or no boolean.
func (f Flags) Bool(name string) (value, ok bool) {
	s, ok := f.Last(name)
	if !ok {
		return false, false
	}
	v, err := strconv.ParseBool(s)
	return v, err == nil
}

// Carries reports whether f, of a dockerd that runs, holds live-restore though next does not: it was carried over
// one restart that way, and a file that says it too cannot be reloaded before the next.
func (f Flags) Carries(next Flags) bool {
	_, carried := f["live-restore"]
	_, configured := next["live-restore"]
	return carried && !configured
}

// Equal reports whether both say the same to dockerd, wherever they are written and in whatever order.
func (f Flags) Equal(g Flags) bool {
	if len(f) != len(g) {
		return false
	}
	for name := range f {
		if !f.Agrees(g, name) {
			return false
		}
	}
	return true
}

// Agrees reports whether both say the same to dockerd about one flag: neither passes it, or both with one meaning.
func (f Flags) Agrees(g Flags, name string) bool {
	v, inF := f[name]
	w, inG := g[name]
	a, b := v.Values, w.Values
	if !inF || !inG || len(a) == 0 || len(b) == 0 {
		return !inF && !inG
	}
	if !listFlags[name] { // the last one counts
		a, b = a[len(a)-1:], b[len(b)-1:]
	}
	if slices.Equal(a, b) {
		return true
	}
	x, okX := f.Bool(name)
	y, okY := g.Bool(name)
	return boolFlags[name] && okX && okY && x == y // 1, t and true are the same
}

// boolFlags are the flags of dockerd that take no separate value: after --icc, "false" is no value but an error.
// Source: moby cmd/dockerd/config*.go, 1.12 to 28.
var boolFlags = set("allow-direct-routing", "cri-containerd", "debug", "disable-legacy-registry", "experimental",
	"help", "icc", "init", "ip-forward", "ip-forward-no-drop", "ip-masq", "ip6tables", "iptables", "ipv6", "live-restore",
	"no-new-privileges", "raw-logs", "restart", "rootless", "selinux-enabled", "tls", "tlsverify", "userland-proxy",
	"validate", "version")

// listFlags are the flags of dockerd that add up when they are repeated.
var listFlags = set("add-runtime", "allow-nondistributable-artifacts", "authorization-plugin", "cdi-spec-dir",
	"default-address-pool", "default-network-opt", "default-ulimit", "dns", "dns-opt", "dns-search", "exec-opt", "feature",
	"host", "host-gateway-ip", "insecure-registry", "label", "log-opt", "node-generic-resource", "registry-mirror",
	"storage-opt")

// longNames gives short and former names of dockerd's flags their present long name.
var longNames = map[string]string{
	"D": "debug", "G": "group", "H": "host", "b": "bridge", "g": "data-root", "graph": "data-root", "h": "help",
	"l": "log-level", "p": "pidfile", "r": "restart", "s": "storage-driver", "v": "version",
}

// IsList reports whether a flag of dockerd adds up when it is repeated.
func IsList(flag string) bool { return listFlags[flag] }

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// ParseFlags reads dockerd's arguments, argv[0] left out, as dockerd's own parser does. A flag that boolFlags does not
// know takes the next word unless that is a flag too: dockerd has no positional arguments that it could be.
func ParseFlags(args []Token) Flags {
	flags := Flags{}
	add := func(name, value string, t Token) {
		if long, ok := longNames[name]; ok {
			name = long
		}
		flags[name] = flags[name].with(name, value, t)
	}
	for i := 0; i < len(args) && args[i].Text != "--"; i++ {
		t := args[i]
		name, value, given := strings.Cut(strings.TrimPrefix(t.Text, "--"), "=")
		if !strings.HasPrefix(t.Text, "--") {
			short, ok := strings.CutPrefix(t.Text, "-")
			if !ok || short == "" {
				continue
			}
			for len(short) > 1 && boolFlags[longNames[short[:1]]] && short[1] != '=' { // -DH fd://
				add(short[:1], "true", t)
				short = short[1:]
			}
			name, value = short[:1], strings.TrimPrefix(short[1:], "=")
			given = len(short) > 1
		}
		yes := boolFlags[name] || boolFlags[longNames[name]]
		switch {
		case given:
		case yes || i+1 == len(args) || strings.HasPrefix(args[i+1].Text, "-"):
			value = "true"
		default:
			i++
			value, t = args[i].Text, args[i]
		}
		add(name, value, t)
	}
	return flags
}
