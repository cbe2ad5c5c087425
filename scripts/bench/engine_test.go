package bench

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// answers is what the recorded engine says.
//
//go:embed engine.txtar
var answers []byte

// recordedEngine serves the recording with n containers on a socket, until the benchmark ends.
func recordedEngine(b *testing.B, n int) (socket string) {
	b.Helper()
	said := map[string]string{}
	for _, f := range txtar.Parse(answers).Files {
		said[f.Name] = strings.TrimSpace(string(f.Data))
	}
	fill := func(text, id string) string {
		return strings.NewReplacer("CONTAINER", id, "NAME", "web-"+id[52:]).Replace(text)
	}
	list := make([]string, n)
	for i := range n {
		list[i] = fill(said["/containers/json"], fmt.Sprintf("%064x", i+1))
	}
	said["/containers/json"] = "[" + strings.Join(list, ",") + "]"
	inspect := said["/containers/CONTAINER/json"]

	socket = filepath.Join(b.TempDir(), "engine")
	l, err := net.Listen("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if v, rest, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/"); ok && strings.HasPrefix(v, "v1.") {
			path = "/" + rest
		}
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		id, isInspect := strings.CutPrefix(strings.TrimSuffix(path, "/json"), "/containers/")
		text, ok := said[path]
		switch {
		case path == "/_ping":
			text = "OK"
		case ok:
		case isInspect && len(id) == 64:
			text = fill(inspect, id)
		default:
			w.WriteHeader(http.StatusNotFound)
			text = `{"message":"no such thing"}`
		}
		fmt.Fprint(w, text)
	})}
	go server.Serve(l)
	b.Cleanup(func() { server.Close() })
	return socket
}

// maxMany bounds an audit's memory at its peak with ten thousand containers, in bytes.
const maxMany = 200 << 20

// BenchmarkObjects audits an engine of many containers, beside a bare loop that asks it the same at the same
// concurrency.
func BenchmarkObjects(b *testing.B) {
	program, least, client := build(b, "cmd/harden"), build(b, "scripts/bench/bare"), build(b, "scripts/bench/client")
	for _, n := range []int{1, 100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			socket := recordedEngine(b, n)
			calls := record(b, program, socket)
			if len(calls) < n {
				b.Fatalf("%d calls for %d containers", len(calls), n)
			}
			compare(b, program, least, client, socket, calls, maxMany)
		})
	}
}

// TestRecording holds the recording to being what a client can read.
func TestRecording(t *testing.T) {
	for _, f := range txtar.Parse(answers).Files {
		if len(f.Data) > 0 && !json.Valid(f.Data) {
			t.Errorf("%s is not JSON", f.Name)
		}
	}
}
