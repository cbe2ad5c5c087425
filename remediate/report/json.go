package report

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
)

// JSONSchema is the JSON Schema (2020-12) of what JSON writes. It is that of a Report; those of all else, and of a
// saved plan, are in its $defs.
//
//go:embed schema.json
var JSONSchema []byte

// JSON writes a report, or anything else that this program says, as one JSON document that ends in a line feed. It
// leaves < and & alone: what reads it is no web page.
func JSON(w io.Writer, v any) error {
	switch d := v.(type) {
	case *Report:
		rest := *d
		rest.Results = []Result{}
		return stream(w, &rest, "  ", "results", func(yield func(any) bool) {
			for i := range d.Results {
				if !yield(&d.Results[i]) {
					return
				}
			}
		})
	case *Fleet:
		rest := *d
		rest.Hosts = []FleetHost{}
		return stream(w, &rest, "  ", "hosts", func(yield func(any) bool) {
			for h := range d.hosts() {
				if !yield(&h) {
					return
				}
			}
		})
	}
	return encode(w, "", v)
}

// stream writes a document one element of its longest list at a time: of ten thousand containers the whole as text, and
// the copies that encoding it takes, would be the most of all the memory. In rest the list is empty, and its name is
// behind indent.
func stream(w io.Writer, rest any, indent, list string, elements iter.Seq[any]) error {
	var b bytes.Buffer
	if err := encode(&b, "", rest); err != nil {
		return err
	}
	empty := "\n" + indent + "\"" + list + "\": []" // no text can hold it: a line feed is escaped there
	before, after, ok := strings.Cut(b.String(), empty)
	if !ok {
		_, err := w.Write(b.Bytes())
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString(before + strings.TrimSuffix(empty, "]"))
	begun := false
	for e := range elements {
		b.Reset()
		if err := encode(&b, indent+"  ", e); err != nil {
			return err
		}
		if begun {
			out.WriteByte(',')
		}
		begun = true
		out.WriteString("\n" + indent + "  ")
		out.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	}
	if begun {
		out.WriteString("\n" + indent)
	}
	out.WriteString("]" + after)
	return out.Flush()
}

func encode(w io.Writer, prefix string, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent(prefix, "  ")
	return e.Encode(v)
}

// A jsonView is for programs.
type jsonView struct{ findingsView }

func (jsonView) Name() string      { return "json" }
func (jsonView) Of(s Subject) bool { return s != OfMetrics }

func (jsonView) Write(w io.Writer, d Document, _ Style) error {
	if rs, ok := whole(d).(Reports); ok {
		if len(rs) != 1 {
			return fmt.Errorf("--format json: %d reports; this format holds one host: use jsonl, or convert each by itself",
				len(rs))
		}
		return JSON(w, rs[0])
	}
	return JSON(w, whole(d))
}
