package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"example.com/harden/checks/severity"
)

// A Gist is what a merge keeps of one report: whose it is, and how each of its checks stands.
type Gist struct {
	File    string
	Version string
	Time    time.Time
	Command string
	Host    Host // of which the parts that tell hosts and kinds of hosts apart are read
	Score   *int

	controlPlane bool // the API server runs here
	benchmarks   []string
	results      []gistResult
}

// A gistResult is how one check stands on a host. All of its findings are in sum, whatever their order.
type gistResult struct {
	id, number, title string
	severity          severity.Severity
	level             int
	standing          State
	sum               [2]uint64
	total             int
	seen              []sighting // the first of them in their order, at most maxSeen
}

// A sighting is one finding, as hosts are compared by it.
type sighting struct {
	subject, got, must string
	waived             bool
}

func (s sighting) compare(o sighting) int {
	return cmp.Or(cmp.Compare(s.subject, o.subject), cmp.Compare(s.got, o.got), cmp.Compare(s.must, o.must))
}

const (
	// maxSeen bounds the findings of one check of one host that are kept as text.
	maxSeen = 25
	// maxText bounds each text that is kept, in bytes.
	maxText = 400
	// maxChecks bounds the checks of a report, and of a fleet: no harden has as many.
	maxChecks = 4096
)

// ReadGist reads a report that was saved as JSON, of at most so many bytes, and keeps its gist. It holds one finding at
// a time, however large the report is. name is what errors call it; they name the line too.
func ReadGist(name string, r io.Reader, most int64) (*Gist, error) {
	in := &lines{r: io.LimitReader(r, most+1), most: most}
	rd := gistReader{jsontext.NewDecoder(in), &Gist{File: name}, map[string]bool{}}
	err := rd.read()
	if err == nil {
		return rd.gist, nil
	}
	if in.n > most {
		return nil, fmt.Errorf("%s: larger than %d MiB, the most that a report may be", name, most>>20)
	}
	at := rd.d.InputOffset()
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at, err = e.ByteOffset, e.Err
	}
	return nil, fmt.Errorf("%s:%d: %w", name, in.line(at), err)
}

// A gistReader reads one gist.
type gistReader struct {
	d    *jsontext.Decoder
	gist *Gist
	seen map[string]bool
}

