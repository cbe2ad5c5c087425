package want

import "fmt"

// An AuditRule wants the kernel to record writes to, and attribute changes of, a path: Path itself, or with Dir
// all that is below it too. Both the rule on disk and the rule as loaded are wanted.
type AuditRule struct {
	Path string
	Dir  bool
	Warrant
}

func (AuditRule) Class() Class { return Reload }

// Text is what it asks for.
func (w AuditRule) Text() string {
	if w.Dir {
		return fmt.Sprintf("record changes of %s and all below it", w.Path)
	}
	return fmt.Sprintf("record changes of %s", w.Path)
}

// Claim is nothing: two rules of one path are one.
func (AuditRule) Claim() (place, value string) { return "", "" }

func (AuditRule) want() {}
