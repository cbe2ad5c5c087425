// Mutate puts small faults into packages, one at a time, and tells which of them no test fails on.
//
//	go run ./scripts/mutate -sample 100 ./remediate/apply ./checks/be
//
// All mutants of a package are compiled at once, each asleep until its number is called, so that none costs a build. A
// test without any tells which mutants each test comes by; only those tests are run for it.
package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// also are the packages whose tests are tests of another too. Those that take minutes are not among them.
var also = map[string][]string{
	"remediate/edit": {"remediate"},
	"checks/rule":    {"fixtures", "checks/catalog", "remediate"},
	"checks/be":      {"fixtures", "checks/catalog", "remediate"},
}

type options struct {
	sample, shard, shards int
	jobs                  int
	seeds                 []uint64
	least, factor         float64
	allow                 string
	match, skip           *regexp.Regexp
}

func main() {
	o, names := parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	bad := 0
	for _, name := range names {
		score, err := o.mutate(ctx, name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "mutate:", err)
			os.Exit(1)
		}
		if score < o.least {
			bad++
		}
	}
	if bad > 0 {
		fmt.Fprintf(os.Stderr, "mutate: %d packages below %.0f %%; write tests for the survivors\n", bad, o.least)
		os.Exit(2)
	}
}

func parse() (*options, []string) {
	o := &options{}
	var seeds, shard, match, skip string
	flag.IntVar(&o.sample, "sample", 0, "try only so many mutants of each package; 0 tries all")
	flag.StringVar(&seeds, "seed", "1", "choose another sample, or several, with commas between")
	flag.IntVar(&o.jobs, "jobs", 1, "run so many tests at once")
	flag.StringVar(&shard, "shard", "0/1", "try only every n-th mutant, from the i-th")
	flag.Float64Var(&o.least, "least", 90, "percentage that must be caught")
	flag.Float64Var(&o.factor, "factor", 8, "a test may take so many times as long as without a mutant, and 3 s")
	flag.StringVar(&o.allow, "allow", "scripts/mutate/equivalent.tsv",
		"file of mutants that change nothing, with reasons")
	flag.StringVar(&match, "match", "", "try only mutants whose line in the report matches")
	flag.StringVar(&skip, "skip", "", "leave out tests whose names match")
	flag.Parse()
	if _, err := fmt.Sscanf(shard, "%d/%d", &o.shard, &o.shards); err != nil || o.shards < 1 || o.jobs < 1 ||
		flag.NArg() == 0 {
		flag.Usage()
		os.Exit(64)
	}
	for text := range strings.SplitSeq(seeds, ",") {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			flag.Usage()
			os.Exit(64)
		}
		o.seeds = append(o.seeds, seed)
	}
	if match != "" {
		o.match = regexp.MustCompile(match)
	}
	if skip != "" {
		o.skip = regexp.MustCompile(skip)
	}
	return o, flag.Args()
}

