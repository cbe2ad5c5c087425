// Package budget bounds what a file may cost whoever reads it. A file of a thousand bytes can ask for gigabytes, by
// aliases, merge keys, variables and nesting, and users, containers and repositories choose what harden reads. Each
// file has one Budget, which every parser that reads it spends from. What costs more is not judged: an Exceeded is
// never a pass.
//
// Parsers spend while they read, before any rule looks: what they return is small enough for every rule to walk
// through.
package budget

import (
	"errors"
	"fmt"
	"sync"
)

// A Kind is one thing that a file can use up.
type Kind int

// The kinds.
const (
	Bytes Kind = iota // of the file itself, and of those that belong to it
	// scalars, lists and mappings of YAML and JSON; instructions, settings, rules and words of other files
	Values
	Expanded // values once aliases, merge keys and `extends` are followed
	Text     // bytes that variables expand to
	Depth    // levels that values are nested in each other
	Names    // files and directories below a directory
	Steps    // bytes that an algorithm looks at again and again
	kinds
)

// Limits is how much of each kind there is.
type Limits [kinds]int

// PerFile is what one file may use up. The largest of 1,116 Compose files and of the recorded hosts stay below a tenth
// of it.
var PerFile = Limits{Bytes: 4 << 20, Values: 30_000, Expanded: 60_000, Text: 4 << 20, Depth: 100, Names: 20_000,
	Steps: 8 << 20}

// Together is what all files of one directory of sources, or of one kind, may use up.
var Together = Limits{Bytes: 32 << 20, Values: 300_000, Expanded: 300_000, Text: 16 << 20, Depth: 100, Names: 100_000,
	Steps: 128 << 20}

var words = [kinds]string{"bytes", "values", "values once aliases, merge keys and extends are followed",
	"bytes once variables are expanded",
	"levels of nesting", "files and directories", "bytes of work"}

// Err is what every Exceeded is.
var Err = errors.New("too large or too complex")

// Exceeded is the error of a file that costs more than a limit.
type Exceeded struct {
	File  string
	Line  int // where it was noticed; 0 where no line is to blame
	Kind  Kind
	Limit int
	All   bool // it is the limit of all files together
	Cycle bool // no limit is large enough: an alias stands for what it is part of
}

func (e *Exceeded) Error() string {
	var where, whose = "", "the limit of one file"
	if e.File != "" {
		where = e.File + ": "
	}
	if e.Line > 0 {
		where += fmt.Sprintf("line %d: ", e.Line)
	}
	if e.All {
		whose = "the limit of all files together"
	}
	if e.Cycle {
		return fmt.Sprintf("%san alias is part of what it stands for, beyond any limit; remove it", where)
	}
	return fmt.Sprintf("%s%v: more than %d %s (%s); make it smaller", where, Err, e.Limit, words[e.Kind], whose)
}

// Is makes errors.Is(err, Err) hold.
func (e *Exceeded) Is(target error) bool { return target == Err }

// A Budget is what is left for one file. It is safe for concurrent use.
type Budget struct {
	file   string
	limits Limits
	all    *Budget // that of all files together; nil where there is none
	many   bool    // it is that of many files

	mu   sync.Mutex
	used Limits
	err  *Exceeded
}

// New returns the budget of one file. What it spends, all spends too; all may be nil.
func New(file string, all *Budget) *Budget { return &Budget{file: file, limits: PerFile, all: all} }

// NewTogether returns the budget of many files.
func NewTogether(name string) *Budget { return &Budget{file: name, limits: Together, many: true} }

// Spend takes n from what is left of a kind. Line is where in the file; 0 where that is not known. Once a limit is
// exceeded, every further call fails with the same error.
func (b *Budget) Spend(kind Kind, n, line int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil && (n < 0 || n > b.limits[kind]-b.used[kind]) {
		b.err = &Exceeded{File: b.file, Line: line, Kind: kind, Limit: b.limits[kind], All: b.many}
	}
	if b.err != nil {
		return b.err
	}
	if b.all != nil {
		if err := b.all.share(kind, n); err != nil {
			b.err = &Exceeded{File: b.file, Line: line, Kind: kind, Limit: err.Limit, All: true}
			return b.err
		}
	}
	b.used[kind] += n
	return nil
}

// share takes n for one of many files. A file that asks for too much leaves the others what there is.
func (b *Budget) share(kind Kind, n int) *Exceeded {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.limits[kind]-b.used[kind] {
		return &Exceeded{Kind: kind, Limit: b.limits[kind]}
	}
	b.used[kind] += n
	return nil
}

// Deep reports as an error that values are nested in each other in so many levels.
func (b *Budget) Deep(levels, line int) error {
	if levels <= b.limits[Depth] {
		return nil
	}
	return b.exceed(Depth, line)
}

// cycle reports as an error that an alias is part of what it stands for.
func (b *Budget) cycle(line int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = &Exceeded{File: b.file, Line: line, Cycle: true}
	}
	return b.err
}

// spent reports whether all files together have used a kind up, so that another need not be parsed.
func (b *Budget) spent(kind Kind) error {
	if b.all == nil {
		return nil
	}
	b.all.mu.Lock()
	left := b.all.limits[kind] - b.all.used[kind]
	b.all.mu.Unlock()
	if left > 0 {
		return nil
	}
	return b.Spend(kind, 1, 0)
}

func (b *Budget) exceed(kind Kind, line int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = &Exceeded{File: b.file, Line: line, Kind: kind, Limit: b.limits[kind], All: b.many}
	}
	return b.err
}

// Err is the error of the limit that was exceeded, nil where none was.
func (b *Budget) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		return nil
	}
	return b.err
}
