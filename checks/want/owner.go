package want

import "fmt"

// An Owner wants a file to belong to a user and group, as "user:group".
type Owner struct {
	File, Owner string
	Warrant
}

func (Owner) Class() Class { return None }

// Text is what it asks for.
func (w Owner) Text() string { return fmt.Sprintf("give %s to %s", w.File, w.Owner) }

// Claim is the owner of the file.
func (w Owner) Claim() (place, value string) { return "the owner of " + w.File, w.Owner }

func (Owner) want() {}
