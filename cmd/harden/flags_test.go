package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// readAs is where a setting is read; any other flag is read by its name.
var readAs = map[string]string{
	"only": "Config.Query", "skip": "Config.Query", "level": "Config.Query", "severity": "Config.Query",
	"benchmark": "Config.Query",
	"allow":     "Config.Allow", "root": "Config.Root", "docker-host": "Config.DockerHost",
	"kubeconfig": "Config.Kubeconfig",
	"state":      "Config.State", "deep": "Config.Deep", "source": "Config.Sources", "wait-lock": "session.wait",
	"restart-timeout": "Config.Restart",
	"format":          "Config.View", "color": "Style.Color", "quiet": "Style.Quiet", "verbose": "Style.Verbose",
	"detailed-exitcode": "Config.Detailed", "exit-zero": "Config.ExitZero", "fail-on": "Config.FailOn",
	"out":    "Config.Outputs",
	"config": "example.com/harden/cmd/harden.loadConfig",
}

// commands are all that people and programs can call.
func commands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		if c.Name() != "completion" { // cobra's own
			all = append(all, commands(c)...)
		}
	}
	return all
}

// flagsOf are the flags of a command, by name.
func flagsOf(cmd *cobra.Command) (flags []*pflag.Flag) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && f.Name != "version" { // cobra reads these
			flags = append(flags, f)
		}
	})
	return flags
}

