package apply

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// full does the whole of each torture; without it a sample is done, spread over the whole.
func full() bool { return os.Getenv("HARDEN_TORTURE") == "full" }

// mutating are the calls that change something on a disk. A kill at any other call finds the disk as the next of
// these does, so those are left to the full torture.
var mutating = map[string]bool{
	"openat": true, "write": true, "pwrite64": true, "ftruncate": true, "fsync": true, "renameat": true, "renameat2": true,
	"unlinkat": true, "mkdirat": true, "fchownat": true, "fchmodat": true, "setxattr": true, "removexattr": true,
	"flock": true,
}

// ours are all calls that the code under test makes, beside those of the Go runtime for itself.
var ours = regexp.MustCompile(`^(open|close|p?read|p?write|f?sync|f?(stat|chmod|chown|trunc)|rename|unlink|mkdir|` +
	`rmdir|flock|(get|set|list|remove)xattr|newfstat|getdents|readlink|lseek|access|faccess|socket|connect|syncfs|fcntl|` +
	`dup|sched_yield|getuid|geteuid|getpid|clock_gettime)`)

// A point is one moment to end a program at: before its nth call of that name.
type point struct {
	call string
	nth  int
}

// points lists the moments of one run of the helper, in no order that matters.
func points(t *testing.T, w world, does string, env ...string) []point {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	run := strace(helper(w, does, env...), "-o", trace)
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Open(trace)
	must(t, err)
	defer f.Close()
	count := map[string]int{}
	var all []point
	begun, main := false, ""
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		pid, rest, _ := strings.Cut(in.Text(), " ")
		if main == "" {
			main = pid
		}
		name, _, ok := strings.Cut(strings.TrimSpace(rest), "(")
		if !ok || pid != main || strings.ContainsAny(name, " <+") {
			continue
		}
		count[name]++
		switch {
		case strings.Contains(rest, marker):
			begun = true
		case begun && (full() && ours.MatchString(name) || mutating[name]):
			all = append(all, point{name, count[name]})
		}
	}
	must(t, in.Err())
	if len(all) < 20 {
		t.Fatalf("strace saw only %d moments of %s", len(all), does)
	}
	return all
}

// writes leaves those moments that find another disk than the next of them does.
func writes(all []point) []point {
	return slices.DeleteFunc(all, func(p point) bool { return !mutating[p.call] })
}

// sample thins points out to about n of them, unless all are to be done.
func sample(all []point, n int) []point {
	if full() || len(all) <= n {
		return all
	}
	var some []point
	for i := range n {
		some = append(some, all[i*len(all)/n])
	}
	return some
}

func strace(c *exec.Cmd, args ...string) *exec.Cmd {
	s := exec.Command("strace", append(append([]string{"-f", "-qq"}, args...),
		append([]string{c.Path}, c.Args[1:]...)...)...)
	s.Env = c.Env
	return s
}

// killed runs the helper and kills it at p. It returns false when the helper ended before that.
func killed(t *testing.T, c *exec.Cmd, p point) bool {
	t.Helper()
	c = strace(c, "-o", "/dev/null", "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", p.call, p.nth))
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && !exit.Exited(): // strace ends as the program did
		return true
	}
	t.Fatalf("%v: %v\n%s", p, err, out)
	return false
}

// hears runs the helper and sends it a signal at p, which it hears as harden does. It returns what it then ends with.
func hears(t *testing.T, c *exec.Cmd, p point, signal string) error {
	t.Helper()
	c = strace(c, "-o", "/dev/null", "-e", fmt.Sprintf("inject=%s:signal=%s:when=%d", p.call, signal, p.nth))
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) {
		t.Fatalf("%v: %v\n%s", p, err, out)
	}
	if err != nil && !strings.Contains(string(out), ErrRolledBack.Error()) && !strings.Contains(string(out), "canceled") {
		t.Errorf("%v: %s", p, out)
	}
	return err
}

// TestTortureSignal sends SIGHUP and SIGTERM at each moment: what has begun is finished or taken back by the very same
// process, and never left half done.
func TestTortureSignal(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("needs strace")
	}
	for _, s := range []sweep{
		{"", "apply", "HUP", nil, 24},
		{"", "apply", "TERM", nil, 8},
		{"apply", "rollback", "HUP", nil, 12},
		{"half", "rollback", "HUP", nil, 8},
		{"half", "resume", "HUP", nil, 8},
	} {
		t.Run(strings.TrimSpace(s.first+" "+s.does+" "+s.then), func(t *testing.T) { s.signal(t) })
	}
}

