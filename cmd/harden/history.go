package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"example.com/harden/checks/report"
	"example.com/harden/remediate/apply"
)

func historyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List past runs, newest first",
		Long: `List past runs and their outcome. The history is a chain of hashes. It is verified every time: a changed or missing
record is an error.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open(cmd)
			if err != nil {
				return err
			}
			runs, err := apply.History(s.options())
			if s.Format == "json" {
				if runs == nil {
					runs = []apply.Run{}
				}
				err = multierror.Append(err, report.JSON(s.stdout, hide(s.redactor, runs))).ErrorOrNil()
			} else {
				err = multierror.Append(err, s.printRuns(hide(s.redactor, runs))).ErrorOrNil()
			}
			return multierror.Append(err, apply.VerifyHistory(s.options())).ErrorOrNil()
		},
	}
	addState(cmd)
	addWritten(cmd)
	cmd.Flags().String("root", "/", "use the host whose files are in `DIR`, such as a mounted disk")
	addFormat(cmd)
	return cmd
}

func (s *session) printRuns(runs []apply.Run) error {
	if len(runs) == 0 {
		_, err := fmt.Fprintln(s.stdout, "No runs yet.")
		return err
	}
	w := tabwriter.NewWriter(s.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tSTARTED\tOUTCOME\tFILES\tCONTAINERS\tBY\tREASON")
	for _, r := range runs {
		by := fmt.Sprintf("uid %d", r.Actor.UID)
		if r.Actor.LoginUID != nil {
			by += fmt.Sprintf(", login uid %d", *r.Actor.LoginUID)
		}
		if d := r.Unconfirmed; d != nil && r.Reason == "" {
			r.Reason = d.Kept
		}
		reason, _, _ := strings.Cut(r.Reason, "\n")
		for _, l := range r.Left {
			reason = strings.TrimPrefix(reason+"; left: "+l.Path, "; ")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", r.ID, r.Started.Local().Format("2006-01-02 15:04"), outcome(r), len(r.Changes), len(r.Updates), by, report.Clean(reason))
	}
	return w.Flush()
}

// outcome is what became of a run, and whether it still has to be confirmed.
func outcome(r apply.Run) string {
	d, said := r.Unconfirmed, string(r.Outcome)
	if n := len(r.Left); n > 0 {
		said += fmt.Sprintf(" but for %d", n)
	}
	if d == nil {
		return said
	}
	if said = said + ", unconfirmed"; r.Outcome == apply.Applied {
		said = "unconfirmed"
	}
	switch {
	case d.Kept != "":
		return said + ", could not be taken back"
	case d.Passed:
		return said + ", overdue"
	}
	return said + ", until " + d.Until.Local().Format("15:04:05")
}
