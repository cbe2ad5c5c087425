package report

import (
	"strings"

	"example.com/harden/checks/cis"
)

// ProgramSchema names the shape of a Program as JSON.
const ProgramSchema = "harden-version/v1"

// A Program is this harden: what it was built from, and what it knows.
type Program struct {
	Schema     string          `json:"schema"`
	Version    string          `json:"version"`
	Commit     string          `json:"commit,omitempty"` // empty where the build had no repository
	Modified   bool            `json:"modified"`         // whether the source differed from the commit
	Go         string          `json:"go"`               // the release of Go that built it
	Platform   string          `json:"platform"`         // such as linux/amd64
	Benchmarks []cis.Benchmark `json:"benchmarks"`       // every edition that it knows, the oldest of each first
}

// text begins with the line that --version prints.
func (r *Program) text(p *page) {
	p.line("harden version " + r.Version)
	field := func(name, text string) {
		if text != "" {
			p.block(p.paint(dim, pad("  "+name, 13)), 13, "", text)
		}
	}
	commit := r.Commit
	if r.Modified {
		commit += ", modified"
	}
	field("commit", commit)
	field("built with", r.Go)
	field("platform", r.Platform)
	var editions groups[string, string]
	for _, b := range r.Benchmarks {
		editions.add(strings.TrimSuffix(b.Title(), " "+b.Version()), b.Version())
	}
	for title, versions := range editions.all() {
		field("benchmark", title+" "+strings.Join(versions, ", "))
	}
}