// TestFlagsAreRead holds each command to reading each of its flags: one that it would pass over, it does not have.
func TestFlagsAreRead(t *testing.T) {
	program := readProgram(t)
	n := 0
	for _, cmd := range commands(newRoot()) {
		if program.uses[cmd.Name()+" command"] == nil {
			t.Errorf("%s: no source of its RunE", cmd.CommandPath())
		}
		reads := program.reads(cmd.Name() + " command")
		for _, f := range flagsOf(cmd) {
			as := f.Name + " flag"
			if readAs[f.Name] != "" {
				as = readAs[f.Name]
			}
			if n++; !reads[as] {
				t.Errorf("%s --%s: passed over; the command must read it (as %s), or not have it", cmd.CommandPath(), f.Name, as)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d flags of commands", n)
	}
}

// spelledOut is a flag as given describes it, as arguments.
func spelledOut(cmd *cobra.Command, what string) string {
	f := cmd.Flags().Lookup(flagName(what))
	if name, value, ok := strings.Cut(what, "="); ok && !strings.HasSuffix(name, "!") {
		return "--" + name + "=" + value
	}
	values := map[string]string{"bool": "true", "int": "1", "duration": "5m"}
	if v := values[f.Value.Type()]; v != "" {
		return "--" + f.Name + "=" + v
	}
	return "--" + f.Name + "=x"
}

// refusal is what a command says of its flags.
func refusal(cmd *cobra.Command, args ...string) error {
	fresh, rest, err := newRoot().Find(append(strings.Fields(cmd.CommandPath())[1:], args...))
	if err != nil {
		return err
	}
	if err := fresh.ParseFlags(rest); err != nil {
		return flagError(fresh, err)
	}
	return excluded(fresh, "/")
}

// TestExclusions holds every pair of flags of every command to what the table of exclusions says of it.
func TestExclusions(t *testing.T) {
	used := map[string]bool{}
	n := 0
	for _, cmd := range commands(newRoot()) {
		flags := flagsOf(cmd)
		for i, a := range flags {
			for _, b := range flags[i+1:] {
				n++
				one, other, why := excludedPair(cmd, a.Name, b.Name)
				used[why] = true
				if why == "" {
					one, other = a.Name, b.Name
					why = cmp.Or(excludedNeed(cmd, one, other), excludedNeed(cmd, other, one))
				}
				args := append([]string{spelledOut(cmd, one), spelledOut(cmd, other)}, needed(cmd, a.Name, b.Name)...)
				err := refusal(cmd, args...)
				if (err != nil) != (why != "") || err != nil && !strings.Contains(err.Error(), why) {
					t.Errorf("%s %q: %v, and the table says %q", cmd.CommandPath(), args, err, why)
				}
			}
			if e, ok := needs(cmd, a.Name); ok {
				used[e.why] = true
				if err := refusal(cmd, spelledOut(cmd, a.Name)); err == nil || !strings.Contains(err.Error(), "needs --"+e.needs) {
					t.Errorf("%s --%s alone: %v", cmd.CommandPath(), a.Name, err)
				}
			}
		}
	}
	for _, e := range exclusions {
		if !used[e.why] {
			t.Errorf("an exclusion that is of no command: %+v", e)
		}
	}
	t.Logf("%d pairs of flags", n)
}

func flagName(what string) string {
	name, _, _ := strings.Cut(strings.Replace(what, "!=", "=", 1), "=")
	return name
}

// excludedPair finds what the table says of two flags of a command.
func excludedPair(cmd *cobra.Command, a, b string) (one, other, why string) {
	for _, e := range exclusions {
		for _, w := range e.with {
			names := []string{flagName(e.flag), flagName(w)}
			if e.holds(cmd) && slices.Contains(names, a) && slices.Contains(names, b) {
				return e.flag, w, e.why
			}
		}
	}
	return "", "", ""
}

// excludedNeed is why a flag cannot be combined with what another needs.
func excludedNeed(cmd *cobra.Command, flag, other string) string {
	e, ok := needs(cmd, flag)
	if !ok || e.needs == other {
		return ""
	}
	_, _, why := excludedPair(cmd, e.needs, other)
	return why
}

func needs(cmd *cobra.Command, flag string) (exclusion, bool) {
	for _, e := range exclusions {
		if e.needs != "" && e.flag == flag && e.holds(cmd) && cmd.Flags().Lookup(flag) != nil {
			return e, true
		}
	}
	return exclusion{}, false
}

// needed are the flags without which one of these means nothing, where that does not meet the other.
func needed(cmd *cobra.Command, flags ...string) (args []string) {
	for _, f := range flags {
		e, ok := needs(cmd, f)
		if !ok || slices.Contains(flags, e.needs) {
			continue
		}
		args = append(args, "--"+e.needs)
	}
	return args
}

// TestExcludedElsewhere holds variables and the configuration's root to the same table.
func TestExcludedElsewhere(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/root.yaml", []byte("root: /mnt\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		env  string
		args string
		says string
	}{
		{"HARDEN_ROOT=/mnt", "--dry-run --docker-host unix:///x", "--docker-host can't be combined with HARDEN_ROOT"},
		{"HARDEN_DOCKER_HOST=unix:///x", "--dry-run --root /mnt", "HARDEN_DOCKER_HOST can't be combined with --root"},
		{"HARDEN_DOCKER_HOST=unix:///x", "check --source /", "HARDEN_DOCKER_HOST can't be combined with --source"},
		{"HARDEN_DEEP=1", "--dry-run --root /mnt", "HARDEN_DEEP can't be combined with --root"},
		{"", "--dry-run --docker-host unix:///x --config " + dir + "/root.yaml",
			"--docker-host can't be combined with the configuration's root"},
		{"HARDEN_FORMAT=json", "list --color never", ""},
		{"HARDEN_DEEP=0", "check --root /", ""},
		{"HARDEN_STATE=/x", "check --source testdata", ""},
	} {
		_, said, code := called(t, test.env, strings.Fields(test.args)...)
		if refused := code == exitUsage; refused != (test.says != "") || !strings.Contains(said, test.says) {
			t.Errorf("%s harden %s: %d, %s", test.env, test.args, code, said)
		}
	}
}

// called runs harden with variables; without a configuration file, unless args name one.
func called(t *testing.T, variable string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	env := []string{}
	if !slices.Contains(args, "--config") {
		env = append(env, noFile...)
	}
	if variable != "" {
		env = append(env, strings.Fields(variable)...)
	}
	return ran(t, "harden", nil, env, args...)
}

// TestEmpty holds every flag of every command that takes a value, and every argument, to refusing to be empty.
func TestEmpty(t *testing.T) {
	for _, cmd := range commands(newRoot()) {
		path := strings.Fields(cmd.CommandPath())[1:]
		for _, f := range flagsOf(cmd) {
			for _, empty := range []string{"", " ", ",", "a,,b", "a,", "--yes"} {
				list := strings.HasSuffix(f.Value.Type(), "Slice") || f.Name == "benchmark"
				kind := f.Value.Type()
				allowed := mayBeEmpty[cmd.CommandPath()+" --"+f.Name] != "" ||
					strings.Contains(empty, ",") && !list && (kind == "string" || kind == "stringArray")
				err := refusal(cmd, "--"+f.Name+"="+empty)
				if err == nil && !allowed {
					t.Errorf("%s --%s=%q: %v", cmd.CommandPath(), f.Name, empty, err)
				}
				if err != nil && strings.Contains(err.Error(), "strconv") {
					t.Errorf("%s --%s=%q: %v", cmd.CommandPath(), f.Name, empty, err)
				}
			}
		}
		if cmd.Args == nil {
			t.Errorf("%s takes any argument", cmd.CommandPath())
		}
		for _, arg := range []string{"", " "} {
			if err := cmd.Args(cmd, []string{arg}); errorCode(err) != exitUsage {
				t.Errorf("%s %q: %v", strings.Join(path, " "), arg, err)
			}
		}
	}
	for args, last := range map[string]string{"--dry-run --only": "", "check --root": "", "rollback": "", "explain": "",
		"confirm":     "",
		"list --only": "docker/icc,", "check --config": ""} {
		if _, said, code := called(t, "", append(strings.Fields(args), last)...); code != exitUsage {
			t.Errorf("harden %s %q: %d, %s", args, last, code, said)
		}
	}
}

// TestFlagTable prints the table of flags by command: go test -v -run FlagTable.
func TestFlagTable(t *testing.T) {
	if !testing.Verbose() {
		return
	}
	for _, cmd := range commands(newRoot()) {
		var names []string
		for _, f := range flagsOf(cmd) {
			names = append(names, f.Name)
		}
		fmt.Println(cmd.CommandPath()+":", strings.Join(names, " "))
	}
}
