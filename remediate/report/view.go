package report

import (
	"fmt"
	"io"
	"strings"
)

// A Document is something that harden has to say: a pointer to a struct, or a slice, so that secrets in it can be
// hidden in place. Its JSON is the document itself; a format that is for people has it lay itself out.
type Document interface{ text(p *page) }

// Ended is a Document once it is known what became of what it proposes. To people, who have seen the proposal, only
// that is told; any other format tells all of it.
type Ended struct{ Document }

// ended is a Document that proposes something.
type ended interface{ outcome(p *page) }

func (e Ended) text(p *page) { e.Document.(ended).outcome(p) }

// whole is the document itself, whatever has become of it.
func whole(d Document) Document {
	if e, ok := d.(Ended); ok {
		return e.Document
	}
	return d
}

// Whole is the report that a document tells something of, or else the document itself.
func Whole(d Document) Document {
	if rs, err := reportsOf("", d); err == nil && len(rs) == 1 {
		return rs[0]
	}
	return whole(d)
}

// A Subject is what a command has to tell.
type Subject int

// The subjects.
const (
	OfOther      Subject = iota
	OfPlan               // what was found of a host, and what would be changed
	OfMetrics            // counts, for a monitoring system
	OfReport             // what was found of a host
	OfFleet              // what was found of many hosts
	OfComparison         // what a report says otherwise than another
)

// A View is a format.
type View interface {
	// Name is what --format calls it.
	Name() string
	// Of reports whether it can tell of a subject.
	Of(Subject) bool
	// Talks reports whether somebody reads along: what is proposed is shown first, then what became of it, and in between
	// somebody can be asked. Otherwise a document is written once, when it is whole.
	Talks() bool
	// Refuse says why it cannot tell what a command is about to do; dry where that is to change nothing, and with so many
	// directories of --source.
	Refuse(dry bool, sources int) error
	// Write writes a document.
	Write(w io.Writer, d Document, s Style) error
}

// Views are all formats, the default first. A format is a file of this package, and its value here.
var Views = []View{textView{}, jsonView{}, jsonlView{}, sarifView{}, junitView{}, csvView{}, markdownView{}, htmlView{},
	oscalView{}, defectdojoView{}, dockerBenchView{}, kubeBenchView{}, patchView{}, prometheusView{}}

// Formats names the formats of a subject, the default first.
func Formats(of Subject) (names []string) {
	for _, v := range Views {
		if v.Of(of) {
			names = append(names, v.Name())
		}
	}
	return names
}

// ViewOf finds a format of a subject by its name.
func ViewOf(name string, of Subject) (View, error) {
	for _, v := range Views {
		if v.Of(of) && v.Name() == name {
			return v, nil
		}
	}
	return nil, fmt.Errorf("--format: %q; valid: %s", name, strings.Join(Formats(of), ", "))
}

// A silentView prints nothing: what there is to say is written to files.
type silentView struct{ View }

// Silent is a format of which nothing is printed.
func Silent(v View) View { return silentView{v} }

func (silentView) Talks() bool                            { return false }
func (silentView) Refuse(bool, int) error                 { return nil }
func (silentView) Write(io.Writer, Document, Style) error { return nil }

// A textView is for people.
type textView struct{}

func (textView) Name() string           { return "text" }
func (textView) Of(s Subject) bool      { return s != OfMetrics }
func (textView) Talks() bool            { return true }
func (textView) Refuse(bool, int) error { return nil }

func (textView) Write(w io.Writer, d Document, s Style) error {
	p := newPage(s)
	d.text(p)
	if p.Len() == 0 { // so that cron has nothing to mail
		return nil
	}
	_, err := w.Write(p.Bytes())
	return err
}
