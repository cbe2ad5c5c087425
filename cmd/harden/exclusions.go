package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"
)

// An exclusion is a flag that means nothing together with others, or without another. Flags are as given has them.
type exclusion struct {
	flag   string
	with   []string // flags with which it means nothing
	needs  string   // the flag without which it means nothing
	why    string
	except []string // commands of which this does not hold
	only   []string // commands of which alone it holds; all when nil
}

// exclusions are refused, so that no flag is passed over. TestFlags holds each to be refused, and every other flag of a
// command to be read by it.
var exclusions = []exclusion{
	// An audit may be told of that host's Engine, such as by a container that has both mounted. The units of a schedule
	// ask it on that host.
	{flag: "root!=/", with: []string{"docker-host"}, why: "--root changes files only, and asks no Docker Engine",
		except: []string{"harden check", "harden schedule run", "harden schedule install"}},
	{flag: "root!=/", with: []string{"kubeconfig", "deep", "confirm-within", "restart-timeout"},
		why: "--root reads and writes files only; what runs is not that host"},
	{flag: "source", with: []string{"root", "docker-host", "kubeconfig", "deep", "confirm-within", "restart-timeout"},
		why: "--source is about files, not a host"},
	{flag: "source", with: []string{"allow"}, why: "below --source nothing restarts, so every fix is allowed"},
	{flag: "source", with: []string{"wait-lock"}, why: "no package manager writes there"},
	{flag: "source", with: []string{"state"}, only: []string{"harden check"}, why: "an audit of files remembers nothing"},
	{flag: "dry-run", with: []string{"yes", "wait-lock", "confirm-within"}, why: "--dry-run changes nothing"},
	{flag: "review", with: []string{"yes"}, why: "--review asks about each fix"},
	{flag: "review", with: []string{"quiet"}, why: "--review shows fixes, not checks"},
	{flag: "format!=text", with: []string{"review"}, why: "--review is for people; use --out FORMAT=FILE"},
	{flag: "exit-zero", with: []string{"detailed-exitcode"}, why: "one asks for exit code 2, the other against it"},
	{flag: "exit-zero", needs: "dry-run", why: "a run exits with 2 only when --detailed-exitcode asks for it",
		only: []string{"harden", "harden rollback", "harden schedule install", "harden schedule remove"}},
	{flag: "apply-on-calendar", needs: "apply", why: "nothing is applied"},
	{flag: "kubeconfig", needs: "apply", only: []string{"harden schedule run"},
		why: "only an apply changes what the cluster keeps"},
	{flag: "wait-lock", needs: "apply", only: []string{"harden schedule run"},
		why: "an audit does not wait for package managers"},
	{flag: "restart-timeout", needs: "apply", only: []string{"harden schedule run"}, why: "an audit restarts nothing"},
	{flag: "format!=text", with: []string{"quiet", "verbose", "color"},
		why: "what programs read is whole, and has no colours"},
}

// holds reports whether the exclusion is of a command.
func (e exclusion) holds(cmd *cobra.Command) bool {
	path := cmd.CommandPath()
	return !slices.Contains(e.except, path) && (e.only == nil || slices.Contains(e.only, path))
}

// excluded refuses flags and variables that mean nothing together, or on the host below root, whoever has named that.
func excluded(cmd *cobra.Command, root string) error {
	var errs *multierror.Error
	for _, e := range exclusions {
		if !e.holds(cmd) || !given(cmd, e.flag) && !(e.flag == "root!=/" && root != "/") {
			continue
		}
		for _, other := range e.with {
			if given(cmd, other) {
				err := fmt.Errorf("%s can't be combined with %s: %s", spelled(cmd, other), spelled(cmd, e.flag), e.why)
				errs = multierror.Append(errs, err)
			}
		}
		if e.needs != "" && !given(cmd, e.needs) {
			errs = multierror.Append(errs, fmt.Errorf("%s needs --%s: %s", spelled(cmd, e.flag), e.needs, e.why))
		}
	}
	if err := errs.ErrorOrNil(); err != nil {
		return usageError{err}
	}
	return nil
}

// spelled is a flag as it was given, or what stands for it.
func spelled(cmd *cobra.Command, what string) string {
	name, _, _ := strings.Cut(strings.Replace(what, "!=", "=", 1), "=")
	if f := cmd.Flags().Lookup(name); f == nil || !f.Changed {
		if _, ok := variables()[name]; ok {
			return variable(name)
		}
		return "the configuration's " + name
	}
	if name == "format" {
		return "--format " + cmd.Flags().Lookup(name).Value.String()
	}
	return "--" + name
}
