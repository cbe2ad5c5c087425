package report_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/harden/remediate/report"
)

// documents are all that harden writes as JSON, by the definition of the published schema.
var documents = map[string]any{
	"": report.Report{}, "saved": report.Saved{}, "drift": report.Drift{}, "changes": report.Changes{},
	"rollback": report.Rollback{}, "resume": report.Rollback{}, "abandoned": report.Abandoned{},
	"repair": report.Repair{}, "schedule": report.Schedule{}, "schedule_status": report.ScheduleStatus{},
	"guide": report.Guide{}, "catalogue": report.Catalogue{}, "explanations": report.Explanations{},
	"model": report.Model{}, "program": report.Program{}, "history": report.History{}, "past_run": report.Confirmed{},
	"fleet": report.Fleet{}, "comparison": report.Comparison{},
}

// wrapped are documents that are one of documents to a program, or that no program reads.
var wrapped = []string{"Reports", "Applied", "Nothing", "Ended", "Metrics", "Fix", "Past", "Offer", "Chosen",
	"Edit"}

// private are fields that no document has: a journal has them, or what is kept between two scheduled audits.
var private = []string{"record", "reads", "kept"}

// TestDocuments holds every document to the published schema, field by field: what the one has, the other has, with the
// same type, and what may be left out is not required.
func TestDocuments(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(report.JSONSchema, &schema); err != nil {
		t.Fatal(err)
	}
	c := comparison{t: t, defs: schema["$defs"].(map[string]any)}
	for name, doc := range documents {
		at := schema
		if name != "" {
			at, _ = c.defs[name].(map[string]any)
		}
		if at == nil {
			t.Errorf("%s: the schema does not define it", name)
			continue
		}
		c.compare(name, reflect.TypeOf(doc), at)
	}
	for _, name := range written(t) {
		known := slices.Contains(wrapped, name) || slices.ContainsFunc(slices.Collect(maps.Values(documents)),
			func(d any) bool { return reflect.TypeOf(d).Name() == name })
		if !known {
			t.Errorf("report.%s is a document; add it to documents and its definition to schema.json", name)
		}
	}
}

// written names the types of this package that are documents.
func written(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != "text" || f.Recv == nil {
				continue
			}
			receiver := f.Recv.List[0].Type
			if star, ok := receiver.(*ast.StarExpr); ok {
				receiver = star.X
			}
			names = append(names, receiver.(*ast.Ident).Name)
		}
	}
	if len(names) < 15 {
		t.Fatalf("only %q were found: this tests nothing", names)
	}
	return names
}

type comparison struct {
	t    *testing.T
	defs map[string]any
}

// compare holds a type to a schema. What marshals itself, and what any text may be, the schema alone decides.
func (c comparison) compare(at string, typ reflect.Type, schema map[string]any) {
	for schema["$ref"] != nil {
		schema = c.defs[strings.TrimPrefix(schema["$ref"].(string), "#/$defs/")].(map[string]any)
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if either, ok := schema["oneOf"].([]any); ok {
		c.compare(at, typ, either[0].(map[string]any))
		return
	}
	want := "string"
	switch {
	case typ == reflect.TypeFor[time.Time](), schema["enum"] != nil, schema["const"] != nil:
	case typ.Kind() == reflect.Struct:
		c.fields(at, typ, schema)
		want = "object"
	case typ.Kind() == reflect.Map:
		want = "object"
	case typ.Kind() == reflect.Slice:
		want = "array"
		items, _ := schema["items"].(map[string]any)
		if items == nil {
			c.t.Errorf("%s: the schema does not say what is in it", at)
			return
		}
		c.compare(at+"[]", typ.Elem(), items)
	case typ.Kind() == reflect.Bool:
		want = "boolean"
	case typ.Kind() != reflect.String:
		want = "integer"
	}
	if got := schema["type"]; got != nil && got != want && !reflect.DeepEqual(got, []any{want, "null"}) {
		c.t.Errorf("%s is a %v in the schema, and a %v in Go", at, got, typ)
	}
}

// fields compares the fields of a struct, those of an embedded one included.
func (c comparison) fields(at string, typ reflect.Type, schema map[string]any) {
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	seen := map[string]bool{}
	for _, f := range reflect.VisibleFields(typ) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			c.t.Errorf("%s.%s has no name as JSON", at, f.Name)
			continue
		}
		seen[name] = true
		property, ok := properties[name].(map[string]any)
		if !ok && slices.Contains(private, name) {
			continue
		}
		if !ok {
			c.t.Errorf("%s.%s is not in the schema", at, name)
			continue
		}
		if options != "" && slices.Contains(required, any(name)) {
			c.t.Errorf("%s.%s may be left out, and the schema requires it", at, name)
		}
		c.compare(at+"."+name, f.Type, property)
	}
	for name := range properties {
		if !seen[name] {
			c.t.Errorf("%s.%s is in the schema, and never written", at, name)
		}
	}
}
