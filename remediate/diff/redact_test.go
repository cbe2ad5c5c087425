package diff

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"example.com/harden/remediate"
)

// Where secrets stand in files; each %s is one.
var planted = []struct{ path, text string }{
	{"/etc/docker/daemon.json",
		`{"log-opts": {"splunk-token": "%s", "sas-key":"%s", "x-password" : "%s", "secret": "%s"}, "icc": true}`},
	{"/etc/docker/daemon.json", "{\n  \"proxies\": {\n    \"http-proxy\": \"http://user:%s@proxy:3128\",\n    " +
		"\"https-proxy\": \"http:\\/\\/%s:p\\u0040%s\\u0040proxy\"\n  }\n}"},
	{"/etc/docker/daemon.json", `{"registry-mirrors": ["https://%s@one", "https://me:p@%s@two"]}`},
	{"/etc/docker/daemon.json", `{"log-opts": {"a": {"token": ["%s", ["%s"]]}, "gelf-api-key": "a\"%s"}}`},
	{"/etc/docker/daemon.json", `{"x": "-----BEGIN RSA PRIVATE KEY-----\n%s\n%s\n-----END RSA PRIVATE KEY-----\n"}`},
	{"/etc/docker/daemon.json", `{"runtimes": {"r": {"runtimeArgs": ["--token=%s", "--password", "x --api-key %s"]}}}`},
	{"/etc/docker/daemon.json", "{ // not JSON\n  \"splunk-token\": \"%s\", \"proxy\": \"http://u:%s@p\", \"password\" " +
		": \"a\\\"%s\", \"tokens\": [\"x\", \"%s\"], }"},
	{"/root/.docker/config.json", `{"auths": {"r": {"auth": "%s", "identitytoken": "%s"}}}`},
	{"/etc/environment", "PATH=\"/bin\"\nFOO_TOKEN=%s\nexport DB_PASS=\"a %s\"\n# OLD_PW=%s\n#export " +
		"dbPassword='%s'\nnot an assignment %s\nPASSWD=x#%s\n"},
	{"/etc/default/docker", "A_SECRET=\"first %s\nsecond %s\" \nB_TOKEN=x \\\n  %s\nDOCKER_OPTS=\"--log-opt " +
		"splunk-token=%s --x=http://u:%s@h\"\nPASSWORD=1234%s\n"},
	{"/etc/systemd/system/docker.service.d/proxy.conf",
		"[Service]\nEnvironment=\"HTTP_PROXY=http://u:%s@p\" \"A_PWD=b %s\"\nEnvironment=C=1 \\\n  " +
			"D_PASS=%s\nExecStart=/d --token %s --y-secret=%s\nSetCredential=c:%s\n"},
	{"/etc/x", "-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n%s\n-----END OPENSSH PRIVATE KEY-----\nAuthorization: Bearer " +
		"%s\nsecret_key = '%s'\napi-key: %s\n"},
	{"/etc/x", "-----BEGIN PRIVATE KEY-----\n%s\n%s"},
	{"/r/Dockerfile", "FROM x\nENV A_TOKEN=%s B_SECRET=\"x %s\" \\\n # c\n C_PASS=%s\nENV OLD_PASSWORD first %s\narg " +
		"DPWD=%s\nRUN login --password %s && T_TOKEN=%s x\nONBUILD ENV E_API_KEY='%s'\nADD https://u:%s@h /x\n"},
	{"/r/compose.yaml", "x-p: {password: %s}\nservices:\n  a:\n    environment:\n      A_TOKEN: %s # c\n      B_PASS: " +
		"\"x %s\"\n      C_SECRET: |\n        %s\n        %s\n      D_PWD: >-\n        first\n        %s\n    build:\n    " +
		"  args: [X_TOKEN=%s, YPASS=%s]\n  b:\n    environment:\n      - A_SECRET=%s\n      - \"B_TOKEN=x %s\"\n      - " +
		"C_PASSWORD=a\n        %s\nsecrets:\n  c: {content: %s}\nconfigs:\n  d:\n    content: |\n      x: 1\n      " +
		"password: %s\n"},
	{"/r/compose.yaml", "x-env: &env\n  DB_PASSWORD: %s\nservices:\n  a:\n    environment:\n      <<: *env\n      URL: " +
		"postgres://u:%s@h/d\n    command: --token %s --x-secret=%s\n"},
}

