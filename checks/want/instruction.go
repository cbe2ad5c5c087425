package want

import "fmt"

// An Instruction wants the instruction that begins on a line of a Dockerfile to be another one with the same arguments.
type Instruction struct {
	File     string
	Line     int    // from 1
	From, To string // "ADD", "COPY"
	Warrant
}

// Class: nobody notices before the next build.
func (Instruction) Class() Class { return None }

// Text is what it asks for.
func (w Instruction) Text() string {
	return fmt.Sprintf("make %s of the %s in line %d of %s", w.To, w.From, w.Line, w.File)
}

// Claim is nothing: the second finds another instruction in its line, and is refused.
func (Instruction) Claim() (place, value string) { return "", "" }

func (Instruction) want() {}
