package main

import (
	"errors"
	"fmt"
	"time"

	"example.com/harden/checks/facts/live"
)

// A busyError means that a package manager is at work on the host: what it is about to write, or has just written and
// not yet set up, is not to be changed meanwhile.
type busyError struct{ by *live.Packager }

func (e busyError) Error() string {
	return fmt.Sprintf("%s: nothing was changed; try again later, or use --wait-lock 10m", e.by)
}

// packagesIdle is a busyError while a package manager is at work on the host.
func (s *session) packagesIdle() error {
	if len(s.Sources) > 0 {
		return nil // none writes there
	}
	by, err := live.New(s.Root, live.DockerOptions{}).Packaging()
	if err != nil {
		return fmt.Errorf("whether a package manager is at work: %w", err)
	}
	if by != nil {
		return busyError{by}
	}
	return nil
}

// awaitPackages waits for as long as was asked for until no package manager is at work. It comes before the plan is
// made, so that the plan is of what the package manager leaves behind; that none has begun since is seen before
// anything is written.
func (s *session) awaitPackages() error {
	deadline := time.Now().Add(s.wait)
	for said := false; ; {
		err := s.packagesIdle()
		busy, ok := errors.AsType[busyError](err)
		if !ok || s.wait <= 0 || time.Now().After(deadline) {
			return err
		}
		if !said {
			complain("%s: waiting up to %v.", busy.by, s.wait)
			said = true
		}
		select {
		case <-s.ctx.Done():
			return s.ctx.Err()
		case <-time.After(min(time.Second, time.Until(deadline)+time.Millisecond)):
		}
	}
}
