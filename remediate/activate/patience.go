package activate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// How long a restart may take where --restart-timeout does not say it. A unit that may take for ever, as Docker's own
// may, still has to end some time: a run that waits holds the lock, and what runs waits with it.
const (
	leastRestart = 90 * time.Second
	longRestart  = 15 * time.Minute
	answering    = 30 * time.Second // for the API to answer after systemd has called the service started
)

// A limit is how long a restart may take, and what says so.
type limit struct {
	time time.Duration
	of   string
}

// limit is that of a unit's restart: systemd stops the service, starts it, and then it has to answer.
func (s *Services) limit(u unit) limit {
	if s.opts.RestartTimeout > 0 {
		return limit{s.opts.RestartTimeout, "--restart-timeout"}
	}
	const never = math.MaxUint64
	if u.Start == never || u.Stop == never {
		return limit{longRestart, "the service sets no limit; --restart-timeout does"}
	}
	micro := min(u.Start, uint64(time.Hour/time.Microsecond)) + min(u.Stop, uint64(time.Hour/time.Microsecond))
	all := time.Duration(micro)*time.Microsecond + answering
	return limit{max(all, leastRestart),
		"TimeoutStopSec and TimeoutStartSec of the unit; --restart-timeout gives it longer"}
}

func (l limit) begin(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, l.time, errLate)
}

// errLate means that the limit is what ended the waiting.
var errLate = errors.New("not done in time")

// named adds the limit to an error where that is what it is about.
func (l limit) named(within context.Context, err error) error {
	if !errors.Is(context.Cause(within), errLate) {
		return err
	}
	return fmt.Errorf("%w; the limit is %v (%s)", err, l.time, l.of)
}
