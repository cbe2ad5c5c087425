package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"example.com/harden/checks/catalog"
)

// envPrefix begins each variable that is harden's.
const envPrefix = "HARDEN_"

// telling are the settings that say how harden tells, and where it remembers. As variables they are for every command;
// any other is for those commands alone that have a use for it, as its flag is.
var telling = []string{"config", "state", "format", "color", "quiet", "verbose", "detailed-exitcode", "exit-zero"}

// unflagged are the settings that a command takes from its configuration and has no flags for, since a timer starts it.
var unflagged = map[string][]string{"harden schedule run": {"only", "skip", "level", "severity", "benchmark",
	"allow"}}

// variables are the HARDEN_* variables that are set, by the name of their setting.
func variables() map[string]string {
	set := map[string]string{}
	for _, e := range os.Environ() {
		name, value, _ := strings.Cut(e, "=")
		if key, ok := strings.CutPrefix(name, envPrefix); ok {
			set[strings.ReplaceAll(strings.ToLower(key), "_", "-")] = value
		}
	}
	return set
}

// variable is a setting's.
func variable(key string) string {
	return envPrefix + strings.ReplaceAll(strings.ToUpper(key), "-", "_")
}

// takeEnvironment puts the variables into v, but for those that a flag overrides. None is passed over: one that the
// command has no use for is an error, as HARDEN_DRY_RUN is, by which nothing would be dry.
func takeEnvironment(cmd *cobra.Command, v *viper.Viper) error {
	var errs *multierror.Error
	set := variables()
	for _, key := range sortedKeys(set) {
		if err := takeVariable(cmd, v, key, set[key]); err != nil {
			errs = multierror.Append(errs, fmt.Errorf("%s: %w", variable(key), err))
		}
	}
	return errs.ErrorOrNil()
}

func takeVariable(cmd *cobra.Command, v *viper.Viper, key, text string) error {
	f := cmd.Flags().Lookup(key)
	switch {
	case key == "binary" && cmd.Name() == "": // it says which harden Ansible's module harden_installed starts
		return nil
	case key != "config" && !isSetting(key):
		return unknownVariable(cmd, key)
	case !slices.Contains(telling, key) && f == nil && !slices.Contains(unflagged[cmd.CommandPath()], key):
		return fmt.Errorf("%s does not use it; unset it", cmp.Or(cmd.CommandPath(), "this mode"))
	case strings.TrimSpace(text) == "":
		return fmt.Errorf("%w; unset it, or give it a value", errEmpty)
	case key == "config" || f != nil && f.Changed:
		return nil
	}
	value, err := typed(key, text)
	if err == nil {
		v.Set(key, value)
	}
	return err
}

// typed is what a variable says, in the type of its setting.
func typed(key, text string) (value any, err error) {
	kind := "string"
	switch d := setting(key); d.(type) {
	case []string:
		return words([]string{text}), notEmpty(text, true)
	case bool:
		kind = "bool"
		value, err = strconv.ParseBool(text)
	case int:
		kind = "int"
		value, err = strconv.Atoi(text)
	default:
		return text, notEmpty(text, key == "benchmark" || key == "format")
	}
	if err != nil {
		err = mistyped(kind, err)
	}
	return value, err
}

// unknownVariable says what may have been meant.
func unknownVariable(cmd *cobra.Command, key string) error {
	if someFlag(cmd.Root(), key) {
		return fmt.Errorf("unknown variable; use --%s", key)
	}
	valid := []string{variable("config")}
	for _, d := range defaults {
		valid = append(valid, variable(d.key))
	}
	near := catalog.Nearest(variable(key), valid)
	if near == "" {
		return errors.New("unknown variable; valid: " + strings.Join(valid, ", "))
	}
	return errors.New("unknown variable; did you mean " + near + "?")
}

// someFlag reports whether cmd or a command below it has a flag.
func someFlag(cmd *cobra.Command, name string) bool {
	return cmd.Flags().Lookup(name) != nil ||
		slices.ContainsFunc(cmd.Commands(), func(c *cobra.Command) bool { return someFlag(c, name) })
}

// given reports whether the command line or the environment says something of a setting: "root", "format=json" or
// "root!=/". A switch that is off says nothing, and the environment nothing of how to tell.
func given(cmd *cobra.Command, what string) bool {
	name, value, is := strings.Cut(what, "=")
	name, not := strings.CutSuffix(name, "!")
	f := cmd.Flags().Lookup(name)
	if f == nil {
		return false
	}
	said, ok := f.Value.String(), f.Changed
	if !ok && !slices.Contains(telling, name) {
		said, ok = variables()[name]
	}
	if slices.Contains(words([]string{said}), value) { // of several formats
		said = value
	}
	switch {
	case !ok || isOff(f, said):
		return false
	case is:
		return (filepath.Clean(said) == value) != not
	}
	return true
}

func isOff(f *pflag.Flag, said string) bool {
	on, err := strconv.ParseBool(said)
	return f.Value.Type() == "bool" && err == nil && !on
}

// origin says who has set a setting that is not at its default.
func origin(cmd *cobra.Command, name string) string {
	if f := cmd.Flags().Lookup(name); f != nil && f.Changed {
		return "--" + name
	}
	if _, ok := variables()[name]; ok {
		return variable(name)
	}
	path, _ := configPath(cmd)
	return path
}

// chosen is where the Docker Engine is to be reached and who says so; empty where that is the usual socket.
func (c *Config) chosen() (host, from string) {
	if c.DockerHost != "" {
		return c.DockerHost, c.DockerFrom
	}
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return host, "DOCKER_HOST"
	}
	return "", ""
}

// environmentNotes says what the environment of whoever started harden has chosen of the Docker Engine, and which
// variables of others are set that harden does not read.
func (c *Config) environmentNotes() (notes []string) {
	set := func(name string) bool { return os.Getenv(name) != "" }
	host, from := c.chosen()
	switch {
	case from == "DOCKER_HOST":
		notes = append(notes, "DOCKER_HOST of the environment chose the Docker Engine: unset it for that of this host")
	case set("DOCKER_HOST"):
		notes = append(notes, "DOCKER_HOST of the environment is not used: "+from+" chose the Docker Engine")
	}
	if host != "" && !strings.HasPrefix(host, "unix:") && set("DOCKER_CERT_PATH") {
		notes = append(notes, "DOCKER_CERT_PATH of the environment chose the certificates for the Docker Engine")
		if !set("DOCKER_TLS_VERIFY") {
			notes = append(notes, "DOCKER_TLS_VERIFY is not set: the certificate of the Docker Engine is not checked")
		}
	}
	for _, v := range []struct{ name, instead string }{
		{"DOCKER_CONTEXT", "use --docker-host"}, {"DOCKER_API_VERSION", "harden and the Engine agree on a version"},
		{"KUBECONFIG", "use --kubeconfig"},
	} {
		if set(v.name) {
			notes = append(notes, v.name+" of the environment is not read: "+v.instead)
		}
	}
	return notes
}
