package testdocker

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A Mock answers as an Engine of certain API versions would. It is no Engine: it knows versions and refuses others in
// the words of dockerd, and hands out what a test gives it. No Engine 29 can be installed beside the one that the tests
// run, and versions are what is asked of it.
type Mock struct {
	Host        string // for --docker-host
	Least, Most int    // the API versions that it speaks: 44 is 1.44
	answers     map[string]any
	mu          sync.Mutex
	asked       []string
}

// Engine29 begins a Mock that speaks what Docker Engine 29.0 does, 1.44 to 1.52. The answers are by method and path,
// without the version.
func Engine29(t testing.TB, answers map[string]any) *Mock {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "engine")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	m := &Mock{Host: "unix://" + socket, Least: 44, Most: 52, answers: answers}
	server := &http.Server{Handler: m}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return m
}

// Asked returns each request so far, such as "GET /v1.51/info".
func (m *Mock) Asked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string{}, m.asked...)
}

func (m *Mock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.asked = append(m.asked, r.Method+" "+r.URL.Path)
	m.mu.Unlock()
	w.Header().Set("Api-Version", fmt.Sprintf("1.%d", m.Most))
	w.Header().Set("Ostype", "linux")
	w.Header().Set("Server", "Docker/29.0.0 (linux)")
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/_ping" {
		return
	}
	say := func(code int, format string, args ...any) {
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(map[string]string{"message": fmt.Sprintf(format, args...)})
	}
	version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1."), "/")
	minor, err := strconv.Atoi(version)
	switch {
	case !strings.HasPrefix(r.URL.Path, "/v1.") || err != nil:
		say(http.StatusNotFound, "page not found")
		return
	case minor < m.Least:
		say(http.StatusBadRequest, "client version 1.%d is too old. Minimum supported API version is 1.%d, "+
			"please upgrade your client to a newer version", minor, m.Least)
		return
	case minor > m.Most:
		say(http.StatusBadRequest, "client version 1.%d is too new. Maximum supported API version is 1.%d", minor,
			m.Most)
		return
	}
	answer, ok := m.answers[r.Method+" /"+path]
	if !ok {
		say(http.StatusNotFound, "no such thing: %s", path)
		return
	}
	json.NewEncoder(w).Encode(answer)
}
