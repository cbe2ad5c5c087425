package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.com/harden/checks/catalog"
)

// riddles are phrases that people who tried harden did not understand, each with what they expected in its place.
var riddles = []struct{ phrase, plain string }{
	{`what it was allowed to apply`, "only what you allow"},
	{`[Ww]hat could not be told|cannot be told`, "inconclusive checks; unknown"},
	{`takes one line`, "gets one line"},
	{`half as much again`, "1.5 × peak"},
	{`[0-9] at least\b`, "minimum 2048"},
	{`said to be \*`, "marked"},
	{`make it again`, "recreate it"},
	{`may stay\b`, "confirms it"},
	{`a boot and the time since`, "the monotonic clock"},
	{`by place, kind`, "only location, type and length are shown"},
	{`out of bounds`, "too large or malformed"},
	{`left out, the whole`, "if omitted, applies to the whole check"},
	{`not settle (its|it\b)`, "would not resolve it"},
	{`\bby chance\b`, "random delay"},
	{`makes up for`, "cron skips missed runs"},
	{`have the cluster keep`, "also update kubeadm-config"},
	{`so it cannot be asked|can be asked of`, "dockerd is not running; not checked"},
	{`no terminal to ask on`, "stdin is not a terminal"},
	{`must be within 0`, "must be 0755 or stricter"},
	{`take[ns]? up in place`, "by reload, no restart"},
	{`[Ll]eft to you`, "manual action required"},
	{`a person must look`, "manual review"},
	{`not as it must be`, "hide passing checks"},
	{`no check above`, "up to LEVEL"},
	{`by the clock`, "scheduled"},
	{`\b[Tt]ak(e|es|en|ing) (it|itself|all|them|(a|the|that|this) (whole )?run) back\b`, "roll back"},
	{`runs? (is|was|are) (then )?taken back|\btakes back\b|\btaken back by`, "rolled back"},
	{`is of a run`, "can't be combined with --dry-run"},
	{`there are 1, and 2`, "valid: 1, 2"},
	{`(nothing|nobody) is called`, `unknown check "icx"; invalid --by`},
	{`[Tt]here has been no run`, "No runs yet."},
	{`leaves no check`, "no checks selected"},
	{`whoever has done it since`, "restart docker.service yourself"},
	{`of now is hidden`, "existing images are unavailable until it is disabled"},
	{`what it covered`, "waiver expired"},
	{`is no day such`, "invalid date; use YYYY-MM-DD"},
	{`as it is to be`, "already up to date"},
	{`scheduled look`, "audit"},
	{`come to rest`, "the plan does not converge"},
	{`tells? nothing of`, "not checked"},
}

// transcript is what harden said, in the README: its reports have tests of their own.
var transcript = regexp.MustCompile(`(?s)<!-- transcript -->.*<!-- /transcript -->`)

// TestPlain holds what users read (help, pages and the catalogue) to plain words.
func TestPlain(t *testing.T) {
	texts := map[string]string{}
	for _, c := range commands(newRoot()) {
		texts[c.CommandPath()] = helpOf(c)
	}
	for _, c := range catalog.All {
		texts[c.ID] = strings.Join([]string{c.Title, c.Why, c.Breaks, c.Manual}, "\n")
	}
	for _, file := range pages(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = transcript.ReplaceAllString(string(text), "")
	}
	if len(texts) < 200 {
		t.Fatalf("%d texts", len(texts))
	}
	for _, r := range riddles {
		phrase := regexp.MustCompile(strings.ReplaceAll(r.phrase, " ", `\s+`))
		for where, text := range texts {
			for _, found := range phrase.FindAllString(text, -1) {
				t.Errorf("%s: %q; write %q", where, found, r.plain)
			}
		}
	}
}

// helpOf is all that a command's help says, its flags included.
func helpOf(cmd *cobra.Command) string {
	all := []string{cmd.Short, cmd.Long, cmd.Example}
	cmd.Flags().VisitAll(func(f *pflag.Flag) { all = append(all, f.Usage) })
	return strings.Join(all, "\n")
}

// TestHelpWidth keeps help to 120 columns, as cobra lays it out.
func TestHelpWidth(t *testing.T) {
	for _, c := range commands(newRoot()) {
		for line := range strings.Lines(c.Long + "\n" + c.Flags().FlagUsages()) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 120 {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), n, line)
			}
		}
	}
}
