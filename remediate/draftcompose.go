package remediate

import (
	"fmt"

	"example.com/harden/checks/want"
	"example.com/harden/remediate/edit"
)

// A composed is a Compose file as all fixes of a draft together leave it. They are made at once: one by one, each would
// read all of the file again.
type composed struct {
	wants []want.Compose
	index map[string]int // by what is wanted
	after []byte
	errs  []error // by want
	noted map[string]bool
}

func wantKey(w want.Compose) string {
	return fmt.Sprintf("%q %q %q %q %#v", w.File, w.Service, w.Key, w.Was, w.Value)
}

// composeAll makes what fixes want of Compose files.
func (d *draft) composeAll(fixes []fix) {
	d.composed = map[string]*composed{}
	for _, f := range fixes {
		for _, w := range f.finding.Wants {
			if w, ok := w.(want.Compose); ok && len(w.Key) > 0 {
				d.composing(w)
			}
		}
	}
	for file, c := range d.composed {
		loaded, err := d.load(file, 0o644)
		if err != nil {
			delete(d.composed, file) // content says so
			continue
		}
		c.after, c.errs = edit.Composes(loaded.After.Data, c.wants)
	}
}

func (d *draft) composing(w want.Compose) {
	c := d.composed[w.File]
	if c == nil {
		c = &composed{index: map[string]int{}, noted: map[string]bool{}}
		d.composed[w.File] = c
	}
	if key := wantKey(w); !c.has(key) {
		c.index[key] = len(c.wants)
		c.wants = append(c.wants, w)
	}
}

func (c *composed) has(key string) bool { _, ok := c.index[key]; return ok }

var _ = editor((*draft).compose)

// compose works a want of a Compose file into the draft.
func (d *draft) compose(f fix, w want.Compose) error {
	if w.Project != "" {
		d.activate(f, ComposeUp, w.Project+"/"+w.Service)
	}
	if len(w.Key) == 0 {
		return nil // the file says it already
	}
	c, key := d.composed[w.File], wantKey(w)
	if c != nil && c.noted[key] {
		return nil // another container of the service wants the same
	}
	return d.content(f, w, w.File, 0o644, func([]byte) ([]byte, error) {
		if c == nil {
			return nil, fmt.Errorf("no edit for %s: this is a bug in harden", key)
		}
		c.noted[key] = true
		return c.after, c.errs[c.index[key]]
	})
}
