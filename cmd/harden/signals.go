package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// An interruption is what a signal has ended: by it errors.Is finds context.Canceled.
type interruption struct {
	signal syscall.Signal
	said   string // what has become of the host; empty where that is told elsewhere
}

func (i interruption) Error() string {
	text := "interrupted"
	if i.signal != syscall.SIGINT {
		text += " by " + unix.SignalName(i.signal)
	}
	if i.said != "" {
		text += "; " + i.said
	}
	return text
}

func (i interruption) Is(target error) bool { return target == context.Canceled }

// code is what a shell makes of a program that the signal has killed: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP.
func (i interruption) code() int { return 128 + int(i.signal) }

// A begun is in the context of a command: whether it has changed anything yet.
type begun struct{ atomic.Bool }

type begunKey struct{}

// mark notes that the command of ctx is about to change the host.
func mark(ctx context.Context) {
	if b, ok := ctx.Value(begunKey{}).(*begun); ok {
		b.Store(true)
	}
}

func marked(ctx context.Context) bool {
	b, ok := ctx.Value(begunKey{}).(*begun)
	return ok && b.Load()
}

// withSignals returns a context that SIGINT, SIGTERM and SIGHUP end: what has begun is then taken back, so that nothing
// is left half done. A second SIGINT, or a second SIGTERM, kills at once: a run that is cut short can be finished or
// taken back later. A second SIGHUP does not, nor one of another kind: a lost connection sends SIGHUP from the kernel
// and from the shell, and sudo and systemd follow it with SIGTERM. A signal that was ignored from the start, as by
// nohup, stays so.
func withSignals(parent context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(context.WithValue(parent, begunKey{}, new(begun)))
	got := make(chan os.Signal, 8)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(got, s)
		}
	}
	// While somebody asks for it, a write to a pipe or terminal that is gone fails and does not kill. Were it ignored,
	// each program that harden starts would ignore it too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		seen := map[os.Signal]bool{}
		for s := range got {
			if seen[s] && s != syscall.SIGHUP {
				signal.Reset(s)
				_ = syscall.Kill(os.Getpid(), s.(syscall.Signal))
			}
			seen[s] = true
			cancel(interruption{signal: s.(syscall.Signal)})
			if s == syscall.SIGINT && marked(ctx) {
				fmt.Fprintln(os.Stderr, "\nharden: interrupted: rolling back; "+
					"a second Ctrl-C stops immediately and leaves the rollback unfinished: then run `harden rollback`")
			}
		}
	}()
	return ctx
}

// interrupted returns err, and for an error that a signal has caused the interruption, which says what has become of
// the host.
func interrupted(ctx context.Context, err error) error {
	cause, ok := errors.AsType[interruption](context.Cause(ctx))
	if !ok || !errors.Is(err, context.Canceled) {
		return err
	}
	if cause.said = "nothing changed"; marked(ctx) {
		cause.said = "`harden history` shows the outcome of the run"
	}
	return cause
}

// unheard reports whether err is that nobody reads stdout any more, and whether that is all it says.
func unheard(err error) (gone, alone bool) {
	e, ok := errors.AsType[*fs.PathError](err)
	gone = ok && e.Path == os.Stdout.Name() && (errors.Is(e, syscall.EPIPE) || errors.Is(e, syscall.EIO))
	return gone, gone && err.Error() == e.Error()
}
