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
	"time"
)

// A unit is what is run by itself: a test, or one of its parts where the whole takes long.
type unit struct {
	program, dir, run string
	took              time.Duration
	reaches           map[int]bool
}

// A runner runs the tests of programs that have the mutants in them.
type runner struct {
	ctx    context.Context
	work   string // everything that tests write lies below it
	factor float64
	skip   *regexp.Regexp
	units  []*unit
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
func (r *runner) start(u *unit, timeout time.Duration, what string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(r.ctx, timeout)
	defer cancel()
	if err := os.WriteFile(u.program+".mutate", []byte(what), 0o644); err != nil {
		return nil, err
	}
	words := append([]string{u.program, "-test.short"}, args...)
	if os.Geteuid() == 0 {
		cache, err := exec.Command("go", "env", "GOCACHE").Output()
		if err != nil {
			return nil, err
		}
		words = append([]string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
			alone, "sh",
			r.work, strings.TrimSpace(string(cache)), u.dir}, words...)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = u.dir, &out, &out, time.Second
	cmd.Env = append(os.Environ(), "MUTATE="+what, "TMPDIR="+filepath.Join(r.work, "tmp"))
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
	out, err := r.start(&unit{program: program, dir: dir}, time.Minute, "0", "-test.list", "^(Test|Fuzz|Example)")
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	for _, name := range strings.Fields(string(out)) {
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		if r.skip != nil && r.skip.MatchString(name) {
			continue
		}
		u := &unit{program: program, dir: dir, run: "^" + name + "$"}
		out := r.measure(u)
		parts := regexp.MustCompile(`(?m)^=== RUN   `+name+`/([^/\n]+)$`).FindAllStringSubmatch(string(out), -1)
		if u.took < long || len(parts) < 2 {
			r.keep(u)
			continue
		}
		for _, p := range parts {
			part := &unit{program: program, dir: dir, run: u.run + "/^" + regexp.QuoteMeta(p[1]) + "$"}
			r.measure(part)
			r.keep(part)
		}
	}
	return nil
}

func (r *runner) keep(u *unit) {
	if u.reaches != nil {
		r.units = append(r.units, u)
	}
}

// measure runs a unit without a mutant. One that fails says nothing about mutants and has no reaches.
func (r *runner) measure(u *unit) []byte {
	file := filepath.Join(r.work, "tmp", "seen")
	os.Remove(file)
	began := time.Now()
	out, err := r.start(u, 10*time.Minute, file, "-test.v", "-test.run", u.run)
	u.took = time.Since(began)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s %s: not used, it fails without a mutant: %v\n", filepath.Base(u.program), u.run,
			err)
		return out
	}
	u.reaches = map[int]bool{}
	seen, _ := os.ReadFile(file) // there is none where no mutant is come by
	for _, f := range strings.Fields(string(seen)) {
		if id, err := strconv.Atoi(f); err == nil {
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

// try runs what comes by the mutant, the fastest first, until something fails.
func (r *runner) try(m *mutant) (outcome, string) {
	reach := slices.DeleteFunc(slices.Clone(r.units), func(u *unit) bool { return !u.reaches[m.id] })
	slices.SortFunc(reach, func(a, b *unit) int { return int(a.took - b.took) })
	if len(reach) == 0 {
		return unreached, ""
	}
	for _, u := range reach {
		limit := time.Duration(float64(u.took)*r.factor) + 3*time.Second
		_, err := r.start(u, limit, strconv.Itoa(m.id), "-test.failfast", "-test.run", u.run)
		switch {
		case errors.Is(err, errTime):
			return endless, u.run
		case err != nil:
			return failed, u.run
		}
	}
	return survived, ""
}
