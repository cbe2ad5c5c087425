package want

import "io/fs"

// A Content wants a file that does not exist yet to be there with these bytes. What is there already is left alone.
type Content struct {
	File string
	Data string
	Mode fs.FileMode
	// Owner is "user:group", by number or name; empty for root.
	Owner string
	Warrant
}

func (Content) Class() Class { return None }

// Text is what it asks for.
func (w Content) Text() string { return "make " + w.File }

// Claim is all that is in the file.
func (w Content) Claim() (place, value string) { return w.File, w.Data }

func (Content) want() {}
