package diff

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/remediate"
)

// Where secrets stand in files; each %s is one.
var planted = []struct{ path, text string }{
	{"/etc/docker/daemon.json", `{"log-opts": {"splunk-token": "%s", "sas-key":"%s", "x-password" : "%s", "secret": "%s"}, "icc": true}`},
	{"/etc/docker/daemon.json", "{\n  \"proxies\": {\n    \"http-proxy\": \"http://user:%s@proxy:3128\",\n    \"https-proxy\": \"http:\\/\\/%s:p\\u0040%s\\u0040proxy\"\n  }\n}"},
	{"/etc/docker/daemon.json", `{"registry-mirrors": ["https://%s@one", "https://me:p@%s@two"]}`},
	{"/etc/docker/daemon.json", `{"log-opts": {"a": {"token": ["%s", ["%s"]]}, "gelf-api-key": "a\"%s"}}`},
	{"/etc/docker/daemon.json", `{"x": "-----BEGIN RSA PRIVATE KEY-----\n%s\n%s\n-----END RSA PRIVATE KEY-----\n"}`},
	{"/etc/docker/daemon.json", `{"runtimes": {"r": {"runtimeArgs": ["--token=%s", "--password", "x --api-key %s"]}}}`},
	{"/etc/docker/daemon.json", "{ // not JSON\n  \"splunk-token\": \"%s\", \"proxy\": \"http://u:%s@p\", \"password\" : \"a\\\"%s\", \"tokens\": [\"x\", \"%s\"], }"},
	{"/root/.docker/config.json", `{"auths": {"r": {"auth": "%s", "identitytoken": "%s"}}}`},
	{"/etc/environment", "PATH=\"/bin\"\nFOO=%s\nexport BAR=\"a %s\"\n# OLD=%s\n#export db='%s'\nnot an assignment %s\nV=x#%s\n"},
	{"/etc/default/docker", "A=\"first %s\nsecond %s\" \nB=x \\\n  %s\nDOCKER_OPTS=\"--log-opt splunk-token=%s --x=http://u:%s@h\"\nPASSWORD=1234%s\n"},
	{"/etc/systemd/system/docker.service.d/proxy.conf",
		"[Service]\nEnvironment=\"HTTP_PROXY=http://u:%s@p\" \"A=b %s\"\nEnvironment=C=1 \\\n  D=%s\nExecStart=/d --token %s --y-secret=%s\nSetCredential=c:%s\n"},
	{"/etc/x", "-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n%s\n-----END OPENSSH PRIVATE KEY-----\nAuthorization: Bearer %s\nsecret_key = '%s'\napi-key: %s\n"},
	{"/etc/x", "-----BEGIN PRIVATE KEY-----\n%s\n%s"},
	{"/r/Dockerfile", "FROM x\nENV A=%s B=\"x %s\" \\\n # c\n C=%s\nENV OLD first %s\narg D=%s\nRUN login --password %s && T_TOKEN=%s x\nONBUILD ENV E='%s'\nADD https://u:%s@h /x\n"},
	{"/r/compose.yaml", "x-p: {password: %s}\nservices:\n  a:\n    environment:\n      A: %s # c\n      B: \"x %s\"\n      C: |\n        %s\n        %s\n      D: >-\n        first\n        %s\n    build:\n      args: [X=%s, Y=%s]\n  b:\n    environment:\n      - A=%s\n      - \"B=x %s\"\n      - C=a\n        %s\nconfigs:\n  c: {content: %s}\n  d:\n    content: |\n      %s\n"},
	{"/r/compose.yaml", "x-env: &env\n  DB_PASSWORD: %s\nservices:\n  a:\n    environment:\n      <<: *env\n      URL: postgres://u:%s@h/d\n    command: --token %s --x-secret=%s\n"},
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
			if !strings.Contains(Patch(c), "canary") {
				t.Fatalf("%s, %s: nothing to hide in %s", p.path, name, Patch(c))
			}
			if name == "context" && (strings.HasPrefix(with, "{") || strings.Contains(with, "\n-----END") || strings.Contains(with, "first") || p.path == "/r/compose.yaml") {
				continue // with a line before it this is another kind of file
			}
			if got := Unified(c, r); strings.Contains(got, "canary") {
				t.Errorf("%s, %s:\n%s", p.path, name, got)
			}
		}
	}
}

