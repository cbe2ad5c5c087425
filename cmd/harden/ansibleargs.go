package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What a task of a play asks for.
const (
	modeApply    = "apply"
	modeCheck    = "check"
	modeRollback = "rollback"
)

// newestRun stands for the run that `harden rollback` takes back unless told which.
const newestRun = "newest"

// A moduleOption is an argument of the module. Those with a flag are the command line's own settings.
type moduleOption struct {
	name string
	flag string // "" where it is the module's alone
	kind string // as Ansible's documentation names types: "str", "int", "bool", "list", "dict" or "path"
}

var moduleOptions = []moduleOption{
	{"mode", "", "str"}, {"run", "", "str"}, {"settings", "", "dict"}, {"fail_on_findings", "", "bool"},
	{"fail_on", "fail-on", "list"},
	{"only", "only", "list"}, {"skip", "skip", "list"}, {"level", "level", "int"}, {"benchmark", "benchmark", "str"},
	{"allow", "allow", "list"}, {"root", "root", "path"}, {"docker_host", "docker-host", "str"},
	{"kubeconfig", "kubeconfig", "path"}, {"deep", "deep", "bool"},
	{"state_dir", "state", "path"}, {"config", "config", "path"}, {"wait_lock", "wait-lock", "str"},
	{"restart_timeout", "restart-timeout", "str"},
}

// arguments are what the command line has no word for.
type arguments struct {
	mode           string
	run            string // which to take back
	settings       []byte // in the place of the configuration file; nil when not given
	failOnFindings bool
	dry            bool // Ansible's check mode: nothing may be written
	differs        bool // Ansible's diff mode: what changes is to be shown
}

