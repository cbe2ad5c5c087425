package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"regexp"
	"slices"
	"strings"

	"example.com/harden/checks/want"
)

// Read reads a report that was saved as JSON, of at most so many bytes. name is what errors call it; they name the line
// too. What it does not know it passes over, as the schema promises to whoever adds to it; anything else that is not as
// in the schema is an error. A finding of a harden that gave none yet gets an ID. What could deceive a terminal is
// escaped in its diffs: elsewhere each format quotes it, and there whoever made the diff has to.
func Read(name string, r io.Reader, most int64) (*Report, error) {
	in := &lines{r: io.LimitReader(r, most+1), most: most, ahead: maxPart}
	rd := &reader{in: in, d: json.NewDecoder(in), report: &Report{Results: []Result{}, Waivers: []Waiver{}}}
	in.at = rd.d.InputOffset
	err := rd.read()
	if err != nil {
		if in.n > most {
			return nil, fmt.Errorf("%s: larger than %d MiB, the most that a report may be", name, most>>20)
		}
		return nil, fmt.Errorf("%s:%d: %w", name, in.line(rd.at(err)), bounded(err))
	}
	rd.report.identify()
	rd.report.Plan.visible()
	return rd.report, nil
}

// lines counts the lines of what is read through it.
type lines struct {
	r       io.Reader
	n, most int64
	feeds   []uint64 // a bit for each byte: a file of line feeds alone takes an eighth of its size, and not eight times it

	at    func() int64 // what of it is parsed
	ahead int64        // how much may be read beyond that: it is in memory
	long  error        // that there was more
}

func (l *lines) Read(p []byte) (int, error) {
	room := l.ahead - (l.n - l.at())
	if room <= 0 {
		l.long = fmt.Errorf("a value of more than %d MiB", l.ahead>>20)
		return 0, l.long
	}
	n, err := l.r.Read(p[:min(int64(len(p)), room)])
	for need := (l.n + int64(n) + 63) / 64; int64(len(l.feeds)) < need; {
		l.feeds = append(l.feeds, 0)
	}
	for at := 0; at < n; at++ {
		next := bytes.IndexByte(p[at:n], '\n')
		if next < 0 {
			break
		}
		at += next
		bit := l.n + int64(at)
		l.feeds[bit/64] |= 1 << (bit % 64)
	}
	if l.n += int64(n); l.n > l.most {
		return n, errors.New("too large")
	}
	return n, err
}

// line is the one that an offset is in.
func (l *lines) line(offset int64) int {
	offset = min(offset, int64(len(l.feeds))*64)
	line := 1
	for _, word := range l.feeds[:offset/64] {
		line += bits.OnesCount64(word)
	}
	if rest := offset % 64; rest > 0 {
		line += bits.OnesCount64(l.feeds[offset/64] << (64 - rest))
	}
	return line
}

const (
	// maxToken bounds a text of a report of which only the gist is read.
	maxToken = 16 << 20
	// maxPart bounds a result, and each other part of a report that is read as a whole.
	maxPart = 32 << 20
	// maxObjects and maxValues bound what is in a report: an empty finding takes two bytes of a file, and three hundred
	// of memory. The report of ten thousand containers has half as many findings.
	maxObjects, maxValues = 1 << 19, 4 << 20
	// maxParts bounds the parts of a report, of which this harden knows a dozen.
	maxParts = 256
)

// A reader reads a report, a result at a time.
type reader struct {
	in     *lines
	d      *json.Decoder
	report *Report
	start  int64 // of the value that is being read

	objects, values int // at most so many were read
}

// at is where an error is.
func (rd *reader) at(err error) int64 {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return max(e.Offset-1, 0)
	}
	if e, ok := errors.AsType[*typeError](err); ok {
		return rd.start + e.offset
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return rd.in.n
	}
	return rd.start
}

// A typeError is a value of another type than the schema has, so many bytes after where its part of the report begins.
type typeError struct {
	offset int64
	text   string
}

func (e *typeError) Error() string { return e.text }

const reportHint = "not a report of harden; `harden check --format json` writes one"

func (rd *reader) read() error {
	if t, err := rd.d.Token(); err != nil {
		return fmt.Errorf("%s: %w", reportHint, err)
	} else if t != json.Delim('{') {
		return errors.New(reportHint)
	}
	r, seen := rd.report, map[string]bool{}
	parts := map[string]any{"schema": &r.Schema, "version": &r.Version, "time": &r.Time, "command": &r.Command,
		"host": &r.Host, "benchmarks": &r.Benchmarks, "waivers": &r.Waivers, "plan": &r.Plan, "run": &r.Run,
		"summary": &r.Summary, "score": &r.Score}
	for rd.d.More() {
		t, err := rd.d.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		if rd.start = rd.d.InputOffset(); seen[key] {
			return fmt.Errorf("%q is there twice", key)
		} else if len(seen) >= maxParts {
			return fmt.Errorf("more than %d parts", maxParts)
		}
		seen[key] = true
		if key == "results" {
			err = rd.results()
		} else {
			err = rd.value(key, parts[key])
		}
		if err != nil {
			return err
		}
		if key == "schema" && r.Schema != Schema {
			return fmt.Errorf("not a report: its schema is %q, want %q; `harden check --format json` writes one", r.Schema,
				Schema)
		}
	}
	if _, err := rd.d.Token(); err != nil {
		return err
	}
	rd.start = rd.d.InputOffset()
	if _, err := rd.d.Token(); err != io.EOF {
		return errors.New("something follows the report; a file holds one")
	}
	for _, key := range []string{"schema", "version", "time", "command", "host", "benchmarks", "results", "summary"} {
		if !seen[key] {
			return fmt.Errorf("%s: it has no %q", reportHint, key)
		}
	}
	return rd.whole()
}

