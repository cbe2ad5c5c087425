package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/client"
	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/severity"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/report"
)

// Defaults.
const (
	defaultConfig = "/etc/harden/harden.yaml"
	noConfig      = "none" // in the place of a configuration file
	defaultState  = "/var/lib/harden"
)

// A Config is all that tells a run what to do, from wherever it came: flags beat HARDEN_* variables, which beat the
// configuration file, which beats the defaults.
type Config struct {
	Query   catalog.Query
	Allow   []want.Class
	Asked   bool // whether anything was said of what to allow
	Root    string
	Sources []facts.SourceDir // what is judged instead of a host, where there are any
	Deep    bool              // the files in images are looked at too
	// why nothing can be remembered of what is written below Sources; nil where State says where
	Stateless  error
	DockerHost string
	DockerFrom string // who says so
	// of the cluster that is to keep what is changed here; empty for the administrator's own, where it can be read
	Kubeconfig string
	View       report.View // how what there is to say is printed
	Outputs    []output    // what else of it is written
	Out        string      // the file of --out without a format; what is in it is the command's to say
	Color      string      // "auto", "always" or "never"
	State      string
	HostState  string // where runs are remembered that change this machine, where State is of Sources
	Quiet      bool
	Verbose    bool
	Detailed   bool           // exit 2 after an apply that changed something
	ExitZero   bool           // exit 0 where it would be 2
	Restart    time.Duration  // how long a service may take to restart; zero goes by its unit
	FailOn     []report.State // which of what is open makes an apply exit with 8
	Choices    facts.Choices
	Waivers    []checks.Waiver
	waived     []string // where each waiver is: "file:line"
	Keeping    keeping
}

// loadConfig reads the configuration of one command, by a Viper of its own.
func loadConfig(cmd *cobra.Command) (*Config, error) { return loadConfigWith(cmd, nil) }

// loadConfigWith is loadConfig with inline, unless nil, in the place of the configuration file.
func loadConfigWith(cmd *cobra.Command, inline []byte) (*Config, error) {
	v := viper.New()
	for _, d := range defaults {
		v.SetDefault(d.key, d.value)
	}
	var errs []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if isSetting(f.Name) {
			errs = append(errs, v.BindPFlag(f.Name, f))
		}
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c := new(Config)
	read := func() error { return c.readFile(cmd, v) }
	if inline != nil {
		read = func() error { return c.parse("settings", inline, v) }
	}
	if err := multierror.Append(takeEnvironment(cmd, v), read()).ErrorOrNil(); err != nil {
		return nil, configError{err}
	}
	var values settings
	if err := v.UnmarshalExact(&values); err != nil {
		return nil, configError{err}
	}
	if err := c.take(values, subject(cmd)); err != nil {
		return nil, err
	}
	if err := numbered(c.Waivers, c.waived, c.Query.Benchmark); err != nil {
		return nil, configError{err}
	}
	if err := excluded(cmd, c.Root); err != nil {
		return nil, err
	}
	c.DockerFrom = origin(cmd, "docker-host")
	if err := c.takeOutputs(cmd, values.Format); err != nil {
		return nil, usageError{err}
	}
	return c, c.takeSources(cmd)
}

// subject is what a command tells, by its name alone: its flags are made before it has a parent.
func subject(cmd *cobra.Command) report.Subject {
	switch cmd.Name() {
	case "harden":
		return report.OfPlan
	case "check", "apply", "report":
		return report.OfReport
	case "merge":
		return report.OfFleet
	case "diff":
		return report.OfComparison
	}
	return report.OfOther
}

// A setting is a key that the configuration file, the environment and a flag may each hold.
var defaults = []struct {
	key   string
	value any
}{
	{"only", []string{}}, {"skip", []string{}}, {"level", 0}, {"severity", ""}, {"benchmark", ""}, {"allow", []string{}},
	{"root", "/"}, {"docker-host", ""}, {"kubeconfig", ""}, {"format", report.Views[0].Name()}, {"color", "auto"},
	{"state", defaultState},
	{"quiet", false},
	{"verbose", false}, {"deep", false}, {"detailed-exitcode", false}, {"exit-zero", false}, {"fail-on", []string{}},
	{"restart-timeout", ""},
}

// setting is the default of a setting; nil where there is none of that name.
func setting(name string) any {
	for _, d := range defaults {
		if d.key == name {
			return d.value
		}
	}
	return nil
}

func isSetting(name string) bool { return setting(name) != nil }

// settings are the keys of defaults, typed.
type settings struct {
	Only           []string `yaml:"only" mapstructure:"only"`
	Skip           []string `yaml:"skip" mapstructure:"skip"`
	Level          int      `yaml:"level" mapstructure:"level"`
	Severity       string   `yaml:"severity" mapstructure:"severity"`
	Benchmark      string   `yaml:"benchmark" mapstructure:"benchmark"`
	Allow          []string `yaml:"allow" mapstructure:"allow"`
	Root           string   `yaml:"root" mapstructure:"root"`
	DockerHost     string   `yaml:"docker-host" mapstructure:"docker-host"`
	Kubeconfig     string   `yaml:"kubeconfig" mapstructure:"kubeconfig"`
	Format         string   `yaml:"format" mapstructure:"format"`
	Color          string   `yaml:"color" mapstructure:"color"`
	State          string   `yaml:"state" mapstructure:"state"`
	Quiet          bool     `yaml:"quiet" mapstructure:"quiet"`
	Verbose        bool     `yaml:"verbose" mapstructure:"verbose"`
	Deep           bool     `yaml:"deep" mapstructure:"deep"`
	Detailed       bool     `yaml:"detailed-exitcode" mapstructure:"detailed-exitcode"`
	ExitZero       bool     `yaml:"exit-zero" mapstructure:"exit-zero"`
	FailOn         []string `yaml:"fail-on" mapstructure:"fail-on"`
	RestartTimeout string   `yaml:"restart-timeout" mapstructure:"restart-timeout"`
}

