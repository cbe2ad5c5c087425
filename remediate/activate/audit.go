package activate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"example.com/harden/checks/facts"
	"example.com/harden/remediate/program"
	"example.com/harden/remediate/scratch"
)

// Where distributions keep auditd's tools.
var (
	augenrules = []string{"/usr/sbin/augenrules", "/sbin/augenrules"}
	auditctl   = []string{"/usr/sbin/auditctl", "/sbin/auditctl"}
)

const compiled = "/etc/audit/audit.rules" // what augenrules makes of rules.d, and what is loaded at boot

func (s *Services) readyAudit(ctx context.Context) error {
	if _, err := program.Find(auditctl); err != nil {
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
	ctl, err := program.Find(auditctl)
	if err != nil {
		return err
	}
	var out string
	if gen, genErr := program.Find(augenrules); genErr == nil {
		err = scratch.Keep(compiled+".prev", func() (err error) {
			out, err = program.Run(ctx, time.Minute, gen, "--load")
			return err
		})
	} else { // an older auditd: its one file is all there is
		out, err = program.Run(ctx, time.Minute, ctl, "-R", compiled)
	}
	if !strings.Contains(out, exists) {
		return inLog(err)
	}
	rules, err := os.ReadFile(compiled)
	if err != nil {
		return err
	}
	// auditctl takes no other option beside -R, but the options are rules, too.
	file, remove, err := scratch.File("harden-*.rules", []byte("-c\n"+string(rules)))
	if err != nil {
		return err
	}
	defer remove()
	out, err = program.Run(ctx, time.Minute, ctl, "-R", file)
	if strings.Count(out, "There was an error in line ") == strings.Count(out, exists) {
		return nil
	}
	return inLog(err)
}

// inLog says where to look: auditctl tells the system log alone about a line that it cannot parse.
func inLog(err error) error {
	if err != nil {
		err = fmt.Errorf("%w (see the system log)", err)
	}
	return err
}

const exists = "(Rule exists)" // how auditctl spells EEXIST
