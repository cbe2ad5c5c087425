package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.com/harden/remediate/report"
)

// An output is a format that is written to a file, beside what is printed.
type output struct {
	view report.View
	file string
}

// formatNames is the value of --format, which may be repeated: names with commas between them, as in the configuration
// and the environment.
type formatNames struct {
	names string
	said  bool // and not the default
}

func (f *formatNames) String() string { return f.names }
func (f *formatNames) Type() string   { return "string" }

func (f *formatNames) Set(text string) error {
	if f.said {
		text = f.names + "," + text
	}
	f.names, f.said = text, true
	return nil
}

// takeOutputs reads --out and settles which of the formats is printed: the one that has no file.
func (c *Config) takeOutputs(cmd *cobra.Command, formats string) error {
	of := subject(cmd)
	if err := c.takeOut(cmd, of); err != nil {
		return err
	}
	var printed []string
	for _, name := range words([]string{formats}) {
		written := slices.ContainsFunc(c.Outputs, func(o output) bool { return o.view.Name() == name })
		if (!written || !given(cmd, "format")) && !slices.Contains(printed, name) {
			printed = append(printed, name)
		}
	}
	var err error
	switch {
	case len(printed) > 1 && of == report.OfOther:
		return fmt.Errorf("--format: %s; this command has one format at a time", strings.Join(printed, ", "))
	case len(printed) > 1:
		return fmt.Errorf("--format: only one of %s can be printed; use --out %s=FILE", strings.Join(printed, ", "),
			printed[1])
	case len(printed) == 1:
		c.View, err = report.ViewOf(printed[0], of)
	case c.Out != "" && cmd.CommandPath() == "harden check":
		err = fmt.Errorf("--out %s: every format has a file already; use --out FORMAT=%s", c.Out, c.Out)
	default:
		c.View = report.Silent(c.View)
	}
	return err
}

// takeOut sorts the values of --out into formats and files of the command's own.
func (c *Config) takeOut(cmd *cobra.Command, of report.Subject) error {
	f := cmd.Flags().Lookup("out")
	if f == nil {
		return nil
	}
	var errs *multierror.Error
	for _, value := range f.Value.(pflag.SliceValue).GetSlice() { // GetStringArray goes through CSV, which loses bytes
		errs = multierror.Append(errs, c.takeOne(cmd, of, value))
	}
	return errs.ErrorOrNil()
}

// takeOne takes one value of --out.
func (c *Config) takeOne(cmd *cobra.Command, of report.Subject, value string) error {
	name, file, ok := strings.Cut(value, "=")
	if !ok || strings.Contains(name, "/") {
		return c.takeOwn(cmd, value)
	}
	view, err := report.ViewOf(name, of)
	switch {
	case err != nil:
		return fmt.Errorf("--out %s: %q is no format; valid: %s; a file of that name is ./%s", value, name,
			strings.Join(report.Formats(of), ", "), value)
	case file == "":
		return fmt.Errorf("--out %s: the file has no name; use --out %s=FILE", value, name)
	case c.writes(file):
		return fmt.Errorf("--out %s: another format is written to that file", value)
	}
	c.Outputs = append(c.Outputs, output{view, file})
	return nil
}

// takeOwn takes a file without a format.
func (c *Config) takeOwn(cmd *cobra.Command, file string) error {
	switch path := cmd.CommandPath(); {
	case path == "harden apply":
		return fmt.Errorf("--out %s: a report needs a format; use --out FORMAT=FILE", file)
	case path == "harden" && !given(cmd, "dry-run"):
		return fmt.Errorf("--out needs --dry-run: it saves the plan of a --dry-run, for harden apply; a report is " +
			"FORMAT=FILE")
	case c.Out != "":
		return fmt.Errorf("--out %s: %s is named already; use --out FORMAT=FILE for another format", file, c.Out)
	case c.writes(file):
		return fmt.Errorf("--out %s: another format is written to that file", file)
	}
	c.Out = file
	return nil
}

// writes reports whether an --out before has named a file, in whatever words.
func (c *Config) writes(file string) bool {
	same := func(other string) bool { return other != "" && wordFor(other) == wordFor(file) }
	return same(c.Out) || slices.ContainsFunc(c.Outputs, func(o output) bool { return same(o.file) })
}

// wordFor is the one path for a file of all that lead to it, as far as its directory exists.
func wordFor(file string) string {
	dir, name := filepath.Split(file)
	if dir, err := filepath.EvalSymlinks(cmp.Or(dir, ".")); err == nil {
		file = filepath.Join(dir, name)
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	return abs
}

// refused is why a format cannot tell what the command is about to do.
func (c *Config) refused(dry bool) error {
	if err := c.View.Refuse(dry, len(c.Sources)); err != nil {
		return err
	}
	for _, o := range c.Outputs {
		if err := o.view.Refuse(dry, len(c.Sources)); err != nil {
			return err
		}
	}
	return nil
}
