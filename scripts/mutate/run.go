package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A unit is what is run by itself: a test, or one of its parts where the whole takes long.
type unit struct {
	program, dir, run string // the program by its name on each bench
	took              time.Duration
	reaches           map[int]bool
}

// A runner runs the tests of programs that have the mutants in them, on several benches at once.
type runner struct {
	ctx     context.Context
	work    string // everything that tests write lies below it
	cache   string // Go's, which tests may write too
	factor  float64
	skip    *regexp.Regexp
	ids     int        // one more than the last mutant's number
	benches chan bench // those that nothing runs on
	units   []*unit
}

// A bench is a directory with the programs and a place for what they write: what one runs, another does not see.
type bench string

// furnish makes the benches, each with the programs that lie in the work directory.
func (r *runner) furnish(jobs int, programs []string) error {
	r.benches = make(chan bench, jobs)
	for i := range jobs {
		b := bench(filepath.Join(r.work, strconv.Itoa(i)))
		if err := os.MkdirAll(b.tmp(), 0o755); err != nil {
			return err
		}
		for _, p := range programs {
			if err := os.Link(filepath.Join(r.work, p), filepath.Join(string(b), p)); err != nil {
				return err
			}
		}
		r.benches <- b
	}
	return nil
}

func (b bench) tmp() string { return filepath.Join(string(b), "tmp") }

// each does something for each number below n, on as many benches as are free.
func (r *runner) each(n int, do func(b bench, i int)) {
	var all sync.WaitGroup
	for i := range n {
		b := <-r.benches
		if r.ctx.Err() != nil {
			r.benches <- b
			break
		}
		all.Go(func() {
			defer func() { r.benches <- b }()
			do(b, i)
		})
	}
	all.Wait()
}

// long is how long a test takes of which the parts are run one by one.
const long = 2 * time.Second

var errTime = errors.New("too long")

// alone is run by a shell in namespaces of its own, as root: a mutant of what changes hosts changes none, since only
// the work directory and Go's cache can be written, and it sees no process but its own.
const alone = `mount --make-rprivate / && for dir in "$1" "$2"; do mount --bind "$dir" "$dir" || exit 125; done &&
mount -o remount,bind,ro / && for dir in /tmp /var /home /srv /run; do
	mountpoint -q $dir && { mount -o remount,bind,ro $dir || exit 125; }; done
cd "$3" && shift 3 && exec "$@"`

// start runs a program of tests with a mutant called, or with the file that takes the numbers of those come by.
func (r *runner) start(b bench, u *unit, timeout time.Duration, what string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(r.ctx, timeout)
	defer cancel()
	program := filepath.Join(string(b), u.program)
	if err := os.WriteFile(program+".mutate", []byte(what), 0o644); err != nil {
		return nil, err
	}
	words := append([]string{program, "-test.short"}, args...)
	if os.Geteuid() == 0 {
		words = append([]string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
			alone, "sh", string(b), r.cache, u.dir}, words...)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true} // no terminal, and a share of a busy machine for each
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = u.dir, &out, &out, time.Second
	cmd.Env = append(os.Environ(), "MUTATE="+what, "TMPDIR="+b.tmp())
	err := cmd.Run()
	switch {
	case r.ctx.Err() != nil:
		return out.Bytes(), r.ctx.Err()
	case ctx.Err() != nil:
		return out.Bytes(), errTime
	}
	return out.Bytes(), err
}

// baseline finds what the tests of a program are, how long each takes, and which mutants it comes by.
func (r *runner) baseline(program, dir string) error {
	b := <-r.benches
	out, err := r.start(b, &unit{program: program, dir: dir}, time.Minute, "0", "-test.list", "^(Test|Fuzz|Example)")
	r.benches <- b
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	names := slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool {
		return r.skip != nil && r.skip.MatchString(name)
	})
	whole := make([]*unit, len(names))
	parts := make([][]*unit, len(names))
	r.each(len(names), func(b bench, i int) {
		whole[i] = &unit{program: program, dir: dir, run: "^" + names[i] + "$"}
		parts[i] = whole[i].parts(r.measure(b, whole[i]))
	})
	some := slices.Concat(parts...)
	r.each(len(some), func(b bench, i int) { r.measure(b, some[i]) })
	for i, u := range whole {
		if len(parts[i]) == 0 {
			some = append(some, u)
		}
	}
	r.units = append(r.units, slices.DeleteFunc(some, func(u *unit) bool { return u.reaches == nil })...)
	return r.ctx.Err()
}

// parts are what is run of a test instead of the whole, where that takes long; out is what it has said.
func (u *unit) parts(out []byte) (all []*unit) {
	name := strings.Trim(u.run, "^$")
	found := regexp.MustCompile(`(?m)^=== RUN   `+name+`/([^/\n]+)$`).FindAllStringSubmatch(string(out), -1)
	if u.took < long || len(found) < 2 {
		return nil
	}
	for _, p := range found {
		all = append(all, &unit{program: u.program, dir: u.dir, run: u.run + "/^" + regexp.QuoteMeta(p[1]) + "$"})
	}
	return all
}

// measure runs a unit without a mutant. One that fails says nothing about mutants and has no reaches.
func (r *runner) measure(b bench, u *unit) []byte {
	file := filepath.Join(string(b), "seen")
	if err := errors.Join(os.WriteFile(file, make([]byte, r.ids), 0o600), os.Chmod(file, 0o666)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return nil
	}
	began := time.Now()
	out, err := r.start(b, u, 10*time.Minute, file, "-test.v", "-test.run", u.run)
	u.took = time.Since(began)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s %s: not used, it fails without a mutant: %v\n", u.program, u.run,
			err)
		return out
	}
	u.reaches = map[int]bool{}
	seen, _ := os.ReadFile(file)
	for id, mark := range seen {
		if mark != 0 {
			u.reaches[id] = true
		}
	}
	return out
}

// An outcome is what became of a mutant.
type outcome int

const (
	unreached outcome = iota
	survived
	failed
	endless
)

func (o outcome) String() string {
	return [...]string{"reached by no test", "survived", "caught", "caught by time"}[o]
}

// patience is how many times as long a test that took too long may take when it is tried again.
const patience = 5

// try runs what comes by the mutant, the fastest first, until something fails.
func (r *runner) try(b bench, m *mutant) (outcome, string) {
	reach := slices.DeleteFunc(slices.Clone(r.units), func(u *unit) bool { return !u.reaches[m.id] })
	slices.SortFunc(reach, func(a, b *unit) int { return int(a.took - b.took) })
	if len(reach) == 0 {
		return unreached, ""
	}
	for _, u := range reach {
		limit := time.Duration(float64(u.took)*r.factor) + 3*time.Second
		_, err := r.start(b, u, limit, strconv.Itoa(m.id), "-test.failfast", "-test.run", u.run)
		if errors.Is(err, errTime) { // the machine may have been busy; what has no end has none in more time
			_, err = r.start(b, u, patience*limit, strconv.Itoa(m.id), "-test.failfast", "-test.run", u.run)
		}
		switch {
		case errors.Is(err, errTime):
			return endless, u.run
		case err != nil:
			return failed, u.run
		}
	}
	return survived, ""
}
