package bench

import (
	"os"
	"testing"
	"time"
)

// baseEnv names another harden, such as an older one, that takes turns with this one.
const baseEnv = "HARDEN_BASE"

// A base is another harden that is measured beside this one, where baseEnv names it.
type base struct {
	b    *testing.B
	run  func()       // nil where there is none
	held func() int64 // bytes
	best time.Duration
}

// newBase is the other harden with these arguments, which must exit so.
func newBase(b *testing.B, want int, args ...string) *base {
	b.Helper()
	other := &base{b: b, best: time.Hour}
	if program := os.Getenv(baseEnv); program != "" {
		argv := append([]string{program}, args...)
		other.run, other.held = func() { run(b, want, argv...) }, func() int64 { return held(b, want, argv...) }
	}
	return other
}

func (o *base) time() {
	if o.run != nil {
		o.best = min(o.best, timed(o.run))
	}
}

// tell gives how many times as long this harden takes, and how many times as much memory it holds.
func (o *base) tell(best time.Duration, peak int64) {
	if o.run != nil {
		o.b.ReportMetric(best.Seconds()/o.best.Seconds(), "times-base")
		o.b.ReportMetric(float64(peak)/float64(o.held()), "memory-times-base")
	}
}