// No part of a planted secret is in what people are shown, on whichever side of the diff it stands.
func TestSecretsStayHidden(t *testing.T) {
	r := NewRedactor([]byte("key"))
	n := 0
	for _, p := range planted {
		args := make([]any, strings.Count(p.text, "%s"))
		for i := range args {
			args[i] = fmt.Sprintf("canary%dSecret", n)
			n++
		}
		with := fmt.Sprintf(p.text, args...)
		without := "{}\n"
		other := strings.ReplaceAll(with, "Secret", "Secrex")
		for name, c := range map[string]remediate.Change{
			"created":  {Created: true, After: file(0o644, 0, "root:root", with)},
			"removed":  {Removed: true, Before: file(0o644, 0, "root:root", with)},
			"added":    {Before: file(0o644, 0, "root:root", without), After: file(0o644, 0, "root:root", with)},
			"taken":    {Before: file(0o644, 0, "root:root", with), After: file(0o644, 0, "root:root", without)},
			"replaced": {Before: file(0o644, 0, "root:root", with), After: file(0o644, 0, "root:root", other)},
			"context":  {Before: file(0o644, 0, "root:root", "x\n"+with), After: file(0o644, 0, "root:root", "y\n"+with)},
		} {
			c.Path = p.path
			if !strings.Contains(patch(c), "canary") {
				t.Fatalf("%s, %s: nothing to hide in %s", p.path, name, patch(c))
			}
			if name == "context" && (strings.HasPrefix(with, "{") || strings.Contains(with, "\n-----END") ||
				strings.Contains(with, "first") || p.path == "/r/compose.yaml") {
				continue // with a line before it this is another kind of file
			}
			if got := Unified(c, r); strings.Contains(got, "canary") {
				t.Errorf("%s, %s:\n%s", p.path, name, got)
			}
		}
	}
}

func TestTags(t *testing.T) {
	a, b := NewRedactor([]byte("a")), NewRedactor([]byte("b"))
	one := a.RedactText("token=one")
	if again := a.RedactText("token=one"); one != again {
		t.Errorf("one secret, two marks: %s, %s", one, again)
	}
	if two := a.RedactText("token=two"); one == two {
		t.Errorf("two secrets, one mark: %s", one)
	}
	if other := b.RedactText("token=one"); one == other {
		t.Errorf("two keys, one mark: %s", one)
	}
}

// FuzzUnified: whatever the bytes, the diff keeps its shape line by line, hides a planted token and shows no
// character that moves a terminal's cursor.
func FuzzUnified(f *testing.F) {
	for _, p := range planted {
		f.Add(p.path, []byte(p.text), []byte("token=x\n"+p.text))
	}
	f.Add("/etc/default/x", []byte("A=\"\n\x1b[2J\r\n"), []byte("A='\n\\\n"))
	f.Fuzz(func(t *testing.T, path string, before, after []byte) {
		if strings.Contains(path+string(before)+string(after), "canary") {
			return // the fuzzer's own, where nothing says that it is a secret
		}
		after = append(bytes.Clone(after), "\n--token=canarySecret\n"...)
		c := remediate.Change{Path: path, Before: file(0o644, 0, "root:root", string(before)),
			After: file(0o644, 0, "root:root", string(after))}
		got := Unified(c, NewRedactor([]byte("k")))
		if strings.Contains(got, "canarySecret") {
			t.Fatalf("a secret is shown:\n%s", got)
		}
		if before, after := Sides(c, NewRedactor([]byte("k"))); strings.Contains(before+after, "canarySecret") {
			t.Fatalf("a secret is shown:\n%s\n%s", before, after)
		}
		want := patch(c)
		if strings.Count(got, "\n") != strings.Count(want, "\n") {
			t.Fatalf("%q has not the lines of %q", got, want)
		}
		if i := bytes.IndexFunc([]byte(got), func(r rune) bool {
			return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x202e || r == 0x9b
		}); i >= 0 {
			t.Fatalf("%q shows a control character at %d", got, i)
		}
	})
}

// TestReports leaves what is said of a file or a service whose name sounds like a secret, and hides a secret there.
func TestReports(t *testing.T) {
	r := NewRedactor(make([]byte, 32))
	for _, s := range []string{
		"docker-compose.secrets.yml: not YAML: line 3", "compose-token.yml: line 12: services is not a mapping",
		"Dockerfile.token: dockerfile parse error on line 12: unknown instruction: FOO",
		"src/compose.yaml: line 4: service secret: it extends one of ../common.yml: not found",
		"the changed file would not be valid: service api-token: decoding failed",
		"not everything was checked: secret.compose.yaml: not a regular file",
	} {
		if got := r.RedactText(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	for _, s := range []string{"password: hunter2 line", "token: lines", "compose.token.yml: s3cr3tvalue"} {
		if got := r.RedactText(s); got == s {
			t.Errorf("%q was left", s)
		}
	}
}
