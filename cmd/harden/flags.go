package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.com/harden/checks/cis"
	"example.com/harden/checks/severity"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

// addAsking adds --dry-run and --yes, which are explained so.
func addAsking(cmd *cobra.Command, dry, yes string) {
	cmd.Flags().BoolP("dry-run", "n", false, dry)
	cmd.Flags().BoolP("yes", "y", false, yes)
}

// addHost adds the flags that say which host.
func addHost(cmd *cobra.Command) {
	addRoot(cmd)
	cmd.Flags().String("docker-host", "", "`URL` of the Docker Engine (default DOCKER_HOST, or the usual socket)")
	addState(cmd)
}

func addRoot(cmd *cobra.Command) {
	cmd.Flags().String("root", "/", "use the host whose files are in `DIR`")
	_ = cmd.MarkFlagDirname("root")
}

// addKubeconfig adds the flag of what changes the files of a Kubernetes node.
func addKubeconfig(cmd *cobra.Command) {
	cmd.Flags().String("kubeconfig", "",
		"kubeconfig `FILE` of the cluster, to also update kubeadm-config and kubelet-config\n(default "+adminConf+")")
	_ = cmd.MarkFlagFilename("kubeconfig")
}

// addDeep adds the flag of what judges images.
func addDeep(cmd *cobra.Command) {
	cmd.Flags().Bool("deep", false,
		"also read the files in every image, for set-user-ID programs, private keys and package\ncaches; slow")
}

// addState adds the flag that says where runs are remembered. An audit reads there what is open, and what dockerd has
// read.
func addState(cmd *cobra.Command) {
	cmd.Flags().String("state", defaultState, "keep journals and history in `DIR`")
	_ = cmd.MarkFlagDirname("state")
}

// addSelection adds the flags that say which checks.
func addSelection(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSlice("only", nil, "select only these checks: `SPEC` is docker/icc, docker/audit-*, 3.20, "+
		"docker@1.2.0:3.20,\ndocker:3, stride:tampering, docker/host/tampering,\nnist:AC-6, 800-190:4.4.3, pci:2.2 "+
		"or stig:V-235783")
	f.StringSlice("skip", nil, "skip these checks; `SPEC` as for --only")
	f.Int("level", 0, "select checks up to `LEVEL` 1 or 2")
	fixed(cmd, "level", "1", "2")
	f.String("severity", "", "select checks of at least this `SEVERITY`: "+severity.Words("or"))
	fixed(cmd, "severity", report.Names(severity.All)...)
	addBenchmark(cmd)
	for _, name := range []string{"only", "skip"} {
		_ = cmd.RegisterFlagCompletionFunc(name, completeChecks)
	}
}

func addBenchmark(cmd *cobra.Command) {
	cmd.Flags().String("benchmark", "",
		"use this `EDITION`, such as docker@1.6.0 or k8s@1.24; several with commas\n(default the newest of each)")
	fixed(cmd, "benchmark", report.Names(cis.Editions)...)
}

// addOutput adds the flags that say how to tell.
func addOutput(cmd *cobra.Command) {
	addFormat(cmd)
	cmd.Flags().String("color", "auto", "use colour `WHEN`: auto, always or never")
	fixed(cmd, "color", "auto", "always", "never")
}

// addFormat adds the flags of what tells a line or two.
func addFormat(cmd *cobra.Command) {
	formats := report.Formats(subject(cmd))
	last := len(formats) - 1
	usage := "output `FORMAT`: " + strings.Join(formats[:last], ", ") + " or " + formats[last]
	if subject(cmd) != report.OfOther {
		usage = "output `FORMAT`, may be repeated with --out FORMAT=FILE:\n" +
			strings.Join(formats[:(last+1)/2], ", ") + ",\n" +
			strings.Join(formats[(last+1)/2:last], ", ") + " or " + formats[last]
	}
	cmd.Flags().Var(&formatNames{formats[0], false}, "format", usage)
	fixed(cmd, "format", formats...)
	addConfig(cmd)
}

