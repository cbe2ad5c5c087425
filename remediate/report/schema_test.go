package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.com/harden/checks"
	"example.com/harden/remediate/report"
)

// compiled is the published schema with every object closed: a field that it does not name must not be written.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := compiler(t).Compile("urn:harden:v1")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func compiler(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(report.JSONSchema))
	if err != nil {
		t.Fatal(err)
	}
	closeObjects(doc)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:harden:v1", doc); err != nil {
		t.Fatal(err)
	}
	return c
}

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

func valid(t *testing.T, schema *jsonschema.Schema, r *report.Report) {
	t.Helper()
	var b bytes.Buffer
	if err := report.JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("not %s: %v", report.Schema, err)
	}
}

// TestSchemaRefuses shows that the schema can fail: each report is broken in one place.
func TestSchemaRefuses(t *testing.T) {
	schema := compiled(t)
	for name, spoil := range map[string]func(map[string]any){
		"missing field": func(m map[string]any) { delete(m, "summary") },
		"unknown field": func(m map[string]any) { m["new"] = 1 },
		"null list":     func(m map[string]any) { m["results"].([]any)[0].(map[string]any)["findings"] = nil },
		"other state":   func(m map[string]any) { m["results"].([]any)[0].(map[string]any)["state"] = "ok" },
		"bad ID":        func(m map[string]any) { m["results"].([]any)[0].(map[string]any)["id"] = "3.1" },
	} {
		data, err := json.Marshal(settled(t, checks.Result{Status: checks.Pass}, nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		if spoil(doc); schema.Validate(doc) == nil {
			t.Errorf("%s: the schema has nothing against it", name)
		}
	}
}

// TestStream holds a report that is written a result at a time to what it would be written whole.
func TestStream(t *testing.T) {
	for _, n := range []int{0, 1, 3} {
		r := &report.Report{Results: []report.Result{}}
		for i := range n {
			r.Results = append(r.Results, report.Result{ID: fmt.Sprintf("docker/x%d", i), Title: "a <b> & \n  \"results\": []",
				Findings: []report.Finding{{Subject: "s", Fix: []string{}}}})
		}
		var whole, got bytes.Buffer
		e := json.NewEncoder(&whole)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
		if err := report.JSON(&got, r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(whole.String(), got.String()); diff != "" {
			t.Errorf("%d results (-whole +streamed):\n%s", n, diff)
		}
	}
}
