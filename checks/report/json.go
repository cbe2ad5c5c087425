package report

import (
	_ "embed"
	"encoding/json"
	"io"
)

// JSONSchema is the JSON Schema (2020-12) of what JSON writes.
//
//go:embed schema.json
var JSONSchema []byte

// JSON writes a report, or anything else that this program says, as one JSON document that ends in a line feed. It
// leaves < and & alone: what reads it is no web page.
func JSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
