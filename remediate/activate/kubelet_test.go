package activate

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/remediate"
)

// The real kubelet and the real systemd are in the virtual machine's test; this shows what is made of their answers.
func TestRestartKubelet(t *testing.T) {
	m, bus := newManager(t, nil)
	var sick atomic.Bool
	health := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer health.Close()
	s := New(Options{Watch: 600 * time.Millisecond, bus: bus, RestartTimeout: 3 * time.Second,
		KubeletHealth: health.URL + "/healthz"})
	do := remediate.Activation{Kind: remediate.Restart, Unit: "kubelet.service"}
	set := func(pid int, change func(*unit)) func() string {
		return func() string {
			m.unit = unit{Load: "loaded", Active: "active", Result: "success", MainPID: pid}
			if change != nil {
				change(&m.unit)
			}
			return "done"
		}
	}
	mentions(t, s.Ready(t.Context(), do), "")
	m.kubelet = set(100, nil)
	mentions(t, s.Activate(t.Context(), do), "")
	if diff := cmp.Diff([]string{"reset kubelet.service", "restart kubelet.service replace", "reset kubelet.service"},
		m.since()); diff != "" {
		t.Errorf("what systemd was asked (-want +got):\n%s", diff)
	}
	if s.asked {
		t.Error("a restart of the kubelet is taken for one of dockerd")
	}

	m.kubelet = set(100, nil)
	mentions(t, s.Activate(t.Context(), do), "it is the same process (PID 100)")

	sick.Store(true)
	m.kubelet = set(101, func(u *unit) { u.Active, u.Result, u.Restarts, u.Status = "activating", "exit-code", 2, 1 })
	mentions(t, s.Activate(t.Context(), do), "kubelet.service does not start: it ended with status 1")
	m.kubelet = set(102, nil)
	mentions(t, s.Activate(t.Context(), do), "kubelet.service has restarted, but is not healthy")

	sick.Store(false)
	m.kubelet = func() string {
		time.AfterFunc(200*time.Millisecond, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.unit.MainPID = 104
		})
		return set(103, nil)()
	}
	mentions(t, s.Activate(t.Context(), do), "the kubelet (PID 103) did not stay up")

	m.mu.Lock()
	m.unit.Load = "masked"
	m.mu.Unlock()
	mentions(t, s.Ready(t.Context(), do), "systemd cannot restart kubelet.service: it is masked")
}
