package activate

import (
	"math"
	"testing"
	"time"

	"example.com/harden/scripts/testdocker"
)

// TestRestartLimit: how long a restart may take is the unit's own, and the operator's where that is said.
func TestRestartLimit(t *testing.T) {
	seconds := func(n uint64) uint64 { return n * 1000000 }
	for _, tt := range []struct {
		unit  unit
		asked time.Duration
		want  time.Duration
	}{
		{unit{}, 0, leastRestart}, // systemd has not told
		{unit{Start: seconds(90), Stop: seconds(90)}, 0, 210 * time.Second},
		{unit{Start: seconds(5), Stop: seconds(5)}, 0, leastRestart},
		{unit{Start: math.MaxUint64, Stop: seconds(90)}, 0, longRestart}, // TimeoutStartSec=0, as Docker's own unit has it
		{unit{Start: seconds(90), Stop: math.MaxUint64}, 0, longRestart},
		{unit{Start: math.MaxUint64 - 1, Stop: math.MaxUint64 - 1}, 0, 2*time.Hour + answering},
		{unit{Start: math.MaxUint64}, 3 * time.Minute, 3 * time.Minute},
	} {
		if got := New(Options{RestartTimeout: tt.asked}).limit(tt.unit); got.time != tt.want {
			t.Errorf("%+v, %v asked for: %v, want %v", tt.unit, tt.asked, got.time, tt.want)
		}
	}
}

// TestRestartTooSlow: who waited in vain reads for how long, and by which flag there is more.
func TestRestartTooSlow(t *testing.T) {
	d := testdocker.Start(t)
	m, bus := newManager(t, d)
	m.unit.Start, m.unit.Stop, m.slow = 600000000, 30000000, true
	s := New(Options{DockerHost: d.Host, Watch: time.Second, bus: bus, RestartTimeout: 2 * time.Second})
	mentions(t, s.Activate(t.Context(), restart), "not done in time; the limit is 2s (--restart-timeout)")
	conn, err := bus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	u, err := unitOf(t.Context(), conn, "docker.service")
	if got := New(Options{}).limit(u); err != nil || got.time != 11*time.Minute {
		t.Errorf("of the unit that systemd tells: %+v, %v", got, err)
	}
}
