package gate

import (
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/transform"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/compose-spec/compose-go/v2/validation"
	"github.com/go-viper/mapstructure/v2"
	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/source"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// wantsCompose reports whether a change is of a Compose file.
func wantsCompose(c remediate.Change) bool {
	return slices.ContainsFunc(c.Wants, func(w want.Want) bool { _, ok := w.(want.Compose); return ok })
}

// ValidateCompose judges a Compose file as compose-go reads it: variables put in, each form of a setting brought to its
// long one, every service decoded into its types. A file that was not readable before is not changed either.
//
// compose-go's own loader would judge by the JSON schema too. The library for that compiles its metaschemas at every
// start of a program, for 3 ms of the 16 that harden has; the keys that are ever written are known, so the tests ask
// the loader instead.
//
// Value gives variables their values; it may be nil. A setting that depends on another variable is judged as if that
// was "1", and left out where that does not fit: what it will be nobody knows, and no fix changes it.
func ValidateCompose(before, after []byte, value func(name string) (string, bool)) error {
	r := composeReader{value: value}
	if err := r.read(before); err != nil {
		return beforeError{fmt.Errorf("the current file is not valid for Compose: %w", err)}
	}
	return r.read(after)
}

// A beforeError is of a file that was not valid anyway.
type beforeError struct{ error }

func (beforeError) Is(target error) bool { return target == remediate.ErrBefore }

func (e beforeError) Unwrap() error { return e.error }

type composeReader struct {
	value func(string) (string, bool)
}

const maxDocuments = 16

func (r composeReader) read(data []byte) error {
	docs, err := budget.New("", nil).Documents(data, maxDocuments)
	if err != nil {
		return errors.New("not YAML of a Compose file")
	}
	for _, d := range docs {
		var doc map[string]any
		withoutTags(d.Root)
		if d.Root.Decode(&doc) != nil {
			return errors.New("not YAML of a Compose file")
		}
		if err := r.document(doc); err != nil {
			return err
		}
	}
	return nil
}

// withoutTags takes what is reset out of a document, and Compose's tags off what is left.
func withoutTags(n *yaml.Node) {
	switch {
	case n.Tag == "!override":
		n.Tag = ""
	case n.Kind == yaml.MappingNode:
		var kept []*yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i+1].Tag != "!reset" {
				kept = append(kept, n.Content[i], n.Content[i+1])
			}
		}
		n.Content = kept
	case n.Kind == yaml.SequenceNode:
		n.Content = slices.DeleteFunc(n.Content, func(c *yaml.Node) bool { return c.Tag == "!reset" })
	}
	for _, c := range n.Content {
		withoutTags(c)
	}
}

func (r composeReader) document(doc map[string]any) error {
	if err := brief(budget.New("", nil), doc); err != nil {
		return err
	}
	for key := range doc {
		if strings.HasPrefix(key, "x-") {
			delete(doc, key)
		}
	}
	services, _ := doc["services"].(map[string]any)
	for _, s := range services {
		if s, ok := s.(map[string]any); ok {
			r.settleVariables(s)
		}
	}
	return r.canonical(doc)
}

// settleVariables takes settings out of a service that depend on a variable of which nobody knows the value, where "1"
// does not fit.
func (r composeReader) settleVariables(service map[string]any) {
	fits := func(key string, value any) bool {
		return r.canonical(map[string]any{"services": map[string]any{"x": map[string]any{key: value}}}) == nil
	}
	for key, value := range service {
		list, ok := value.([]any)
		switch {
		case !r.unknown(value):
		case !ok:
			if !fits(key, value) {
				delete(service, key)
			}
		default:
			service[key] = slices.DeleteFunc(list, func(e any) bool { return r.unknown(e) && !fits(key, []any{e}) })
		}
	}
}

