package source

import (
	"path"
	"slices"
	"strings"
)

type kindOfSource int

const (
	noSource kindOfSource = iota
	dockerSource
	composeSource
	stackSource // a Compose file if it has services: other programs have files of that name
	likeSource  // named like one, and not taken for one
)

// Endings of what is named like a Dockerfile or a Compose file and is none: templates and copies, which are told, and
// what nobody would take for one.
var (
	draftEndings = []string{".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".template", ".erb", ".in", ".m4", ".bak",
		".orig", ".old", ".dist", ".sample", ".example"}
	otherEndings = []string{".dockerignore", ".containerignore", ".md", ".rst", ".txt", ".swp", ".go", ".py", ".js", ".ts",
		".sh", ".rb", ".rs", ".yml", ".yaml", ".json", ".html", ".css", ".png", ".svg", ".lock", ".mk", ".ps1"}
	composeStems = []string{"compose", "docker-compose", "docker-stack", "stack"}
	dockerStems  = []string{"dockerfile", "containerfile"}
)

// IsDockerfile reports whether a file of that name is taken for a Dockerfile.
func IsDockerfile(name string) bool { return sourceKind(name) == dockerSource }

// sourceKind tells by its name what a file is.
func sourceKind(name string) kindOfSource {
	lower := strings.ToLower(name)
	ends := func(endings []string) bool {
		return slices.ContainsFunc(endings, func(end string) bool { return strings.HasSuffix(lower, end) })
	}
	if ext := path.Ext(lower); ext == ".yml" || ext == ".yaml" {
		return composeKind(strings.TrimSuffix(lower, ext))
	}
	switch {
	case ends(otherEndings):
		return noSource
	case ends(draftEndings):
		if strings.Contains(lower, "dockerfile") || strings.Contains(lower, "compose.y") {
			return likeSource
		}
		return noSource
	}
	for _, stem := range dockerStems {
		switch rest, begins := strings.CutPrefix(lower, stem); {
		case begins && (rest == "" || strings.ContainsRune(".-_", rune(rest[0]))):
			return dockerSource
		case strings.HasSuffix(lower, "."+stem), strings.HasSuffix(lower, "-"+stem), strings.HasSuffix(lower, "_"+stem):
			return dockerSource
		case strings.Contains(lower, stem):
			return likeSource
		}
	}
	return noSource
}

// composeKind tells by the name without its ending what a YAML file is.
func composeKind(base string) kindOfSource {
	for _, stem := range composeStems {
		rest, begins := strings.CutPrefix(base, stem)
		if !begins || rest != "" && !strings.ContainsRune(".-_", rune(rest[0])) {
			continue
		}
		if stem == "stack" {
			return stackSource
		}
		return composeSource
	}
	for _, stem := range []string{"-compose", ".compose", "_compose"} {
		if strings.HasSuffix(base, stem) {
			return stackSource
		}
	}
	if strings.Contains(base, "compose") || strings.Contains(base, "dockerfile") {
		return likeSource
	}
	return noSource
}
