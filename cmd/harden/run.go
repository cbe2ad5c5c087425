package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"

	"github.com/hashicorp/go-multierror"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"example.com/harden/remediate/apply"
)

// Exit codes, the same in every format. A Go panic and flag.ExitOnError both exit 2 by themselves, which here would
// read as "there are findings": everything goes through run.
const (
	exitOK       = 0
	exitError    = 1
	exitFindings = 2 // there are findings, or changes pending; after an apply with --detailed-exitcode: changed
	exitFailed   = 4 // some fixes failed; together with exitFindings it is 6
	exitOpen     = 8 // added to those before, an apply: what --fail-on names is open
	exitUsage    = 64
	exitInternal = 70
	exitLocked   = 75
	exitConfig   = 78
	exitUnheard  = 141 // as of a program that SIGPIPE ends
)

// A usageError is a command line that means nothing.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// A configError is a configuration, plan or environment that cannot be used.
type configError struct{ error }

func (e configError) Unwrap() error { return e.error }

// A status is an outcome that is no error: what there is to say has been said.
type status int

func (s status) Error() string { return fmt.Sprintf("exit %d", int(s)) }

// run is the whole program; it returns the exit code.
func run(args []string) int {
	// An audit is over before its garbage is worth collecting, unless there is a lot of it.
	debug.SetGCPercent(800)
	debug.SetMemoryLimit(170 << 20)
	logrus.SetOutput(io.Discard) // compose-go warns by it of what files hold; what matters of that harden says itself
	ctx := withSignals(context.Background())
	if isModule(os.Args[0], args) {
		return runModule(ctx, os.Stdout, args[0])
	}
	return guard(func() error {
		root := newRoot()
		root.SetArgs(args)
		return interrupted(ctx, root.ExecuteContext(ctx))
	})
}

// guard turns what f ends with, a panic included, into an exit code.
func guard(f func() error) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(os.Stderr, "harden: internal error: %s\n\n%s\n"+
				"This is a bug in harden. Please report it, with the lines above and the output of `harden version`.\n",
				redactor().RedactText(fmt.Sprint(p)), debug.Stack())
			code = exitInternal
		}
	}()
	return exitCode(f())
}

// exitCode maps an error to what the process exits with, and says it.
func exitCode(err error) int {
	if s, ok := errors.AsType[status](err); ok {
		return int(s)
	}
	if err == nil {
		return exitOK
	}
	if _, alone := unheard(err); alone {
		return exitUnheard
	}
	for _, e := range flatten(err) {
		complain("%v", e)
	}
	return errorCode(err)
}

// errorCode is what the process exits with after an error.
func errorCode(err error) int {
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[configError](err); ok {
		return exitConfig
	}
	if _, ok := errors.AsType[*apply.LockedError](err); ok {
		return exitLocked
	}
	if _, ok := errors.AsType[busyError](err); ok {
		return exitLocked
	}
	if i, ok := errors.AsType[interruption](err); ok {
		return i.code()
	}
	if gone, _ := unheard(err); gone {
		return exitUnheard
	}
	return exitError
}

// flatten gives each of several errors its own line.
func flatten(err error) []error {
	var inner error
	switch e := err.(type) {
	case usageError:
		inner = e.error
	case configError:
		inner = e.error
	}
	if c, ok := errors.AsType[*apply.ConflictError](err); ok {
		return append(conflictLines(c),
			fmt.Errorf("run %s: nothing was changed; `harden rollback` and `harden resume` go on with "+
				"--skip-conflicts (leave all of these as they are), --theirs PATH (leave one) or --ours PATH (write one all the "+
				"same: "+
				"what is there now is kept in the journal first)", c.Run))
	}
	if m, ok := errors.AsType[*multierror.Error](err); ok && (inner != nil || error(m) == err) {
		return m.Errors
	}
	return []error{err}
}

// conflictLines are the conflicts, each as an error of its own.
func conflictLines(c *apply.ConflictError) (lines []error) {
	for _, one := range c.Conflicts {
		lines = append(lines, one)
	}
	return lines
}

func newRoot() *cobra.Command {
	root := planCommand()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(checkCommand(), applyCommand(), rollbackCommand(), resumeCommand(), abandonCommand(), repairCommand(),
		confirmCommand(), expireCommand(), historyCommand(), driftCommand(), diffCommand(), reportCommand(), mergeCommand(),
		scheduleCommand(), guideCommand(), listCommand(), explainCommand(), threatsCommand(), versionCommand(), docsCommand(),
		ansibleCommand())
	addVersion(root)
	addHelp(root)
	refuseEmpty(root)
	return root
}

// exactly accepts n arguments, atMost up to n, atLeast n or more; anything else is a usage error.
func exactly(n int) cobra.PositionalArgs { return between(n, n) }
func atMost(n int) cobra.PositionalArgs  { return between(0, n) }
func atLeast(n int) cobra.PositionalArgs { return between(n, math.MaxInt) }

// optional is the one argument that atMost(1) accepts, empty where it is left out.
func optional(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// between accepts at least so many arguments and at most so many, none of them empty.
func between(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > most && cmd.HasSubCommands(): // so what is too much was meant as a command
			return unknownCommand(cmd, args[0])
		case len(args) > most:
			return usageError{fmt.Errorf("unexpected argument %q; usage: %s", args[most], cmd.UseLine())}
		case len(args) < least:
			return usageError{fmt.Errorf("an argument is missing; usage: %s", cmd.UseLine())}
		}
		return filledArguments(args)
	}
}