// unknown reports whether a value depends on a variable that has neither a value nor a default.
func (r composeReader) unknown(value any) bool {
	switch v := value.(type) {
	case string:
		unknown := false
		_, _ = r.substitute(v, func(string) (string, bool) { unknown = true; return "1", true })
		return unknown
	case []any:
		return slices.ContainsFunc(v, r.unknown)
	case map[string]any:
		for _, e := range v {
			if r.unknown(e) {
				return true
			}
		}
	}
	return false
}

// substitute puts variables in: what is known of them, else their defaults, else what otherwise gives.
func (r composeReader) substitute(text string, otherwise template.Mapping) (string, error) {
	if !strings.Contains(text, "$") {
		return text, nil
	}
	var defaults map[string]bool
	return template.Substitute(text, func(name string) (string, bool) {
		if r.value != nil {
			if v, ok := r.value(name); ok {
				return v, true
			}
		}
		if defaults == nil {
			defaults = source.WithDefaults(text)
		}
		if defaults[name] {
			return "", false
		}
		return otherwise(name)
	})
}

func (r composeReader) canonical(doc map[string]any) (err error) {
	defer func() {
		if p := recover(); p != nil { // compose-go takes for granted what its schema has seen to
			err = errors.New("a value has a type that Compose does not accept")
		}
	}()
	doc, err = interpolation.Interpolate(doc, interpolation.Options{
		LookupValue: func(string) (string, bool) { return "1", true }, // a number is a name as well
		Substitute:  r.substitute,
	})
	if err != nil {
		return err
	}
	if doc, err = transform.Canonical(doc, false); err != nil {
		return err
	}
	if err := validation.Validate(doc); err != nil {
		return err
	}
	services, _ := doc["services"].(map[string]any)
	for name, s := range services {
		var service types.ServiceConfig
		decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
			DecodeHook: decodeItself, Result: &service, TagName: "yaml", Squash: true, WeaklyTypedInput: true,
			ErrorUnused: false,
		})
		if err != nil {
			return err
		}
		if err := decoder.Decode(s); err != nil {
			return fmt.Errorf("service %s: %w", name, err)
		}
	}
	return nil
}

// environment is the .env file beside a Compose file.
func environment(h *facts.Host, file string) func(string) (string, bool) {
	values := map[string]string{}
	if f, err := h.File(path.Join(path.Dir(file), ".env")); err == nil {
		_ = source.DotEnv(f.Data, values, nil, budget.New(".env", nil)) // what cannot be read has no values
	}
	return func(name string) (string, bool) { v, ok := values[name]; return v, ok }
}

// decodeItself has compose-go's types read themselves, those that can, and knows booleans by the names that YAML had.
func decodeItself(from, to reflect.Value) (any, error) {
	if from.Kind() == reflect.String && to.Kind() == reflect.Bool {
		switch strings.ToLower(from.String()) {
		case "yes", "on", "y":
			return true, nil
		case "no", "off", "n":
			return false, nil
		}
	}
	type itself interface{ DecodeMapstructure(any) error }
	if to.Kind() == reflect.Pointer && to.IsNil() && to.CanSet() {
		if _, ok := to.Interface().(itself); ok {
			to.Set(reflect.New(to.Type().Elem()))
		}
	}
	d, ok := to.Interface().(itself)
	if !ok && to.CanAddr() {
		d, ok = to.Addr().Interface().(itself)
	}
	if !ok {
		return from.Interface(), nil
	}
	if err := d.DecodeMapstructure(from.Interface()); err != nil {
		return nil, err
	}
	return to.Interface(), nil
}

// perCopied is how many bytes are copied in the time that a byte of work takes.
const perCopied = 256

// brief spends what it costs to split commands as compose-go does: it copies all of a word again for each of its
// letters.
func brief(b *budget.Budget, value any) error {
	switch v := value.(type) {
	case string:
		return b.Spend(budget.Steps, len(v)*len(v)/perCopied, 0)
	case []any:
		for _, e := range v {
			if err := brief(b, e); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, e := range v {
			if err := brief(b, e); err != nil {
				return err
			}
		}
	}
	return nil
}