// mutate returns which percentage of a package's mutants is caught; of several samples, the least.
func (o *options) mutate(ctx context.Context, name string) (float64, error) {
	equivalent, err := allowed(o.allow)
	if err != nil {
		return 0, err
	}
	p, err := load(name)
	if err != nil {
		return 0, err
	}
	r := &runner{ctx: ctx, factor: o.factor, skip: o.skip}
	if r.work, err = os.MkdirTemp("", "mutate"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(r.work)
	if err := r.prepare(p, o.jobs); err != nil {
		return 0, err
	}
	least := 100.0
	for _, seed := range o.seeds {
		score, err := r.score(o.choose(p.mutants, equivalent, seed))
		if err != nil {
			return 0, err
		}
		fmt.Printf("%s, seed %d: %s; %d mutants in all\n", name, seed, score, len(p.mutants))
		least = min(least, score.percent())
	}
	return least, nil
}

// A score is what became of how many mutants.
type score map[outcome]int

func (s score) of() int { return s[unreached] + s[survived] + s[failed] + s[endless] }

func (s score) percent() float64 {
	if s.of() == 0 {
		return 100
	}
	return 100 * float64(s[failed]+s[endless]) / float64(s.of())
}

func (s score) String() string {
	return fmt.Sprintf("%d of %d mutants caught, %.1f %% (%d by time; %d reached by no test)", s[failed]+s[endless],
		s.of(), s.percent(), s[endless], s[unreached])
}

// score tries the chosen mutants and names those that nothing catches.
func (r *runner) score(chosen []*mutant) (score, error) {
	counts := score{}
	var mu sync.Mutex
	r.each(len(chosen), func(b bench, i int) {
		m := chosen[i]
		got, by := r.try(b, m)
		mu.Lock()
		defer mu.Unlock()
		if r.ctx.Err() != nil {
			return
		}
		counts[got]++
		fmt.Fprintf(os.Stderr, "%d/%d %s:%d %s: %s %s\n", counts.of(), len(chosen), m.file, m.line, m.op, got, by)
		if got == survived || got == unreached {
			fmt.Printf("%s:%d: %s %s (%s): %s\n", m.file, m.line, got, m.op, m.fn, m.source)
		}
	})
	return counts, r.ctx.Err()
}

// prepare compiles the tests with the mutants and finds what each comes by.
func (r *runner) prepare(p *pkg, jobs int) error {
	src := filepath.Join(r.work, "src")
	if err := os.MkdirAll(src, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(r.work, 0o755); err != nil {
		return err
	}
	overlay, err := p.write(src)
	if err != nil {
		return err
	}
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		return err
	}
	r.cache, r.ids = strings.TrimSpace(string(cache)), len(p.mutants)+1
	names := []string{p.path}
	for _, other := range also[strings.TrimPrefix(p.path, p.module+"/")] {
		names = append(names, p.module+"/"+other)
	}
	tests, err := list(names...)
	if err != nil {
		return err
	}
	var programs, dirs []string
	for i, t := range tests {
		program := strconv.Itoa(i) + "-" + filepath.Base(t.ImportPath) + ".test"
		has, err := compile(t.ImportPath, overlay, filepath.Join(r.work, program))
		if err != nil {
			return err
		}
		if has {
			programs, dirs = append(programs, program), append(dirs, t.Dir)
		}
	}
	if err := r.furnish(jobs, programs); err != nil {
		return err
	}
	for i, program := range programs {
		if err := r.baseline(program, dirs[i]); err != nil {
			return err
		}
	}
	return nil
}

// choose returns the sample, the same one for the same seed whatever else changes in the package. It is in no order of
// the source's, so that the beginning of a sample is a sample too.
func (o *options) choose(all []*mutant, equivalent map[string]bool, seed uint64) []*mutant {
	var out []*mutant
	rank, times := map[*mutant]uint64{}, map[string]int{}
	for _, m := range all {
		times[m.key()]++
		// A hash of which each bit depends on the last byte, too: mutants that are alike must not come together.
		h := sha256.Sum256(fmt.Appendln(nil, seed, m.key(), times[m.key()]))
		rank[m] = binary.BigEndian.Uint64(h[:])
		line := fmt.Sprintf("%s:%d: %s (%s): %s", m.file, m.line, m.op, m.fn, m.source)
		if !equivalent[m.key()] && (o.match == nil || o.match.MatchString(line)) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b *mutant) int { return cmp.Compare(rank[a], rank[b]) })
	if o.sample > 0 && len(out) > o.sample {
		out = out[:o.sample]
	}
	mine := out[:0]
	for i, m := range out {
		if i%o.shards == o.shard {
			mine = append(mine, m)
		}
	}
	return mine
}

// allowed reads the mutants that change nothing: file, function, operator, source and reason, with tabs between.
func allowed(file string) (map[string]bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	keys := map[string]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		switch {
		case lines.Text() == "" || strings.HasPrefix(lines.Text(), "#"):
		case len(fields) != 5 || len(strings.Fields(fields[4])) < 3:
			return nil, fmt.Errorf("%s: %q: five fields with tabs between, the last one a reason", file, lines.Text())
		default:
			keys[strings.Join(fields[:4], "\t")] = true
		}
	}
	return keys, lines.Err()
}