// signal is run with a signal, named by then, in the place of the kill.
func (s sweep) signal(t *testing.T) {
	w := newWorld(t)
	old := w.look(t)
	_, err := Apply(t.Context(), w.plan(t), w.options())
	must(t, err)
	new := w.look(t)
	env := []string{heardEnv + "=1", "GOMAXPROCS=2"} // so that it is heard while the first thread is at work
	s.begin(t, w)
	ps := points(t, w, s.does, env...)
	some := sample(ps, s.sample)
	back := 0
	for _, p := range some {
		s.begin(t, w)
		if hears(t, helper(w, s.does, env...), p, s.then) != nil {
			back++
		}
		if run, err := Interrupted(w.options()); s.first == "half" && run != nil && err == nil {
			continue // it had not gone on yet with what another has left
		}
		if got := w.look(t); !cmp.Equal(old, got) && !cmp.Equal(new, got) {
			t.Errorf("SIG%s at %s %d: half done:\nfrom old: %s\nfrom new: %s",
				s.then, p.call, p.nth, cmp.Diff(old, got), cmp.Diff(new, got))
		}
		if wrong := s.atRest(w.options()); wrong != "" {
			t.Errorf("SIG%s at %s %d: %s", s.then, p.call, p.nth, wrong)
		}
	}
	t.Logf("SIG%s at %d of %d moments, %d of them not finished", s.then, len(some), len(ps), back)
	if s.does == "apply" && back == 0 {
		t.Errorf("none of %d signals was heard in time: this tortures nothing", len(some))
	}
}

// A sweep ends a program at each of its moments, and recovers.
type sweep struct {
	first  string // what is done before: nothing, "apply", or "half" an apply
	does   string
	then   string
	env    []string
	sample int
}

func TestTortureKill(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("needs strace")
	}
	oldKernel := []string{oldEnv + "=1"}
	for _, s := range []sweep{
		{"", "apply", "rollback", nil, 24},
		{"", "apply", "resume", oldKernel, 24},
		{"apply", "rollback", "rollback", nil, 12},
		{"apply", "rollback", "resume", oldKernel, 12},
		{"half", "rollback", "rollback", nil, 8},
		{"half", "rollback", "resume", nil, 8},
		{"half", "resume", "rollback", nil, 8},
		{"half", "resume", "resume", nil, 8},
	} {
		t.Run(strings.TrimSpace(s.first+" "+s.does+" then "+s.then), func(t *testing.T) { s.run(t) })
	}
}

func (s sweep) run(t *testing.T) {
	w := newWorld(t)
	old := w.look(t)
	_, err := Apply(t.Context(), w.plan(t), w.options())
	must(t, err)
	new := w.look(t)
	s.begin(t, w)
	ps := points(t, w, s.does, s.env...)
	some := sample(ps, s.sample)
	missed := 0
	for _, p := range some {
		s.begin(t, w)
		done := !killed(t, helper(w, s.does, s.env...), p)
		if done {
			missed++
		}
		if wrong := s.afterwards(t, w, old, new, done); wrong != "" {
			t.Errorf("killed at %s %d: %s", p.call, p.nth, wrong)
		}
	}
	t.Logf("killed at %d of %d moments, missed %d", len(some)-missed, len(ps), missed)
	if missed > len(some)/10 {
		t.Errorf("%d of %d kills came too late: this tortures nothing", missed, len(some))
	}
}

// begin brings the world to where the sweep starts from.
func (s sweep) begin(t *testing.T, w world) {
	t.Helper()
	fresh(t, w)
	switch s.first {
	case "apply":
		_, err := Apply(t.Context(), w.plan(t), w.options())
		must(t, err)
	case "half": // the journal's own rename is the first, and the third the one of the second file
		if !killed(t, helper(w, "apply"), point{"renameat", 3}) {
			t.Fatal("the apply was not killed")
		}
	}
}

// afterwards checks what must hold whenever harden was cut off, and what one Rollback or Resume makes of it. It
// returns what is wrong. Done says that the program had ended well before.
func (s sweep) afterwards(t *testing.T, w world, old, new map[string]string, done bool) string {
	t.Helper()
	o := w.options()
	run, err := Interrupted(o)
	if err != nil {
		return fmt.Sprintf("interrupted: %v", err)
	}
	ends := map[string]map[string]string{"apply": new, "resume": new, "rollback": old}
	want := ends[s.then]
	switch {
	case done:
		if want = ends[s.does]; run != nil {
			return "it ended well, and left " + run.ID + " interrupted"
		}
	case run == nil:
		want = nil // it had not begun, or was decided already
	case s.then == "rollback":
		_, err = Rollback(t.Context(), "", o)
	default:
		_, err = Resume(t.Context(), o)
		if s.does == "rollback" {
			want = nil // it goes on in the direction that had been taken
		}
	}
	if err != nil {
		return fmt.Sprintf("%s: %v", s.then, err)
	}
	got := w.look(t)
	if want == nil && !cmp.Equal(old, got) && !cmp.Equal(new, got) || want != nil && !cmp.Equal(want, got) {
		return fmt.Sprintf("not wholly old or wholly new, or not what was asked for:\nfrom old: %s\nfrom new: %s",
			cmp.Diff(old, got), cmp.Diff(new, got))
	}
	return s.atRest(o)
}

// atRest checks that there is nothing left to settle, and that the history holds.
func (s sweep) atRest(o Options) string {
	if run, err := Interrupted(o); run != nil || err != nil {
		return fmt.Sprintf("still interrupted: %v, %v", run, err)
	}
	e, _, err := begin(o) // as any next run does: it puts away what is decided
	if err != nil {
		return err.Error()
	}
	e.end()
	if left, err := filepath.Glob(filepath.Join(o.State, "*ing*")); len(left) > 0 || err != nil {
		return fmt.Sprintf("left behind: %v %v", left, err)
	}
	if err := VerifyHistory(o); err != nil {
		return err.Error()
	}
	return ""
}
