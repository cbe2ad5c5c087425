package source

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"example.com/harden/checks"
	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/source"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/secret"
)

const kept = "which the image's history keeps"

const mustSecret = "given when it is needed, by --mount=type=secret or at run time"

// A leak is a secret on a line of a file.
type leak struct {
	line      int
	what, got string
	value     string // what was found, to know it again; never told
}

// Secrets wants none in ENV, ARG, RUN, COPY or anywhere else in a Dockerfile (4.10).
var Secrets = dockerfiles(func(_ *facts.Host, d *source.Dockerfile) ([]checks.Finding, error) {
	var leaks []leak
	steps := map[int]source.Step{} // what a line is part of
	for i := range d.Stages {
		for _, s := range d.Stages[i].Steps {
			for l := s.Line; l <= max(s.Line, s.End); l++ {
				steps[l] = s
			}
			leaks = append(leaks, named(s)...)
		}
	}
	hits, unknown := secret.FindWithin(d.Data, budget.New(d.As, nil))
	for _, hit := range secret.Alarms(d.Data, hits) {
		value, step := string(d.Data[hit.Start:hit.End]), steps[hit.Line]
		if slices.ContainsFunc(leaks, func(l leak) bool {
			return l.value != "" && l.line == step.Line && (strings.Contains(value, l.value) || strings.Contains(l.value, value))
		}) {
			continue // it was found already, by its name
		}
		where := "FROM or a comment"
		if step.Command != nil {
			where = strings.ToUpper(step.Name())
		}
		leaks = append(leaks, leak{line: hit.Line, what: where,
			got: fmt.Sprintf("a secret of %d bytes in column %d, of the kind %s", hit.End-hit.Start, hit.Column, hit.Rule)})
	}
	slices.SortStableFunc(leaks, func(a, b leak) int { return cmp.Compare(a.line, b.line) })
	var findings []checks.Finding
	for _, l := range leaks {
		findings = append(findings, checks.Finding{Subject: d.As + " " + l.what, Got: l.got, Must: mustSecret,
			Place: d.At(l.line)})
	}
	return findings, unknown
})

// named finds what a step gives away by the names in it, whatever the value looks like.
func named(s source.Step) []leak {
	var leaks []leak
	add := func(what, value, got string) {
		if value != "" {
			got = fmt.Sprintf("a value of %d bytes, ", len(value)) + got
		}
		leaks = append(leaks, leak{line: s.Line, what: what, got: got, value: value})
	}
	switch c := s.Command.(type) {
	case *instructions.EnvCommand:
		for _, kv := range c.Env {
			if given := secret.Given(kv.Key, kv.Value); given != "" {
				add("ENV "+masked(kv.Key), given, "which every container has and anybody can read")
			}
		}
	case *instructions.ArgCommand:
		for _, kv := range c.Args {
			if kv.Value == nil {
				if secret.Sensitive(kv.Key) {
					add("ARG "+masked(kv.Key), "", "whatever the build is given for it, "+kept)
				}
			} else if given := secret.Given(kv.Key, *kv.Value); given != "" {
				add("ARG "+masked(kv.Key), given, kept)
			} else if secret.Sensitive(kv.Key) && len(secret.Literals(*kv.Value)) == 0 {
				add("ARG "+masked(kv.Key), "", "whatever the build is given for it, "+kept)
			}
		}
	case *instructions.LabelCommand:
		for _, kv := range c.Labels {
			if given := secret.Given(kv.Key, kv.Value); given != "" {
				add("LABEL "+masked(kv.Key), given, "which the image tells everybody")
			}
		}
	case *instructions.RunCommand:
		for _, a := range secret.InCommand(script(c)) {
			add("RUN "+masked(a.Name), a.Value, kept)
		}
	case *instructions.CopyCommand:
		if c.From == "" {
			leaks = append(leaks, keyFiles("COPY", s.Line, c.SourcePaths)...)
		}
	case *instructions.AddCommand:
		leaks = append(leaks, keyFiles("ADD", s.Line, c.SourcePaths)...)
	}
	return leaks
}

// script is all that a RUN gives to a shell.
func script(c *instructions.RunCommand) string {
	texts := []string{strings.Join(c.CmdLine, " ")}
	for _, f := range c.Files {
		texts = append(texts, f.Data)
	}
	return strings.Join(texts, "\n")
}

// Files that hold keys and passwords, by their names.
var (
	keyNames = []string{"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".env", ".netrc", "_netrc", ".npmrc", ".pypirc",
		".pgpass", ".my.cnf", ".htpasswd", ".git-credentials", ".dockercfg", "credentials.json", "service-account.json",
		"kubeconfig", "secrets.yml", "secrets.yaml", "secrets.json", ".vault-token", ".terraformrc"}
	keyEndings = []string{".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk"}
	keyPaths   = []string{".aws/credentials", ".docker/config.json", ".kube/config", ".ssh"}
)

// publicNames are endings that keys share with what everybody may have.
var publicNames = []string{"ca.pem", "cert.pem", "certs.pem", "chain.pem", "bundle.pem", "public.pem", "pub.pem",
	"pub.key", "public.key", "ca-certificates.pem",
	"keyring.gpg", "release.gpg", "archive.key", "release.key", "archive-keyring.gpg"}

// publicParts are what names of keys have in them by which packages are verified, and of others that are public.
var publicParts = []string{"public", "pub", "gpg", "release", "repo", "archive", "dhparam", "apt", "signing"}

func keyFiles(instruction string, line int, sources []string) []leak {
	var leaks []leak
	for _, s := range sources {
		clean := strings.ToLower(path.Clean("/" + s))
		base := path.Base(clean)
		ends := func(e string) bool { return strings.HasSuffix(base, e) && !strings.HasSuffix(base, ".pub") }
		public := slices.ContainsFunc(publicNames, func(n string) bool { return strings.HasSuffix(base, n) }) ||
			slices.ContainsFunc(publicParts, func(n string) bool { return strings.Contains(base, n) })
		if slices.Contains(keyNames, base) || !public && slices.ContainsFunc(keyEndings, ends) ||
			slices.ContainsFunc(keyPaths, func(p string) bool { return strings.HasSuffix(clean, "/"+p) }) {
			leaks = append(leaks, leak{line: line, what: instruction + " " + masked(s),
				got: "by its name a file of secrets, which a layer keeps for ever"})
		}
	}
	return leaks
}

// ComposeSecrets wants none in a Compose file, by name or by form.
var ComposeSecrets = checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
	s, err := source.Of(h)
	if err != nil {
		return nil, err
	}
	if len(s.Composes) == 0 {
		return nil, unseen(s, rule.Inapplicable("no Compose file here"))
	}
	var all verdicts
	env := &environments{host: h, seen: map[string]bool{}}
	for _, c := range s.Composes {
		findings, err := composeSecrets(c, env)
		all.add(findings, errors.Join(c.Err, err))
	}
	all.add(nil, unseen(s, nil))
	all.once()
	return all.settle()
})

const mustFile = "given by secrets, or in an env_file that is kept elsewhere"

func lineOf(place string) int {
	n, _ := strconv.Atoi(place[strings.LastIndexByte(place, ':')+1:])
	return n
}
