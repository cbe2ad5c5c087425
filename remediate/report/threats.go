package report

import (
	"slices"
	"strings"

	"example.com/harden/checks/stride"
)

// ThreatSchema names the shape of a Threat as JSON.
const ThreatSchema = "harden-threat/v1"

// A Threat is one of the model's, with where this host stands.
type Threat struct {
	Schema string        `json:"schema"`
	ID     string        `json:"id"`
	Letter string        `json:"letter"` // of the word STRIDE
	Title  string        `json:"title"`
	Attack string        `json:"attack"`
	Answer string        `json:"answer"`
	Rest   string        `json:"rest"` // what remains when every check passes
	State  string        `json:"state"`
	Checks []ThreatCheck `json:"checks"`
}

// A ThreatCheck is one check that answers a threat.
type ThreatCheck struct {
	ID     string   `json:"id"`
	Number string   `json:"number,omitempty"`
	Title  string   `json:"title"`
	State  State    `json:"state"`
	Fix    []string `json:"fix"` // what would be done on this host
}

// The states of a threat.
const (
	Answered  = "answered" // nothing that answers it fails
	Open      = "open"     // something that answers it fails
	Doubtful  = "unknown"  // something could not be judged, and nothing is known to fail
	Unchecked = "unchecked"
)

// A Model is each threat of the STRIDE model.
type Model []Threat

// ThreatsOf traces each threat of the model to its checks in a settled report.
func ThreatsOf(r *Report) Model {
	out := Model{}
	for _, t := range stride.All {
		threat := Threat{Schema: ThreatSchema, ID: string(t.ID), Letter: t.ID.Category().Letter(), Title: t.Title,
			Attack: t.Attack, Answer: t.Answer, Rest: t.Rest, State: Unchecked, Checks: []ThreatCheck{}}
		for _, res := range r.Results {
			if !slices.Contains(res.Threats, threat.ID) {
				continue
			}
			c := ThreatCheck{ID: res.ID, Number: res.Number, Title: res.Title, State: res.State, Fix: []string{}}
			for _, f := range res.Findings {
				for _, fix := range f.Fix {
					if !slices.Contains(c.Fix, fix) {
						c.Fix = append(c.Fix, fix)
					}
				}
			}
			threat.Checks = append(threat.Checks, c)
		}
		threat.State = threatState(threat.Checks)
		out = append(out, threat)
	}
	return out
}

func threatState(cs []ThreatCheck) string {
	has := func(states ...State) bool {
		return slices.ContainsFunc(cs, func(c ThreatCheck) bool { return slices.Contains(states, c.State) })
	}
	switch {
	case slices.ContainsFunc(cs, func(c ThreatCheck) bool { return c.State.failing() }):
		return Open
	case has(Unknown, Manual):
		return Doubtful
	case has(Pass, Fixed, Waived):
		return Answered
	}
	return Unchecked // nothing that answers it is on this host
}

var threatColors = map[string]string{Answered: green, Open: red, Doubtful: yellow, Unchecked: dim}

// text is the model for people.
func (threats Model) text(p *page) {
	here := map[string]bool{}
	for _, t := range threats {
		here[platform(t.ID)] = here[platform(t.ID)] || t.State != Unchecked
	}
	told := ""
	for i, t := range threats {
		of := platform(t.ID)
		absent := !here[of] && !p.Verbose && slices.ContainsFunc(threats, func(t Threat) bool { return here[platform(t.ID)] })
		if absent && told == of {
			continue
		}
		told = of
		if i > 0 {
			p.line()
		}
		if absent {
			p.line(p.paint(dim, of+": not installed (-v lists its threats)"))
			continue
		}
		p.line(p.paint(bold, t.Letter+" "+t.ID), "  ", p.paint(threatColors[t.State], t.State), tally(t.Checks))
		p.block("  ", 2, "", t.Title)
		p.labelled("attack", t.Attack)
		p.labelled("answer", t.Answer)
		p.labelled("rest", t.Rest)
		for _, c := range t.Checks {
			if p.Quiet && slices.Contains(quiet, c.State) {
				continue
			}
			p.row(c.State, c.Number, "", c.ID+": "+c.Title)
			for _, fix := range c.Fix {
				p.under(dim, fix)
			}
		}
	}
}

// tally says how many checks are in each state.
func tally(cs []ThreatCheck) string {
	var parts []string
	for _, s := range States {
		n := 0
		for _, c := range cs {
			if c.State == s {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, s.counted(n))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}
