package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// waiving answers what a waiver asks: for a reason, its last day and what it is of.
func waiving(reason, until, scope string) []act {
	return []act{{shown: fixAsked, types: "w"}, {shown: "Reason:", types: reason + "\n"},
		{shown: "or never:", types: until + "\n"}, {shown: "or a pattern:", types: scope + "\n"},
		{shown: "when the review is done [", types: "y"}}
}

const agreedUpon = `# ours
level: 2   # both
waivers:
  # agreed in March
  - check: docker/icc
    scope: nothing   # of that name
    reason: "old"

# the end
`

// TestReviewWaives writes waivers, each to say what was answered, and leaves the rest of the file as it is. They are a
// run of their own, which rollback takes back byte for byte.
func TestReviewWaives(t *testing.T) {
	const entry = "  - check: docker/etc-default-mode\n    expires: \"2999-12-31\"\n" +
		"    reason: \"until #12: the new host\"\n    scope: /etc/default/docker\n"
	for name, test := range map[string]struct {
		config, want string
		acts         []act
		done         []string
		says         string
	}{
		"with comments": {agreedUpon, strings.Replace(agreedUpon, "    reason: \"old\"\n", "    reason: \"old\"\n"+entry, 1),
			append(waiving("until #12: the new host", "2999-12-31", ""), answering("nnnnyn", "y")...), []string{"live-restore"},
			"write 1 waiver, and apply? [y/N]"},
		"in an empty file": {"", "waivers:\n  - check: docker/etc-default-mode\n    reason: never\n",
			append(waiving("never", "never", "*"), answering("f", "y")...), nil, "write 1 waiver? [y/N]"},
		"two": {"waivers: []\n", "waivers:\n  - check: docker/etc-default-mode\n    reason: a\n    scope: /etc/*\n" +
			"  - check: docker/icc\n    reason: b\n    scope: \"daemon icc\"\n",
			append(append(waiving("a", "never", "/etc/*"), waiving("b", "never", "")...), answering("f", "y")...), nil,
			"Review: 0 fixes chosen, 5 skipped, 2 waived."},
		"thought better of": {"waivers: []\n", "waivers: []\n", append(append(waiving("a", "never", ""), pressing("b")...),
			answering("yf", "y")...), []string{"mode"}, "Review: 1 fix chosen, 6 skipped, 0 waived."},
	} {
		t.Run(name, func(t *testing.T) {
			root, file, args := reviewing(t, test.config)
			shown, code := stage{T: t, rows: 500, columns: 80}.play(args, test.acts...)
			text, err := os.ReadFile(file)
			if diff := cmp.Diff(test.want, string(text)); diff != "" || code != 0 || err != nil ||
				!strings.Contains(shown, test.says) {
				t.Fatalf("exit code %d (%v); it must say %q; (-want +got)\n%s\n%s", code, err, test.says, diff, shown)
			}
			if diff := cmp.Diff(test.done, applies(t, root)); diff != "" {
				t.Errorf("applied (-want +got)\n%s", diff)
			}
			if test.want == test.config {
				return
			}
			out, said, _ := ran(t, "harden", nil, noFile, "check", "--root", root, "--config", file, "--only",
				"docker/etc-default-mode")
			if !strings.Contains(out, "waived") {
				t.Errorf("it is not waived: %s%s", out, said)
			}
			_, id, _ := strings.Cut(shown, "written to "+file+" as run ")
			id, _, _ = strings.Cut(id, ".")
			out, said, code = ran(t, "harden", nil, noFile, "rollback", id, "--state", args[3], "--yes")
			text, err = os.ReadFile(file)
			if string(text) != test.config || code != 0 || err != nil {
				t.Errorf("rolled back: %d %v %s%s\n%s", code, err, out, said, text)
			}
		})
	}
}

// TestReviewWaivesNothing holds what writes no waiver, with what is said of it.
func TestReviewWaivesNothing(t *testing.T) {
	w, stop := act{shown: fixAsked, types: "w"}, act{shown: fixAsked, types: "q"}
	reason, never := act{shown: "Reason:", types: "because\n"}, act{shown: "never:", types: "never\n"}
	// wrong answers a question, and thinks better of it when fixAsked again.
	wrong := func(question, answer string, before ...act) []act {
		return append(before, act{shown: question, types: answer + "\n"}, act{shown: question, types: "\x04"}, stop)
	}
	for name, test := range map[string]struct {
		args []string
		acts []act
		says string
	}{
		"no file": {[]string{"--config", "none"}, []act{w, stop}, "--config none: no file to write a waiver into"},
		"Ctrl-D":  {nil, []act{w, {shown: "Reason:", types: "\x04"}, stop}, "Ctrl-D cancels"},

		"no reason":          {nil, wrong("Reason:", "", w), "a waiver needs a reason"},
		"a hidden one":       {nil, wrong("Reason:", "a\u202eb", w), "characters that can't be shown"},
		"no day":             {nil, wrong("never:", "tomorrow", w, reason), `invalid date "tomorrow"; use YYYY-MM-DD`},
		"a day that is over": {nil, wrong("never:", "2020-01-01", w, reason), "2020-01-01 is over; use a later day"},
		"another scope":      {nil, wrong("pattern:", "/etc/x*", w, reason, never), `"/etc/x*" matches none of them`},

		"no": {nil, []act{w, reason, never, {shown: "pattern:", types: "\n"}, {shown: "is done [", types: "n"},
			stop}, "+  - check: docker/etc-default-mode"},
		"quit": {nil, append(waiving("a", "never", ""), stop), "no waiver was written"},
		"a dry run": {[]string{"--dry-run"}, []act{w, reason, never, {shown: "pattern:", types: "\n"},
			{shown: "Skip the fix [", types: "y"}, {shown: fixAsked, types: "f"}},
			"Review: 0 fixes chosen, 7 skipped, 0 waived."},
	} {
		t.Run(name, func(t *testing.T) {
			_, file, args := reviewing(t, "waivers: []\n")
			shown, _ := stage{T: t, rows: 500, columns: 80}.play(append(args, test.args...), test.acts...)
			text, err := os.ReadFile(file)
			if err != nil || string(text) != "waivers: []\n" || !strings.Contains(shown, test.says) {
				t.Errorf("it must say %q: %v %s\n%s", test.says, err, text, shown)
			}
			if _, err := os.Stat(filepath.Join(args[3], "runs")); err == nil {
				t.Error("there is a run")
			}
		})
	}
}

// TestReviewMakesFile holds a configuration file that is not there yet to being made with the waiver alone, readable
// by all as that of the packages is.
func TestReviewMakesFile(t *testing.T) {
	f := &waiverFile{path: "/etc/harden/harden.yaml", none: true}
	c, err := f.with([]fileWaiver{{Check: "docker/icc", Reason: "r"}})
	if err != nil || !c.Created || c.After.Mode != 0o644 || c.After.Owner() != "root:root" ||
		string(c.After.Data) != "waivers:\n  - check: docker/icc\n    reason: r\n" {
		t.Errorf("%+v %v", c, err)
	}
}
