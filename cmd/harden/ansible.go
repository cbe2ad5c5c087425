package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

func ansibleCommand() *cobra.Command {
	return &cobra.Command{
		Use: "ansible-module FILE", Short: "Be an Ansible module, with the arguments in FILE", Hidden: true, Args: exactly(1),
		Long: `Do what Ansible asks of a module: read the arguments from FILE, a JSON object, and answer with one JSON object.
Ansible itself need not say this: harden knows the way in which Ansible starts a module.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if code := runModule(cmd.Context(), cmd.OutOrStdout(), args[0]); code != exitOK {
				return status(code)
			}
			return nil
		},
	}
}

// isModule reports whether Ansible has started this program as a module: as AnsiballZ_NAME, with a file of arguments as
// the one argument. Under any other name it is the file that tells; a command line with one absolute path means
// nothing else.
func isModule(program string, args []string) bool {
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return false
	}
	if strings.HasPrefix(filepath.Base(program), "AnsiballZ_") {
		return true
	}
	if !filepath.IsAbs(args[0]) {
		return false
	}
	arguments, err := readArguments(args[0])
	return err == nil && arguments["_ansible_version"] != nil
}

// runModule is harden as an Ansible module: whatever happens, one JSON object on stdout and nothing on stderr. Ansible
// goes by what the object says and not by the exit code.
func runModule(ctx context.Context, stdout io.Writer, file string) int {
	answer := answerModule(ctx, file)
	text := json.NewEncoder(stdout)
	text.SetEscapeHTML(false)
	if err := text.Encode(hide(answer.redactor, answer)); err != nil || answer.Failed {
		return exitError
	}
	return exitOK
}

func answerModule(ctx context.Context, file string) *answer {
	a := newAnswer()
	a.guard(func() error {
		m, err := newModule(ctx, file, a)
		if err != nil {
			return err
		}
		return interrupted(ctx, m.do())
	})
	return a
}

// A module is one task of a play at work.
type module struct {
	session *session
	arguments
	answer *answer
}

func newModule(ctx context.Context, file string, a *answer) (*module, error) {
	given, err := readArguments(file)
	if err != nil {
		return nil, usageError{err}
	}
	args, cmd, err := parseArguments(given)
	if err != nil {
		return nil, usageError{err}
	}
	cmd.SetContext(ctx)
	config, err := loadConfigWith(cmd, args.settings)
	if err != nil {
		return nil, err
	}
	config.Detailed, config.ExitZero = true, false // exit_code tells all
	s, err := newSession(cmd, config)
	if err != nil {
		return nil, err
	}
	s.progress = noProgress
	return &module{session: s, arguments: *args, answer: a}, nil
}

func (m *module) do() error {
	switch m.mode {
	case modeCheck:
		return m.onlyCheck()
	case modeRollback:
		return m.goBack()
	}
	if !m.dry {
		if err := m.session.awaitPackages(); err != nil {
			return err
		}
	}
	if err := m.settle(); err != nil {
		return err
	}
	plan, err := m.session.propose()
	if err != nil {
		return err
	}
	if m.dry {
		return m.predict(plan)
	}
	return m.carryOut(plan)
}

func (m *module) onlyCheck() error {
	r, err := m.session.audited()
	if err != nil {
		return err
	}
	m.tell(r, nil)
	if r.Summary.Verdict == report.Doubt { // as the command line has it
		m.answer.fail(exitError, "no check fails, some are inconclusive; "+report.Totals(r))
	}
	m.hold(r)
	if m.answer.Failed {
		return nil
	}
	return m.session.code(r)
}

// predict says what a real run would do.
func (m *module) predict(plan *remediate.Plan) error {
	r := m.session.planned(plan)
	activations, changes := apply.Foresee(m.session.ctx, plan, m.session.acting(noProgress(0)))
	m.tell(r, activations)
	if changes {
		m.answer.Changed = true
		m.differ(plan)
	}
	m.hold(r)
	if m.answer.Failed || r.Summary.Verdict == report.Doubt { // of which a real run makes no error
		return nil
	}
	return m.session.code(r)
}

func (m *module) carryOut(plan *remediate.Plan) error {
	run, failure := m.session.apply(plan)
	r := m.session.concluded(plan, run, failure)
	if r == nil {
		return failure
	}
	m.tell(r, run.Activations)
	m.answer.Run, m.answer.Outcome = run.ID, string(run.Outcome)
	if run.Outcome == apply.Applied {
		m.answer.Changed = true
		m.differ(plan)
	}
	code := m.session.runCode(run, r, m.session.resumed)
	if r.Summary.Verdict == report.Broken || failure != nil {
		n := exitFailed
		if s, ok := errors.AsType[status](code); ok {
			n = int(s)
		}
		m.answer.fail(n, m.broken(r, failure))
		return nil
	}
	m.hold(r)
	if m.answer.Failed {
		return nil
	}
	return code
}

// broken says in one line what went wrong with a run.
func (m *module) broken(r *report.Report, failure error) string {
	text := fmt.Sprintf("run %s is %s", r.Run.ID, r.Run.Outcome)
	if failure != nil {
		text += ": " + m.session.redactor.RedactText(failure.Error())
	} else if r.Run.Reason != "" {
		text += ": " + r.Run.Reason
	}
	for _, l := range r.Run.Failing {
		text += fmt.Sprintf("; %s still fails: %s: %s", l.ID, l.Subject, l.Reason)
	}
	return text
}

// settle finishes a run that an earlier play, or anything else, left half done; that a playbook asked for this one is
// the --yes of the command line.
func (m *module) settle() error {
	run, err := apply.Interrupted(m.session.options())
	if err != nil || run == nil {
		return err
	}
	m.answer.Changed = true
	if m.dry {
		m.answer.warn("run %s was interrupted: a real run finishes it first", run.ID)
		return nil
	}
	run, err = m.session.resume()
	if run != nil {
		m.answer.warn("run %s was interrupted, and is now %s", run.ID, run.Outcome)
		m.answer.Changed = run.Outcome != apply.CutShort
	}
	if errors.Is(err, apply.ErrRolledBack) {
		m.answer.fail(exitFailed, "the earlier run "+run.ID+": "+m.session.redactor.RedactText(err.Error()))
		return status(exitFailed)
	}
	if err == nil && run.Outcome == apply.Applied {
		if _, back, err := m.session.rollbackPlan(run.ID); err == nil { // else its changes are told of without their text
			m.differ(reversed(back))
		}
	}
	return err
}

// reversed is what was done, of what would take it back.
func reversed(back *remediate.Plan) *remediate.Plan {
	done := new(remediate.Plan)
	for _, c := range back.Changes {
		c.Before, c.After, c.Created, c.Removed = c.After, c.Before, c.Removed, c.Created
		done.Changes = append(done.Changes, c)
	}
	for _, u := range back.Updates {
		u.Before, u.After = u.After, u.Before
		done.Updates = append(done.Updates, u)
	}
	return done
}

// goBack takes a run back. That there is nothing to take back is no error: a play says how hosts must be.
func (m *module) goBack() error {
	id := m.run
	if id == newestRun {
		id = ""
	}
	id, err := apply.Named(id, m.session.options())
	if errors.Is(err, apply.ErrNoRun) {
		return m.nothingBack(m.run, err)
	} else if err != nil {
		return err
	}
	chosen, plan, err := m.session.rollbackPlan(id)
	if errors.Is(err, apply.ErrNoRun) {
		return m.nothingBack(id, err)
	}
	if err != nil {
		return err
	}
	m.answer.Run = chosen
	if m.dry {
		m.answer.Changed, m.answer.ExitCode = true, exitFindings
		m.answer.Msg = "run " + chosen + " would be rolled back"
		m.differ(plan)
		return nil
	}
	run, failure := m.session.takeBack(chosen, len(plan.Changes)+len(plan.Updates))
	if run == nil {
		return failure
	}
	m.answer.Outcome = string(run.Outcome)
	m.pending(run.Activations)
	switch {
	case failure != nil && run.Outcome == apply.Failed:
		m.answer.Changed = true // the files are back; what runs is not
		m.differ(plan)
		m.answer.fail(exitFailed, m.session.redactor.RedactText(failure.Error()))
		return nil
	case failure != nil:
		return failure
	}
	m.answer.Changed, m.answer.ExitCode = true, exitFindings
	m.answer.Msg = "run " + chosen + " is rolled back"
	m.differ(plan)
	return nil
}

func (m *module) nothingBack(id string, none error) error {
	if id == "" {
		m.answer.Msg = "no run to roll back"
		return nil
	}
	runs, err := apply.History(m.session.options())
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.ID == id && r.Outcome == apply.RolledBack {
			m.answer.Run, m.answer.Outcome = id, string(r.Outcome)
			m.answer.Msg = "run " + id + " is already rolled back"
			return nil
		}
	}
	return usageError{none}
}

// readArguments reads the file that Ansible has written. It lies in a directory of whoever logged in, who becomes root
// only to run this: that it is not root's says nothing.
func readArguments(path string) (map[string]any, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.UseNumber() // 3.20 is an item and not 3.2
	var given map[string]any
	if err := d.Decode(&given); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return given, nil
}
