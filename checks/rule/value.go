package rule

import (
	"fmt"
	"strconv"

	"example.com/harden/checks/facts"
)

// Unset is how reports call the value of a setting that says nothing.
const Unset = "unset"

// ByDefault tells of a value that nothing sets, by the text of the default.
func ByDefault(text string) string {
	if text == "" || text == Unset {
		return Unset
	}
	return "unset, so " + text
}

// Origin names what passes a flag, which is a file or the command line of a process.
func Origin(f *facts.Flag, process string) string {
	if f.Origin == "process" {
		return process
	}
	return f.Origin
}

// A Flagger reads itself from the values of a repeated flag.
type Flagger interface{ FromFlags(values []string) error }

// ParseFlag reads the values of a flag: of a list all count, of anything else the last.
func ParseFlag(values []string, into any) error {
	last := ""
	if len(values) > 0 {
		last = values[len(values)-1]
	}
	var err error
	switch into := into.(type) {
	case *bool:
		*into, err = strconv.ParseBool(last)
	case *int:
		*into, err = strconv.Atoi(last)
	case *string:
		*into = last
	case *[]string:
		*into = values
	case Flagger:
		err = into.FromFlags(values)
	default:
		err = fmt.Errorf("no flag is a %T", into)
	}
	return err
}