func TestRedact(t *testing.T) {
	r := NewRedactor([]byte("key"))
	tag := regexp.MustCompile(`, [0-9a-f]{8}›`)
	for _, tt := range []struct{ path, in, want string }{
		{"/etc/docker/daemon.json", `{"icc": false, "log-opts": {"max-size": "10m"}, "tlskey": "/etc/docker/key.pem", "hosts": ["fd://"]}`,
			`{"icc": false, "log-opts": {"max-size": "10m"}, "tlskey": "/etc/docker/key.pem", "hosts": ["fd://"]}`},
		{"/etc/docker/daemon.json", `{"log-opts": {"splunk-token": "abc", "n-key": 12}}`,
			`{"log-opts": {"splunk-token": "‹redacted 3 bytes›", "n-key": "‹redacted 2 bytes›"}}`},
		{"/etc/environment", "PATH=\"/bin\"\r\nDOCKER_CONTENT_TRUST=1\nexport X='a b' \nTOKEN=1\n\n# prose = prose\n",
			"PATH=\"/bin\"\r\nDOCKER_CONTENT_TRUST=1\nexport X='‹redacted 3 bytes›' \nTOKEN=‹redacted 1 bytes›\n\n# prose = prose\n"},
		{"/etc/default/docker", "DOCKER_OPTS=\"--icc=true -H fd://\"", "DOCKER_OPTS=\"--icc=true -H fd://\""},
		{"/etc/systemd/system/x.service", "[Service]\nEnvironment=A=1 B=on\nEnvironment=A=b c\nExecStart=/d -H fd://\n",
			"[Service]\nEnvironment=A=1 B=on\nEnvironment=‹redacted 5 bytes›\nExecStart=/d -H fd://\n"},
		{"/etc/audit/rules.d/x.rules", "-w /etc/docker -p wa -k docker\n", "-w /etc/docker -p wa -k docker\n"},
		{"/x", "-----BEGIN PRIVATE KEY-----\nabc\nde\n-----END PRIVATE KEY-----\n",
			"-----BEGIN PRIVATE KEY-----\n‹redacted 3 bytes›\n‹redacted 2 bytes›\n-----END PRIVATE KEY-----\n"},
		{"/x", "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"},
		{"/x", "GET https://me:pw@host/a: 401, token=abc, sha256:0123", "GET https://‹redacted 5 bytes›@host/a: 401, token=‹redacted 4 bytes› sha256:0123"},
		{"/x", "login as ghp_0123456789abcdefghij failed, AKIAIOSFODNN7EXAMPLE", "login as ‹redacted 24 bytes› failed, ‹redacted 20 bytes›"},
		{"/x", "    - --tls-private-key-file=/etc/pki/a.key\n    - --token-auth-file /a\n    - --enable-token-auth=true\n    - --token=/etc/a\n    - --token-file=a/b",
			"    - --tls-private-key-file=/etc/pki/a.key\n    - --token-auth-file /a\n    - --enable-token-auth=true\n    - --token=‹redacted 6 bytes›\n" +
				"    - --token-file=‹redacted 3 bytes›"},
		{"/x", "`[{secretbox: {keys: [{name: key1, secret: …}]}}]`, or secret: {a: b, secret: c}", "`[{secretbox: {keys: [{name: key1, secret: …}]}}]`, or secret: {a: b, secret: ‹redacted 2 bytes›"},
		{"/x", "token=trueish, secret: {name:x}", "token=‹redacted 8 bytes› secret: ‹redacted 8 bytes›"},
		{"/x", "", ""},
	} {
		once := r.Redact(tt.path, []byte(tt.in))
		if diff := cmp.Diff(tt.want, tag.ReplaceAllString(string(once), "›")); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.path, diff)
		}
		if twice := r.RedactText(string(once)); twice != string(once) {
			t.Errorf("%q, redacted again, became %q", once, twice)
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
		c := remediate.Change{Path: path, Before: file(0o644, 0, "root:root", string(before)), After: file(0o644, 0, "root:root", string(after))}
		got := Unified(c, NewRedactor([]byte("k")))
		if strings.Contains(got, "canarySecret") {
			t.Fatalf("a secret is shown:\n%s", got)
		}
		if before, after := Sides(c, NewRedactor([]byte("k"))); strings.Contains(before+after, "canarySecret") {
			t.Fatalf("a secret is shown:\n%s\n%s", before, after)
		}
		want := Patch(c)
		if strings.Count(got, "\n") != strings.Count(want, "\n") {
			t.Fatalf("%q has not the lines of %q", got, want)
		}
		if i := bytes.IndexFunc([]byte(got), func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x202e || r == 0x9b }); i >= 0 {
			t.Fatalf("%q shows a control character at %d", got, i)
		}
	})
}
