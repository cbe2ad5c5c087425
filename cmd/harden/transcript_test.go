package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/child"
)

const readme = "../../README.md"

// TestTranscript holds the README's transcript to what harden says: its commands are run on a host below a directory.
func TestTranscript(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can apply")
	}
	dir := t.TempDir()
	host := filepath.Join(dir, "host")
	for name, text := range map[string]string{
		"usr/bin/dockerd":                       "",
		"usr/lib/systemd/system/docker.service": "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n",
		"etc/docker/daemon.json":                "{\n\t\"live-restore\": true,\n\t\"userland-proxy\": false\n}\n",
		"etc/passwd":                            "root:x:0:0::/root:/bin/sh\n",
		"etc/group":                             "root:x:0:\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(host, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(host, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "harden")); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("```\n")
	for i, command := range []string{
		"harden --dry-run --root /mnt/host --only docker:2.2",
		"harden --yes --root /mnt/host --only docker:2.2 | tail -n 7",
		"harden rollback --yes --root /mnt/host",
	} {
		if i > 0 {
			b.WriteString("\n")
		}
		cmd := exec.Command("sh", "-c", strings.ReplaceAll(command, "/mnt/host", host))
		cmd.Env = append(child.Environ(), "PATH="+dir+":/usr/bin:/bin", "HARDEN_CONFIG=none",
			"HARDEN_STATE="+filepath.Join(dir, "state"))
		cmd.Stderr = os.Stderr
		out, _ := cmd.Output() // 2 says that something is to be done
		b.WriteString("# " + command + "\n" + strings.ReplaceAll(string(out), host, "/mnt/host"))
	}
	b.WriteString("```\n")
	run := regexp.MustCompile(`0001-[0-9]{8}T[0-9]{6}Z`)
	generated(t, readme, "transcript", run.ReplaceAllString(b.String(), "0001-20270131T120000Z"))
}

// generated holds the part of a page between <!-- NAME --> and <!-- /NAME --> to text; -update writes it.
func generated(t *testing.T, file, name, text string) {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), begin)
	shown, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for it, between %q and %q", file, begin, end)
	}
	if *update {
		if err := os.WriteFile(file, []byte(head+begin+text+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(text, shown); diff != "" {
		t.Errorf("%s: %s; -update writes it (-want +got):\n%s", file, name, diff)
	}
}
