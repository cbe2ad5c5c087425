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
	// maxChecks bounds the checks of a report: no harden has as many.
	maxChecks = 1024
	// maxEditions bounds the editions of benchmarks that a report is of.
	maxEditions = 16
)

// ReadGist reads a report that was saved as JSON, of at most so many bytes, and keeps its gist. It holds one finding at
// a time, however large the report is. name is what errors call it; they name the line too.
func ReadGist(name string, r io.Reader, most int64) (*Gist, error) {
	in := &lines{r: io.LimitReader(r, most+1), most: most, ahead: maxToken}
	// Names that are there twice are told by members: a list of all names has no bound.
	rd := gistReader{d: jsontext.NewDecoder(in, jsontext.AllowDuplicateNames(true)), gist: &Gist{File: name},
		seen: map[string]bool{}}
	in.at = rd.d.InputOffset
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
	err = cmp.Or(in.long, err)
	return nil, fmt.Errorf("%s:%d: %w", name, in.line(at), bounded(err))
}

// bounded is an error about a report of a length that can be shown, whatever of the report it quotes.
func bounded(err error) error {
	if text := err.Error(); len(text) > maxText {
		return errors.New(clipped(text))
	}
	return err
}

// A gistReader reads one gist.
type gistReader struct {
	d    *jsontext.Decoder
	gist *Gist
	seen map[string]bool

	findings int
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
		if slices.Contains(reportKeys, name) {
			rd.seen[name] = true
		}
		switch name {
		case "schema":
			if err := rd.string(&schema); err != nil || schema != Schema {
				return true, cmp.Or(err, fmt.Errorf("not a report: its schema is %q, want %q; `harden check --format json` "+
					"writes one", schema, Schema))
			}
			return true, nil
		case "version":
			return true, rd.brief(&g.Version)
		case "command":
			return true, rd.brief(&g.Command)
		case "time":
			return true, rd.time(&g.Time)
		case "host":
			return true, rd.host()
		case "score":
			return true, rd.score()
		case "benchmarks":
			return true, rd.elements(func() error {
				if len(g.benchmarks) >= maxEditions {
					return fmt.Errorf("more than %d benchmarks", maxEditions)
				}
				g.benchmarks = append(g.benchmarks, "")
				return rd.brief(&g.benchmarks[len(g.benchmarks)-1])
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

// reportKeys are what a merge goes by.
var reportKeys = []string{"schema", "version", "time", "command", "host", "benchmarks", "results"}

// whole refuses a report in which what a merge goes by is missing or not what any harden writes.
func (rd *gistReader) whole() error {
	g := rd.gist
	for _, key := range reportKeys {
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
			return true, rd.brief(&h.Name)
		case "machine":
			return true, rd.string(&h.Machine)
		case "os":
			return true, rd.brief(&h.OS)
		case "kernel":
			return true, rd.brief(&h.Kernel)
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
			return true, rd.brief(&res.title)
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
	case !checkID.MatchString(res.id) || len(res.id) > maxText:
		return fmt.Errorf("results: %q is not the ID of a check", res.id)
	case !numberID.MatchString(res.number) || len(res.number) > maxText:
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
	if rd.findings++; rd.findings > maxObjects {
		return fmt.Errorf("more than %d findings", maxObjects)
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
