package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// unlinked is what a program that root runs has no need of, by how its packages begin, and what would bring it back.
var unlinked = map[string]string{
	"github.com/rs/zerolog":              "gitleaks' configuration; its rules are kept as text in checks/secret",
	"github.com/zricethezav/gitleaks":    "the same",
	"github.com/tetratelabs/wazero":      "gitleaks' detector",
	"go.opentelemetry.io/otel/exporters": "nothing: harden sends no telemetry",
	"go.opentelemetry.io/otel/sdk":       "nothing: harden collects none",
	"google.golang.org/grpc":             "an exporter of telemetry, or buildkit's client",
	"github.com/santhosh-tekuri":         "compose-go's loader or its schema, which only tests use",
	"github.com/prometheus":              "tests, which read the metrics with it",
	"github.com/spf13/cobra/doc":         "the command that writes man pages, which the tag docs adds",
	"golang.org/x/tools":                 "recordings, which only tests read",
	"net/http/pprof":                     "debugging",
	"github.com/containerd/containerd":   "docker's daemon",
	"github.com/opencontainers/runc":     "docker's daemon",
	"example.com/harden/fixtures":        "tests",
	"example.com/harden/scripts":         "tests",
	"testing":                            "tests",
}

// TestNoTemplates: a template of cobra's links text/template, which calls methods by their names. The linker then
// leaves out none of any type, and the binary is a quarter larger.
func TestNoTemplates(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 20 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range []string{"Version", "Usage", "Help"} {
			if !strings.HasSuffix(name, "_test.go") && strings.Contains(string(text), ".Set"+call+"Template(") {
				t.Errorf("%s gives cobra a template: Set%sTemplate", name, call)
			}
		}
	}
}

// TestLinked holds what is linked to what is needed. Of docker's module that is the client and the types that it speaks
// in: the advisories for that module are about its daemon.
func TestLinked(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "example.com/harden/cmd/harden")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 100 {
		t.Fatalf("only %d packages: %q", len(packages), packages)
	}
	within := func(p, module string) bool { return p == module || strings.HasPrefix(p, module+"/") }
	for _, p := range packages {
		for begins, by := range unlinked {
			if within(p, begins) {
				t.Errorf("%s is linked; what may have brought it: %s", p, by)
			}
		}
		const docker = "github.com/docker/docker"
		if within(p, docker) && p != docker+"/client" && !within(p, docker+"/api") {
			t.Errorf("%s is linked: more of docker's module than its client", p)
		}
	}
}
