package remediate

import (
	"cmp"
	"fmt"
	"io/fs"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A Target is one file that is to be changed, as it is seen at the moment. A plan asks of it as it is drafted, and
// apply asks again of what it holds open, so that the plan is the whole truth and nothing can be swapped in between.
type Target struct {
	Path   string
	Chain  []facts.Info // every directory above it, the topmost first, and then what is there
	Exists bool
	Held   string   // by what a container can put something else there; empty where none can
	Data   []byte   // what it holds, of a regular file whose kind shows in that
	Names  []string // what is in it, of a directory
}

// Refuse says why a warrant does not entitle to change the target, empty when it does.
func (t Target) Refuse(w want.Warrant) string {
	known := facts.WellKnown(t.Path)
	if w.By != want.Root && !known {
		return fmt.Sprintf("%s: not changed, because %s (%s); change it yourself", t.Path, suspects[w.By],
			cmp.Or(w.From, "no source"))
	}
	if why := facts.Exposed(t.Chain, t.Exists); why != "" {
		return fmt.Sprintf("%s: not changed, because %s, so not only root decides what is there; "+
			"move it below directories that only root can write", t.Path, why)
	}
	if t.Held != "" && !known {
		return fmt.Sprintf("%s: not changed, because a container can put something else there (%s), and uid 0 in a "+
			"container is not root of this host; change it yourself", t.Path, t.Held)
	}
	if !t.Exists || known || len(t.Chain) == 0 {
		return ""
	}
	if why := facts.Fits(w.Kind, t.Chain[len(t.Chain)-1], t.Data, t.Names); why != "" {
		return fmt.Sprintf("%s: not changed, because it is %s; correct %s, or change it yourself", t.Path, why,
			cmp.Or(w.From, "what names it"))
	}
	return ""
}

var suspects = map[want.Authority]string{
	want.Nobody: "nothing says who chose this path",
	want.Guest:  "a container may have chosen this path",
	want.User:   "a user who is not root may have chosen this path",
}

// Audit says why no audit rule may name the target: auditctl splits a line at blanks and knows no quotes.
func (t Target) Audit(w want.Warrant) string {
	if strings.ContainsFunc(t.Path, func(r rune) bool {
		return r <= ' ' || r == '"' || r == '\'' || r == '\\' || r == 0x7f
	}) {
		return fmt.Sprintf("%q: an audit rule cannot name it", t.Path)
	}
	return t.Refuse(w)
}

// GivenAway returns what becomes of a file's mode when its owner changes: whoever it belonged to chose what is in it,
// so that it must not run as its new owner.
func GivenAway(i facts.Info) fs.FileMode {
	if i.Type != 0 {
		return i.Mode
	}
	return i.Mode &^ 0o6000
}
