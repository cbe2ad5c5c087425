package report

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"io"
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
	if r, ok := v.(*Report); ok {
		return r.stream(w)
	}
	return encode(w, "", v)
}

// stream writes the report one result at a time: of ten thousand containers the whole as text, and the copies that
// encoding it takes, would be the most of all the memory.
func (r *Report) stream(w io.Writer) error {
	rest := *r
	rest.Results = []Result{}
	var b bytes.Buffer
	if err := encode(&b, "", &rest); err != nil {
		return err
	}
	const empty = "\n  \"results\": []"
	before, after, ok := strings.Cut(b.String(), empty) // no text can hold it: a line feed is escaped there
	if !ok || len(r.Results) == 0 {
		_, err := w.Write(b.Bytes())
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString(before + strings.TrimSuffix(empty, "]"))
	for i := range r.Results {
		b.Reset()
		if err := encode(&b, "    ", &r.Results[i]); err != nil {
			return err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n    ")
		out.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	}
	out.WriteString("\n  ]" + after)
	return out.Flush()
}

func encode(w io.Writer, prefix string, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent(prefix, "  ")
	return e.Encode(v)
}

// A jsonView is for programs.
type jsonView struct{}

func (jsonView) Name() string           { return "json" }
func (jsonView) Of(s Subject) bool      { return s != OfMetrics }
func (jsonView) Talks() bool            { return false }
func (jsonView) Refuse(bool, int) error { return nil }

func (jsonView) Write(w io.Writer, d Document, _ Style) error { return JSON(w, whole(d)) }
