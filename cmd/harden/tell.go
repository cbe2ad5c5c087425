package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"

	"example.com/harden/remediate/diff"
	"example.com/harden/remediate/report"
)

// A teller says what there is to say, in the chosen format.
type teller struct {
	config   *Config
	stdout   io.Writer
	redactor *diff.Redactor
}

// style lays text out for where it goes.
func (t *teller) style() report.Style {
	width, terminal := terminalWidth(t.stdout)
	color := terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if t.config.Color != "auto" {
		color = t.config.Color == "always"
	}
	return report.Style{Width: width, Color: color, Quiet: t.config.Quiet, Verbose: t.config.Verbose, Terminal: terminal,
		ASCII: !utf8Locale(os.Getenv),
		Aside: func(text string) { complain("%s", text) }}
}

// complain says on standard error what is no part of what a command prints. Others have named the files and hosts in
// it: their secrets are hidden, what could deceive a terminal is escaped, and no name begins a line.
func complain(format string, args ...any) {
	text := diff.Visible(redactor().RedactText(fmt.Sprintf(format, args...)))
	fmt.Fprintf(os.Stderr, "harden: %s\n", strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  "))
}

// show writes a document in each chosen format.
func (t *teller) show(d report.Document) error {
	if err := t.write(t.stdout, t.config.View, d, t.style()); err != nil {
		return err
	}
	return t.writeOutputs(d)
}

// write writes a document in one format, the secrets in it hidden.
func (t *teller) write(w io.Writer, v report.View, d report.Document, style report.Style) error {
	return v.Write(w, hide(t.redactor, d), style)
}

// announce shows what is about to be done where somebody reads along, and anywhere where nothing more is to come.
func (t *teller) announce(d report.Document, last bool) error {
	if !last && !t.config.View.Talks() {
		return nil
	}
	return t.show(d)
}

// utf8Locale reports whether the locale's characters are UTF-8. The first of these variables that is set decides, as it
// does for setlocale(3), and without one the locale is C.
func utf8Locale(env func(string) string) bool {
	name := strings.ToLower(cmp.Or(env("LC_ALL"), env("LC_CTYPE"), env("LANG")))
	name, _, _ = strings.Cut(name, "@")
	return strings.HasSuffix(name, "utf-8") || strings.HasSuffix(name, "utf8")
}
