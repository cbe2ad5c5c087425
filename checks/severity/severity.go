// Package severity says how much each check matters, so that a reader knows what to mend first. The benchmark's level
// says something else: how much a site has to give up for the fix.
//
// # How a severity is chosen
//
// From impact and exposure: what an attacker has in the end, and what they need before. They are written down here,
// one for each check with its reason, and never worked out from what a host happens to look like.
//
//   - Critical: whoever can reach it, over the network or from within the container that has it, is root on the host or
//     master of the cluster in one step. It takes no password, no further flaw and no luck.
//   - High: the same, or every secret, is one step from a foothold that attackers do get: an account on the host, a
//     process in a container, a place on the network's path. So is a boundary that is gone as a whole, such as a
//     namespace of the host's, and a private key or a file of credentials that others can read.
//   - Medium: one of several layers is missing, an attack gets easier or wider, a container can bring down the host, or
//     nobody can see afterwards what was done.
//   - Low: hygiene. One record of many, a limit that defaults well, information that helps an attacker little, or a
//     setting of something that hardly anybody runs any more.
//
// Three rules keep the choices alike. A check that can fail in a harmless and in a harmful way has the severity of the
// way that it mostly fails in. An owner is judged as a mode is: a file that another account owns is a file that it can
// write. What only matters once an attacker is root already is never above medium.
package severity

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Severity is how much it matters that a check holds. Greater ones matter more; the zero value is none at all, and
// only a check that is not in the table has it.
type Severity int

// The severities.
const (
	None Severity = iota
	Low
	Medium
	High
	Critical
)

var names = []string{"none", "low", "medium", "high", "critical"}

// All are the severities that a check can have, the greatest first.
var All = []Severity{Critical, High, Medium, Low}

func (s Severity) String() string { return names[s] }

// Weight is what a check of this severity counts in a score: each is as much as about three of the one below.
func (s Severity) Weight() int { return [...]int{0, 1, 3, 10, 30}[s] }

// Parse reads a severity as String writes it.
func Parse(text string) (Severity, error) {
	if i := slices.Index(names, text); i > int(None) {
		return Severity(i), nil
	}
	return None, fmt.Errorf("severity %q: there is none of this name; choose %s", text, Words("or"))
}

// Words are the names of all severities, the greatest first, as a sentence has them.
func Words(last string) string {
	words := make([]string, len(All))
	for i, s := range All {
		words[i] = s.String()
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}

// MarshalText writes the severity as reports spell it.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a severity as reports spell it; "none" and nothing are None, any other text is an error.
func (s *Severity) UnmarshalText(text []byte) (err error) {
	if *s = None; len(text) == 0 || string(text) == names[None] {
		return nil
	}
	*s, err = Parse(string(text))
	return err
}

// A Rating is a check's severity, and why it is this one: a clause without a full stop.
type Rating struct {
	Severity Severity
	Reason   string
}

var ratings = func() map[string]Rating {
	all := maps.Clone(dockerRatings)
	maps.Copy(all, kubernetesRatings)
	return all
}()

// Of is the rating of the check with this ID; a check that has none has the zero Rating.
func Of(id string) Rating { return ratings[id] }