// readFile reads the configuration file into v, and what only a file can hold into c.
func (c *Config) readFile(cmd *cobra.Command, v *viper.Viper) error {
	path, named := configPath(cmd)
	if path == "" {
		return nil
	}
	data, err := readTrusted(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such file; --config %s reads none", path, noConfig)
	}
	if err != nil {
		return err
	}
	return c.parse(path, data, v)
}

func (c *Config) parse(path string, data []byte, v *viper.Viper) error {
	file, err := parseConfig(path, data)
	if err != nil {
		return err
	}
	c.Choices, c.Waivers, c.waived, c.Keeping = file.Choices.facts(), file.waivers, file.places, file.Reports
	return v.MergeConfigMap(file.settings)
}

// configPath is the configuration file, and whether somebody has named it; empty where there is to be none.
func configPath(cmd *cobra.Command) (path string, named bool) {
	if f := cmd.Flags().Lookup("config"); f != nil && f.Changed {
		path, named = f.Value.String(), true
	} else if path, named = os.LookupEnv("HARDEN_CONFIG"); !named {
		return defaultConfig, false
	}
	if path == noConfig {
		return "", true
	}
	return path, true
}

// take checks the settings, whoever made them, and keeps them. of is what the command tells.
func (c *Config) take(s settings, of report.Subject) error {
	c.Query = catalog.Query{Only: words(s.Only), Skip: words(s.Skip), Level: s.Level, Benchmark: s.Benchmark}
	c.Kubeconfig = s.Kubeconfig
	c.DockerHost, c.Color = s.DockerHost, s.Color
	c.Deep = s.Deep
	c.Quiet, c.Verbose, c.Detailed, c.ExitZero = s.Quiet, s.Verbose, s.Detailed, s.ExitZero
	var err error
	if c.Root, err = filepath.Abs(cmp.Or(s.Root, "/")); err != nil {
		return err
	}
	if c.State = s.State; c.State != "" {
		if c.State, err = filepath.Abs(c.State); err != nil {
			return err
		}
	}
	if c.DockerHost != "" {
		if _, err := client.ParseHostURL(c.DockerHost); err != nil {
			return usageError{fmt.Errorf("--docker-host %s: not an address of a Docker Engine; use unix:///FILE or "+
				"tcp://HOST:PORT", c.DockerHost)}
		}
	}
	c.Asked = len(words(s.Allow)) > 0
	if c.Allow, err = classes(words(s.Allow)); err != nil {
		return usageError{err}
	}
	if c.Restart, err = restartTimeout(s.RestartTimeout); err != nil {
		return usageError{err}
	}
	if c.FailOn, err = openStates(words(s.FailOn)); err != nil {
		return usageError{err}
	}
	if c.Query.Level < 0 {
		return usageError{fmt.Errorf("--level: %d; valid: 1, 2", c.Query.Level)}
	}
	if s.Severity != "" {
		if c.Query.Severity, err = severity.Parse(s.Severity); err != nil {
			return usageError{fmt.Errorf("--%w", err)}
		}
	}
	for _, name := range words([]string{s.Format}) {
		if c.View, err = report.ViewOf(name, of); err != nil {
			return usageError{err}
		}
	}
	if colors := []string{"auto", "always", "never"}; !slices.Contains(colors, c.Color) {
		return usageError{fmt.Errorf("--color: %q; valid: %s", c.Color, strings.Join(colors, ", "))}
	}
	return nil
}

// maxRestart is how long --restart-timeout may be: what waits longer is stuck.
const maxRestart = 24 * time.Hour

func restartTimeout(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > maxRestart {
		return 0, fmt.Errorf("--restart-timeout: %q; use a time from 1s to 24h, such as 10m", text)
	}
	return d, nil
}

// openStates are the states that --fail-on names.
func openStates(names []string) (states []report.State, err error) {
	for _, n := range names {
		if n == "all" {
			return report.OpenStates, nil
		}
		if !slices.Contains(report.OpenStates, report.State(n)) {
			return nil, fmt.Errorf("--fail-on: %q; valid: all, %s", n, strings.Join(report.Names(report.OpenStates), ", "))
		}
		states = append(states, report.State(n))
	}
	return states, nil
}

// words splits at commas too, which HARDEN_ONLY and a list in the file need as much as a flag does.
func words(list []string) []string {
	var out []string
	for _, w := range list {
		for p := range strings.SplitSeq(w, ",") {
			if p = strings.TrimSpace(p); p != "" {
				out = append(out, p)
			}
		}
	}
	return out
}

// classes are the classes allowed: what disturbs nobody always is.
func classes(names []string) ([]want.Class, error) {
	allowed := []want.Class{want.None, want.Reload}
	for _, n := range names {
		var c want.Class
		if n == "all" {
			return want.Classes, nil
		}
		if err := c.UnmarshalText([]byte(n)); err != nil {
			return nil, fmt.Errorf("--allow: %w", err)
		}
		if !slices.Contains(allowed, c) {
			allowed = append(allowed, c)
		}
	}
	return allowed, nil
}
