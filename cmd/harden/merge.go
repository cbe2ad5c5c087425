package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"example.com/harden/checks/aside"
	"example.com/harden/remediate/report"
)

func mergeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "merge REPORT...",
		Short: "Merge the saved reports of many hosts, and show which hosts differ from their group",
		Long: `Read reports that harden has saved as JSON, such as by harden check --out json=FILE, and show which
hosts differ from their group, and in what. What more than half of the hosts of a group have is the group's majority. No
host is audited.

REPORT is a file, - for standard input, or a directory: all files in it and below it whose name ends in .json.
--files-from reads the names of reports and directories from a file, one a line.

Hosts with the same software and the same benchmarks are a group. --group-by directory compares the hosts whose reports
are in the same directory, os those with the same operating system, none all of them, and name=REGEX those of whose
name the same part matches, such as name=[a-z]+.

If a host has several reports, the newest counts. If a file is not a report, the error names it, and the others are
merged. The exit code is 0 if every file was a report, whatever the reports say, and 1 if not.`,
		Example: `  harden merge reports --out html=fleet.html --out csv=fleet.csv
  find /srv/reports -name '*.json' -mtime -1 | harden merge --files-from -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			by, _ := cmd.Flags().GetString("group-by")
			grouping, err := report.GroupBy(by)
			if err != nil {
				return usageError{fmt.Errorf("--group-by: %w", err)}
			}
			config, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			from, _ := cmd.Flags().GetString("files-from")
			in := cmd.InOrStdin()
			names, err := aside.Do(cmd.Context(), func() ([]string, error) { return reportNames(args, from, in) })
			if err != nil {
				return err
			}
			if err := stdinOnce(append(names, from)); err != nil {
				return err
			}
			t := teller{config, cmd.OutOrStdout(), redactor()}
			return t.merge(cmd.Context(), names, grouping, in)
		},
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		least := 1
		if cmd.Flags().Changed("files-from") {
			least = 0
		}
		return atLeast(least)(cmd, args)
	}
	cmd.Flags().String("group-by", report.Groupings[0], "compare hosts of the same `GROUP`: "+
		strings.Join(report.Groupings, ", "))
	fixed(cmd, "group-by", report.Groupings[:len(report.Groupings)-1]...)
	cmd.Flags().String("files-from", "", "read the names of reports from `FILE`, one a line; - reads standard input")
	_ = cmd.MarkFlagFilename("files-from")
	addOutput(cmd)
	cmd.Flags().BoolP("verbose", "v", false, "show every host that differs, and all that it differs in")
	addOut(cmd, "write to `FILE`, or, as FORMAT=FILE, in that format too")
	return cmd
}

// merge merges reports, and tells what came of it. Files that are no reports are told of, and do not keep the others.
func (t *teller) merge(ctx context.Context, names []string, by report.Grouping, stdin io.Reader) error {
	debug.SetGCPercent(100) // unlike an audit, this keeps little and passes over much
	m, refused, missing := report.NewMerger(by, t.redactor.RedactText), 0, 0
	for g := range gists(ctx, names, stdin) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if g.err == nil {
			m.Add(g.Gist)
			continue
		}
		m.Refuse(g.name, g.err)
		if errors.Is(g.err, fs.ErrNotExist) {
			missing++
		}
		if refused++; refused <= maxTold {
			complain("%v", g.err)
		}
	}
	if refused > maxTold {
		complain("and %d more; --format json lists them", refused-maxTold)
	}
	switch len(names) {
	case missing:
		return usageError{errors.New("none of the files exists; save a report with `harden check --out json=FILE`")}
	case refused:
		return errors.New("none of the files is a report; `harden check --out json=FILE` writes one")
	}
	fleet := m.FleetOf(version(), time.Now())
	if n := len(fleet.Superseded); n > 0 {
		complain("%d older %s left out, of hosts that have a newer one; --format json lists them", n,
			map[bool]string{true: "report is", false: "reports are"}[n == 1])
	}
	if err := t.deliver(fleet); err != nil {
		return err
	}
	if refused > 0 {
		complain("%d of %d files are not merged", refused, len(names))
		return status(exitError)
	}
	return nil
}

// maxTold is how many files that are no reports are told of one by one.
const maxTold = 20

// A readGist is a report that was read, or why it could not be.
type readGist struct {
	*report.Gist
	name string
	err  error
}

// gists reads reports, a few at a time, and hands them on in their order.
func gists(ctx context.Context, names []string, stdin io.Reader) func(yield func(readGist) bool) {
	return func(yield func(readGist) bool) {
		type reading struct {
			name    string
			results chan func() (*report.Gist, error)
		}
		order, done := make(chan reading, runtime.GOMAXPROCS(0)-1), make(chan struct{})
		defer close(done)
		go func() {
			defer close(order)
			for _, name := range names {
				next := reading{name, make(chan func() (*report.Gist, error), 1)}
				select {
				case order <- next:
				case <-done:
					return
				}
				go func() {
					next.results <- aside.Caught(func() (*report.Gist, error) { return openGist(name, stdin) })
				}()
			}
		}()
		for next := range order {
			g := readGist{name: next.name}
			select {
			case results := <-next.results:
				g.Gist, g.err = results()
			case <-ctx.Done(): // a reader that waits for a pipe goes on alone
				g.err = ctx.Err()
			}
			if !yield(g) {
				return
			}
		}
	}
}

func openGist(name string, stdin io.Reader) (*report.Gist, error) {
	if name == "-" {
		return report.ReadGist("standard input", stdin, maxReport)
	}
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe that nobody writes to is opened at once
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s: no report in this directory; the names of reports end in .json", name)
	} else if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	return report.ReadGist(name, f, maxReport)
}

// reportNames are the files that a command line names, and those that the file from lists.
func reportNames(args []string, from string, stdin io.Reader) ([]string, error) {
	if from != "" {
		in := stdin
		if from != "-" {
			f, err := os.Open(from)
			if err != nil {
				return nil, usageError{fmt.Errorf("--files-from: %w", err)}
			}
			defer f.Close()
			in = f
		}
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			if name := bytes.TrimSuffix(lines.Bytes(), []byte("\r")); len(name) > 0 {
				args = append(args, string(name))
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("--files-from %s: %w", from, err)
		}
	}
	var names []string
	for _, arg := range args {
		names = append(names, reportsBelow(arg)...)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("--files-from %s: it names no report", from)
	}
	return names, nil
}

// reportsBelow are the reports below a directory in the order of their names; of what is no directory the name itself.
// What cannot be read is among them, to be told of with all that cannot be.
func reportsBelow(name string) (names []string) {
	if info, err := os.Stat(name); name == "-" || err != nil || !info.IsDir() {
		return []string{name}
	}
	_ = filepath.WalkDir(name, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			names = append(names, path)
		case e.Type().IsRegular() && strings.HasSuffix(path, ".json"):
			names = append(names, path)
		}
		return nil
	})
	if len(names) == 0 {
		names = []string{name}
	}
	return names
}
