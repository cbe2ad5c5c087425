package source

import (
	"cmp"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/source"
)

// A mount is one entry of a service's volumes that comes from the host.
type mount struct {
	at      source.Value
	source  string
	options []string // of the short form
	long    bool
	volume  string // that is made to be a bind mount, by driver_opts of the file
	ro      bool   // it is read-only
	rest    string // the short form up to its options
	shown   string // the source, or what it is made from where it has variables
}

// mounts are the bind mounts of a service, in the short form and in the long. What counts more replaces a mount on the
// same directory.
func mounts(s *source.Service) ([]mount, error) {
	var all []mount
	var unknown error
	taken := map[string]bool{}
	for _, v := range s.All("volumes") {
		here := map[string]bool{}
		for _, item := range v.Items() {
			target, err := targetOf(item)
			if err == nil && taken[target] {
				continue
			}
			here[target] = err == nil && target != ""
			if item.Node.Kind == yaml.MappingNode {
				m, err := longMount(s, item)
				if err != nil {
					unknown = err
				} else {
					all = append(all, m...)
				}
				continue
			}
			if err != nil {
				unknown = err
				continue
			}
			all = append(all, shortMount(s, item)...)
		}
		maps.Copy(taken, here)
	}
	return all, unknown
}

// targetOf is the directory that a volume is mounted on; the error is of a short form whose text is not known.
func targetOf(item source.Value) (string, error) {
	if item.Node.Kind == yaml.MappingNode {
		target, ok := item.Field("target")
		if !ok {
			return "", nil
		}
		text, err := target.Text()
		if err != nil {
			return "", nil // that it is not known matters for nothing else
		}
		return path.Clean(text), nil
	}
	text, err := item.Text()
	parts := strings.SplitN(text, ":", 3)
	if err != nil || len(parts) < 2 {
		return "", err
	}
	return path.Clean(parts[1]), nil
}

func shortMount(s *source.Service, item source.Value) []mount {
	text, err := item.Text()
	parts := strings.SplitN(text, ":", 3)
	if err != nil || len(parts) < 2 {
		return nil
	}
	if !isPath(parts[0]) {
		readOnly := len(parts) == 3 && slices.Contains(strings.Split(parts[2], ","), "ro")
		return boundVolume(s, item, parts[0], readOnly)
	}
	m := mount{at: item, source: absolute(item.File, parts[0]), rest: parts[0] + ":" + parts[1]}
	m.shown = shown(item, m.source)
	if len(parts) == 3 {
		m.options = strings.Split(parts[2], ",")
	}
	return []mount{m}
}

func longMount(s *source.Service, item source.Value) ([]mount, error) {
	source, ok := item.Field("source")
	kind, typed := item.Field("type")
	if !ok || !typed {
		return nil, nil
	}
	of, errKind := kind.Text()
	text, err := source.Text()
	if err = errors.Join(errKind, err); errKind != nil {
		return nil, err
	}
	switch of {
	case "volume":
		ro := false
		if v, ok := item.Field("read_only"); ok && err == nil {
			ro, err = truth(v)
		}
		return boundVolume(s, item, text, ro), err
	case "bind":
	default:
		return nil, nil
	}
	if !strings.HasPrefix(text, "~") {
		text = absolute(item.File, text)
	}
	return []mount{{at: item, source: text, shown: shown(source, text), long: true}}, err
}

// boundVolume is the mount of a volume that the file itself makes a bind mount of: by driver_opts, with o: bind.
func boundVolume(s *source.Service, item source.Value, name string, readOnly bool) []mount {
	device, options, ok := s.Whole.Bound(name)
	if !ok || !strings.HasPrefix(device, "/") {
		return nil
	}
	if slices.Contains(strings.Split(options, ","), "ro") {
		readOnly = true
	}
	return []mount{{at: item, source: path.Clean(device), shown: path.Clean(device), volume: name, ro: readOnly}}
}

// shown is a part of a value for people to see, and all of the value as it is written where it has variables.
func shown(v source.Value, part string) string {
	if strings.Contains(v.Said(), "$") {
		return v.Said()
	}
	return part
}

func isPath(s string) bool {
	return strings.HasPrefix(s, "/") || strings.HasPrefix(s, ".") || strings.HasPrefix(s, "~")
}

// absolute is a path of a Compose file, which is below the file's project directory unless it is absolute.
func absolute(c *source.Compose, p string) string {
	if strings.HasPrefix(p, "/") {
		return path.Clean(p)
	}
	if strings.HasPrefix(p, "~") {
		return p
	}
	joined := path.Join(c.Dir, p)
	if tail := strings.TrimLeft(path.Clean(p), "./"); !facts.Within(joined, c.Root) &&
		strings.HasPrefix(path.Clean(p), "../../..") {
		return "/" + tail // it is meant to lead to the top, wherever the files are
	}
	return joined
}

