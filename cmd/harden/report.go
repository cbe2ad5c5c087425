package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"example.com/harden/remediate/report"
)

func reportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report FILE...",
		Short: "Convert saved reports to other formats",
		Long: `Read reports that harden has saved as JSON, such as by harden check --out json=FILE, and write them in another
format. - reads standard input. No host is audited.

Several reports, each of one host, become one document in the formats text, jsonl, sarif, junit, csv, markdown, oscal
and defectdojo. json, docker-bench and kube-bench have room for one host.

If a file is not a report, the error names the file and the line, and nothing is written. The exit code is 0 if all is
written, whatever the reports say, 64 if a file does not exist, and 1 for any other error.`,
		Example: `  harden check --out json=web1.json
  harden report web1.json --format sarif --out web1.sarif
  harden report web1.json web2.json --format csv --out all.csv`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			reports, err := readReports(cmd.Context(), args, cmd.InOrStdin())
			if err != nil {
				return err
			}
			t := teller{config, cmd.OutOrStdout(), redactor()}
			return t.deliver(reports)
		},
	}
	addOutput(cmd)
	addReading(cmd)
	addOut(cmd, "write to `FILE`, or, as FORMAT=FILE, in that format too")
	return cmd
}

// maxReport is how large a report may be: that of ten thousand containers has 51 MiB.
const maxReport = 64 << 20

// readReports reads every file. All that are no reports are told.
func readReports(ctx context.Context, names []string, stdin io.Reader) (report.Reports, error) {
	if err := stdinOnce(names); err != nil {
		return nil, err
	}
	reports := report.Reports{}
	var errs *multierror.Error
	for _, name := range names {
		r, err := awaited(ctx, func() (*report.Report, error) { return readReport(name, stdin) })
		errs = multierror.Append(errs, err)
		reports = append(reports, r)
	}
	return reports, errs.ErrorOrNil()
}

// stdinOnce refuses to read standard input twice.
func stdinOnce(names []string) error {
	if i := slices.Index(names, "-"); i >= 0 && slices.Contains(names[i+1:], "-") {
		return usageError{errors.New("-: standard input can be read once; save one of the reports to a file")}
	}
	return nil
}

// awaited is what f returns, unless the command is interrupted before: whoever is to write to a pipe or a terminal may
// take for ever, and nobody could end harden then. A panic of f goes on here, where it is told as what it is.
func awaited[T any](ctx context.Context, f func() (T, error)) (value T, err error) {
	done := make(chan func() (T, error), 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				bug := fmt.Sprintf("%v\n%s", p, debug.Stack())
				done <- func() (T, error) { panic(bug) }
			}
		}()
		v, err := f()
		done <- func() (T, error) { return v, err }
	}()
	select {
	case answer := <-done:
		return answer()
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

func readReport(name string, stdin io.Reader) (*report.Report, error) {
	if name == "-" {
		return report.Read("standard input", stdin, maxReport)
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{fmt.Errorf("%s: no such file; save a report with `harden check --out json=%[1]s`", name)}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s: it is a directory; name the reports in it", name)
	}
	return report.Read(name, f, maxReport)
}
