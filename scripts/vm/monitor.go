package vm

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"
)

// A monitor is the emulator's control socket.
type monitor struct {
	t    testing.TB
	conn net.Conn
	in   *json.Decoder
}

func newMonitor(t testing.TB, conn net.Conn) *monitor {
	t.Helper()
	q := &monitor{t: t, conn: conn, in: json.NewDecoder(conn)}
	var greeting json.RawMessage
	if err := q.in.Decode(&greeting); err != nil {
		t.Fatalf("the emulator's monitor: %v", err)
	}
	q.do("qmp_capabilities", nil, nil)
	return q
}

func (q *monitor) close() { q.conn.Close() }

// do runs one command and decodes what it returns into the pointer result.
func (q *monitor) do(command string, args map[string]any, result any) {
	q.t.Helper()
	request := map[string]any{"execute": command}
	if args != nil {
		request["arguments"] = args
	}
	q.conn.SetDeadline(time.Now().Add(patience))
	if err := json.NewEncoder(q.conn).Encode(request); err != nil {
		q.t.Fatalf("monitor, %s: %v", command, err)
	}
	for {
		var reply struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
		}
		if err := q.in.Decode(&reply); err != nil {
			q.t.Fatalf("monitor, %s: %v", command, err)
		}
		switch {
		case reply.Error != nil:
			q.t.Fatalf("monitor, %s: %s", command, reply.Error.Desc)
		case reply.Return == nil:
			continue // an event
		case result != nil:
			if err := json.Unmarshal(reply.Return, result); err != nil {
				q.t.Fatalf("monitor, %s: %v", command, err)
			}
		}
		return
	}
}

// save writes the machine's state to a file, as if to send it to another emulator.
func (q *monitor) save(path string) {
	q.t.Helper()
	q.do("stop", nil, nil)
	q.do("migrate-set-parameters", map[string]any{"max-bandwidth": 1 << 40}, nil)
	q.do("migrate", map[string]any{"uri": "exec:cat >'" + strings.ReplaceAll(path, "'", `'\''`) + "'"}, nil)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var now struct{ Status string }
		q.do("query-migrate", nil, &now)
		switch now.Status {
		case "completed":
			return
		case "failed", "cancelled":
			q.t.Fatalf("saving the machine's state: %s", now.Status)
		}
	}
	q.t.Fatal("saving the machine's state does not end")
}

// run lets the machine go on once its state is loaded: it was stopped when it was saved.
func (q *monitor) run() {
	q.t.Helper()
	var now struct{ Status string }
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if q.do("query-status", nil, &now); now.Status != "inmigrate" {
			q.do("cont", nil, nil)
			return
		}
	}
	q.t.Fatalf("the emulator stays %q", now.Status)
}

// flushes sums, over all disks, how often the machine asked for everything to be made durable.
func (q *monitor) flushes() int {
	q.t.Helper()
	var drives []struct {
		Stats struct {
			Flushes int `json:"flush_operations"`
		}
	}
	q.do("query-blockstats", nil, &drives)
	sum := 0
	for _, d := range drives {
		sum += d.Stats.Flushes
	}
	return sum
}
