package edit

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/want"
)

// PodFlag brings a flag of a container about in a pod's manifest, and what the container must see of the node for it.
// The flag is changed where it is written, in command or in args, in either spelling (--a=b in one element, or in two),
// and is there once afterwards; a new one comes last, or where it belongs when the flags are sorted, as kubeadm writes
// them. Of a list, Add and Drop are the only tokens to come and go; a token such as Name=true takes the place of
// Name=false.
//
// A path that a mount shows the container already is left alone. It refuses a command run by a shell, and a mount
// that would have to take the place of another one.
func PodFlag(data []byte, w want.PodFlag) ([]byte, error) {
	if !word(w.Name, "-") || strings.HasPrefix(w.Name, "-") {
		return nil, fmt.Errorf("%q is not the name of a flag", w.Name)
	}
	for _, value := range append(append([]string{w.Value}, w.Add...), w.Drop...) {
		if err := oneLine("the value of --"+w.Name, value, ""); err != nil {
			return nil, err
		}
	}
	p, err := parsePod(data, w.Container)
	if err != nil {
		return nil, err
	}
	now, err := p.with(w)
	if err != nil {
		return nil, err
	}
	for i, field := range podFields {
		if slices.Equal(now[i], p.words[i]) {
			continue
		}
		if data, err = YAML(data, p.path(field), now[i]); err != nil {
			return nil, err
		}
	}
	for _, m := range w.Mounts {
		if data, err = podMount(data, w.Container, m); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// PodFlagValue is the value that a flag of a container has in a manifest, tokens of a list together.
func PodFlagValue(data []byte, container, name string) (value string, there bool) {
	p, err := parsePod(data, container)
	if err != nil {
		return "", false
	}
	uses := p.uses(name)
	if len(uses) == 0 {
		return "", false
	}
	return uses[len(uses)-1].value, true
}

// PodVolume is the volume that a container has mounted at exactly that path, empty where there is none.
func PodVolume(data []byte, container, at string) string {
	p, err := parsePod(data, container)
	if err != nil {
		return ""
	}
	for _, v := range elements(field(p.container, "volumeMounts")) {
		if path.Clean(textAt(v, "mountPath")) == at {
			return textAt(v, "name")
		}
	}
	return ""
}

// podFields hold a container's command line, in order.
var podFields = []string{"command", "args"}

// A pod is a manifest and one container of it.
type pod struct {
	spec, container *yaml.Node
	index           int
	words           [2][]string // by podFields
	wrapped         int         // how many words come before the program's own arguments
}

func (p *pod) path(field string) []string {
	return []string{"spec", "containers", strconv.Itoa(p.index), field}
}

func parsePod(data []byte, container string) (*pod, error) {
	if err := facts.JSONByBrace(data); err != nil {
		return nil, err
	}
	top, err := parseYAML(data)
	if err != nil {
		return nil, err
	}
	if top == nil || textAt(top, "apiVersion") != "v1" || textAt(top, "kind") != "Pod" {
		return nil, errors.New("this is not the manifest of a pod")
	}
	p := &pod{spec: field(top, "spec"), index: -1}
	for i, c := range elements(field(p.spec, "containers")) {
		if textAt(c, "name") == container {
			p.container, p.index = c, i
		}
	}
	if p.container == nil {
		return nil, fmt.Errorf("the pod has no container %q", container)
	}
	for i, name := range podFields {
		for _, e := range elements(field(p.container, name)) {
			if e.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("line %d: %s holds something that is not a word: edit it yourself", e.Line, name)
			}
			p.words[i] = append(p.words[i], e.Value)
		}
	}
	if all := slices.Concat(p.words[0], p.words[1]); len(all) > 0 && facts.IsShell(all[0]) {
		return nil, fmt.Errorf("the command is run by %s: edit it yourself", path.Base(all[0]))
	}
	p.unwrap()
	return p, nil
}

// unwrap finds where the program's own arguments begin: what wraps it has flags too.
func (p *pod) unwrap() {
	all := slices.Concat(p.words[0], p.words[1])
	if len(all) == 0 || strings.HasPrefix(all[0], "-") {
		return
	}
	for _, name := range kube.Programs {
		if n, ok := kube.Before(all, name); ok {
			p.wrapped = n
			return
		}
	}
	p.wrapped = 1 // not a program of Kubernetes
}

// A podUse is one occurrence of a flag: words[field][first:last+1], and its value.
type podUse struct {
	field, first, last int
	value              string
}

// uses finds a flag. Kubernetes takes _ for - in its names, etcd one dash for two. The value is in the next word
// where that does not look like a flag: no component takes other arguments.
func (p *pod) uses(name string) (all []podUse) {
	for f, words := range p.words {
		for i := p.begin(f); i < len(words); i++ {
			flag, value, assigned := strings.Cut(words[i], "=")
			if !strings.HasPrefix(flag, "-") || strings.ReplaceAll(strings.TrimLeft(flag, "-"), "_", "-") != name {
				continue
			}
			u := podUse{f, i, i, value}
			switch {
			case assigned:
			case i+1 < len(words) && !strings.HasPrefix(words[i+1], "-"):
				u.last, u.value = i+1, words[i+1]
				i++
			default:
				u.value = "true"
			}
			all = append(all, u)
		}
	}
	return all
}

// begin is where the program's own arguments begin in a field.
func (p *pod) begin(f int) int {
	n := p.wrapped
	if f == 1 {
		n -= len(p.words[0])
	}
	return min(max(n, 0), len(p.words[f]))
}

// with is the command line as wanted.
func (p *pod) with(w want.PodFlag) ([2][]string, error) {
	now := [2][]string{slices.Clone(p.words[0]), slices.Clone(p.words[1])}
	uses := p.uses(w.Name)
	value, gone := w.Value, w.Gone
	if len(w.Add)+len(w.Drop) > 0 {
		if w.Value != "" || w.Gone {
			return now, fmt.Errorf("--%s is wanted both whole and in part: this is a bug in harden", w.Name)
		}
		if i := slices.IndexFunc(uses, func(u podUse) bool { return strings.Contains(u.value, "$(") }); i >= 0 {
			return now, fmt.Errorf("a value of --%s comes from a variable of the pod: edit it yourself", w.Name)
		}
		had := p.tokens(w.Runs(), uses)
		has := mergeTokens(had, w.Add, w.Drop)
		if slices.Equal(had, has) {
			return now, nil
		}
		value, gone = strings.Join(has, ","), len(has) == 0
	}
	if gone && len(uses) == 0 || !gone && len(uses) == 1 && uses[0].value == value {
		return now, nil
	}
	for i, u := range slices.Backward(uses) {
		words := now[u.field]
		switch {
		case gone || i+1 < len(uses):
			now[u.field] = slices.Delete(words, u.first, u.last+1)
		case u.first == u.last:
			words[u.first] = flagName(words[u.first]) + "=" + value
		default:
			words[u.last] = value
		}
	}
	if len(uses) > 0 || gone {
		return now, nil
	}
	f := 0
	if len(p.words[0]) < 2 && len(p.words[1]) > 0 || len(p.words[0]) == 0 || p.wrapped > len(p.words[0]) {
		f = 1
	}
	word := "--" + w.Name + "=" + value
	first := p.begin(f) // where flags begin
	for first < len(now[f]) && !strings.HasPrefix(now[f][first], "-") {
		first++
	}
	at := len(now[f])
	if flags := now[f][first:]; len(flags) > 1 && slices.IsSorted(flags) {
		i, _ := slices.BinarySearch(flags, word)
		at = first + i
	}
	now[f] = slices.Insert(now[f], at, word)
	return now, nil
}

func flagName(word string) string {
	name, _, _ := strings.Cut(word, "=")
	return name
}

// tokens is the list that the uses of a flag make: Kubernetes adds one to the other, of etcd's the last counts.
func (p *pod) tokens(program string, uses []podUse) (all []string) {
	if program == "etcd" && len(uses) > 1 {
		uses = uses[len(uses)-1:]
	}
	for _, u := range uses {
		all = append(all, splitTokens(u.value)...)
	}
	return all
}

// mergeTokens keeps the order, drops, and adds at the end what is not there.
func mergeTokens(had, add, drop []string) []string {
	var has []string
	for _, t := range had {
		if !slices.Contains(drop, t) {
			has = append(has, t)
		}
	}
	for _, t := range add {
		name, _, assigns := strings.Cut(t, "=")
		i := slices.IndexFunc(has, func(h string) bool { return h == t || assigns && strings.HasPrefix(h, name+"=") })
		if i < 0 {
			has = append(has, t)
		} else {
			has[i] = t
		}
	}
	return has
}

// podMount shows a container a path of the node, at the same place.
func podMount(data []byte, container string, m want.Mount) ([]byte, error) {
	p, err := parsePod(data, container)
	if err != nil {
		return nil, err
	}
	covered, err := p.covers(m)
	if err != nil || covered {
		return data, err
	}
	name := ""
	taken := map[string]bool{}
	for _, v := range elements(field(p.spec, "volumes")) {
		taken[textAt(v, "name")] = true
		if path.Clean(textAt(v, "hostPath", "path")) == m.Path {
			name = textAt(v, "name")
		}
	}
	if name == "" {
		name = volumeName(m.Path, taken)
		volume := map[string]any{"name": name, "hostPath": map[string]any{"path": m.Path, "type": m.Type}}
		if data, err = YAML(data, []string{"spec", "volumes", "-"}, volume); err != nil {
			return nil, err
		}
	}
	mount := map[string]any{"name": name, "mountPath": m.Path}
	if m.ReadOnly {
		mount["readOnly"] = true
	}
	return YAML(data, append(p.path("volumeMounts"), "-"), mount)
}

// covers reports whether the container sees the path of the node where it is, and may write there where it must.
func (p *pod) covers(m want.Mount) (bool, error) {
	if !path.IsAbs(m.Path) || path.Clean(m.Path) != m.Path {
		return false, fmt.Errorf("%q is not a path that can be mounted", m.Path)
	}
	var nearest *yaml.Node
	at := ""
	for _, v := range elements(field(p.container, "volumeMounts")) {
		if dir := path.Clean(textAt(v, "mountPath")); facts.Within(m.Path, dir) && len(dir) > len(at) {
			nearest, at = v, dir
		}
	}
	if nearest == nil {
		return false, nil
	}
	host := ""
	for _, v := range elements(field(p.spec, "volumes")) {
		if textAt(v, "name") == textAt(nearest, "name") {
			host = textAt(v, "hostPath", "path")
		}
	}
	readOnly := textAt(nearest, "readOnly") == "true"
	plain := textAt(nearest, "subPath")+textAt(nearest, "subPathExpr") == ""
	if host != "" && plain && path.Join(host, strings.TrimPrefix(m.Path, at)) == m.Path && (m.ReadOnly || !readOnly) {
		return true, nil
	}
	if at == m.Path {
		return false, fmt.Errorf("%s is mounted in the container already, from somewhere else or read-only: choose one "+
			"yourself", m.Path)
	}
	return false, nil
}

// volumeName makes a DNS label of a path that no volume has yet.
func volumeName(file string, taken map[string]bool) string {
	label := func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return '-'
	}
	base := strings.TrimSuffix(path.Base(file), path.Ext(file))
	name := strings.TrimRight("harden-"+strings.Trim(strings.Map(label, base), "-"), "-")
	name = strings.TrimRight(name[:min(len(name), 58)], "-")
	for unique, n := name, 2; ; n++ {
		if !taken[unique] {
			return unique
		}
		unique = fmt.Sprintf("%s-%d", name, n)
	}
}
