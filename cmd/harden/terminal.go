package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

// isTerminal reports whether somebody sits behind a file.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), terminalState)
	return err == nil
}

// terminalWidth is how many columns there are; 0 where w is no terminal.
func terminalWidth(w io.Writer) (columns int, terminal bool) {
	f, ok := w.(*os.File)
	if !ok || !isTerminal(f) {
		return 0, false
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, true
	}
	return int(size.Col), true
}

// A progress is one line on a terminal that says what is being done, and for how long already: a restart and the
// watch after it take most of a minute. Where there is no terminal it says nothing.
type progress struct {
	out     *os.File
	columns int
	mu      sync.Mutex
	total   int // steps foreseen; 0 when not known
	step    int
	doing   string
	since   time.Time
	stop    chan struct{}
	stopped sync.WaitGroup
}

// newProgress starts a line of so many steps. end takes it away.
func newProgress(total int) *progress {
	p := &progress{out: os.Stderr, total: total, stop: make(chan struct{})}
	columns, terminal := terminalWidth(os.Stderr)
	if !terminal || os.Getenv("TERM") == "dumb" {
		p.out = nil
		return p
	}
	p.columns = columns
	p.stopped.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-tick.C:
				p.show()
			}
		}
	})
	return p
}

// noProgress says nothing, wherever it is.
func noProgress(int) *progress { return &progress{stop: make(chan struct{})} }

// next begins another step.
func (p *progress) next(doing string) {
	p.mu.Lock()
	p.step++
	p.doing, p.since = doing, time.Now()
	p.mu.Unlock()
	p.show()
}

// say words the step that is under way in another way.
func (p *progress) say(doing string) {
	p.mu.Lock()
	p.doing = report.Clean(doing)
	p.mu.Unlock()
	p.show()
}

func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out == nil || p.doing == "" {
		return
	}
	const cells = 20
	line := p.doing
	if p.total > 0 {
		done := min(p.step-1, p.total) * cells / p.total // the step under way is not done
		line = fmt.Sprintf("[%s%s] %s", strings.Repeat("#", done), strings.Repeat(".", cells-done), line)
	}
	if s := int(time.Since(p.since).Seconds()); s > 0 {
		line += fmt.Sprintf(" %ds", s)
	}
	if p.columns > 0 && utf8.RuneCountInString(line) >= p.columns { // a line that wraps cannot be taken back
		line = string([]rune(line)[:p.columns-1])
	}
	fmt.Fprintf(p.out, "\r\x1b[K%s", line)
}

func (p *progress) end() {
	close(p.stop)
	p.stopped.Wait()
	if p.out != nil {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

var doings = map[apply.Doing]string{
	apply.Checking: "checking ", apply.Journaling: "writing the journal", apply.Writing: "writing ",
	apply.Activating: "", apply.Watching: "watching that the containers stay up", apply.Verifying: "checking again",
	apply.Restoring: "restoring ",
}

func (p *progress) applyStep(s apply.Step) { p.next(doings[s.Doing] + report.Clean(s.Subject)) }
