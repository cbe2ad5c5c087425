//go:build linux && !portable

package live_test

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"example.com/harden/checks/facts/docker"
	"example.com/harden/scripts/testdocker"
)

// TestEngine29 asks a mock that speaks what Engine 29 does: the client's last release is older, and must settle on a
// version that both speak, whatever the environment says.
func TestEngine29(t *testing.T) {
	t.Setenv("DOCKER_API_VERSION", "1.41")
	id, image := strings.Repeat("c", 64), "sha256:"+strings.Repeat("1", 64)
	mock := testdocker.Engine29(t, map[string]any{
		"GET /info":            map[string]any{"ID": "mock", "ServerVersion": "29.0.0"},
		"GET /containers/json": []any{map[string]any{"Id": id}},
		"GET /containers/" + id + "/json": map[string]any{"Id": id, "Name": "/web",
			"State": map[string]any{"Running": true}},
		"GET /images/json":                  []any{map[string]any{"Id": image}},
		"GET /images/" + image + "/json":    map[string]any{"Id": image},
		"GET /images/" + image + "/history": []any{map[string]any{"CreatedBy": "RUN x"}},
		"GET /images/" + image + "/get":     "an archive",
		"GET /networks/bridge":              map[string]any{"Id": "n", "Name": "bridge"},
		"GET /swarm":                        map[string]any{"ID": "swarm"},
	})
	e, _, err := engineAt(t, mock.Host)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := e.Info(t.Context()); err != nil || info.ServerVersion != "29.0.0" {
		t.Errorf("info: %+v, %v", info, err)
	}
	if all, err := e.Containers(t.Context()); err != nil || len(all) != 1 || all[0].Name != "/web" ||
		!all[0].State.Running {
		t.Errorf("containers: %+v, %v", all, err)
	}
	if all, err := e.Images(t.Context()); err != nil || len(all) != 1 || len(all[0].History) != 1 {
		t.Errorf("images: %+v, %v", all, err)
	}
	if n, err := e.Network(t.Context(), "bridge"); err != nil || n.ID != "n" {
		t.Errorf("network: %+v, %v", n, err)
	}
	if err := e.Get(t.Context(), "/swarm", drain); err != nil {
		t.Errorf("swarm: %v", err)
	}
	if err := e.(docker.Saver).Save(t.Context(), image, drain); err != nil {
		t.Errorf("image: %v", err)
	}
	agreed := regexp.MustCompile(`^(HEAD /_ping|GET /_ping|GET /v1\.51/.*)$`)
	for _, asked := range mock.Asked() {
		if !agreed.MatchString(asked) {
			t.Errorf("asked %s, which is not what was agreed on", asked)
		}
	}
	if len(mock.Asked()) < 9 {
		t.Errorf("asked only %q", mock.Asked())
	}
}

// TestEngineTooNew meets an engine that has given up every version that the client knows: unknown, with its words.
func TestEngineTooNew(t *testing.T) {
	mock := testdocker.Engine29(t, map[string]any{"GET /info": map[string]any{}})
	mock.Least, mock.Most = 60, 61
	e, _, err := engineAt(t, mock.Host)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Info(t.Context()); err == nil || !strings.Contains(err.Error(),
		"Minimum supported API version is 1.60") {
		t.Errorf("info: %v", err)
	}
	if all, err := e.Containers(t.Context()); err == nil || !strings.Contains(err.Error(),
		"Minimum supported API version is 1.60") {
		t.Errorf("containers: %+v, %v", all, err)
	}
}

func drain(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }
