package main

import (
	"errors"

	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

// nothing says that there is nothing to apply, and what is open all the same.
func (s *session) nothing(r *report.Report) error {
	if err := s.show(report.Nothing{Report: r}); err != nil {
		return err
	}
	code := s.openCode(r)
	if s.resumed && s.Detailed && !s.ExitZero {
		code |= exitFindings
	}
	return ended(code)
}

// pending ends a command that has shown what there is to do.
func (c *Config) pending() error {
	if c.ExitZero {
		return nil
	}
	return status(exitFindings)
}

// code is what a verdict means to a caller who only looked.
func (c *Config) code(r *report.Report) error {
	switch r.Summary.Verdict {
	case report.Findings:
		return c.pending()
	case report.Doubt:
		return status(exitError)
	}
	return nil
}

// openCode is exitOpen where a check is in a state that --fail-on names.
func (c *Config) openCode(r *report.Report) int {
	for _, state := range c.FailOn {
		if r.Summary.Open[state] > 0 {
			return exitOpen
		}
	}
	return 0
}

// ended is the error of an exit code; nil for 0.
func ended(code int) error {
	if code == exitOK {
		return nil
	}
	return status(code)
}

// unread is what the command ends with: code, unless the report of the run could not be written.
func unread(err error, run *apply.Run, code error) error {
	if err == nil {
		return code
	}
	complain("run %s is %s, and its report could not be written: %v", run.ID, run.Outcome, err)
	said, _ := errors.AsType[status](code)
	return status(int(said) | exitError)
}

// runCode is what a run means to a caller; resumed where an interrupted one was finished first.
func (c *Config) runCode(run *apply.Run, r *report.Report, resumed bool) error {
	code := 0
	changed := run.Outcome == apply.Applied || resumed
	if r.Summary.Verdict == report.Broken {
		code |= exitFailed
		if changed {
			code |= exitFindings
		}
	} else if changed && c.Detailed && !c.ExitZero {
		code |= exitFindings
	}
	return ended(code | c.openCode(r))
}
