package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"

	"example.com/harden/scripts/child"
	"example.com/harden/scripts/testdocker"
)

// TestDeep reads the layers of a real image on a real dockerd: a set-user-ID program, a key, a user who is root by
// another name, and a secret in the environment. Without --deep a person is asked.
func TestDeep(t *testing.T) {
	d := testdocker.Start(t)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	key := "-----BEGIN RSA PRIVATE " + "KEY-----\n" + strings.Repeat("MIIEpAIBAAKCAQEAx7Kq2LmZ9vBt4RyWs8Nd\n", 5) +
		"-----END RSA PRIVATE " + "KEY-----\n"
	for _, f := range []struct {
		name, data string
		mode       int64
	}{{"bin/ping", "x", 0o4755}, {"bin/ls", "x", 0o755}, {"etc/passwd", "toor:x:0:0::/:/bin/sh\n", 0o644},
		{"etc/ssl/tls.key", key, 0o600},
		{"var/lib/apt/lists/index", strings.Repeat("p", 3<<20), 0o644}} {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	answer, err := d.Client.ImageImport(t.Context(), image.ImportSource{Source: &b, SourceName: "-"}, "deep:latest",
		image.ImportOptions{Changes: []string{"USER toor", "ENV DB_PASSWORD=hunter2!"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, answer); err != nil {
		t.Fatal(err)
	}
	answer.Close()
	harden := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("/proc/self/exe",
			append([]string{"check", "--only", "docker:4.1,docker:4.3,docker:4.8,docker:4.10", "--config", "none", "--state",
				t.TempDir(), "--docker-host", d.Host}, args...)...)
		cmd.Args[0] = "harden"
		cmd.Env = child.Environ("TESTSCRIPT_COMMAND=harden")
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 2 {
			t.Fatalf("%s", out)
		}
		return strings.Join(strings.Fields(string(out)), " ")
	}
	shallow, deep := harden(), harden("--deep")
	const secret = "image deep:latest: DB_PASSWORD in its environment, a value of 8 bytes; must be without secrets"
	for _, part := range []string{secret, "manual 4.8"} {
		if !strings.Contains(shallow, part) {
			t.Errorf("without --deep %q is missing:\n%s", part, shallow)
		}
	}
	for _, part := range []string{secret, "image deep:latest: /bin/ping; must be without the set-user-ID",
		"a private key, /etc/ssl/tls.key",
		"USER toor, which its passwd makes uid 0", "3 MiB of package managers' indexes"} {
		if !strings.Contains(deep, part) {
			t.Errorf("with --deep %q is missing:\n%s", part, deep)
		}
	}
	screen := onTerminal(t, 100, nil, "", "check", "--only", "docker:4.8", "--deep", "--state", t.TempDir(),
		"--docker-host", d.Host)
	if !strings.Contains(screen, "[....................] reading image deep:latest") {
		t.Errorf("nothing tells how far it is:\n%q", screen)
	}
	if strings.Contains(shallow+deep, "hunter2") || strings.Contains(deep, "MIIEpA") {
		t.Error("a secret was told")
	}
}
