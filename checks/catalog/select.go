package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/mapping"
	"example.com/harden/checks/severity"
	"example.com/harden/checks/stride"
)

// A Query says which checks a user wants. Only and Skip hold IDs ("docker/icc"), globs of IDs ("docker/audit-*"),
// numbers ("3.20", "docker:3.20", "k8s@1.24:4.2.6"), sections ("docker:3", "1.1"), platforms ("docker"), categories of
// threats ("stride:tampering"), threats ("docker/host/tampering") and numbers of other frameworks ("nist:AC-6").
type Query struct {
	Only      []string // empty means everything
	Skip      []string
	Level     int               // the highest benchmark level wanted; 0 is all
	Severity  severity.Severity // the least severity wanted
	Benchmark string            // editions, separated by commas; of each benchmark that none is named of, the newest
	Sources   bool              // only checks that judge Dockerfiles and Compose files
}

// A Selection is the checks that a query picks.
type Selection struct {
	Benchmarks []cis.Benchmark // the edition of each benchmark that bare numbers are of
	Checks     []*checks.Check // in the order of their numbers; those without one last
	named      map[*checks.Check]bool
}

// Named reports whether the query picks c by its own ID or number, and not only with others: who names an item
// means it.
func (s *Selection) Named(c *checks.Check) bool { return s.named[c] }

// Number gives the edition and number of c among the selected editions, both empty when none asks for it.
func (s *Selection) Number(c *checks.Check) (cis.Benchmark, string) {
	for _, b := range s.Benchmarks {
		if n := c.Items[b]; n != "" {
			return b, n
		}
	}
	return "", ""
}

// Select picks from all. Every word of the query that means nothing is an error, each with what may have been meant.
func Select(all []*checks.Check, q Query) (*Selection, error) {
	s := &Selection{Benchmarks: cis.Newest(), named: map[*checks.Check]bool{}}
	for _, name := range strings.FieldsFunc(q.Benchmark, func(r rune) bool { return r == ',' || r == ' ' }) {
		b, err := cis.Find(name)
		if err != nil {
			return nil, err
		}
		for i := range s.Benchmarks {
			if s.Benchmarks[i].Family() == b.Family() {
				s.Benchmarks[i] = b
			}
		}
	}
	if q.Level < 0 || q.Level > 2 {
		return nil, fmt.Errorf("level %d: valid: 1, 2", q.Level)
	}
	var errs *multierror.Error
	pick := func(specs []string) (picked, named map[*checks.Check]bool) {
		picked, named = map[*checks.Check]bool{}, map[*checks.Check]bool{}
		for _, spec := range specs {
			m, err := s.match(all, spec)
			errs = multierror.Append(errs, err)
			for _, c := range m.checks {
				picked[c] = true
				named[c] = named[c] || m.exact
			}
		}
		return picked, named
	}
	only, named := pick(q.Only)
	skip, _ := pick(q.Skip)
	if err := errs.ErrorOrNil(); err != nil {
		return nil, err
	}
	for _, c := range all {
		asked := named[c] ||
			s.asks(c) && (q.Level == 0 || c.Level <= q.Level) && c.Severity() >= q.Severity
		if q.Sources && c.Source == nil {
			continue
		}
		if asked && (len(q.Only) == 0 || only[c]) && !skip[c] {
			s.Checks = append(s.Checks, c)
		}
	}
	if len(s.Checks) == 0 {
		return nil, errors.New("no checks selected")
	}
	s.named = named
	slices.SortStableFunc(s.Checks, func(a, b *checks.Check) int {
		_, m := s.Number(a)
		_, n := s.Number(b)
		return cmp.Or(s.place(a)-s.place(b), cis.Compare(m, n))
	})
	return s, nil
}

// IsNumber reports whether a word of a query is a number of a benchmark, of an item or of a section.
func IsNumber(spec string) bool { return number.MatchString(spec) }

// Item finds the one check that a number stands for, by default in the editions that benchmark chooses as in a Query.
func Item(all []*checks.Check, benchmark, spec string) (*checks.Check, error) {
	s, err := Select(all, Query{Only: []string{spec}, Benchmark: benchmark})
	several, _ := errors.AsType[*multierror.Error](err)
	switch {
	case several != nil && len(several.Errors) == 1:
		return nil, several.Errors[0]
	case err != nil:
		return nil, err
	case len(s.Checks) != 1 || !s.Named(s.Checks[0]):
		return nil, fmt.Errorf("%s is a section with %d checks; use the number of one check", spec, len(s.Checks))
	}
	return s.Checks[0], nil
}

// place is where the benchmark of a check's platform is among the selected ones.
func (s *Selection) place(c *checks.Check) int {
	platform, _, _ := strings.Cut(c.ID, "/")
	return slices.IndexFunc(s.Benchmarks, func(b cis.Benchmark) bool { return b.Platform() == platform })
}

// asks reports whether a selected edition asks for c, or harden does.
func (s *Selection) asks(c *checks.Check) bool {
	_, n := s.Number(c)
	return n != "" || c.Own || len(c.Items) == 0
}

type match struct {
	checks []*checks.Check
	exact  bool // the spec names one item
}

var number = regexp.MustCompile(`^(?:([a-z][a-z0-9]*(?:@[0-9.]+)?):)?((?:C\.)?[0-9]+(?:\.[0-9]+)*)$`)

