package activate

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/transform"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/compose-spec/compose-go/v2/validation"
	"github.com/go-viper/mapstructure/v2"

	"example.com/harden/checks/budget"
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
// start of a program, for 3 ms of the 16 that harden has; the keys that are ever written are known, so the tests ask the
// loader instead.
func ValidateCompose(before, after []byte) error {
	if err := readCompose(before); err != nil {
		return fmt.Errorf("as it is now Compose would not read it: %w", err)
	}
	return readCompose(after)
}

func readCompose(data []byte) (err error) {
	defer func() {
		if p := recover(); p != nil { // compose-go takes for granted what its schema has seen to
			err = errors.New("its values are not of the types that Compose knows")
		}
	}()
	var doc map[string]any
	if err := budget.Unmarshal(data, &doc); err != nil {
		return errors.New("not YAML of a Compose file")
	}
	if err := brief(budget.New("", nil), doc); err != nil {
		return err
	}
	for key := range doc {
		if strings.HasPrefix(key, "x-") {
			delete(doc, key)
		}
	}
	doc, err = interpolation.Interpolate(doc, interpolation.Options{
		LookupValue: func(string) (string, bool) { return "1", true }, // a number is a name as well
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
			DecodeHook: decodeItself, Result: &service, TagName: "yaml", Squash: true, WeaklyTypedInput: true, ErrorUnused: false,
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

// brief spends what it costs to split commands as compose-go does: it copies all of a word again for each of its letters.
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
