package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"example.com/harden/checks/facts"
)

// filesAlone is what a source of files says of a machine: nothing runs there.
type filesAlone struct{}

func (filesAlone) Processes(context.Context, string) ([]facts.Process, error) {
	return nil, facts.ErrAbsent
}

func (filesAlone) Contained(context.Context, ...string) (map[string]string, error) {
	return nil, facts.ErrAbsent
}

func (filesAlone) Listeners(context.Context, int) ([]facts.Listener, error) {
	return nil, facts.ErrAbsent
}

func (filesAlone) Audit(context.Context) (facts.AuditState, error) {
	return facts.AuditState{}, facts.ErrAbsent
}

func (filesAlone) Engine(context.Context) (facts.API, facts.Endpoint, error) {
	return nil, facts.Endpoint{}, facts.ErrAbsent
}

// maxNames is how many names of a directory are ever read.
const maxNames = 1 << 17

// namesIn returns the names in an open directory, sorted; an error beside them where there are too many to read.
func namesIn(f *os.File, dir string) ([]string, error) {
	names, err := f.Readdirnames(maxNames)
	if errors.Is(err, io.EOF) {
		err = nil // empty
	}
	if len(names) == maxNames {
		err = fmt.Errorf("%s has %d names or more", dir, maxNames)
	}
	slices.Sort(names)
	return names, err
}
