package source

import (
	"context"
	"example.com/harden/checks/facts"
	"io/fs"
	"testing"
)

// absent is a host without files.
func absent() *facts.Host {
	return facts.New(context.Background(), nowhere{}, facts.Choices{})
}

type nowhere struct{ facts.Source }

func (nowhere) Stat(context.Context, string) (facts.Info, error) { return facts.Info{}, fs.ErrNotExist }

// FuzzDockerfile holds any file to be read or refused, and each stage to what is asked of it.
func FuzzDockerfile(f *testing.F) {
	f.Add("ARG A=b\nFROM ${A:-x} AS y\nONBUILD ADD a b\nUSER $A\nFROM y\nCOPY <<E /x\nz\nE\n")
	f.Add("# escape=`\nFROM a\nRUN b `\n c\nHEALTHCHECK NONE\n")
	f.Fuzz(func(t *testing.T, text string) {
		d := parseDockerfile(&File{As: "Dockerfile", Data: []byte(text)}, nil)
		if d.Err == nil && d.Final() == nil || d.Err != nil && d.Final() != nil {
			t.Fatalf("%v, %v", d.Final(), d.Err)
		}
		if s := d.Final(); s != nil {
			s.From()
		}
	})
}

// FuzzCompose does so with Compose files.
func FuzzCompose(f *testing.F) {
	f.Add("x: &a {b: [c]}\nservices:\n  d: {<<: *a, extends: e}\n  e: *a\n  g: {extends: {service: d}, environment: " +
		"[A=$B]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := ComposeOf(absent(), &File{As: "compose.yaml", Data: []byte(text)}, "/")
		if c.Err != nil {
			if c.Services != nil {
				t.Fatalf("%d services of %v", len(c.Services), c.Err)
			}
			return
		}
		for _, s := range c.Services {
			for _, key := range []string{"environment", "ports", "privileged"} {
				for _, v := range s.All(key) {
					v.Items()
					for range v.Assignments() {
					}
				}
			}
		}
		c.Unset()
	})
}
