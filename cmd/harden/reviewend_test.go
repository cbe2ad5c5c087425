package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/checks"
)

// reviewing are the arguments of a review of small, with its state and configuration in directories of their own.
func reviewing(t *testing.T, config string) (root, file string, args []string) {
	t.Helper()
	root, state := small(t)
	file = filepath.Join(t.TempDir(), "harden.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return root, file, []string{"--root", root, "--state", state, "--config", file}
}

// everyPrompt leads to each question of a review.
var everyPrompt = map[string][]act{
	"a fix":              {{shown: fixAsked}},
	"a fix again":        append(pressing("?"), act{shown: fixAsked}),
	"a long explanation": append(pressing("e"), act{shown: "More ["}),
	"a name":             append(pressing("nny"), act{shown: "anything else not to:"}),
	"a reason":           append(pressing("yw"), act{shown: "Reason:"}),
	"a day":              append(pressing("yw"), act{shown: "Reason:", types: "old\n"}, act{shown: "or never:"}),
	"a scope": append(pressing("yw"), act{shown: "Reason:", types: "old\n"}, act{shown: "or never:", types: "never\n"},
		act{shown: "or a pattern:"}),
	"a waiver": append(pressing("yw"), act{shown: "Reason:", types: "old\n"}, act{shown: "or never:", types: "never\n"},
		act{shown: "or a pattern:", types: "\n"}, act{shown: "when the review is done ["}),
	"a long plan":       append(pressing("yyf"), act{shown: "More ["}),
	"the last question": append(pressing("yf"), act{shown: "apply? [y/N]"}),
}

// TestReviewInterrupted interrupts a review at each question: nothing is changed, whatever was chosen, the terminal is
// as it was, and the exit code is that of the signal.
func TestReviewInterrupted(t *testing.T) {
	for name, to := range everyPrompt {
		for how, code := range map[string]int{"Ctrl-C": 130, "SIGTERM": 143, "SIGHUP": 129} {
			if how != "Ctrl-C" && testing.Short() {
				continue
			}
			t.Run(name+" "+how, func(t *testing.T) {
				root, file, args := reviewing(t, "waivers: []\n")
				acts := append([]act{}, to...)
				last := &acts[len(acts)-1]
				switch how {
				case "Ctrl-C":
					last.types = "\x03"
				case "SIGTERM":
					last.sends = syscall.SIGTERM
				case "SIGHUP":
					last.sends = syscall.SIGHUP
				}
				rows := uint16(500)
				if strings.HasPrefix(name, "a long") {
					rows = 12
				}
				shown, got := stage{T: t, rows: rows, columns: 80}.play(args, acts...)
				if got != code || !strings.Contains(shown, "nothing changed") {
					t.Errorf("exit code %d, want %d\n%s", got, code, shown)
				}
				if done := applies(t, root); done != nil {
					t.Errorf("applied: %q", done)
				}
				if text, err := os.ReadFile(file); err != nil || string(text) != "waivers: []\n" {
					t.Errorf("the configuration is %s (%v)", text, err)
				}
			})
		}
	}
}

// TestReviewScreens holds what is shown between two questions to the rows that the terminal has, at each size that it
// takes, and a review to going on after Ctrl-Z.
func TestReviewScreens(t *testing.T) {
	root, _, args := reviewing(t, "")
	space := act{shown: "(Space: ", types: " "}
	acts := []act{{shown: fixAsked, types: "n"}, space, {shown: fixAsked, types: "n"}, space,
		{shown: fixAsked, types: "n"}, space, {shown: fixAsked, types: "n"}, space, {shown: fixAsked, types: "n"},
		{shown: fixAsked, size: &unix.Winsize{Row: 16, Col: 50}}, {shown: fixAsked, types: " "},
		{shown: fixAsked, types: " "},
		{shown: fixAsked, stops: true}, {shown: fixAsked, types: "y"}, {shown: fixAsked, types: "f"},
		{shown: "More [", size: &unix.Winsize{Row: 24, Col: 80}}, {shown: "[y/N]", types: "y\n"}}
	shown, code := stage{T: t, rows: 24, columns: 80, env: []string{"TERM=xterm"}}.play(args, acts...)
	if cleared := strings.Count(shown, "\x1b[H\x1b[2J"); cleared != 3 {
		t.Errorf("the screen was cleared %d times, want one for each size and one after Ctrl-Z", cleared)
	}
	shown = strings.NewReplacer("\x1b[H\x1b[2J", "", "\r\x1b[K", "").Replace(shown)
	if diff := cmp.Diff([]string{"live-restore"}, applies(t, root)); diff != "" || code != 0 {
		t.Errorf("exit code %d; (-want +got)\n%s\n%s", code, diff, shown)
	}
	rows, columns, fix := 24, 80, ""
	for screen := range strings.SplitSeq(shown, fixAsked) {
		_, text, _ := strings.Cut(screen, "? ")
		if strings.Contains(screen, "Fix 6 of 7") && fix != "" {
			rows, columns = 16, 50
		}
		if strings.Contains(screen, "Fix 6 of 7") {
			fix = "6"
		}
		if strings.Contains(screen, "Review:") {
			break
		}
		taken := 0
		for l := range strings.Lines(text) {
			if !strings.HasPrefix(l, "\n") || taken > 0 {
				taken += height(strings.TrimRight(l, "\n"), columns)
			}
		}
		if taken > rows+1 { // what was answered is on a row of its own, with the screen before
			t.Errorf("%d rows on a terminal of %d:\n%s", taken, rows, text)
		}
	}
}

// TestReviewSaved saves what was chosen, and applies that and nothing else.
func TestReviewSaved(t *testing.T) {
	root, _, args := reviewing(t, "")
	plan := filepath.Join(t.TempDir(), "plan.json")
	shown, code := stage{T: t, rows: 500, columns: 80}.play(append(args, "--dry-run", "--out", plan),
		pressing("ynnynnn")...)
	if code != 2 || applies(t, root) != nil {
		t.Fatalf("exit code %d\n%s", code, shown)
	}
	out, said, code := ran(t, "harden", nil, noFile, "apply", plan, "--state", args[3])
	if diff := cmp.Diff([]string{"no-new-privileges", "mode"}, applies(t, root)); diff != "" || code != 0 {
		t.Errorf("%d (-want +got)\n%s%s%s", code, diff, out, said)
	}
}

// TestReviewOpen holds what is said of what a review leaves open to being true where single fixes alone were shown.
func TestReviewOpen(t *testing.T) {
	for end, says := range map[string]string{"f": "Nothing to apply.", "yf": "Applied as run"} {
		_, _, args := reviewing(t, "")
		acts := pressing(end)
		if end != "f" {
			acts = answering(end, "y")
		}
		shown, _ := stage{T: t, rows: 500, columns: 120}.play(args, acts...)
		_, after, ok := strings.Cut(shown, says)
		if !ok || strings.Contains(after, "see above") ||
			!strings.Contains(after, "not chosen, or manual action required; `harden --dry-run` lists them\n") {
			t.Errorf("after %q it says of what is open (%v):\n%s", end, ok, after)
		}
	}
}

// TestReviewRefused holds a review to a terminal for its questions and for its answers.
func TestReviewRefused(t *testing.T) {
	root, state := small(t)
	_, said, code := ran(t, "harden", nil, noFile, "--review", "--root", root, "--state", state)
	if code != exitUsage || !strings.Contains(said, "--review: stdin is not a terminal; select fixes with --only, and") {
		t.Errorf("%d %s", code, said)
	}
	for args, says := range map[string]string{"--yes": "--yes can't be combined with --review",
		"--quiet":       "--quiet can't be combined with --review",
		"--format json": "--review can't be combined with --format json"} {
		_, said, code := ran(t, "harden", nil, noFile, append(strings.Fields(args), "--review", "--root", root)...)
		if code != exitUsage || !strings.Contains(said, says) {
			t.Errorf("%s: %d %s", args, code, said)
		}
	}
}

// TestReviewSource reviews the fixes of sources whose directory has a hostile name, applies one of them, and takes it
// back.
func TestReviewSource(t *testing.T) {
	const evil = "x\x1b]0;owned\x07\x1b[2J\u202e/compose.yaml"
	const dockerfile = "FROM debian:12\nUSER 1\nADD a /a\n"
	r := newRepository(t, map[string]string{evil: webService, "Dockerfile": dockerfile, "a": "a\n"})
	all := stage{T: t, rows: 500, columns: 80}
	shown, code := all.play([]string{"--config", "none", "--source", r.dir, "--only",
		"docker/no-add,docker/restart-policy"}, answering("yn", "y")...)
	if code != 0 || strings.ContainsAny(shown, "\x1b\x07\u202e") {
		t.Errorf("exit code %d\n%q", code, shown)
	}
	if one, other := r.read("Dockerfile") != dockerfile, r.read(evil) != webService; one == other {
		t.Errorf("the Dockerfile is changed: %v, the Compose file: %v\n%s", one, other, shown)
	}
	r.run(0, "rollback", "--source", r.dir, "--yes")
	if r.read(evil) != webService {
		t.Error("not rolled back")
	}
	_, file, _ := reviewing(t, "waivers: []\n")
	shown, code = all.play([]string{"--config", file, "--source", r.dir, "--only", "docker/restart-policy", "--state",
		t.TempDir()}, append(waiving("theirs", "never", ""), act{shown: "[y/N]", types: "y\n"})...)
	if code != 0 || strings.ContainsAny(shown, "\x1b\x07\u202e") {
		t.Errorf("exit code %d\n%q", code, shown)
	}
	if out, said, code := ran(t, "harden", nil, noFile, "check", "--config", file, "--source", r.dir, "--only",
		"docker/restart-policy"); code != 0 || !strings.Contains(out, "1 waived") {
		t.Errorf("%d %s%s", code, out, said)
	}
}

// TestReviewScope holds a waiver of one finding to that finding, whatever it is called.
func TestReviewScope(t *testing.T) {
	r := reviewed(t, "docker/debian.txtar")
	o := &offer{check: r.offers[0].check}
	o.findings = []checks.Finding{{Subject: "/a*/b"}, {Subject: "container x", Key: "x"}}
	all, err := r.each(o, fileWaiver{Check: o.check.ID, Reason: "r"})
	if err != nil || len(all) != 2 || all[0].Scope != "/a?/b" || all[1].Scope != "x" {
		t.Fatalf("%+v %v", all, err)
	}
	w, err := all[0].check()
	if err != nil || !w.Covers(o.check.ID, o.findings[0]) || w.Covers(o.check.ID, checks.Finding{Subject: "/a/etc/b"}) {
		t.Errorf("%+v %v", w, err)
	}
}
