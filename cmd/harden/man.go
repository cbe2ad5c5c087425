//go:build docs

package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"example.com/harden/remediate/schedule"
)

// manual is the text that the man pages share with the page that people read in the repository.
//
//go:embed MANUAL.md
var manual string

// configuration is the manual's section that is harden.yaml(5); harden(8) has the others.
const configuration = "Configuration"

// manCommands write the man pages and the units of packages. The binary that travels to hosts does not contain what
// this needs: `make man` builds its own.
func manCommands() []*cobra.Command {
	return []*cobra.Command{{
		Use: "man DIR", Short: "Write the man pages", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			root.DisableAutoGenTag = true // a date would make no two builds alike
			header := &doc.GenManHeader{Title: "HARDEN", Section: "8", Source: "harden " + version(), Manual: "harden"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return err
			}
			return manualPages(args[0])
		},
	}, {
		Use: "units DIR", Short: "Write the systemd units of packages", Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			for name, text := range schedule.Packaged("/usr/bin/harden", defaultState) {
				if err := os.WriteFile(filepath.Join(args[0], name), []byte(text), 0o644); err != nil {
					return err
				}
			}
			return nil
		},
	}}
}

// manualPages adds the manual to harden.8, and writes harden.yaml.5.
func manualPages(dir string) error {
	var rest, yaml strings.Builder
	for _, section := range strings.Split(manual, "\n## ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		if name == configuration {
			fmt.Fprintf(&yaml, "## NAME\nharden.yaml - the configuration of harden(8)\n\n## DESCRIPTION\n%s\n\n"+
				"## SEE ALSO\n**harden(8)**\n", text)
			continue
		}
		fmt.Fprintf(&rest, "## %s\n%s\n", strings.ToUpper(name), text)
	}
	file := filepath.Join(dir, "harden.8")
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	const last = "\n.SH SEE ALSO\n"
	head, tail, ok := bytes.Cut(page, []byte(last))
	if !ok {
		return fmt.Errorf("%s: no section SEE ALSO", file)
	}
	page = fmt.Appendf(nil, "'\\\" t\n%s\n%s%s\\fBharden.yaml(5)\\fP, %s", head, roff(rest.String()), last, tail)
	if err := os.WriteFile(file, page, 0o644); err != nil {
		return err
	}
	page = fmt.Appendf(nil, "'\\\" t\n.nh\n.TH \"HARDEN.YAML\" \"5\" \"\" \"harden %s\" \"harden\"\n%s", version(),
		roff(yaml.String()))
	return os.WriteFile(filepath.Join(dir, "harden.yaml.5"), page, 0o644)
}

// target is a link of the page: a man page has nowhere to lead to.
var target = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// roff turns sections in Markdown into those of a man page.
func roff(markdown string) []byte {
	page := md2man.Render([]byte(listed(target.ReplaceAllString(markdown, "$1"))))
	return page[bytes.Index(page, []byte(".SH")):]
}

// listed turns tables into lists of terms: a terminal of 80 columns has no room for tables of sentences.
func listed(markdown string) string {
	var b strings.Builder
	var head []string
	for line := range strings.Lines(markdown) {
		row := strings.Split(strings.Trim(line, "| \n"), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			head = nil
			b.WriteString(line)
		case strings.HasPrefix(line, "|---"):
		case head == nil:
			head = row
		default:
			fmt.Fprintf(&b, "%s\n: %s\n\n", row[0], described(head, row))
		}
	}
	return b.String()
}

// described joins what a row says of its first cell.
func described(head, row []string) string {
	if len(row) == 2 {
		return row[1]
	}
	var said []string
	for i, cell := range row[1:] {
		if cell != "" {
			said = append(said, head[i+1]+": "+cell)
		}
	}
	return strings.Join(said, "; ")
}
