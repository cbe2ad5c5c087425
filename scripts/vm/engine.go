package vm

import (
	"os"
	"path/filepath"
	"testing"

	"example.com/harden/scripts/built"
)

// The module in the folder engine is a beta by its own number. The release is the one that it was made for: its
// releases/versions.yaml names it.
const engine29 = "29.8.0"

// Engine29 is the host with an Engine that is newer than what Debian has, built from the module in the folder engine.
func (h Host) Engine29() Host {
	h.built = engine29
	return h
}

// engine gives the programs of the host's Engine that are built, by where they go, and a key of them; none where
// Debian's are right. The first call on a machine compiles them, which takes two processors about two minutes.
func (h Host) engine(t testing.TB) (files map[string]string, key string) {
	t.Helper()
	if h.built == "" {
		return nil, ""
	}
	packages := map[string]string{}
	for _, name := range []string{"dockerd", "docker-proxy"} {
		packages[name] = "github.com/moby/moby/v2/cmd/" + name
	}
	dir, key, err := built.Programs{Kind: "engine", Module: "scripts/vm/engine", Packages: packages,
		Flags: "-X github.com/moby/moby/v2/dockerversion.Version=" + h.built}.Build()
	if err != nil {
		t.Fatalf("the Engine: %v", err)
	}
	files = map[string]string{}
	for name := range packages {
		files["/usr/sbin/"+name] = filepath.Join(dir, name)
	}
	return files, key
}

// replace puts programs of the Engine's in the place of Debian's, and starts dockerd again.
func (m *Machine) replace(files map[string]string) {
	m.t.Helper()
	if len(files) == 0 {
		return
	}
	m.OK("systemctl stop docker.socket docker.service")
	for to, from := range files {
		data, err := os.ReadFile(from)
		if err != nil {
			m.t.Fatal(err)
		}
		m.Put(to, 0o755, data)
	}
	m.OK("systemctl start docker.socket docker.service")
}
