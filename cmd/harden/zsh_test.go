package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"example.com/harden/scripts/child"
)

// zshrc loads the completion, and has Ctrl-X Ctrl-D show what the line has become.
const zshrc = `PS1='> '
autoload -Uz compinit && compinit -u -D && source <(harden completion zsh)
become() { print -r -- "=$BUFFER="; exit }
zle -N become && bindkey '^X^D' become
`

// TestZsh completes commands, flags, their values and the numbers and IDs of runs in a real zsh.
func TestZsh(t *testing.T) {
	if _, err := exec.LookPath("zsh"); err != nil {
		t.Skip("needs zsh, which scripts/setup installs")
	}
	root, state := small(t)
	if _, said, code := ran(t, "harden", nil, noFile, "--yes", "--root", root, "--state", state); code != 0 {
		t.Fatalf("%d %s", code, said)
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "harden"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".zshrc"), []byte(zshrc), 0o600); err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]string{
		"hist":                                "history ",
		"schedule ins":                        "schedule install ",
		"check --benchm":                      "check --benchmark ",
		"check --format=jsonl":                "check --format=jsonl ",
		"check --only docker/ic":              "check --only docker/icc ",
		"check --only docker:2.2,stride:tamp": "check --only docker:2.2,stride:tampering ",
		"rollback ":                           "rollback 1 ",
	} {
		cmd := exec.Command("zsh", "-d", "-i")
		cmd.Env = child.Environ("TERM=dumb", "ZDOTDIR="+dir, "PATH="+dir+":"+os.Getenv("PATH"), "HARDEN_CONFIG=none",
			"HARDEN_STATE="+state, "HARDEN_ROOT="+root)
		shown, _ := stage{T: t, rows: 24, columns: 200}.on(cmd, act{shown: "> ", types: "harden " + typed + "\t\x18\x04"},
			act{shown: "=harden " + want + "="})
		if t.Failed() {
			t.Fatalf("%q:\n%s", typed, shown)
		}
	}
}
