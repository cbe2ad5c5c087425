package report

import "example.com/harden/checks/want"

// Describe says in one line what a want asks for.
func Describe(w want.Want) string {
	if c, ok := w.(want.Container); ok {
		c.Name = Clean(c.Name) // whoever starts a container chooses it
		w = c
	}
	return w.Text()
}
