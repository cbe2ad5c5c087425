package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"example.com/harden/checks/catalog"
	"example.com/harden/remediate/report"
)

func applyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "apply PLAN.json",
		Short: "Apply a plan saved with --dry-run --out",
		Long: `Apply a saved plan, and nothing else. harden audits the host again and makes the plan again. If a hash, a ` +
			`mode, an owner
or an activation differs from the saved plan, nothing is written and each difference is named.`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			saved, err := readPlan(args[0])
			if errors.Is(err, fs.ErrNotExist) {
				return usageError{fmt.Errorf("%s: no such file; save a plan with `harden --dry-run --out %[1]s`", args[0])}
			}
			if err != nil {
				return configError{fmt.Errorf("%s: %w", args[0], err)}
			}
			s, err := openSaved(cmd, saved.Request)
			if err != nil {
				return err
			}
			s.picked = saved.Request.Chosen
			if err := s.setWithin(cmd); err != nil {
				return err
			}
			if err := s.awaitPackages(); err != nil {
				return err
			}
			if err := s.recover(true); err != nil {
				return err
			}
			plan, err := s.propose()
			if err != nil {
				return err
			}
			if moved := saved.Moved(s.save(plan)); len(moved) > 0 {
				errs := multierror.Append(nil, fmt.Errorf("%s: %w: nothing was written", args[0], report.ErrMoved))
				for _, m := range moved {
					errs = multierror.Append(errs, errors.New(m))
				}
				return errs
			}
			return s.offer(plan, true)
		},
	}
	addState(cmd)
	addApply(cmd)
	addFailOn(cmd)
	addWithin(cmd)
	addWait(cmd, 0)
	addRestart(cmd)
	addOutput(cmd)
	addOut(cmd, "also write the report as `FORMAT=FILE`")
	addReading(cmd)
	return cmd
}

func readPlan(path string) (*report.Saved, error) {
	data, err := readTrusted(path)
	if err != nil {
		return nil, err
	}
	return report.ReadSaved(data)
}

// openSaved opens a session that asks for what a saved plan asked for, whatever this configuration would ask for.
func openSaved(cmd *cobra.Command, r report.Request) (*session, error) {
	config, err := loadConfig(cmd)
	if err != nil {
		return nil, err
	}
	config.Query = catalog.Query{Only: r.Only, Skip: r.Skip, Level: r.Level, Severity: r.Severity,
		Benchmark: r.Benchmark}
	config.Root, config.DockerHost, config.Kubeconfig = r.Root, r.DockerHost, r.Kubeconfig
	config.DockerFrom = "the plan"
	if len(r.Sources) > 0 {
		if err := config.sources(cmd, r.Sources); err != nil {
			return nil, err
		}
	}
	if config.Allow, err = classes(r.Allow); err != nil {
		return nil, configError{err}
	}
	return newSession(cmd, config)
}
