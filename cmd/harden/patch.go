package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/go-multierror"

	"example.com/harden/remediate"
	"example.com/harden/remediate/diff"
)

// patchFormat prints a plan for sources as what patch(1) and git apply take.
const patchFormat = "patch"

// patch prints the changes, exactly, with paths below the directory of --source. None is printed where one could not be:
// half of a plan that looks like the whole is a wrong one.
func (s *session) patch(p *remediate.Plan) error {
	var b strings.Builder
	var errs *multierror.Error
	for _, c := range p.Changes {
		text, err := diff.Exact(c, s.relative(c.Path), s.redactor)
		if err != nil {
			errs = multierror.Append(errs, err)
		}
		b.WriteString(text)
	}
	if err := errs.ErrorOrNil(); err != nil {
		return err
	}
	if _, terminal := terminalWidth(s.stdout); terminal && diff.Deceptive(b.String()) {
		return fmt.Errorf("--format patch: there are characters in it that could deceive a terminal; send it to a file")
	}
	if len(p.Left) > 0 {
		fmt.Fprintf(os.Stderr, "harden: %d findings have no fix here; --format text tells them.\n", len(p.Left))
	}
	_, err := fmt.Fprint(s.stdout, b.String())
	return err
}