func addConfig(cmd *cobra.Command) {
	cmd.Flags().String("config", defaultConfig, "configuration `FILE`; "+noConfig+" reads no file")
}

// addReading adds the flags that say how much of each check to tell.
func addReading(cmd *cobra.Command) {
	cmd.Flags().BoolP("quiet", "q", false, "hide passing checks")
	addVerbose(cmd)
}

func addVerbose(cmd *cobra.Command) {
	cmd.Flags().BoolP("verbose", "v", false, "list every check, with its reason, and why it does not apply")
}

// addFailOn adds the flag that has an apply fail for what it leaves open.
func addFailOn(cmd *cobra.Command) {
	names := report.Names(report.OpenStates)
	cmd.Flags().StringSlice("fail-on", nil,
		"add 8 to the exit code if a check is left in this `STATE`:\n"+strings.Join(names, ", ")+" or all")
	fixed(cmd, "fail-on", append(names, "all")...)
}

// addOut adds the flag that sends what is printed to a file.
func addOut(cmd *cobra.Command, usage string) {
	cmd.Flags().StringArrayP("out", "o", nil, usage)
	_ = cmd.MarkFlagFilename("out")
}

// addApply adds the flags of what writes to a host.
func addApply(cmd *cobra.Command) {
	cmd.Flags().Bool("detailed-exitcode", false, "exit with 2 if something was changed")
}

// addWait adds the flag that says for how long to wait until a package manager is done.
func addWait(cmd *cobra.Command, wait time.Duration) {
	cmd.Flags().Duration("wait-lock", wait, "wait up to `TIME`, such as 5m, for a package manager")
}

// addRestart adds the flag that says how long a restart may take.
func addRestart(cmd *cobra.Command) {
	cmd.Flags().String("restart-timeout", "",
		"maximum `TIME`, such as 10m, for a service to restart and answer\n(default from its unit)")
}

// addResolution adds the flags that say what becomes of files that somebody has changed since a run.
func addResolution(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Bool("skip-conflicts", false, "leave every file that somebody has changed since the run as it is")
	f.StringArray("theirs", nil, "leave the file at this `PATH`, or the container of this name, as it is")
	f.StringArray("ours", nil, "write the file at this `PATH`, or the container of this name, anyway;\nthe current "+
		"content is kept in the run's journal")
	for _, name := range []string{"theirs", "ours"} {
		_ = cmd.MarkFlagFilename(name)
	}
}

// resolution reads what addResolution has added.
func resolution(cmd *cobra.Command) (r apply.Resolution, err error) {
	f := cmd.Flags()
	r.Skip, _ = f.GetBool("skip-conflicts")
	for name, paths := range map[string]*[]string{"theirs": &r.Theirs, "ours": &r.Ours} {
		*paths = f.Lookup(name).Value.(pflag.SliceValue).GetSlice() // GetStringArray goes through CSV, which loses bytes
		if slices.Contains(*paths, "") {
			return r, usageError{fmt.Errorf("--%s: it is empty; name a file or container of the run", name)}
		}
	}
	return r, nil
}

// completeRuns offers the numbers of runs, newest first, or the IDs, where somebody has begun with one.
func completeRuns(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if s, err := open(cmd); err == nil && len(args) == 0 {
		runs, _ := apply.History(s.options())
		for _, r := range runs {
			what := string(r.Outcome) + ", " + r.Started.Local().Format("2006-01-02 15:04")
			if strings.HasPrefix(begun, "0") {
				names = append(names, r.ID+"\t"+what)
			} else {
				names = append(names, strconv.Itoa(r.Number)+"\t"+what)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

func addExitZero(cmd *cobra.Command) {
	cmd.Flags().Bool("exit-zero", false, "exit with 0 instead of 2")
}

func addAllow(cmd *cobra.Command) {
	cmd.Flags().StringSlice("allow", nil,
		"also apply fixes of this `CLASS`: restart, workload, behaviour or all\n(none and reload always are)")
	fixed(cmd, "allow", append(report.Names(want.Classes), "all")...)
}

func fixed(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
