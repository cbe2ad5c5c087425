package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.com/harden/checks/catalog"
)

// errEmpty is what an unset variable of a shell leaves of --only "$CHECKS", which would ask for every check.
var errEmpty = errors.New("the value is empty")

// mayBeEmpty are the flags whose empty value means something, by command.
var mayBeEmpty = map[string]string{
	"harden schedule run --config": "no configuration file: written so by an earlier harden",
}

// mayBeStdin are the flags of which - is standard input, by command.
var mayBeStdin = map[string]bool{"harden merge --files-from": true}

// A filled is the value of a flag that takes text. It refuses nothing, an empty element of a list, and another flag in
// its place, which is what an unset variable without quotes leaves.
type filled struct {
	pflag.Value
	list  bool // at commas
	stdin bool // and - is standard input
}

func (v filled) Set(text string) error {
	if strings.HasPrefix(text, "-") && !(v.stdin && text == "-") {
		return fmt.Errorf("%q looks like a flag; a file of that name is ./%s", text, text)
	}
	if err := notEmpty(text, v.list); err != nil {
		return err
	}
	return v.Value.Set(text)
}

// A filledList is a filled of several values.
type filledList struct {
	filled
	pflag.SliceValue
}

// notEmpty refuses text that is empty, or one of whose elements between commas is.
func notEmpty(text string, list bool) error {
	if strings.TrimSpace(text) == "" {
		return errEmpty
	}
	if list {
		for element := range strings.SplitSeq(text, ",") {
			if strings.TrimSpace(element) == "" {
				return fmt.Errorf("%q has an empty element between its commas", text)
			}
		}
	}
	return nil
}

// refuseEmpty has every flag of cmd and of what is below it refuse to be empty.
func refuseEmpty(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if mayBeEmpty[cmd.CommandPath()+" --"+f.Name] != "" {
			return
		}
		v := filled{f.Value, f.Value.Type() == "stringSlice" || f.Name == "benchmark" || f.Name == "format",
			mayBeStdin[cmd.CommandPath()+" --"+f.Name]}
		switch f.Value.Type() {
		case "string":
			f.Value = v
		case "stringSlice", "stringArray":
			f.Value = filledList{v, f.Value.(pflag.SliceValue)}
			f.DefValue = "" // the help would show [] as a default
		}
	})
	for _, c := range cmd.Commands() {
		refuseEmpty(c)
	}
}

// filledArguments refuses an empty argument: `harden rollback "$RUN"` would take back the newest run.
func filledArguments(args []string) error {
	for i, a := range args {
		if strings.TrimSpace(a) == "" {
			return usageError{fmt.Errorf("argument %d: %w; omit it, or give it a value", i+1, errEmpty)}
		}
	}
	return nil
}

// flagError words what is wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	if none, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return unknownFlag(cmd, none)
	}
	if bare, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		value, _ := pflag.UnquoteUsage(bare.GetFlag())
		return usageError{fmt.Errorf("--%[1]s: the value is missing; use --%[1]s %[2]s", bare.GetFlag().Name, value)}
	}
	e, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return usageError{err}
	}
	name := "--" + e.GetFlag().Name
	if strings.TrimSpace(e.GetValue()) == "" {
		err = fmt.Errorf("%s: %w; omit it, or give it a value", name, errEmpty)
		if name == "--config" {
			err = fmt.Errorf("%s: %w; %s %s reads no file", name, errEmpty, name, noConfig)
		}
		return usageError{err}
	}
	return usageError{fmt.Errorf("%s: %w", name, mistyped(e.GetFlag().Value.Type(), e.Unwrap()))}
}

// unknownFlag says that a command has no such flag, and which it may have meant.
func unknownFlag(cmd *cobra.Command, none *pflag.NotExistError) error {
	name := "--" + none.GetSpecifiedName()
	if none.GetSpecifiedShortnames() != "" {
		name = name[1:]
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	if near := catalog.Nearest(name, names); near != "" {
		return usageError{fmt.Errorf("unknown flag %s; did you mean %s?", name, near)}
	}
	return usageError{fmt.Errorf("unknown flag %s; `%s --help` lists the flags", name, cmd.CommandPath())}
}

// mistyped says that a value is none of a flag's or variable's type; otherwise what the type itself says. It does not
// quote the value: what stands in the wrong variable may be a secret.
func mistyped(kind string, otherwise error) error {
	switch kind {
	case "bool":
		return errors.New("the value must be true or false")
	case "int":
		return errors.New("the value is not a whole number")
	case "duration":
		return errors.New("the value is not a time such as 5m or 1h30m")
	}
	return otherwise
}
