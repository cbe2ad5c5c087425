package remediate

import (
	"fmt"
	"reflect"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/edit"
)

// editors has for each kind of want what works it into a draft. A kind adds itself where its editor is, so that a new
// one is two files: what is wanted, in checks/want, and how it is done, here. TestKinds fails for a kind without one.
var editors = map[reflect.Type]func(*draft, fix, want.Want) error{}

// editor adds the editor of a kind of want. A kind has one: a second is a mistake that stops the program at its start.
func editor[W want.Want](do func(*draft, fix, W) error) struct{} {
	kind := reflect.TypeFor[W]()
	if editors[kind] != nil {
		panic(fmt.Sprintf("two editors for a %v", kind))
	}
	editors[kind] = func(d *draft, f fix, w want.Want) error { return do(d, f, w.(W)) }
	return struct{}{}
}

// The kinds that are a line or two. Each other one is beside its own editor.
var (
	_ = editor(func(d *draft, f fix, w want.Mode) error {
		return d.attribute(f, w, w.File, func(i *facts.Info) error {
			i.Mode &= w.Mode // two checks may each clear bits of one file
			return nil
		})
	})
	_ = editor(func(d *draft, f fix, w want.Owner) error {
		return d.attribute(f, w, w.File, func(i *facts.Info) error { return d.setOwner(i, w.Owner) })
	})
	_ = editor(func(d *draft, f fix, w want.Key) error {
		if err := d.activateKey(f, w); err != nil {
			return err
		}
		return d.content(f, w, w.File, 0o644, func(data []byte) ([]byte, error) {
			return edit.JSON(data, w.Key, w.Value)
		})
	})
	_ = editor(func(d *draft, f fix, w want.Env) error {
		if w.Unit != "" {
			d.activate(f, Restart, w.Unit)
		}
		return d.content(f, w, w.File, 0o644, func(data []byte) ([]byte, error) {
			return edit.Env(data, w.Name, w.Value)
		})
	})
	_ = editor(func(d *draft, f fix, w want.Setting) error {
		d.activate(f, ReloadManager, "")
		return d.content(f, w, dropInPath(w.Unit), 0o644, func(data []byte) ([]byte, error) {
			return edit.Unit(data, w.Section, w.Key, w.Value)
		})
	})
	_ = editor(func(d *draft, f fix, w want.Field) error {
		if w.Unit != "" {
			d.activate(f, Restart, w.Unit)
		}
		return d.content(f, w, w.File, 0o600, func(data []byte) ([]byte, error) {
			return edit.YAML(data, w.Field, w.Value)
		})
	})
	_ = editor(func(d *draft, f fix, w want.Instruction) error {
		return d.content(f, w, w.File, 0o644, func(data []byte) ([]byte, error) {
			return edit.Instruction(data, w.Line, w.From, w.To)
		})
	})
	_ = editor(func(d *draft, f fix, w want.Service) error {
		if w.Reload {
			d.activate(f, Reload, w.Unit)
		} else {
			d.restart(f, w.Key, w.Unit)
		}
		return nil
	})
)
