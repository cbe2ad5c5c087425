package docker

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"example.com/harden/checks/facts"
)

// A Client is the docker command of a host, as its package tells it. The program itself is never run: who asks
// which version it has would run whatever is there.
type Client struct {
	Version string // as upstream counts: "29.1.3"
	From    string // the package that says so: "docker-ce-cli (dpkg)"
}

// Major is the first number of the version.
func (c Client) Major() int {
	var n int
	_, _ = fmt.Sscanf(c.Version, "%d.", &n)
	return n
}

// upstream finds upstream's version in a package's, behind an epoch.
var upstream = regexp.MustCompile(`^(?:[0-9]+:)?v?([0-9]+\.[0-9]+(?:\.[0-9]+)?)`)

// errUnknownClient means that no package tells which docker command this is.
var errUnknownClient = errors.New("the version of the docker command is not known: no package of dpkg, apk, " +
	"pacman, portage or snap has it")

// ClientOf finds the version of the docker command that a login gets. One in /usr/local/bin comes first there,
// and no package tells what it is. rpm's database is not read.
func ClientOf(h *facts.Host) (Client, error) {
	for _, byHand := range []string{"/usr/local/sbin/docker", "/usr/local/bin/docker"} {
		if _, err := h.Info(byHand); err == nil {
			return Client{}, fmt.Errorf("%s: no package has it, so that its version is not known", byHand)
		}
	}
	for _, look := range []func(*facts.Host) (pkg, version string){dpkgClient, apkClient, pacmanClient, portageClient,
		snapClient} {
		if pkg, version := look(h); version != "" {
			if m := upstream.FindStringSubmatch(version); m != nil {
				return Client{Version: m[1], From: pkg}, nil
			}
		}
	}
	return Client{}, errUnknownClient
}

// dpkgClient goes by who has /usr/bin/docker: it is docker.io's up to Debian 12 and docker-cli's from 13 on.
func dpkgClient(h *facts.Host) (string, string) {
	for _, pkg := range []string{"docker-ce-cli", "docker-cli", "docker.io", "moby-cli"} {
		list, err := h.File("/var/lib/dpkg/info/" + pkg + ".list")
		if err != nil || !bytes.Contains(append([]byte("\n"), list.Data...), []byte("\n/usr/bin/docker\n")) {
			continue
		}
		return pkg + " (dpkg)", facts.Stanza(h, "/var/lib/dpkg/status", "Package: "+pkg, "Version: ")
	}
	return "", ""
}

// apkClient reads Alpine's database. Source: apk-tools, which moved it to /usr in version 3.
func apkClient(h *facts.Host) (string, string) {
	for _, file := range []string{"/lib/apk/db/installed", "/usr/lib/apk/db/installed"} {
		if v := facts.Stanza(h, file, "P:docker-cli", "V:"); v != "" {
			return "docker-cli (apk)", v
		}
	}
	return "", ""
}

// pacmanClient reads the name of a directory: docker-1:29.1.3-1.
func pacmanClient(h *facts.Host) (string, string) {
	return "docker (pacman)", named(h, "/var/lib/pacman/local", "docker-")
}

// portageClient is pacmanClient for Gentoo.
func portageClient(h *facts.Host) (string, string) {
	return "docker-cli (portage)", named(h, "/var/db/pkg/app-containers", "docker-cli-")
}

// named finds what a directory's entry says behind a name, where that is a version.
func named(h *facts.Host, dir, name string) string {
	entries, err := h.List(dir)
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if version, ok := strings.CutPrefix(path.Base(e), name); ok && upstream.MatchString(version) {
			return version
		}
	}
	return ""
}

// snapClient reads what the snap says of itself. Its command is /snap/bin/docker.
func snapClient(h *facts.Host) (string, string) {
	f, err := h.File("/snap/docker/current/meta/snap.yaml")
	if err != nil {
		return "", ""
	}
	for line := range strings.Lines(string(f.Data)) {
		if version, ok := strings.CutPrefix(line, "version:"); ok {
			return "docker (snap)", strings.Trim(strings.TrimSpace(version), `'"`)
		}
	}
	return "", ""
}
