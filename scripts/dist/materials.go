package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A bill is a CycloneDX document: what a program is made from.
type bill struct {
	Schema       string      `json:"$schema"`
	Format       string      `json:"bomFormat"`
	Spec         string      `json:"specVersion"`
	Serial       string      `json:"serialNumber"`
	Version      int         `json:"version"`
	Metadata     metadata    `json:"metadata"`
	Components   []component `json:"components"`
	Dependencies []depends   `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl,omitempty"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type depends struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

// materials writes the bill of materials of an architecture, from what the Go linker has written into the program. It
// names no licences: NOTICES has their texts, and which licence a text is would be a guess.
func (r *release) materials(t *target) error {
	b, err := r.bill(t)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(b); err != nil {
		return err
	}
	return r.write("harden-"+r.bare()+"-linux-"+t.arch+".cdx.json", text.Bytes())
}

func (r *release) bill(t *target) (*bill, error) {
	modules, err := linked(t.program)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.ReadFile(t.program)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(t.program)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	whole := component{Type: "application", Ref: "harden", Name: "harden", Version: r.version,
		Hashes:     []hash{{"SHA-256", fmt.Sprintf("%x", sum)}},
		Properties: []property{{"go:arch", t.arch}, {"go:os", "linux"}}}
	b := &bill{Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6", Version: 1,
		Serial: "urn:uuid:" + uuid(sum), Metadata: metadata{r.time.Format(time.RFC3339), whole}}
	add := func(name, version, module string) {
		purl := "pkg:golang/" + module + "@" + strings.ReplaceAll(version, "+", "%2B")
		b.Components = append(b.Components, component{Type: "library", Ref: purl, Name: name, Version: version, PURL: purl})
	}
	add("stdlib", strings.TrimPrefix(info.GoVersion, "go"), "stdlib")
	for _, m := range modules {
		add(m.Path, m.Version, strings.ToLower(m.Path))
	}
	all := depends{Ref: "harden"}
	for _, c := range b.Components {
		all.On = append(all.On, c.Ref)
	}
	b.Dependencies = []depends{all}
	return b, nil
}

// uuid makes an identifier of its own for each program: version 8 of RFC 9562, whose bits are the maker's to choose.
func uuid(sum [sha256.Size]byte) string {
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// sums writes the checksums of all that was made, as sha256sum -c reads them.
func (r *release) sums() error {
	slices.Sort(r.made)
	var b strings.Builder
	for _, name := range r.made {
		data, err := os.ReadFile(filepath.Join(r.out, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(data), name)
	}
	return r.write("SHA256SUMS", []byte(b.String()))
}