func (m mount) readOnly() (bool, error) {
	if m.volume != "" {
		return m.ro, nil
	}
	if !m.long {
		return slices.Contains(m.options, "ro") || slices.Contains(m.options, "readonly"), nil
	}
	v, ok := m.at.Field("read_only")
	if !ok {
		return false, nil
	}
	return truth(v)
}

var sockets = []string{"/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock",
	"/run/crio/crio.sock"}

func real(p string) string {
	if rest, ok := strings.CutPrefix(p, "/var/run"); ok && (rest == "" || rest[0] == '/') {
		return "/run" + rest
	}
	return p
}

// SensitiveMounts wants the host's system directories read-only.
var SensitiveMounts Service = func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
	all, err := mounts(s)
	var findings []checks.Finding
	for _, m := range all {
		source := real(m.source)
		bad := facts.OfSystem(source)
		if slices.Contains(sockets, source) {
			continue // read-only or not, a socket is open: another check is about it
		}
		ro, errRO := m.readOnly()
		if errRO != nil {
			err = errRO
		}
		if !bad || ro {
			continue
		}
		f := about(s, m.at, "volumes "+masked(m.shown), "can be written to", "mounted read-only, or not at all")
		if m.volume != "" {
			f.Reason = "the volume " + masked(m.volume) +
				" is a bind mount of it (driver_opts, o: bind): add ro to its options, or take it out"
			findings = append(findings, f)
			continue
		}
		breaks := s.Name + " can no longer write to " + masked(m.shown)
		c := change{append(keyOf(m.at), "read_only"), true, true, breaks}
		if !m.long {
			options := slices.DeleteFunc(slices.Clone(m.options), func(o string) bool { return o == "rw" })
			c = change{keyOf(m.at), m.rest + ":" + strings.Join(append(options, "ro"), ","), true, breaks}
			if strings.Contains(m.at.Node.Value, "$") {
				f.Reason = "it has variables in it: add ro to its options"
				findings = append(findings, f)
				continue
			}
		}
		findings = append(findings, fixed(s, m.at, f, c))
	}
	return findings, err
}

// SocketMounts wants no service to reach the API.
var SocketMounts Service = func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
	all, err := mounts(s)
	var findings []checks.Finding
	if v, ok := s.Get("use_api_socket"); ok {
		on, errOn := truth(v)
		if errOn != nil {
			err = errOn
		}
		if on {
			f := about(s, v, "use_api_socket", "gives the Engine's API, and the credentials for registries", "left out")
			f.Reason = "take it out, or put a proxy in between that lets through what the service needs"
			findings = append(findings, f)
		}
	}
	gives := func(at source.Value, section, file, shown string) {
		for _, socket := range sockets {
			if facts.Within(socket, real(file)) {
				f := about(s, at, section+" "+masked(shown), "gives "+socket,
					"left out, or a proxy that filters what may be asked")
				f.Reason = "take the mount out, or put a proxy in between that lets through what the service needs; read-only " +
					"does not help"
				findings = append(findings, f)
				return
			}
		}
	}
	for _, m := range all {
		gives(m.at, "volumes", m.source, m.shown)
	}
	for _, section := range []string{"secrets", "configs"} {
		errShared := shared(s, section, func(at source.Value, file string) { gives(at, section, file, file) })
		err = cmp.Or(err, errShared)
	}
	return findings, err
}

// shared gives the files of the host that a service has as secrets or configs: Compose mounts them.
func shared(s *source.Service, section string, give func(at source.Value, file string)) (unknown error) {
	for _, v := range s.All(section) {
		for _, item := range v.Items() {
			name := item
			if item.Node.Kind == yaml.MappingNode {
				var ok bool
				if name, ok = item.Field("source"); !ok {
					continue
				}
			}
			text, err := name.Text()
			if err != nil {
				unknown = err
				continue
			}
			switch file, of, err := s.Whole.Shared(section, text); {
			case err != nil:
				unknown = err
			case of != nil:
				give(item, absolute(of, file))
			}
		}
	}
	return unknown
}

// Propagation wants no mount to reach from a container to the host.
var Propagation Service = func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
	all, err := mounts(s)
	var findings []checks.Finding
	for _, m := range all {
		mode := ""
		if m.long {
			if b, ok := m.at.Field("bind"); ok {
				if p, ok := b.Field("propagation"); ok {
					mode, err = p.Text()
				}
			}
		}
		for _, o := range m.options {
			if o == "shared" || o == "rshared" {
				mode = o
			}
		}
		if mode != "shared" && mode != "rshared" {
			continue
		}
		f := about(s, m.at, "volumes "+masked(m.shown), mode, "private or a slave")
		f.Reason = "make it rprivate, or rslave where the container must see what the host mounts later"
		findings = append(findings, f)
	}
	return findings, err
}
