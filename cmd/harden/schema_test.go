package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.com/harden/remediate/report"
)

// published are the definitions of the published JSON Schema by the name that a document of theirs has as its schema.
// Every object is closed: a field that the schema does not name must not be printed.
var published = sync.OnceValue(func() map[string][]*jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(report.JSONSchema))
	if err != nil {
		panic(err)
	}
	closeObjects(doc)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:harden:v1", doc); err != nil {
		panic(err)
	}
	all := map[string][]*jsonschema.Schema{report.Schema: {c.MustCompile("urn:harden:v1")}}
	for name, def := range doc.(map[string]any)["$defs"].(map[string]any) {
		def := def.(map[string]any)
		if items, ok := def["items"].(map[string]any); ok && def["title"] != nil {
			name, def = name+"/items", items
		}
		if title, _ := def["title"].(string); strings.HasPrefix(title, "harden-") {
			all[title] = append(all[title], c.MustCompile("urn:harden:v1#/$defs/"+name))
		}
	}
	return all
})

func closeObjects(node any) {
	switch n := node.(type) {
	case map[string]any:
		if _, ok := n["properties"].(map[string]any); ok && n["type"] == "object" {
			n["additionalProperties"] = false
		}
		for _, v := range n {
			closeObjects(v)
		}
	case []any:
		for _, v := range n {
			closeObjects(v)
		}
	}
}

// asPublished holds what harden printed to the published schema, where it is JSON of harden's own: a document that
// names its schema, or an array of such.
func asPublished(printed []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(printed))
	if err != nil {
		return nil // no JSON
	}
	docs, ok := doc.([]any)
	if !ok {
		docs = []any{doc}
	}
	for _, d := range docs {
		object, _ := d.(map[string]any)
		name, _ := object["schema"].(string)
		if !strings.HasPrefix(name, "harden") {
			continue
		}
		err := fmt.Errorf("%s: the published schema does not define it", name)
		for _, s := range published()[name] { // one name may have a shorter and a longer form
			if err = s.Validate(d); err == nil {
				break
			}
		}
		if err != nil {
			return fmt.Errorf("not %s: %w", name, err)
		}
	}
	return nil
}

// TestAsPublished shows that it can fail.
func TestAsPublished(t *testing.T) {
	for printed, want := range map[string]string{
		`{"schema": "harden-new/v1"}`:              "does not define it",
		`{"schema": "harden-drift/v1"}`:            "missing properties",
		`[{"schema": "harden-check/v1", "id": 1}]`: "not harden-check/v1",
		`{"schema": "harden-abandon/v1", "version": "1", "run": "1", "outcome": "abandoned", "files": [], "new": 1}`: "new",
		"No drift.": "",
	} {
		if err := asPublished([]byte(printed)); want == "" && err != nil ||
			want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", printed, err, want)
		}
	}
}

// TestListed holds the commands that look at no host to the published schema.
func TestListed(t *testing.T) {
	s := recorded(t, "docker/loose.txtar")
	r := reported(t, s)
	for _, d := range []report.Document{report.Entries(s.selection), report.Explain(s.selection, r), report.ThreatsOf(r)} {
		var b bytes.Buffer
		if err := report.JSON(&b, d); err != nil {
			t.Fatal(err)
		}
		if err := asPublished(b.Bytes()); err != nil {
			t.Errorf("%T: %v", d, err)
		}
	}
	var saved bytes.Buffer
	p, err := s.plan()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(&saved).Encode(s.save(p)); err != nil {
		t.Fatal(err)
	}
	if err := asPublished(saved.Bytes()); err != nil {
		t.Error(err)
	}
}
