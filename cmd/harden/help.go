package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is how wide help is, on every terminal and in a file.
const helpWidth = 80

// helpOrder is the order of the commands in help: who looks, who changes, who takes back. What is not in it comes last.
var helpOrder = []string{"check", "explain", "list", "threats", "report", "diff", "merge", "apply", "guide", "schedule",
	"drift", "history", "confirm", "rollback", "resume", "abandon", "repair"}

// helpCommands are named at the end.
var helpCommands = []string{"completion", "help", "version"}

// A flagGroup is a heading in help and the flags below it.
type flagGroup struct {
	title string
	names []string
}

// flagGroups are those of every command. A flag of none of them is below the first heading.
var flagGroups = []flagGroup{
	{"Flags", nil},
	{"Which checks", []string{"only", "skip", "level", "severity", "benchmark", "deep"}},
	{"Which host", []string{"root", "docker-host", "source", "kubeconfig", "state", "config"}},
	{"Output and exit code", []string{"format", "out", "quiet", "verbose", "color", "detailed-exitcode", "exit-zero",
		"fail-on"}},
}

// mainFlags are those of harden itself that its help has room for; `harden help flags` shows all.
var mainFlags = []string{"dry-run", "yes", "review", "allow", "only", "skip", "severity", "confirm-within", "root",
	"source", "format", "out", "verbose"}

// addHelp gives every command a help that fits a screen, and has the help command fail where there is nothing to tell.
func addHelp(root *cobra.Command) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { io.WriteString(cmd.OutOrStdout(), helpText(cmd)) })
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := io.WriteString(cmd.OutOrStderr(), helpText(cmd))
		return err
	})
	help := &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show the help of a command, or all flags",
		Long:  "Show the help of a command. `harden help flags` shows all flags of harden itself.",
		Args:  atLeast(0),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return helpTopics(cmd.Root(), args), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if slices.Equal(args, []string{"flags"}) {
				_, err := io.WriteString(cmd.OutOrStdout(), strings.TrimPrefix(flagText(cmd.Root(), nil), "\n"))
				return err
			}
			of, rest, _ := cmd.Root().Find(args)
			if len(rest) > 0 {
				return unknownCommand(of, rest[0])
			}
			return of.Help()
		},
	}
	root.SetHelpCommand(help)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	completion, _, _ := root.Find([]string{"completion"})
	completion.Args, completion.RunE = exactly(0), func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// helpTopics are what `help` has to tell of below the command that args names.
func helpTopics(root *cobra.Command, args []string) (topics []string) {
	of, rest, err := root.Find(args)
	if err != nil || len(rest) > 0 {
		return nil
	}
	for _, c := range of.Commands() {
		if c.IsAvailableCommand() {
			topics = append(topics, c.Name()+"\t"+c.Short)
		}
	}
	if of == root {
		topics = append(topics, "flags\tAll flags of harden itself")
	}
	return topics
}

// unknownCommand says that a command has none of this name, and which it may have meant.
func unknownCommand(of *cobra.Command, name string) error {
	err := fmt.Errorf("unknown command %q", name)
	of.SuggestionsMinimumDistance = 2
	near := of.SuggestionsFor(name)
	if len(near) == 0 {
		return usageError{fmt.Errorf("%w; `%s --help` lists the commands", err, of.CommandPath())}
	}
	return usageError{fmt.Errorf("%w; did you mean %s?", err, strings.Join(near, " or "))}
}

// helpText is the help of a command.
func helpText(cmd *cobra.Command) string {
	var b strings.Builder
	long := cmd.Long
	if long == "" {
		long = cmd.Short
	}
	root := !cmd.HasParent()
	if root { // the rest of it is in the manual
		long, _, _ = strings.Cut(long, "\n\n")
	}
	b.WriteString(flowed(long) + "\n\nUsage: " + cmd.UseLine() + "\n")
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "       %s COMMAND [flags]\n\nCommands:\n%s", cmd.CommandPath(), commandText(cmd))
	}
	if cmd.HasExample() && !root {
		b.WriteString("\nExamples:\n" + strings.TrimRight(cmd.Example, "\n") + "\n")
	}
	if root {
		b.WriteString(flagText(cmd, mainFlags))
		b.WriteString("\nharden COMMAND --help   help of a command    harden help flags   all flags\n" +
			"man harden              exit codes, files    harden completion   for the shell\n" +
			"harden docs schema      the JSON Schema of everything that --format json prints\n")
		return b.String()
	}
	b.WriteString(flagText(cmd, nil))
	return b.String()
}

