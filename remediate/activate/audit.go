package activate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"example.com/harden/checks/facts"
)

// Where distributions keep auditd's tools.
var (
	augenrules = []string{"/usr/sbin/augenrules", "/sbin/augenrules"}
	auditctl   = []string{"/usr/sbin/auditctl", "/sbin/auditctl"}
)

const compiled = "/etc/audit/audit.rules" // what augenrules makes of rules.d, and what is loaded at boot

func (s *Services) readyAudit(ctx context.Context) error {
	if _, err := program(auditctl); err != nil {
		return err
	}
	if s.opts.Audit == nil {
		return nil
	}
	state, err := s.opts.Audit(ctx)
	switch {
	case errors.Is(err, facts.ErrAbsent):
		return fmt.Errorf("the kernel's audit rules: %w", err)
	case err != nil:
		return err
	case state.Enabled == 2:
		return errors.New("the kernel's audit rules are locked (-e 2) until the next boot, which loads the new ones")
	}
	return nil
}

// loadAudit compiles rules.d and loads the outcome into the kernel. A rule that the kernel has already ends auditctl's
// work at that line, and everything below it is not loaded: then the same is loaded once more, told to go on.
func loadAudit(ctx context.Context) error {
	ctl, err := program(auditctl)
	if err != nil {
		return err
	}
	var out string
	if gen, genErr := program(augenrules); genErr == nil {
		err = keeping(compiled+".prev", func() (err error) {
			out, err = run(ctx, time.Minute, gen, "--load")
			return err
		})
	} else { // an older auditd: its one file is all there is
		out, err = run(ctx, time.Minute, ctl, "-R", compiled)
	}
	if !strings.Contains(out, exists) {
		return inLog(err)
	}
	rules, err := os.ReadFile(compiled)
	if err != nil {
		return err
	}
	// auditctl takes no other option beside -R, but the options are rules, too.
	f, err := os.CreateTemp("/run", "harden-*.rules")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString("-c\n" + string(rules))
	if err = cmp.Or(err, f.Close()); err != nil {
		return err
	}
	out, err = run(ctx, time.Minute, ctl, "-R", f.Name())
	if strings.Count(out, "There was an error in line ") == strings.Count(out, exists) {
		return nil
	}
	return inLog(err)
}

// keeping does something and leaves a file as it was before: augenrules makes a copy of the rules that it replaces, which a
// run that is taken back would leave behind. harden keeps what it replaces itself.
func keeping(file string, do func() error) error {
	before, err := os.ReadFile(file)
	absent := errors.Is(err, fs.ErrNotExist)
	if err != nil && !absent {
		return err
	}
	failure := do()
	after, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && absent, err == nil && !absent && bytes.Equal(before, after):
		err = nil
	case absent:
		err = os.Remove(file)
	default:
		err = os.WriteFile(file, before, 0o640)
	}
	return errors.Join(failure, err)
}

// inLog says where to look: auditctl tells the system log alone about a line that it cannot parse.
func inLog(err error) error {
	if err != nil {
		err = fmt.Errorf("%w (the system log may say more)", err)
	}
	return err
}

const exists = "(Rule exists)" // how auditctl spells EEXIST
