package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/docker/docker/api/types/network"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/fixtures"
	"example.com/harden/remediate/report"
)

// hostile is what people who can make containers may call things.
var hostile = []string{
	"\x1b[2J\x1b]0;owned\x07\x1b[1;32m✓ pass",
	"web\nINJECTED\r\n\tINJECTED",
	"<script>alert(1)</script>&\"'",
	"::error file=x::INJECTED",
	strings.Repeat("A", 1<<20),
	strings.Repeat("\x1b[31m", 1<<16),
	"\xff\xfe\x00web",
	"\u202egnp.sj\u200b",
	"'; rm -rf / #$(id)`id`",
}

// A hostileEngine tells of containers, images and networks that have such a text wherever a text can be.
type hostileEngine struct{ docker.Engine }

func (hostileEngine) Containers(context.Context) (all []docker.Container, _ error) {
	for i, s := range hostile {
		for _, running := range []bool{true, false} {
			var c docker.Container
			fill(reflect.ValueOf(&c).Elem(), s)
			c.ID, c.State.Running = fmt.Sprintf("%063d%d", i, len(all)%2), running
			c.HostConfig.Privileged = running
			all = append(all, c)
			c.ID, c.Config.User, c.HostConfig.SecurityOpt, c.Config.Labels = fmt.Sprintf("%062d%d", i, len(all)), "root", nil,
				nil
			c.HostConfig.RestartPolicy.Name = "always" // so that there is something to update
			all = append(all, c)
		}
	}
	return all, nil
}

func (hostileEngine) Images(context.Context) (all []docker.Image, _ error) {
	for i, s := range hostile {
		var image docker.Image
		fill(reflect.ValueOf(&image).Elem(), s)
		image.ID, image.Config.User = fmt.Sprint("sha256:", i), ""
		image.History = []docker.Layer{{CreatedBy: "ADD " + s + " /x"}, {CreatedBy: "RUN apt-get update # " + s},
			{CreatedBy: "RUN curl " + s + "| sh"}, {CreatedBy: s}}
		all = append(all, image)
	}
	return all, nil
}

func (e hostileEngine) Get(ctx context.Context, path string, read func(io.Reader) error) error {
	if path != "/networks" {
		return e.Engine.Get(ctx, path, read)
	}
	var all []network.Inspect
	for _, s := range hostile {
		all = append(all, network.Inspect{Name: s, Driver: "overlay"})
	}
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return read(bytes.NewReader(data))
}

type hostileHost struct{ *fixtures.Recording }

func (h hostileHost) Engine(ctx context.Context) (facts.API, facts.Endpoint, error) {
	e, at, err := h.Recording.Engine(ctx)
	engine, _ := e.(docker.Engine)
	return hostileEngine{engine}, at, err
}

// fill puts s into every text below v, and one element into whatever can have some.
func fill(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), s)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), s)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), s)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, s)
		fill(value, s)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	}
}

// TestHostileNames shows a host on which everything is called something terrible, in every format: nothing of it
// reaches a terminal as more than text, nothing passes for a line of harden's own, and nothing is without an end.
func TestHostileNames(t *testing.T) {
	s := recorded(t, "docker/containers.txtar", "all")
	rec, err := fixtures.Load("docker/containers.txtar")
	if err != nil {
		t.Fatal(err)
	}
	s.host = facts.New(t.Context(), hostileHost{rec}, rec.Choices)
	s.results = s.judge(s.ctx, s.host, s.selection.Checks)
	r := reported(t, s)
	if r.Summary.Updates < len(hostile) {
		t.Errorf("%d containers are updated, of at least %d", r.Summary.Updates, len(hostile))
	}
	for _, style := range []report.Style{{}, {Verbose: true, Width: 40}, {Quiet: true}} {
		var text bytes.Buffer
		if err := report.Views[0].Write(&text, r, style); err != nil {
			t.Fatal(err)
		}
		harmless(t, text.String(), func(c rune) bool { return c == '\n' || c == '\t' || unicode.IsPrint(c) }, "INJECTED")
	}
	plan, err := s.plan()
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{"report": r, "saved plan": s.save(plan)} {
		var doc bytes.Buffer
		if err := report.JSON(&doc, v); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(doc.Bytes()) {
			t.Errorf("the %s is not JSON", name)
		}
		harmless(t, doc.String(), func(c rune) bool { return c == '\n' || c >= ' ' }, "INJECTED")
	}
}

// harmless holds text to being valid, printable, of a size, and without a line that begins with what a name smuggles
// in.
func harmless(t *testing.T, text string, good func(rune) bool, smuggled string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Error("not valid UTF-8")
	}
	if i := strings.IndexFunc(text, func(c rune) bool { return !good(c) }); i >= 0 {
		t.Errorf("%q at byte %d: …%q…", text[i], i, text[max(0, i-80):min(len(text), i+40)])
	}
	if len(text) > 2<<20 {
		t.Errorf("%d bytes", len(text))
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimLeft(line, "+- \t"), smuggled) {
			t.Errorf("a line of somebody else's making: %q", line)
		}
	}
}
