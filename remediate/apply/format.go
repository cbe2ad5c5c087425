package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

// journalSchema names the shape of a journal. A journal without one is of a harden that had none yet, and is read as
// that wrote it, which is the same.
const journalSchema = "harden-journal/v1"

// strictly decodes JSON in which nothing is unknown and after which nothing comes: what harden did not know it would
// leave out when it finishes a run or rolls it back.
func strictly(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("byte %d: data after the JSON", d.InputOffset()+1)
	}
	return nil
}

// vouched checks a plan against its log, whose first line holds its hash, whichever harden has written the two.
func vouched(name string, log, plan []byte) error {
	line, _, _ := bytes.Cut(log, []byte("\n"))
	check, body, _ := bytes.Cut(line, []byte(" "))
	var first struct{ Event, Reason string }
	switch {
	case string(check) != sum(body)[:16] || json.Unmarshal(body, &first) != nil || first.Event != evPlanned:
		return damaged(name, "line 1 (byte 1) was modified")
	case first.Reason != sum(plan):
		why := fmt.Sprintf("its sha256 is %s, and was %s", sum(plan), first.Reason)
		return damaged(filepath.Join(filepath.Dir(name), planFile), why)
	}
	return nil
}

// parseJournal reads a plan that its log vouches for.
func parseJournal(name string, text []byte) (j journal, err error) {
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return j, damaged(name, located(err))
	}
	if head.Schema != "" && head.Schema != journalSchema {
		return j, newer(name, fmt.Sprintf("its schema is %q, and this one knows %q", head.Schema, journalSchema))
	}
	err = strictly(text, &j)
	switch {
	case err != nil && strings.HasPrefix(err.Error(), "json: unknown field"):
		return j, newer(name, located(err))
	case err != nil:
		return j, damaged(name, located(err))
	}
	return j, nil
}

func newer(name, why string) error {
	return fmt.Errorf("%s: %w: %s; use that harden", name, ErrNewer, why)
}

// located adds the place to an error of JSON's.
func located(err error) string {
	text := strings.TrimPrefix(err.Error(), "json: ")
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("byte %d: %s", e.Offset, text)
	}
	return text
}

// unreadable is the error of a journal's file that cannot be read. A journal is renamed into place whole, so one that
// lacks a file is damaged, and not absent.
func unreadable(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return damaged(name, "it is gone")
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EIO):
		return damaged(name, errors.Unwrap(err))
	}
	return err
}

func logLine(body []byte) []byte { return fmt.Appendf(nil, "%s %s\n", sum(body)[:16], body) }

// parseLog returns the entries up to the first line that is not whole, and how many bytes those take. A crash cuts off
// the last line, or leaves zeros in it: any other line that is not as it was written is damage, since what it said is
// lost.
func parseLog(name string, text []byte) (log []entry, size int, err error) {
	n, torn := 0, false
	for line := range bytes.Lines(text) {
		n++
		e, ok, err := parseEntry(line)
		switch {
		case ok && torn, !ok && !torn && line[len(line)-1] == '\n' && bytes.IndexByte(line, 0) < 0:
			return nil, 0, damaged(name, fmt.Sprintf("line %d (byte %d) was modified", len(log)+1, size+1))
		case !ok:
			torn = true
			continue
		case err != nil:
			return nil, 0, newer(name, fmt.Sprintf("line %d: %s", n, located(err)))
		}
		log, size = append(log, e), size+len(line)
	}
	return log, size, nil
}

// parseEntry reads one line of a log. It is not ok when the line is not as it was written, and an error when it is and
// this harden does not understand it.
func parseEntry(line []byte) (e entry, ok bool, err error) {
	check, body, found := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
	if !found || line[len(line)-1] != '\n' || check != sum([]byte(body))[:16] {
		return e, false, nil
	}
	return e, true, strictly([]byte(body), &e)
}

var runID = regexp.MustCompile(`^[0-9]{4,}-[0-9A-Za-z]+$`)

// check refuses a journal that names what is not there: a run's ID becomes a path, and a number an index.
func (t *txn) check(dir string) error {
	wrong := func(format string, args ...any) error { return damaged(dir, fmt.Sprintf(format, args...)) }
	if !runID.MatchString(t.ID) || dir != t.store.current() && dir != t.store.staging() && filepath.Base(dir) != t.ID {
		return wrong("its ID is run %q", t.ID)
	}
	for i := range t.Items {
		it := &t.Items[i]
		if p := it.path(); !path.IsAbs(p) || path.Clean(p) != p || p == "/" {
			return wrong("item %d: %q is not a clean absolute path", i, p)
		}
		if it.Temp != "" && (!strings.HasPrefix(it.Temp, ".harden-") || strings.Contains(it.Temp, "/")) {
			return wrong("item %d: %q is not the name of a temporary file", i, it.Temp)
		}
		if why := it.plain(); t.store.source && why != "" {
			return wrong("item %d: %s: %s, and below --source nothing else is written", i, it.path(), why)
		}
	}
	for _, a := range t.Activations {
		if a.Kind == remediate.RecordInCluster && a.Record == nil {
			return wrong("%s has no record", a)
		}
	}
	if outcome, _ := t.outcome(); outcome == CutShort && filepath.Dir(dir) == t.store.runs() {
		return wrong("the outcome of the run is lost")
	}
	activations := len(t.Activations)
	for n, e := range t.log {
		limit := -1
		switch e.Event {
		case evWrite, evUnwritten, evLost:
			limit = len(t.Items)
		case evUpdate:
			limit = len(t.Updates)
		case evActivate, evActivation:
			limit = activations
		case evUndo:
			activations = len(e.Activations)
		case string(Abandoned):
			activations = len(t.Activations)
		}
		if limit >= 0 && (e.N < 0 || e.N >= limit) {
			return wrong("line %d of its log: %s %d is out of range: there are %d", n+1, e.Event, e.N, limit)
		}
		for _, r := range e.Resolved {
			limit := len(t.Items)
			if r.Update {
				limit = len(t.Updates)
			}
			if r.N < 0 || r.N >= limit {
				return wrong("line %d of its log: %d is out of range: there are %d", n+1, r.N, limit)
			}
		}
	}
	return nil
}
