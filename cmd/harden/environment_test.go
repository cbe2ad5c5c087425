package main

import (
	"slices"
	"strings"
	"testing"
)

// TestEnvironmentTold has the report say what the environment of root's shell has chosen.
func TestEnvironmentTold(t *testing.T) {
	const nobody = "tcp://127.0.0.1:1"
	for _, test := range []struct {
		env, args string
		says      []string // "!" before what it is not to say
	}{
		{"DOCKER_HOST=" + nobody, "", []string{"DOCKER_HOST of the environment chose the Docker Engine",
			`"from": "DOCKER_HOST"`, `"endpoint": "` + nobody}},
		{"DOCKER_HOST=" + nobody, "--docker-host tcp://127.0.0.1:2", []string{`"from": "--docker-host"`,
			"DOCKER_HOST of the environment is not used: --docker-host chose the Docker Engine"}},
		{"HARDEN_DOCKER_HOST=" + nobody, "",
			[]string{`"from": "HARDEN_DOCKER_HOST"`, "!DOCKER_HOST of the environment chose"}},
		{"DOCKER_HOST=" + nobody + " DOCKER_CERT_PATH=/nowhere", "", []string{
			"DOCKER_CERT_PATH of the environment chose the certificates", "DOCKER_TLS_VERIFY is not set"}},
		{"DOCKER_HOST=unix:///nowhere DOCKER_CERT_PATH=/nowhere", "", []string{"!DOCKER_CERT_PATH"}},
		{"DOCKER_CONTEXT=other KUBECONFIG=/x DOCKER_API_VERSION=1.41", "", []string{
			"DOCKER_CONTEXT of the environment is not read: use --docker-host",
			"KUBECONFIG of the environment is not read: use --kubeconfig", "DOCKER_API_VERSION of the environment is not read"}},
		{"DOCKER_HOST=" + nobody, "--root /proc/self/cwd", []string{"!DOCKER_HOST"}},
	} {
		for _, format := range []string{"text", "json"} {
			args := append(strings.Fields("check --only docker/icc --format "+format), strings.Fields(test.args)...)
			out, said, _ := called(t, test.env, args...)
			out = strings.Join(strings.Fields(out), " ")
			for _, s := range test.says {
				s, not := strings.CutPrefix(s, "!")
				if strings.HasPrefix(s, `"`) && format == "text" {
					continue
				}
				if strings.Contains(out, s) == not {
					t.Errorf("%s harden %q: %q is said: %v\n%s%s", test.env, args, s, !not, out, said)
				}
			}
		}
	}
}

// TestVariables holds each variable of harden's to being heard or refused.
func TestVariables(t *testing.T) {
	var names []string
	for _, cmd := range commands(newRoot()) {
		for _, f := range flagsOf(cmd) {
			if !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	for _, name := range names {
		want := "unknown variable; use --" + name
		if isSetting(name) || name == "config" {
			want = "the value is empty"
		}
		_, said, code := called(t, variable(name)+"=", "--dry-run", "--root", t.TempDir())
		if code != exitConfig || !strings.Contains(said, "harden: "+variable(name)+": "+want) {
			t.Errorf("%s: %d, %s", variable(name), code, said)
		}
	}
	for _, test := range []struct{ env, args, says string }{
		{"HARDEN_ONLI=docker/icc", "list", `HARDEN_ONLI: unknown variable; did you mean HARDEN_ONLY?`},
		{"HARDEN_DRYRUN=1", "list", `HARDEN_DRYRUN: unknown variable; valid: HARDEN_CONFIG, HARDEN_ONLY`},
		{"HARDEN_BINARY=/x", "list", `HARDEN_BINARY: unknown variable`},
		{"HARDEN_ONLY=docker/icc,,docker/live-restore", "list", "has an empty element"},
		{"HARDEN_LEVEL=one", "list", `HARDEN_LEVEL: the value is not a whole number`},
		{"HARDEN_QUIET=perhaps", "check --root /nowhere", `HARDEN_QUIET: the value must be true or false`},
		{"HARDEN_ALLOW=restart", "check --root /nowhere", "HARDEN_ALLOW: harden check does not use it"},
		{"HARDEN_ONLY=docker/icc", "rollback --root /nowhere", "HARDEN_ONLY: harden rollback does not use it"},
	} {
		_, said, code := called(t, test.env, strings.Fields(test.args)...)
		if code != exitConfig || !strings.Contains(said, test.says) {
			t.Errorf("%s harden %s: %d, %s", test.env, test.args, code, said)
		}
	}
	out, said, code := called(t, "HARDEN_ONLY=docker/icc HARDEN_QUIET=1 HARDEN_STATE=/x", "list")
	if code != 0 || strings.Count(out, "docker/") != 1 {
		t.Errorf("%d, %s%s", code, out, said)
	}
}