func (s *Selection) match(all []*checks.Check, spec string) (match, error) {
	if f, n, ok := mapping.Cut(spec); ok {
		return matchMapped(all, f, n)
	}
	if m := number.FindStringSubmatch(spec); m != nil {
		return s.matchNumber(all, m[1], m[2])
	}
	var m match
	category, isCategory := strings.CutPrefix(spec, "stride:")
	for _, c := range all {
		glob, err := path.Match(spec, c.ID)
		if err != nil {
			return m, fmt.Errorf("%q: %w", spec, err)
		}
		switch {
		case c.ID == spec:
			return match{[]*checks.Check{c}, true}, nil
		case glob, strings.HasPrefix(c.ID, spec+"/"),
			slices.Contains(c.Threats, stride.ID(spec)),
			isCategory && slices.ContainsFunc(c.Threats,
				func(t stride.ID) bool { return string(t.Category()) == category }):
			m.checks = append(m.checks, c)
		}
	}
	if len(m.checks) == 0 {
		return m, fmt.Errorf("unknown check %q%s", spec, cmp.Or(Meant(all, spec), "; `harden list` lists the checks"))
	}
	return m, nil
}

// matchNumber finds an item or a section. in names an edition or a benchmark, or is empty: then every selected
// edition is looked in, and a number that two of them have means nothing.
func (s *Selection) matchNumber(all []*checks.Check, in, n string) (match, error) {
	editions := s.Benchmarks
	if in != "" {
		b, err := cis.Find(in)
		if err != nil {
			return match{}, fmt.Errorf("%s:%s: %w", in, n, err)
		}
		if i := slices.IndexFunc(editions,
			func(e cis.Benchmark) bool { return in == e.Family() || in == e.Platform() }); i >= 0 {
			b = editions[i]
		}
		editions = []cis.Benchmark{b}
	}
	var found match
	var where []string
	for _, b := range editions {
		m := lookUp(all, b, n)
		if len(m.checks) > 0 {
			found = m
			where = append(where, b.Family()+":"+n)
		}
	}
	switch len(where) {
	case 1:
		return found, nil
	case 0:
		return found, fmt.Errorf("%s has no item or section %s%s", join(editions), n, elsewhere(all, editions, n))
	}
	return found, fmt.Errorf("%s is in more than one benchmark: use %s", n, strings.Join(where, " or "))
}

func lookUp(all []*checks.Check, b cis.Benchmark, n string) match {
	var m match
	for _, c := range all {
		switch item := c.Items[b]; {
		case item == n:
			return match{[]*checks.Check{c}, true}
		case strings.HasPrefix(item, n+"."):
			m.checks = append(m.checks, c)
		}
	}
	return m
}

// elsewhere says which other editions have the number, or what numbers are near it.
func elsewhere(all []*checks.Check, not []cis.Benchmark, n string) string {
	for _, b := range slices.Backward(cis.Editions) {
		if m := lookUp(all, b, n); m.exact && !slices.Contains(not, b) {
			return fmt.Sprintf("; %s:%s is %s", b, n, m.checks[0].ID)
		}
	}
	var numbers []string
	for _, c := range all {
		for _, b := range not {
			if item := c.Items[b]; item != "" && cis.Section(item) == cis.Section(n) {
				numbers = append(numbers, item)
			}
		}
	}
	if len(numbers) == 0 {
		return ""
	}
	return fmt.Sprintf("; section %s goes from %s to %s", cis.Section(n),
		slices.MinFunc(numbers, cis.Compare), slices.MaxFunc(numbers, cis.Compare))
}

func join(editions []cis.Benchmark) string {
	names := make([]string, len(editions))
	for i, b := range editions {
		names[i] = string(b)
	}
	return strings.Join(names, " or ")
}

// Words is everything that a word of a query may be, numbers and globs apart, sorted.
func Words(all []*checks.Check) []string {
	set := map[string]bool{}
	for _, c := range all {
		set[c.ID] = true
		for _, t := range c.Threats {
			set[string(t)], set["stride:"+string(t.Category())] = true, true
		}
		for f, numbers := range c.Mappings() {
			for _, n := range numbers {
				for _, above := range mapping.Above(n) {
					set[string(f)+":"+above] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// Meant suggests what a word that means nothing may have meant, as the end of a sentence: empty, or up to three words.
// A word without a prefix is compared with what follows the prefixes.
func Meant(all []*checks.Check, spec string) string {
	best := 1 + len(spec)/4
	var near []string
	for _, w := range Words(all) {
		compared := w
		if !strings.ContainsAny(spec, "/:") {
			compared = w[strings.LastIndexAny(w, "/:")+1:]
		}
		switch d := distance(spec, compared); {
		case d > best:
		case d < best:
			best, near = d, []string{w}
		default:
			near = append(near, w)
		}
	}
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(near[:min(3, len(near))], " or ") + "?"
}

// Nearest returns the word that text may have been meant to be; empty when it is like none of them.
func Nearest(text string, words []string) (nearest string) {
	best := 1 + len(text)/4
	for _, w := range words {
		if d := distance(text, w); d <= best {
			best, nearest = d-1, w
		}
	}
	return nearest
}

// distance counts the bytes to insert, delete or replace between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