func (rd *gistReader) read() error {
	g, schema := rd.gist, ""
	if rd.d.PeekKind() != '{' {
		if _, err := rd.d.ReadToken(); err != nil {
			return fmt.Errorf("%s: %w", reportHint, err)
		}
		return errors.New(reportHint)
	}
	err := rd.members(func(name string) (bool, error) {
		rd.seen[name] = true
		switch name {
		case "schema":
			if err := rd.string(&schema); err != nil || schema != Schema {
				return true, cmp.Or(err, fmt.Errorf("not a report: its schema is %q, want %q; `harden check --format json` "+
					"writes one", schema, Schema))
			}
			return true, nil
		case "version":
			return true, rd.string(&g.Version)
		case "command":
			return true, rd.string(&g.Command)
		case "time":
			return true, rd.time(&g.Time)
		case "host":
			return true, rd.host()
		case "score":
			return true, rd.score()
		case "benchmarks":
			return true, rd.elements(func() error {
				g.benchmarks = append(g.benchmarks, "")
				return rd.string(&g.benchmarks[len(g.benchmarks)-1])
			})
		case "results":
			return true, rd.elements(rd.result)
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if _, err := rd.d.ReadToken(); err != io.EOF {
		return errors.New("something follows the report; a file holds one")
	}
	return rd.whole()
}

// whole refuses a report in which what a merge goes by is missing or not what any harden writes.
func (rd *gistReader) whole() error {
	g := rd.gist
	for _, key := range []string{"schema", "version", "time", "command", "host", "benchmarks", "results"} {
		if !rd.seen[key] {
			return fmt.Errorf("%s: it has no %q", reportHint, key)
		}
	}
	for _, b := range g.benchmarks {
		if !editionID.MatchString(b) {
			return fmt.Errorf("%q is not an edition of a benchmark", b)
		}
	}
	switch {
	case g.Time.IsZero():
		return errors.New("it has no time")
	case !machineID.MatchString(g.Host.Machine):
		return errors.New("host: machine is not a SHA-256")
	}
	return nil
}

func (rd *gistReader) host() error {
	h := &rd.gist.Host
	return rd.members(func(name string) (bool, error) {
		switch name {
		case "name":
			return true, rd.string(&h.Name)
		case "machine":
			return true, rd.string(&h.Machine)
		case "os":
			return true, rd.string(&h.OS)
		case "kernel":
			return true, rd.string(&h.Kernel)
		case "daemon":
			h.Daemon = new(Daemon)
		case "engine":
			h.Engine = new(Engine)
		case "sources":
			h.Sources = []string{""} // which ones does not matter here
		case "node":
			h.Node = new(Node)
			return true, rd.node()
		}
		return false, nil
	})
}

// node reads which programs of Kubernetes run on the host.
func (rd *gistReader) node() error {
	return rd.members(func(name string) (bool, error) {
		if name != "components" {
			return false, nil
		}
		return true, rd.elements(func() error {
			var c Component
			err := rd.members(func(name string) (bool, error) {
				if name != "name" {
					return false, nil
				}
				return true, rd.string(&c.Name)
			})
			rd.gist.controlPlane = rd.gist.controlPlane || c.Name == "kube-apiserver"
			return err
		})
	})
}

func (rd *gistReader) score() error {
	n := 0
	err := rd.number(&n)
	rd.gist.Score = &n
	return err
}

func (rd *gistReader) result() error {
	var res gistResult
	err := rd.members(func(name string) (bool, error) {
		switch name {
		case "id":
			return true, rd.string(&res.id)
		case "number":
			return true, rd.string(&res.number)
		case "title":
			return true, rd.string(&res.title)
		case "state":
			return true, rd.string((*string)(&res.standing))
		case "level":
			return true, rd.number(&res.level)
		case "severity":
			var text string
			err := rd.string(&text)
			res.severity, _ = severity.Parse(text) // one that this harden does not know counts by the level
			return true, err
		case "findings":
			return true, rd.elements(func() error { return rd.finding(&res, false) })
		case "waived":
			return true, rd.elements(func() error { return rd.finding(&res, true) })
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("results: %w", err)
	}
	return rd.take(res)
}

// take checks a result and keeps it.
func (rd *gistReader) take(res gistResult) error {
	switch {
	case !checkID.MatchString(res.id):
		return fmt.Errorf("results: %q is not the ID of a check", res.id)
	case !numberID.MatchString(res.number):
		return fmt.Errorf("results: %s: %q is not a number", res.id, res.number)
	case !slices.Contains(States, res.standing):
		return fmt.Errorf("results: %s: unknown state %q", res.id, res.standing)
	case len(rd.gist.results) >= maxChecks:
		return fmt.Errorf("results: more than %d checks", maxChecks)
	case slices.ContainsFunc(rd.gist.results, func(o gistResult) bool { return o.id == res.id }):
		return fmt.Errorf("results: %s is there twice", res.id)
	}
	res.severity = severityOf(&Result{ID: res.id, Severity: res.severity, Level: res.level})
	res.standing = standing(res.standing)
	rd.gist.results = append(rd.gist.results, res)
	return nil
}

// standing is how a check stands, whether its host was only audited, is about to be changed or has been.
func standing(s State) State {
	switch {
	case s == Fixed:
		return Pass
	case s.failing():
		return Fail
	}
	return s
}

// finding adds one finding to what is known of its check. One that a run has fixed is no more.
func (rd *gistReader) finding(res *gistResult, waived bool) error {
	s, place, state := sighting{waived: waived}, "", ""
	err := rd.members(func(name string) (bool, error) {
		switch name {
		case "subject":
			return true, rd.string(&s.subject)
		case "got":
			return true, rd.string(&s.got)
		case "must":
			return true, rd.string(&s.must)
		case "place":
			return true, rd.string(&place)
		case "state":
			return true, rd.string(&state)
		}
		return false, nil
	})
	if err != nil || State(state) == Fixed {
		return err
	}
	s.subject = untagged(cmp.Or(place, s.subject))
	s.got, s.must = untagged(s.got), untagged(s.must)
	sum := sha256.Sum256([]byte(joined(s.subject, s.got, s.must, fmt.Sprint(waived))))
	res.sum[0] += binary.LittleEndian.Uint64(sum[:]) // a sum does not depend on the order
	res.sum[1] += binary.LittleEndian.Uint64(sum[8:])
	res.total++
	at, _ := slices.BinarySearchFunc(res.seen, s, sighting.compare)
	if at < maxSeen {
		s.subject, s.got, s.must = clipped(s.subject), clipped(s.got), clipped(s.must)
		res.seen = slices.Insert(res.seen, at, s)
		res.seen = res.seen[:min(len(res.seen), maxSeen)]
	}
	return nil
}

// clipped is text of a bounded length, which keeps nothing else in memory.
func clipped(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

// members goes through an object. take reads the value of the member of a name, or leaves it to be passed over.
func (rd *gistReader) members(take func(name string) (bool, error)) error {
	if rd.d.PeekKind() != '{' {
		return cmp.Or(rd.skip(), errors.New("not an object"))
	}
	if _, err := rd.d.ReadToken(); err != nil {
		return err
	}
	for rd.d.PeekKind() != '}' {
		name, err := rd.d.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		taken, err := take(key)
		if err == nil && !taken {
			err = rd.d.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	_, err := rd.d.ReadToken()
	return err
}

// elements goes through an array.
func (rd *gistReader) elements(take func() error) error {
	if rd.d.PeekKind() != '[' {
		return cmp.Or(rd.skip(), errors.New("not a list"))
	}
	if _, err := rd.d.ReadToken(); err != nil {
		return err
	}
	for rd.d.PeekKind() != ']' {
		if err := take(); err != nil {
			return err
		}
	}
	_, err := rd.d.ReadToken()
	return err
}

// skip passes over a value that is of the wrong type, so that the error is what is wrong with the file, if anything is.
func (rd *gistReader) skip() error { return rd.d.SkipValue() }

func (rd *gistReader) string(into *string) error {
	t, err := rd.d.ReadToken()
	switch {
	case err != nil:
		return err
	case t.Kind() != '"':
		return fmt.Errorf("%s: not a string", rd.d.StackPointer())
	}
	*into = t.String()
	return nil
}

// number reads a number from 0 to 100.
func (rd *gistReader) number(into *int) error {
	t, err := rd.d.ReadToken()
	if err != nil {
		return err
	}
	if t.Kind() != '0' {
		return fmt.Errorf("%s: not a number", rd.d.StackPointer())
	}
	f, err := t.Float()
	*into = int(min(max(f, 0), 100))
	return err
}

func (rd *gistReader) time(into *time.Time) error {
	var text string
	if err := rd.string(&text); err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("time: %q is not a time", text)
	}
	*into = t.UTC()
	return nil
}
