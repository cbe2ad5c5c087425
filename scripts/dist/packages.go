package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// maintainer is who answers for the packages. There is no address that reaches the owner yet.
const maintainer = "The harden authors <harden@localhost.localdomain>"

const description = `audits and hardens Docker hosts and Kubernetes nodes
harden audits a Docker host or a Kubernetes node against the CIS benchmarks.
It shows each fix as a diff, applies what it is allowed to, verifies it, and
rolls it back byte for byte. Installing it changes nothing: no service is
started and no timer is enabled.`

// copyright says who made what, and that no licence has been chosen.
const copyright = `harden
Copyright 2026 The harden authors

The owner has not chosen a licence for harden yet. This package claims none.

harden contains work of others. /usr/share/doc/harden/NOTICES.gz has their
copyright notices and licences.
`

// overrides says which of lintian's rules do not fit, and why.
const overrides = `# A Go program without cgo has no dynamic part: it runs on every Linux, also in a
# container without any library.
harden: statically-linked-binary
# harden waits while dpkg holds its lock, and looks at that file for it.
harden: uses-dpkg-database-directly [usr/bin/harden]
# The owner has not said yet at which address they can be reached.
harden: bogus-mail-host *
harden: bogus-mail-host-in-debian-changelog *
`

// A kind is a format of packages, with the places that differ.
type kind struct {
	name string // of nfpm's packager, and what file names end in
	zsh  string
	arch map[string]string // as the kind calls it
	file func(version, arch string) string
}

var kinds = []kind{
	{"deb", "usr/share/zsh/vendor-completions/_harden", map[string]string{"amd64": "amd64", "arm64": "arm64"},
		func(version, arch string) string { return "harden_" + version + "_" + arch + ".deb" }},
	{"rpm", "usr/share/zsh/site-functions/_harden", map[string]string{"amd64": "x86_64", "arm64": "aarch64"},
		func(version, arch string) string { return "harden-" + version + "-1." + arch + ".rpm" }},
}

// A content is a file of a package, as nfpm describes it.
type content struct {
	Source      string   `json:"src,omitempty"`
	Destination string   `json:"dst"`
	Type        string   `json:"type,omitempty"`
	Info        fileInfo `json:"file_info"`
}

type fileInfo struct {
	Mode  fs.FileMode `json:"mode"`
	Time  time.Time   `json:"mtime"`
	Owner string      `json:"owner"`
	Group string      `json:"group"`
}

// packages writes the Debian and the RPM package of an architecture. Neither has a script: installing and removing
// harden touches its own files and nothing else.
func (r *release) packages(t *target) error {
	pack := filepath.Join(r.work, "pack")
	if _, err := os.Stat(pack); errors.Is(err, fs.ErrNotExist) {
		if _, err := commandIn(filepath.Join(r.root, "scripts/dist/pack"), []string{"CGO_ENABLED=0"}, "go", "build", "-o",
			pack, "."); err != nil {
			return err
		}
	}
	for _, k := range kinds {
		contents, err := r.stage(t, k)
		if err != nil {
			return err
		}
		text, err := json.Marshal(map[string]any{
			"name": "harden", "arch": t.arch, "platform": "linux", "version": r.packaged(), "version_schema": "none",
			"section": "admin", "priority": "optional", "maintainer": maintainer, "vendor": "The harden authors",
			"description": description, "license": "none chosen yet", "mtime": r.time, "contents": contents,
			"disable_globbing": true,
			"rpm": map[string]any{"buildhost": "localhost", "compression": "gzip:9",
				"summary": strings.SplitN(description, "\n", 2)[0]},
		})
		if err != nil {
			return err
		}
		name := k.file(r.packaged(), k.arch[t.arch])
		cmd := exec.Command(pack, k.name, filepath.Join(r.out, name))
		cmd.Stdin = bytes.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, out)
		}
		r.made = append(r.made, name)
	}
	return nil
}

// stage writes the files of a package below the work directory, and describes them.
func (r *release) stage(t *target, k kind) ([]content, error) {
	dir := filepath.Join(r.work, t.arch+"-"+k.name)
	info := func(mode fs.FileMode) fileInfo { return fileInfo{mode, r.time, "root", "root"} }
	contents := []content{{Destination: "/etc/harden", Type: "dir", Info: info(0o755)},
		{Destination: "/usr/share/doc/harden", Type: "dir", Info: info(0o755)}}
	for _, f := range r.installed(t, k) {
		source := filepath.Join(dir, f.path)
		if err := os.MkdirAll(filepath.Dir(source), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(source, f.data, 0o600); err != nil {
			return nil, err
		}
		c := content{Source: source, Destination: "/" + f.path, Info: info(f.mode)}
		if strings.HasPrefix(f.path, "etc/") {
			c.Type = "config|noreplace"
		}
		contents = append(contents, c)
	}
	return contents, nil
}

// installed are the files of a package, by their places on a host.
func (r *release) installed(t *target, k kind) []file {
	files := []file{{"usr/share/doc/harden/copyright", 0o644, []byte(copyright)},
		{"usr/share/doc/harden/changelog.gz", 0o644, zipped([]byte(r.changelog()))}}
	if k.name == "deb" {
		files = append(files, file{"usr/share/lintian/overrides/harden", 0o644, []byte(overrides)})
	}
	for _, f := range t.files {
		dir, name := path.Split(f.path)
		switch dir {
		case "man/":
			section := strings.TrimPrefix(path.Ext(name), ".")
			f = file{"usr/share/man/man" + section + "/" + name + ".gz", f.mode, zipped(f.data)}
		case "units/":
			f.path = "usr/lib/systemd/system/" + name
		case "completions/":
			f.path = map[string]string{"harden.bash": "usr/share/bash-completion/completions/harden",
				"harden.fish": "usr/share/fish/vendor_completions.d/harden.fish", "harden.zsh": k.zsh}[name]
		default:
			switch name {
			case "harden":
				f.path = "usr/bin/harden"
			case "harden.yaml":
				f.path = "etc/harden/harden.yaml"
			case "NOTICES":
				f = file{"usr/share/doc/harden/NOTICES.gz", f.mode, zipped(f.data)}
			}
		}
		files = append(files, f)
	}
	return files
}

// changelog is this version's entry, in the form that Debian's tools read.
func (r *release) changelog() string {
	return fmt.Sprintf("harden (%s) unstable; urgency=medium\n\n  * Version %s, built from its source.\n\n -- %s  %s\n",
		r.packaged(), r.version, maintainer, r.time.Format(time.RFC1123Z))
}
