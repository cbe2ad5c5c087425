package activate

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"

	"example.com/harden/remediate/program"
)

// setTimer has a timer follow its unit file, which systemd has read anew: started where there is one, so that a changed
// time counts at once, and stopped where there is none any more.
func (s *Services) setTimer(ctx context.Context, name string) error {
	return s.withBus(ctx, func(c *dbus.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		t, err := timerOf(ctx, c, name)
		switch {
		case err != nil:
			return err
		case t.Load == "loaded":
			return job(ctx, c, name, "start", c.RestartUnitContext)
		case t.Active == "active":
			return job(ctx, c, name, "stop", c.StopUnitContext)
		case t.Active == "failed": // which is what reading anew makes of a timer whose file is gone
			return c.ResetFailedUnitContext(ctx, name)
		}
		return nil
	})
}

// A Timer is what systemd says of a timer now.
type Timer struct {
	Load   string    // "loaded", "not-found", "masked"
	Active string    // "active" when it waits for its time, "inactive", "failed"
	Last   time.Time // when it last started its service; zero when it never has
	Next   time.Time // when it will next do so; zero when it will not
}

// Timer asks systemd about a timer. Where systemd does not run that is the error.
func (s *Services) Timer(ctx context.Context, name string) (t Timer, err error) {
	err = s.withBus(ctx, func(c *dbus.Conn) error {
		t, err = timerOf(ctx, c, name)
		return err
	})
	return t, err
}

func timerOf(ctx context.Context, c *dbus.Conn, name string) (Timer, error) {
	var t Timer
	general, err := c.GetUnitPropertiesContext(ctx, name)
	if err != nil {
		return t, err
	}
	t.Load, _ = general["LoadState"].(string)
	t.Active, _ = general["ActiveState"].(string)
	if t.Load != "loaded" {
		return t, nil
	}
	own, err := c.GetUnitTypePropertiesContext(ctx, name, "Timer")
	if err != nil {
		return t, err
	}
	at := func(key string) time.Time {
		if us, _ := own[key].(uint64); us > 0 && us < 1<<62 { // never is the largest number there is
			return time.UnixMicro(int64(us))
		}
		return time.Time{}
	}
	t.Last, t.Next = at("LastTriggerUSec"), at("NextElapseUSecRealtime")
	return t, nil
}

// Calendar returns nil when systemd understands a time of OnCalendar=, and where there is nobody to ask.
func Calendar(ctx context.Context, expression string) error {
	analyze, err := program.Find([]string{"/usr/bin/systemd-analyze"})
	if err != nil {
		return nil
	}
	_, err = program.Run(ctx, 10*time.Second, analyze, "calendar", "--", expression)
	return err
}
