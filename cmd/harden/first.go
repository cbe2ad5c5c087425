package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"example.com/harden/remediate/apply"
)

// introduction is what somebody reads who starts harden for the first time, before the host is audited.
const introduction = `harden audits this host against the CIS Docker and Kubernetes Benchmarks.
It shows each fix as a diff, then asks: nothing is changed unless you say yes.
Fixes that restart a service or that users notice need a flag, see --allow.
Each run can be rolled back, byte for byte: harden rollback.
harden explain ID tells more of a check, harden --help of all commands.

`

// introduce explains harden to whoever has given it nothing to go by: no flag, no variable, no configuration, no run
// before, and a terminal to read and to answer on.
func (s *session) introduce(cmd *cobra.Command) {
	if cmd.Flags().NFlag() > 0 || !isTerminal(os.Stdin) || !isTerminal(os.Stderr) {
		return
	}
	if _, terminal := terminalWidth(s.stdout); !terminal {
		return
	}
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, envPrefix) {
			return
		}
	}
	if _, err := os.Lstat(defaultConfig); err == nil {
		return
	}
	if run, err := apply.Newest(s.options()); err == nil && run == nil {
		fmt.Fprint(os.Stderr, introduction)
	}
}

// noSuchRun says of a run that somebody has named, and that there is not, how to find one.
func noSuchRun(err error) error {
	return usageError{fmt.Errorf("%w; `harden history` lists the runs", err)}
}