// commandText lists the commands below cmd.
func commandText(cmd *cobra.Command) string {
	var names []*cobra.Command
	width := 0
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && (cmd.HasParent() || !slices.Contains(helpCommands, c.Name())) {
			names, width = append(names, c), max(width, len(c.Name()))
		}
	}
	place := func(c *cobra.Command) int {
		if i := slices.Index(helpOrder, c.Name()); i >= 0 && !cmd.HasParent() {
			return i
		}
		return len(helpOrder)
	}
	slices.SortStableFunc(names, func(a, b *cobra.Command) int { return place(a) - place(b) })
	var b strings.Builder
	for _, c := range names {
		text := strings.Join(wrapped(c.Short, helpWidth-width-4), "\n"+strings.Repeat(" ", width+4))
		fmt.Fprintf(&b, "  %-*s  %s\n", width, c.Name(), text)
	}
	return b.String()
}

// flagText lists the flags of a command by group; where some are named only those, in short and without groups.
func flagText(cmd *cobra.Command, only []string) string {
	cmd.InitDefaultHelpFlag()
	groups := make([][]*pflag.Flag, len(flagGroups))
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		at := max(0, slices.IndexFunc(flagGroups, func(g flagGroup) bool { return slices.Contains(g.names, f.Name) }))
		switch {
		case f.Hidden || f.Name == "help" || only != nil && !slices.Contains(only, f.Name):
			return
		case only != nil:
			at = 0
		}
		groups[at] = append(groups[at], f)
	})
	var b strings.Builder
	for i, flags := range groups {
		if len(flags) == 0 {
			continue
		}
		b.WriteString("\n" + flagGroups[i].title + ":\n")
		var heads []string
		width := 0
		for _, f := range flags {
			heads = append(heads, flagHead(f))
			width = max(width, len(heads[len(heads)-1]))
		}
		for n, f := range flags {
			text := wrapped(flagUsage(f, only != nil), helpWidth-width-4)
			fmt.Fprintf(&b, "  %-*s  %s\n", width, heads[n], strings.Join(text, "\n"+strings.Repeat(" ", width+4)))
		}
	}
	return b.String()
}

// flagHead is a flag as it is written.
func flagHead(f *pflag.Flag) string {
	head := "    --" + f.Name
	if f.Shorthand != "" {
		head = "-" + f.Shorthand + ", --" + f.Name
	}
	value, _ := pflag.UnquoteUsage(f)
	return strings.TrimRight(head+" "+value, " ")
}

// flagUsage is what a flag does, in short its first clause alone, and what it is where it is left out.
func flagUsage(f *pflag.Flag, short bool) string {
	_, usage := pflag.UnquoteUsage(f)
	if short {
		for _, end := range []string{": ", ":\n", "; ", " (", "\n("} {
			usage, _, _ = strings.Cut(usage, end)
		}
	} else if !slices.Contains([]string{"", "0", "0s", "false", "[]"}, f.DefValue) {
		usage += " (default " + f.DefValue + ")"
	}
	return usage
}

// flowed wraps text at the width of help. A line that is indented is a paragraph of its own.
func flowed(text string) string {
	var out []string
	var paragraph []string
	end := func() {
		if len(paragraph) > 0 {
			out = append(out, wrapped(strings.Join(paragraph, " "), helpWidth)...)
			paragraph = nil
		}
	}
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		switch indent := len(line) - len(strings.TrimLeft(line, " ")); {
		case line == "":
			end()
			out = append(out, "")
		case strings.HasPrefix(line, "  - "):
			end()
			paragraph = []string{line}
		case indent > 0 && len(paragraph) > 0 && strings.HasPrefix(paragraph[0], "  - "):
			paragraph = append(paragraph, strings.TrimSpace(line))
		case indent > 0:
			end()
			out = append(out, line)
		default:
			paragraph = append(paragraph, line)
		}
	}
	end()
	return strings.Join(out, "\n")
}

// wrapped breaks text at blanks so that no line is wider than width; an item of a list hangs under its own beginning.
func wrapped(text string, width int) (lines []string) {
	line, hang := "", ""
	if item, ok := strings.CutPrefix(text, "  - "); ok {
		line, hang, text = "  - ", "    ", item
	}
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case len(line)+1+len(word) > width:
			lines = append(lines, line)
			line = hang + word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