// value reads one value into what it is of; one that is of nothing is passed over.
func (rd *reader) value(what string, into any) error {
	var raw json.RawMessage
	if err := rd.d.Decode(&raw); err != nil {
		return err
	}
	rd.start = rd.d.InputOffset() - int64(len(raw))
	if into == nil {
		return nil
	}
	if rd.objects += bytes.Count(raw, []byte("{")); rd.objects > maxObjects {
		return fmt.Errorf("more than %d findings or other objects", maxObjects)
	}
	if rd.values += bytes.Count(raw, []byte(",")); rd.values > maxValues {
		return fmt.Errorf("more than %d values", maxValues)
	}
	err := json.Unmarshal(raw, into)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &typeError{max(e.Offset-1, 0), fmt.Sprintf("%s is of the wrong type", strings.Trim(what+": "+e.Field, ": "))}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (rd *reader) results() error {
	if t, err := rd.d.Token(); err != nil {
		return err
	} else if t != json.Delim('[') {
		return errors.New("results: not a list")
	}
	for rd.d.More() {
		var res Result
		if err := rd.value("results", &res); err != nil {
			return err
		}
		if err := res.check(); err != nil {
			return fmt.Errorf("results: %w", err)
		}
		switch {
		case len(rd.report.Results) >= maxChecks:
			return fmt.Errorf("results: more than %d checks", maxChecks)
		case slices.ContainsFunc(rd.report.Results, func(o Result) bool { return o.ID == res.ID }):
			return fmt.Errorf("results: %s is there twice", res.ID)
		}
		rd.report.Results = append(rd.report.Results, res)
	}
	_, err := rd.d.Token()
	return err
}

var (
	checkID   = regexp.MustCompile(`^[a-z]+/[a-z0-9-]+$`)
	findingID = regexp.MustCompile(`^([0-9a-f]{32})?$`)
	numberID  = regexp.MustCompile(`^((C\.)?[0-9]+(\.[0-9]+)*)?$`)
	editionID = regexp.MustCompile(`^[a-z][a-z0-9]*@[0-9.]+$`)
	threatID  = regexp.MustCompile(`^[a-z]+/[a-z0-9-]+/[a-z-]+$`)
	machineID = regexp.MustCompile(`^([0-9a-f]{64})?$`)
)

// check refuses a result that no harden has written: formats put what is checked here where it is not escaped.
func (res *Result) check() error {
	states := []State{res.State}
	for _, f := range res.Findings {
		states = append(states, f.State)
		if !findingID.MatchString(string(f.ID)) {
			return fmt.Errorf("%s: %q is no ID of a finding", res.ID, f.ID)
		}
	}
	for _, a := range res.Waived {
		if !findingID.MatchString(string(a.ID)) {
			return fmt.Errorf("%s: %q is no ID of a finding", res.ID, a.ID)
		}
	}
	for _, s := range states {
		if !slices.Contains(States, s) {
			return fmt.Errorf("%s: unknown state %q", res.ID, s)
		}
	}
	for edition, n := range res.Items {
		if !editionID.MatchString(edition) || !numberID.MatchString(n) {
			return fmt.Errorf("%s: %q is no item of an edition", res.ID, edition+":"+n)
		}
	}
	for _, t := range res.Threats {
		if !threatID.MatchString(t) {
			return fmt.Errorf("%s: %q is not a threat", res.ID, t)
		}
	}
	switch {
	case !checkID.MatchString(res.ID):
		return fmt.Errorf("%q is not the ID of a check", res.ID)
	case !numberID.MatchString(res.Number) || !numberID.MatchString(res.Section):
		return fmt.Errorf("%s: %q is not a number", res.ID, res.Number)
	case res.Level != 1 && res.Level != 2:
		return fmt.Errorf("%s: level %d; valid: 1, 2", res.ID, res.Level)
	}
	return nil
}

// whole refuses a report whose parts are not what formats rely on.
func (rd *reader) whole() error {
	r := rd.report
	rd.start = 0
	var err error
	if r.Time, err = dated(r.Time); err != nil {
		return err
	}
	switch {
	case !slices.Contains([]string{"check", "plan", "apply"}, r.Command):
		return fmt.Errorf("command %q; valid: check, plan, apply", r.Command)
	case !machineID.MatchString(r.Host.Machine):
		return errors.New("host: machine is no SHA-256")
	case r.Time.IsZero():
		return errors.New("it has no time")
	case r.Score != nil && (*r.Score < 0 || *r.Score > 100):
		return fmt.Errorf("score %d; valid: 0 to 100", *r.Score)
	}
	for _, b := range r.Benchmarks {
		if !editionID.MatchString(b) {
			return fmt.Errorf("%q is no edition of a benchmark", b)
		}
	}
	for _, c := range r.changes() {
		for _, id := range c.Checks {
			if !checkID.MatchString(id) {
				return fmt.Errorf("plan: %q is not the ID of a check", id)
			}
		}
		if !slices.Contains(want.Classes, c.Disruption) {
			return fmt.Errorf("plan: %s: no such class", c.Target)
		}
	}
	return nil
}
