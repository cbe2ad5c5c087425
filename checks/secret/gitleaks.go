package secret

import (
	"bytes"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
)

// gitleaks' whole detector would add 7.7 MB and 150 packages, archivers and a WebAssembly engine among them, and
// compile every expression before it looks at anything. Its package of configuration alone brings a logger. What is
// worth having is its rules: they are kept here as the text that a release of gitleaks has.
//
//go:embed gitleaks.toml
var gitleaks []byte

// allowlist is what a match is compared with to be taken for harmless.
type allowlist struct {
	Condition   string   `toml:"condition"` // "AND" where all of what follows must hold
	RegexTarget string   `toml:"regexTarget"`
	Regexes     []string `toml:"regexes"`
	StopWords   []string `toml:"stopwords"`
	Paths       []string `toml:"paths"`
	Commits     []string `toml:"commits"`
}

type rulesFile struct {
	Allowlist  allowlist   `toml:"allowlist"`
	Allowlists []allowlist `toml:"allowlists"`
	Rules      []struct {
		ID          string      `toml:"id"`
		Regex       string      `toml:"regex"`
		Path        string      `toml:"path"`
		SecretGroup int         `toml:"secretGroup"`
		Entropy     float64     `toml:"entropy"`
		Keywords    []string    `toml:"keywords"`
		Allowlists  []allowlist `toml:"allowlists"`
	} `toml:"rules"`
}

var parsed = sync.OnceValues(func() ([]*rule, []allowed) {
	var file rulesFile
	if err := toml.Unmarshal(gitleaks, &file); err != nil {
		panic(fmt.Errorf("the rules that gitleaks comes with: %w", err)) // they are part of the program
	}
	all := []*rule{userinfo}
	for _, r := range file.Rules {
		if r.Regex == "" || r.Path != "" {
			continue // these are about files of certain names
		}
		parsed := &rule{id: r.ID, group: r.SecretGroup, entropy: r.Entropy, harmless: allowances(r.Allowlists),
			expr: sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(r.Regex) })}
		for _, k := range r.Keywords {
			parsed.keywords = append(parsed.keywords, []byte(strings.ToLower(k)))
		}
		all = append(all, parsed)
	}
	return all, allowances(append(file.Allowlists, file.Allowlist))
})

func rules() []*rule { all, _ := parsed(); return all }

// everywhere is what is harmless whatever rule has found it.
func everywhere() []allowed { _, all := parsed(); return all }

// An allowed is an allowlist whose expressions are compiled when a rule has found something.
type allowed struct {
	both   bool // an expression and a stop word must match
	target string
	exprs  func() []*regexp.Regexp
	words  [][]byte
}

func allowances(lists []allowlist) []allowed {
	var out []allowed
	for _, l := range lists {
		both := strings.EqualFold(l.Condition, "AND") || l.Condition == "&&"
		if both && len(l.Paths)+len(l.Commits) > 0 {
			continue // it needs a path or a commit too, and there is none
		}
		a := allowed{both: both && len(l.Regexes) > 0 && len(l.StopWords) > 0, target: l.RegexTarget,
			exprs: sync.OnceValue(func() []*regexp.Regexp {
				var all []*regexp.Regexp
				for _, e := range l.Regexes {
					all = append(all, regexp.MustCompile(e))
				}
				return all
			})}
		for _, w := range l.StopWords {
			a.words = append(a.words, []byte(strings.ToLower(w)))
		}
		out = append(out, a)
	}
	return out
}

func (a allowed) allows(value, match, line []byte) bool {
	target := value
	switch a.target {
	case "match":
		target = match
	case "line":
		target = line
	}
	expr := slices.ContainsFunc(a.exprs(), func(e *regexp.Regexp) bool { return e.Match(target) })
	if expr && !a.both || !expr && a.both {
		return expr
	}
	lower := bytes.ToLower(value)
	return slices.ContainsFunc(a.words, func(w []byte) bool { return bytes.Contains(lower, w) })
}
