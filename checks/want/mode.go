package want

import (
	"fmt"
	"io/fs"
)

// A Mode wants a file to have exactly these twelve permission bits.
type Mode struct {
	File string
	Mode fs.FileMode
	Warrant
}

func (Mode) Class() Class { return None }

// Text is what it asks for.
func (w Mode) Text() string { return fmt.Sprintf("set the mode of %s to %04o", w.File, w.Mode) }

// Claim is nothing: two masks of one file combine.
func (Mode) Claim() (place, value string) { return "", "" }

func (Mode) want() {}
