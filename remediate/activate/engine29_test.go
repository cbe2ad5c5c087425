package activate_test

import (
	"slices"
	"strings"
	"testing"

	"example.com/harden/checks/want"
	"example.com/harden/remediate/activate"
	"example.com/harden/scripts/testdocker"
)

// TestEngine29 changes a container's limits on a mock that speaks what Engine 29 does.
func TestEngine29(t *testing.T) {
	t.Setenv("DOCKER_API_VERSION", "1.41")
	id := strings.Repeat("c", 64)
	mock := testdocker.Engine29(t, map[string]any{
		"GET /info":                          map[string]any{"ID": "mock"},
		"GET /containers/" + id + "/json":    map[string]any{"Id": id, "HostConfig": map[string]any{"Memory": 7}},
		"POST /containers/" + id + "/update": map[string]any{},
	})
	s := activate.New(activate.Options{DockerHost: mock.Host})
	if got, err := s.Engine(t.Context()); got.ID != "mock" || err != nil {
		t.Errorf("engine: %q, %v", got, err)
	}
	if got, err := s.Limits(t.Context(), id); got.Memory != 7 || err != nil {
		t.Errorf("limits: %+v, %v", got, err)
	}
	if err := s.Update(t.Context(), id, want.Limits{PIDs: 100}); err != nil {
		t.Errorf("update: %v", err)
	}
	asked := slices.DeleteFunc(mock.Asked(), func(s string) bool { return strings.HasSuffix(s, "/_ping") })
	expected := []string{"GET /v1.51/info", "GET /v1.51/containers/" + id + "/json",
		"GET /v1.51/info", // for the shares of a container that was given none
		"POST /v1.51/containers/" + id + "/update"}
	if !slices.Equal(asked, expected) {
		t.Errorf("asked %q, want %q", asked, expected)
	}
}
