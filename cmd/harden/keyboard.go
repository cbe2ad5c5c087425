package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Keys that are no characters.
const (
	keyResize rune = -1 - iota // the terminal has another size, or harden was suspended and goes on
	keyOther                   // an arrow, a function key, or what is no character at all
)

// errNobody means that whoever was to answer is gone.
var errNobody = errors.New("the terminal is gone; nothing changed")

// A keyboard is the terminal that somebody answers on, by a key at a time or by whole lines. Ctrl-C makes a signal, as
// everywhere, which ends the context.
type keyboard struct {
	ctx     context.Context
	was     unix.Termios // the modes of before
	ask     chan struct{}
	got     chan arrival
	signals chan os.Signal
	waiting bool   // something was asked for that has not come yet
	rest    []byte // what was typed and not taken yet
	forget  func() bool
}

// An arrival is what one read from the terminal has brought.
type arrival struct {
	data []byte
	err  error
}

// openKeyboard takes the terminal on stdin. close gives it back as it was, and so does the end of the context.
func openKeyboard(ctx context.Context) (*keyboard, error) {
	was, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), terminalState)
	if err != nil {
		return nil, fmt.Errorf("stdin: %w", err)
	}
	k := &keyboard{ctx: ctx, was: *was, ask: make(chan struct{}), got: make(chan arrival, 1),
		signals: make(chan os.Signal, 4)}
	go func() {
		for range k.ask {
			buf := make([]byte, 256)
			n, err := os.Stdin.Read(buf)
			k.got <- arrival{buf[:n], err}
		}
	}()
	signal.Notify(k.signals, unix.SIGWINCH, unix.SIGTSTP, unix.SIGCONT)
	k.forget = context.AfterFunc(ctx, k.restore)
	k.byKey()
	return k, nil
}

func (k *keyboard) close() {
	signal.Stop(k.signals)
	k.forget()
	close(k.ask)
	k.restore()
}

// restore sets the modes of before. What was typed ahead is for no later question.
func (k *keyboard) restore() { _ = unix.IoctlSetTermios(int(os.Stdin.Fd()), flushTerminal, &k.was) }

// byKey has keys arrive one by one, and not shown.
func (k *keyboard) byKey() {
	if k.ctx.Err() != nil {
		return
	}
	modes := k.was
	modes.Lflag &^= unix.ICANON | unix.ECHO
	modes.Cc[unix.VMIN], modes.Cc[unix.VTIME] = 1, 0
	_ = unix.IoctlSetTermios(int(os.Stdin.Fd()), setTerminal, &modes)
}

// key waits for a key.
func (k *keyboard) key() (rune, error) {
	for len(k.rest) == 0 {
		if err := k.read(); err != nil {
			if errors.Is(err, errResized) {
				return keyResize, nil
			}
			return 0, err
		}
	}
	if k.rest[0] == '\x1b' { // what follows belongs to it
		k.rest = nil
		return keyOther, nil
	}
	r, n := utf8.DecodeRune(k.rest)
	k.rest = k.rest[n:]
	switch {
	case r == utf8.RuneError:
		return keyOther, nil
	case r == '\r':
		return '\n', nil
	}
	return r, nil
}

// errResized is that the terminal has to be drawn again.
var errResized = errors.New("resized")

// read waits for more of what is typed.
func (k *keyboard) read() error {
	if !k.waiting {
		k.ask <- struct{}{}
		k.waiting = true
	}
	select {
	case <-k.ctx.Done():
		return k.ctx.Err()
	case t := <-k.got:
		k.waiting = false
		k.rest = append(k.rest, t.data...)
		switch {
		case k.ctx.Err() != nil:
			return k.ctx.Err()
		case t.err != nil && !errors.Is(t.err, io.EOF) || len(t.data) == 0:
			return errNobody
		}
		return nil
	case s := <-k.signals:
		switch s {
		case unix.SIGTSTP:
			k.restore()
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			return nil
		case unix.SIGCONT: // the shell has its own modes
			k.byKey()
		}
		return errResized
	}
}

// line waits for a line, which the terminal itself lets people edit, once ask has asked for it. ok is false where they
// end it by Ctrl-D instead. What was typed before the question is no answer to it.
func (k *keyboard) line(ask func()) (text string, ok bool, err error) {
	k.rest = nil
	k.restore()
	ask()
	defer k.byKey()
	for !strings.Contains(string(k.rest), "\n") {
		switch err := k.read(); {
		case errors.Is(err, errResized):
			k.restore()
		case errors.Is(err, errNobody):
			k.rest = nil
			return "", false, nil
		case err != nil:
			return "", false, err
		}
	}
	text, _, _ = strings.Cut(string(k.rest), "\n")
	k.rest = nil
	return strings.TrimSpace(text), true, nil
}
