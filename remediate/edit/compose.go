package edit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// Composes brings services of a Compose file to hold what is wanted, all at once, and tells of each want why it could
// not be done. An element of a list is found by what it holds and not by its index, which an earlier edit may have
// changed.
//
// Services are apart from each other, so the next want of each is made in one pass: the file is read as often as the
// service with the most wants has some, however many services there are.
func Composes(data []byte, wants []want.Compose) ([]byte, []error) {
	errs := make([]error, len(wants))
	pieces, err := documents(data)
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return data, errs
	}
	byService := map[string][]int{}
	for i, w := range wants {
		byService[w.Service] = append(byService[w.Service], i)
	}
	for p := range pieces {
		b := &composeBatch{data: pieces[p], wants: wants, errs: errs}
		b.run(b.here(byService, len(pieces) == 1))
		pieces[p] = b.data
	}
	for _, which := range byService {
		for _, i := range which {
			errs[i] = cmp.Or(errs[i], errors.New("no document of the file has the service"))
		}
	}
	return bytes.Join(pieces, nil), errs
}

// documents are the YAML documents of a text, each with the line that begins it.
func documents(data []byte) ([][]byte, error) {
	var pieces [][]byte
	start, offset, said := 0, 0, false // whether the piece has more than comments, directives and blank lines
	for line := range bytes.Lines(data) {
		text := bytes.TrimRight(line, "\r\n")
		begins := bytes.Equal(text, []byte("---")) || bytes.HasPrefix(text, []byte("--- ")) ||
			bytes.HasPrefix(text, []byte("---\t"))
		switch {
		case bytes.Equal(text, []byte("...")) || bytes.HasPrefix(text, []byte("... ")):
			return nil, facts.At(data, offset, "a document ends: edit it yourself")
		case begins:
			if said {
				pieces = append(pieces, data[start:offset])
				start = offset
			}
			said = true
		case len(bytes.TrimSpace(text)) > 0 && text[0] != '#' && text[0] != '%':
			said = said || bytes.TrimSpace(text)[0] != '#'
		}
		offset += len(line)
	}
	return append(pieces, data[start:]), nil
}

// A composeBatch edits one document.
type composeBatch struct {
	data     []byte
	top      *yaml.Node // of data
	wants    []want.Compose
	errs     []error
	failures int
}

// maxFailures is how often a batch that does not read as intended is taken apart: each time costs as much as a pass.
const maxFailures = 32

var errSeveral = errors.New("several documents of the file have the service: edit it yourself")

// here reads the document, and takes the wants for services that it has; all where it is the only one. What is left are
// those for services that no document so far has.
func (b *composeBatch) here(byService map[string][]int, only bool) []int {
	var err error
	if b.top, err = parseYAML(b.data); err != nil && !only {
		err = fmt.Errorf("one of its documents: %w", err)
	}
	var which []int
	for i, w := range b.wants {
		switch {
		case err != nil:
			b.errs[i] = err
		case only || b.has(w.Service):
			if _, left := byService[w.Service]; !left {
				b.errs[i] = errSeveral
			}
			which = append(which, i)
		}
	}
	for _, i := range which {
		delete(byService, b.wants[i].Service)
	}
	return slices.DeleteFunc(which, func(i int) bool { return b.errs[i] != nil })
}

func (b *composeBatch) has(service string) bool {
	if b.top == nil {
		return false
	}
	i := child(b.top, "services")
	return i >= 0 && child(b.top.Content[i], service) >= 0
}

func (b *composeBatch) run(which []int) {
	for len(which) > 0 {
		var now, later []int
		taken := map[string]bool{}
		for _, i := range which {
			if s := b.wants[i].Service; !taken[s] {
				taken[s] = true
				now = append(now, i)
			} else {
				later = append(later, i)
			}
		}
		b.pass(now)
		which = later
	}
}

// pass makes wants of different services. Where what comes out does not read as intended, it is made of halves, until
// the one that is at fault is alone.
func (b *composeBatch) pass(which []int) {
	d := newYAMLDoc(b.data, b.top)
	expect := b.top
	if expect != nil {
		expect = clone(expect)
	}
	type edit struct {
		i       int
		splices []splice
	}
	var all []edit
	for _, i := range which {
		splices, err := b.one(d, expect, b.wants[i])
		if b.errs[i] = err; err == nil && len(splices) > 0 {
			all = append(all, edit{i, splices})
		}
	}
	if len(all) == 0 {
		return
	}
	slices.SortStableFunc(all, func(a, b edit) int { return cmp.Compare(a.splices[0].start, b.splices[0].start) })
	var flat []splice
	for _, e := range all {
		flat = append(flat, e.splices...)
	}
	after := applyAll(b.data, flat)
	now, err := parseYAML(after)
	switch {
	case err == nil && now != nil && sameNode(expect, now):
		b.data, b.top = after, now
	case len(all) == 1 || b.failures > maxFailures:
		for _, e := range all {
			b.errs[e.i] = errLayout
		}
	default:
		b.failures++
		for _, half := range [][]edit{all[:len(all)/2], all[len(all)/2:]} {
			var some []int
			for _, e := range half {
				some = append(some, e.i)
			}
			b.pass(some)
		}
	}
}

// one is the splices for a want, which is made of the intended tree too.
func (b *composeBatch) one(d *yamlDoc, expect *yaml.Node, w want.Compose) ([]splice, error) {
	path, err := b.path(w)
	if err != nil {
		return nil, err
	}
	value, err := yamlNode(w.Value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(path, "."), err)
	}
	if !allUTF8(path) {
		return nil, errors.New("the path to the field is not valid UTF-8")
	}
	if b.top == nil {
		return nil, errors.New("it has no services")
	}
	splices, err := d.set(b.top, slot{}, path, value)
	if err == nil && len(splices) > 0 {
		assignNode(expect, path, value)
	}
	return splices, err
}

// path is where the document has what is wanted.
func (b *composeBatch) path(w want.Compose) ([]string, error) {
	path := append([]string{"services", w.Service}, w.Key...)
	if w.Was == "" {
		return path, nil
	}
	list, err := sequence(b.top, path[:len(path)-1])
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list.Content, func(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Value == w.Was })
	if i < 0 {
		return nil, fmt.Errorf("%s: the element to change is not there", strings.Join(path[:len(path)-1], "."))
	}
	if w.Value == nil && len(list.Content) == 1 {
		return path[:len(path)-1], nil // an empty list says nothing that none does not say
	}
	path[len(path)-1] = strconv.Itoa(i)
	return path, nil
}

// sequence is the list at a path.
func sequence(top *yaml.Node, path []string) (*yaml.Node, error) {
	for _, name := range path {
		if top == nil {
			break
		}
		i := child(top, name)
		if i < 0 {
			top = nil
			break
		}
		top = top.Content[i]
	}
	if top == nil || top.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("%s: no list", strings.Join(path, "."))
	}
	return top, nil
}
