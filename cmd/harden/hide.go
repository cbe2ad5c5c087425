package main

import (
	"crypto/rand"
	"reflect"
	"strings"
	"sync"

	"example.com/harden/remediate/diff"
)

// redactor is the one of this process: the same secret has the same mark in all that it says.
var redactor = sync.OnceValue(func() *diff.Redactor {
	key := make([]byte, 32)
	rand.Read(key)
	return diff.NewRedactor(key)
})

// hide returns what is about to be told, a report or a list of runs, with the secrets in every text of it replaced. It
// is the last thing that happens to whatever leaves harden, so that no text needs to have been thought of before. What
// it leaves alone are diffs, which are redacted by the tree of their file, and the catalogue's own words.
func hide[T any](r *diff.Redactor, v T) T {
	h := hider{r, map[string]string{}}
	h.walk(reflect.ValueOf(&v).Elem())
	return v
}

// withoutPassword is the address of a Docker Engine as a plan keeps it: a client sends no password, whoever writes one.
func withoutPassword(host string) string {
	scheme, rest, _ := strings.Cut(host, "://")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 && strings.Contains(rest[:at], ":") {
		return scheme + "://" + rest[at+1:]
	}
	return host
}

type hider struct {
	*diff.Redactor
	known map[string]string // what is found of one container is found of many
}

var shownFields = map[string]bool{"Diff": true, "Title": true, "Why": true, "Heading": true}

func (h *hider) text(s string) string {
	clean, ok := h.known[s]
	if !ok {
		clean = h.RedactText(s)
		h.known[s] = clean
	}
	return clean
}

func (h *hider) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() && v.Type() == reflect.TypeFor[string]() {
			if clean := h.text(v.String()); clean != v.String() {
				v.SetString(clean)
			}
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			h.walk(v.Elem())
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			h.walk(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(v.MapIndex(k))
			h.walk(element)
			v.SetMapIndex(k, element)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !shownFields[f.Name] {
				h.walk(v.Field(i))
			}
		}
	}
}
