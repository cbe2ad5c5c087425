package source

import (
	"path"
	"strings"
)

// A base is an image that names a user who is not root, so that what is made from it and names none has that.
type base struct {
	image string // a glob of its name, without tag; what is not docker.io's has its registry
	tag   string // a glob of its tag; empty for any
	user  string
}

// bases are those that many images start from, each with the file that says so.
var bases = []base{
	{"gcr.io/distroless/*", "*nonroot*", "65532"}, // github.com/GoogleContainerTools/distroless, README.md
	// github.com/nginx/docker-nginx-unprivileged, stable/debian/Dockerfile
	{"nginxinc/nginx-unprivileged", "", "101"},
	{"ghcr.io/nginx/nginx-unprivileged", "", "101"},        // likewise
	{"ghcr.io/nginxinc/nginx-unprivileged", "", "101"},     // likewise
	{"quay.io/nginx/nginx-unprivileged", "", "101"},        // likewise
	{"public.ecr.aws/nginx/nginx-unprivileged", "", "101"}, // likewise
	// github.com/jenkinsci/docker, debian/bookworm/hotspot/Dockerfile
	{"jenkins/jenkins", "", "jenkins"},
	// github.com/jupyter/docker-stacks, base-notebook/Dockerfile
	{"jupyter/*-notebook", "", "${NB_UID}, 1000"},
	{"quay.io/jupyter/*-notebook", "", "${NB_UID}, 1000"}, // likewise
	// github.com/keycloak/keycloak, quarkus/container/Dockerfile
	{"quay.io/keycloak/keycloak", "", "1000"},
	// github.com/bitnami/containers, README.md: all but minideb
	{"bitnami/[^m]*", "", "1001"},
	{"docker.io/bitnami/[^m]*", "", "1001"},  // likewise
	{"bitnami/m[^i]*", "", "1001"},           // likewise: mariadb, mongodb …
	{"docker.io/bitnami/m[^i]*", "", "1001"}, // likewise
	// github.com/dotnet/dotnet-docker, documentation/distroless.md
	{"mcr.microsoft.com/dotnet/*", "*-chiseled*", "${APP_UID}"},
}

// namesUser returns the user whom an image is known to name; empty where nothing is known.
func namesUser(image string) string {
	name, tag := nameAndTag(image)
	for _, b := range bases {
		ok, _ := path.Match(b.image, strings.TrimPrefix(name, "docker.io/"))
		also, _ := path.Match(b.image, name)
		tagged, _ := path.Match(b.tag, tag)
		if (ok || also) && (b.tag == "" || tagged) {
			return b.user
		}
	}
	return ""
}

func nameAndTag(image string) (name, tag string) {
	name, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[:i], name[i+1:]
	}
	return name, ""
}

// ofWindows reports whether an image is one of Windows, which has no user root.
func ofWindows(image string) bool {
	name, _ := nameAndTag(strings.ToLower(image))
	rest, ours := strings.CutPrefix(name, "mcr.microsoft.com/")
	return ours && strings.HasPrefix(rest, "windows") || strings.Contains(name, "nanoserver") ||
		strings.Contains(name, "servercore") ||
		strings.Contains(strings.ToLower(image), "windowsservercore")
}

// RegistryOf is where an image is from: "docker.io/library" of nginx:1.29.
func RegistryOf(name string) string {
	name, _, _ = strings.Cut(name, "@")
	first, rest, ok := strings.Cut(name, "/")
	switch {
	case !ok:
		return "docker.io/library"
	case !strings.ContainsAny(first, ".:") && first != "localhost":
		return "docker.io/" + first
	}
	if i := strings.LastIndexByte(rest, '/'); i >= 0 {
		return first + "/" + rest[:i]
	}
	return first
}

// registryTold is where an image is from whose name may have variables in it: these stay as they are.
func registryTold(told string) string {
	name, _ := nameAndTag(told)
	i := strings.LastIndexByte(name, '/')
	switch {
	case i >= 0 && strings.Contains(name[:i], "$"):
		return name[:i]
	case i < 0 && strings.Contains(name, "$"):
		return "what a variable names"
	}
	return RegistryOf(told)
}
