package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pages returns the repository's Markdown files.
func pages(t *testing.T) (files []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", ".github/*.md", "*/*.md", "*/*/*.md"} {
		found, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	return slices.DeleteFunc(slices.Compact(files), func(f string) bool { return strings.Contains(f, "/dist/") })
}

// TestReadmeSize keeps the README to what a user reads in a few minutes: the rest is in the folders' own pages.
func TestReadmeSize(t *testing.T) {
	info, err := os.Stat(readme)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 12288 {
		t.Errorf("README.md: %d bytes, maximum 12288; move text to cmd/harden/MANUAL.md", info.Size())
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	dropped = regexp.MustCompile("[^a-z0-9 _-]")
)

// TestLinks checks that every relative link of every page leads to a file, and to a heading where it names one.
func TestLinks(t *testing.T) {
	files := pages(t)
	if len(files) < 9 {
		t.Fatalf("%d pages: %q", len(files), files)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			to, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, "://") {
				continue
			}
			target := file
			if to != "" {
				target = filepath.Join(filepath.Dir(file), to)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link %s leads nowhere", file, m[1])
			} else if anchor != "" && !slices.Contains(anchors(t, target), anchor) {
				t.Errorf("%s: the link %s names no heading of %s", file, m[1], target)
			}
		}
	}
}

// anchors returns the names by which a page's headings are linked to.
func anchors(t *testing.T, file string) (names []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range heading.FindAllStringSubmatch(string(text), -1) {
		names = append(names, strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return names
}

// TestTour checks that the files that the tours in doc.go name exist, and that the check that they follow is in one.
func TestTour(t *testing.T) {
	named := regexp.MustCompile(`\b(checks|remediate|fixtures)/[a-z/]*[a-z]+\.go\b`)
	followed := false
	for _, file := range []string{"../../checks/doc.go", "../../remediate/doc.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range named.FindAllString(string(text), -1) {
			source, err := os.ReadFile(filepath.Join("../..", name))
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			followed = followed || strings.Contains(string(source), `"docker/icc"`)
		}
	}
	if !followed {
		t.Error("no file that the tours name has docker/icc")
	}
}

// TestNoLicence: the owner has chosen none, so the README says so and no page or manifest names one.
func TestNoLicence(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "has not chosen a licence") {
		t.Error("README.md does not say that there is no licence yet")
	}
	claim := regexp.MustCompile(`(?im)(licen[cs]ed? (under|as)|SPDX-License-Identifier|^licen[cs]e: ` +
		`*\S|\b(MIT|Apache|GPL|BSD) licen[cs]e)`)
	for _, file := range append(pages(t), "../../scripts/ansible/galaxy.yml", "../../scripts/ansible/meta/runtime.yml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := claim.Find(text); found != nil {
			t.Errorf("%s claims a licence: %q", file, found)
		}
	}
}