// parseArguments makes a command of what Ansible gives. Nothing but this checks it: Ansible knows no options of a
// module that is not Python. What begins with _ansible_ is Ansible's own, of which each version has more.
func parseArguments(given map[string]any) (*arguments, *cobra.Command, error) {
	cmd := &cobra.Command{}
	addSelection(cmd)
	addAllow(cmd)
	addHost(cmd)
	addKubeconfig(cmd)
	addDeep(cmd)
	addFailOn(cmd)
	addConfig(cmd)
	addWait(cmd, 0)
	addRestart(cmd)
	a := &arguments{mode: modeApply}
	noLog := false
	errs := new(multierror.Error)
	for name, into := range map[string]*bool{"_ansible_check_mode": &a.dry, "_ansible_diff": &a.differs,
		"_ansible_no_log": &noLog} {
		if given[name] != nil {
			errs = multierror.Append(errs, boolean(name, given[name], into))
		}
	}
	a.differs = a.differs && !noLog
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if strings.HasPrefix(name, "_ansible_") || given[name] == nil {
			continue
		}
		i := slices.IndexFunc(moduleOptions, func(o moduleOption) bool { return o.name == name })
		if i < 0 {
			errs = multierror.Append(errs, fmt.Errorf("unknown option %q; valid: %s", name, optionNames()))
			continue
		}
		errs = multierror.Append(errs, a.take(cmd, moduleOptions[i], given[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		// That a run is taken back in part, nobody is to believe.
		if a.mode == modeRollback && given[name] != nil && slices.Contains([]string{"only", "skip", "level", "benchmark",
			"allow", "deep",
			"fail_on_findings", "fail_on", "wait_lock"}, name) {
			errs = multierror.Append(errs, fmt.Errorf("%s: mode rollback rolls a whole run back", name))
		}
		if a.mode == modeCheck && given[name] != nil && slices.Contains([]string{"allow", "kubeconfig", "wait_lock",
			"restart_timeout", "fail_on"}, name) {
			errs = multierror.Append(errs, fmt.Errorf("%s: mode check plans and applies nothing; remove it", name))
		}
	}
	switch {
	case !slices.Contains([]string{modeApply, modeCheck, modeRollback}, a.mode):
		errs = multierror.Append(errs, fmt.Errorf("mode: unknown mode %q; valid: apply, check, rollback", a.mode))
	case a.mode == modeRollback && a.run == "":
		errs = multierror.Append(errs, errors.New("run: mode rollback needs the ID of a run, or newest"))
	case a.mode != modeRollback && a.run != "":
		errs = multierror.Append(errs, errors.New("run: only mode rollback has it"))
	}
	if a.settings != nil && cmd.Flags().Changed("config") {
		errs = multierror.Append(errs,
			errors.New("settings: can't be combined with config"))
	}
	return a, cmd, errs.ErrorOrNil()
}

func optionNames() string {
	var names []string
	for _, o := range moduleOptions {
		names = append(names, o.name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// take keeps one argument, in a flag where there is one for it.
func (a *arguments) take(cmd *cobra.Command, o moduleOption, value any) (err error) {
	var text string
	var list []string
	switch o.kind {
	case "bool":
		if o.flag == "" {
			return boolean(o.name, value, &a.failOnFindings)
		}
		var yes bool
		if err := boolean(o.name, value, &yes); err != nil {
			return err
		}
		return cmd.Flags().Set(o.flag, strconv.FormatBool(yes))
	case "dict":
		a.settings, err = inline(o.name, value)
		return err
	case "list":
		if list, err = wordList(o.name, value); err == nil && o.name == "only" && len(list) == 0 {
			err = fmt.Errorf("%s: %w; omit it, or give it a value", o.name, errEmpty)
		}
	case "int":
		text, err = number(o.name, value)
	default:
		var ok bool
		if text, ok = value.(string); !ok {
			err = fmt.Errorf("%s: must be text, and is %s", o.name, shown(value))
		} else if e := notEmpty(text, o.name == "benchmark"); e != nil {
			err = fmt.Errorf("%s: %w; omit it, or give it a value", o.name, e)
		}
	}
	if err != nil {
		return err
	}
	switch o.name {
	case "mode":
		a.mode = text
	case "run":
		a.run = text
	default:
		f := cmd.Flags().Lookup(o.flag)
		if o.kind == "list" {
			f.Changed = true
			return f.Value.(pflag.SliceValue).Replace(list)
		}
		return cmd.Flags().Set(o.flag, text)
	}
	return nil
}

// shown tells what a value is, and a text not at all: what stands in the wrong place may be a secret of the play's.
func shown(value any) string {
	switch v := value.(type) {
	case string:
		return "text"
	case []any:
		return "a list"
	case map[string]any:
		return "a dictionary"
	default:
		return fmt.Sprint(v)
	}
}

// boolean takes what Ansible takes for a boolean.
func boolean(name string, value any, into *bool) error {
	switch v := value.(type) {
	case bool:
		*into = v
		return nil
	case string, json.Number:
		switch strings.ToLower(fmt.Sprint(v)) {
		case "y", "yes", "on", "1", "true", "t", "1.0":
			*into = true
			return nil
		case "n", "no", "off", "0", "false", "f", "0.0":
			*into = false
			return nil
		}
	}
	return fmt.Errorf("%s: must be yes or no, and is %s", name, shown(value))
}

func number(name string, value any) (string, error) {
	switch v := value.(type) {
	case string, json.Number:
		text := strings.TrimSpace(fmt.Sprint(v))
		if _, err := strconv.Atoi(text); err == nil {
			return text, nil
		}
	}
	return "", fmt.Errorf("%s: must be a number, and is %s", name, shown(value))
}

// wordList takes a list, or text with commas. A number with a point is refused: YAML has made 3.2 of an item 3.20.
func wordList(name string, value any) ([]string, error) {
	all, ok := value.([]any)
	if !ok {
		all = []any{value}
	}
	list := []string{}
	for _, v := range all {
		switch v := v.(type) {
		case string:
			if err := notEmpty(v, true); err != nil {
				return nil, fmt.Errorf("%s: %w; omit it, or give it a value", name, err)
			}
			list = append(list, words([]string{v})...)
			continue
		case json.Number:
			if _, err := v.Int64(); err == nil {
				list = append(list, v.String())
				continue
			}
			return nil, fmt.Errorf("%s: %s is a number, of which YAML drops a last 0: put items into quotes", name, v)
		}
		return nil, fmt.Errorf("%s: must be a list of words, and has %s", name, shown(v))
	}
	return list, nil
}

// inline is a configuration file's content, given in the playbook.
func inline(name string, value any) ([]byte, error) {
	settings, ok := value.(map[string]any)
	if text, is := value.(string); is { // what a template has made of it
		ok = json.Unmarshal([]byte(text), &settings) == nil
	}
	if !ok {
		return nil, fmt.Errorf("%s: must be a dictionary, and is %s", name, shown(value))
	}
	for _, key := range []string{"only", "skip", "allow"} {
		if settings[key] == nil {
			continue
		}
		if _, err := wordList(name+"."+key, settings[key]); err != nil {
			return nil, err
		}
	}
	return json.Marshal(settings)
}
