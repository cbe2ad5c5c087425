// Package rule makes rules out of settings: where a host keeps a value, what is there, and how to ask for another.
package rule

import (
	"errors"
	"fmt"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/kube"
)

// All holds where every one of rules does. It does not apply where none of them does.
func All(rules ...checks.Rule) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		var findings []checks.Finding
		var absent []error
		var errs []error
		for _, r := range rules {
			fs, err := r.Judge(h)
			findings = append(findings, fs...)
			switch {
			case errors.Is(err, facts.ErrAbsent):
				absent = append(absent, err)
			case err != nil:
				errs = append(errs, err)
			}
		}
		if len(absent) == len(rules) {
			return nil, absent[0]
		}
		return findings, facts.OneLine(errs...)
	})
}

// Inapplicable is an error that means ErrAbsent and says why a check does not apply.
func Inapplicable(format string, args ...any) error {
	return inapplicable(fmt.Sprintf(format, args...))
}

type inapplicable string

func (why inapplicable) Error() string        { return string(why) }
func (why inapplicable) Is(target error) bool { return target == facts.ErrAbsent }

// Here fails with ErrAbsent, and says why, where the Docker Engine that harden was pointed at is on another machine:
// this host's files are none of that engine's, so neither may be judged by the other. So it does on a node of
// Kubernetes without Docker. It cannot be told where somebody named an Engine that does not answer.
func Here(h *facts.Host) error {
	if err := docker.Unanswered(h); err != nil {
		return err
	}
	e, err := docker.EngineSays(h)
	switch {
	case errors.Is(err, facts.ErrElsewhere):
		return Inapplicable("%v", err)
	case err == nil && !e.Local:
		return Inapplicable("%v: %s", facts.ErrElsewhere, e.Host)
	case errors.Is(err, facts.ErrAbsent):
		// a node's containerd is none of Docker's
		if _, err := docker.DaemonOf(h); errors.Is(err, facts.ErrAbsent) {
			if _, err := kube.NodeOf(h); err == nil {
				return Inapplicable("Docker is not installed")
			}
		}
	}
	return nil
}

// Dockerd returns this host's dockerd; ErrAbsent too where the engine that was asked for is on another machine.
func Dockerd(h *facts.Host) (*docker.Daemon, error) {
	if err := Here(h); err != nil {
		return nil, err
	}
	return docker.DaemonOf(h)
}
