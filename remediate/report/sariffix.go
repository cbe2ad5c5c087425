package report

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A sarifRegion is lines of a file, the first of which is 1.
type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
	EndLine     int `json:"endLine,omitempty"`
	EndColumn   int `json:"endColumn,omitempty"`
}

type sarifFix struct {
	Description sarifText     `json:"description"`
	Changes     []sarifChange `json:"artifactChanges"`
}

type sarifChange struct {
	Artifact     sarifArtifact      `json:"artifactLocation"`
	Replacements []sarifReplacement `json:"replacements"`
}

type sarifReplacement struct {
	Deleted  sarifRegion `json:"deletedRegion"`
	Inserted *sarifText  `json:"insertedContent,omitempty"`
}

// sarifFixesOf are the changes of the plan that a finding's check asks for.
func sarifFixesOf(e entry, at location) (fixes []sarifFix) {
	res := e.result
	if len(e.Fix) == 0 {
		return nil
	}
	i := slices.IndexFunc(res.Findings, func(f Finding) bool { return f.ID == e.ID })
	for _, c := range e.report.changes() {
		if !slices.Contains(c.Checks, res.ID) || at.file && at.base == rootPath && c.Target != at.path || i >= sarifFixes {
			continue
		}
		if rs, ok := replacements(c.Diff); ok && len(rs) > 0 {
			target := location{path: c.Target, base: rootPath}
			fixes = append(fixes, sarifFix{Description: sarifMessage(Clean(c.Target) + ": " + strings.Join(e.Fix, "; ")),
				Changes: []sarifChange{{sarifArtifact{target.uri(), target.base}, rs}}})
		}
	}
	return fixes
}

// escaped is what a diff has in the place of a character that could deceive a terminal.
var escaped = regexp.MustCompile(`\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})`)

var hunk = regexp.MustCompile(`^@@ -([0-9]+)(?:,([0-9]+))? \+[0-9]+(?:,[0-9]+)? @@`)

// replacements are a unified diff as regions to replace; none where the diff does not tell the bytes, since something
// of it is hidden, or escaped for a terminal: a fix that wrote a mark in the place of a secret would destroy it.
func replacements(diff string) (all []sarifReplacement, exact bool) {
	if strings.Contains(diff, "‹redacted ") || strings.Contains(diff, "\\ No newline at end of file") ||
		escaped.MatchString(diff) {
		return nil, false
	}
	line, from, deleted, inserted := 0, 0, 0, ""
	flush := func() {
		if deleted == 0 && inserted == "" {
			return
		}
		r := sarifReplacement{Deleted: sarifRegion{from, 1, from + deleted, 1}}
		if inserted != "" {
			r.Inserted = &sarifText{inserted}
		}
		all, deleted, inserted = append(all, r), 0, ""
	}
	for l := range strings.Lines(diff) {
		if m := hunk.FindStringSubmatch(l); m != nil {
			flush()
			line, _ = strconv.Atoi(m[1])
			if m[2] == "0" { // of no lines: after that line
				line++
			}
			continue
		}
		switch {
		case line == 0: // the header
		case l[0] == '-' || l[0] == '+':
			if deleted == 0 && inserted == "" {
				from = line
			}
			if l[0] == '-' {
				deleted, line = deleted+1, line+1
			} else {
				inserted += l[1:]
			}
		case l[0] == ' ':
			flush()
			line++
		}
	}
	flush()
	return all, true
}
