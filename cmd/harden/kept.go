package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"

	"example.com/harden/remediate/report"
)

// keeping is how many reports of scheduled audits are kept, and for how long.
type keeping struct {
	Keep *int `yaml:"keep"` // nil is keptMost; 0 keeps none
	Days *int `yaml:"days"` // nil is keptDays; 0 sets no limit
}

const (
	keptMost = 30
	keptDays = 90
	// maxKept bounds all reports that are kept, in bytes: each of ten thousand containers has 51 MiB.
	maxKept = 256 << 20
)

func (k keeping) check(path string) error {
	var errs *multierror.Error
	for _, v := range []struct {
		key   string
		value *int
	}{{"keep", k.Keep}, {"days", k.Days}} {
		if v.value != nil && *v.value < 0 {
			errs = multierror.Append(errs, fmt.Errorf("%s: reports: %s: %d is negative; use 0 or more", path, v.key, *v.value))
		}
	}
	return errs.ErrorOrNil()
}

// or is *n, or what is usual where nobody has said.
func or(n *int, usual int) int {
	if n == nil {
		return usual
	}
	return *n
}

// keptDir is where the reports of scheduled audits are kept.
func (c *Config) keptDir() string { return filepath.Join(c.State, "reports") }

const keptName = "20060102T150405Z.json"

var keptPattern = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z\.json$`)

// keepReport keeps a report for root's eyes alone, and removes those that are too many or too old.
func (s *session) keepReport(r *report.Report) error {
	if or(s.Keeping.Keep, keptMost) > 0 {
		if err := makePrivate(s.keptDir()); err != nil {
			return err
		}
		saved := *r
		saved.Results = slices.Clone(r.Results)
		for i := range saved.Results {
			saved.Results[i].Kept = nil // which is of the next scheduled audit alone
		}
		file := filepath.Join(s.keptDir(), r.Time.UTC().Format(keptName))
		if err := writeJSON(file, hide(s.redactor, &saved)); err != nil {
			return err
		}
	}
	return s.prune(r.Time)
}

// prune removes the reports that are too many, too old at a time, or too large together; of those the last two stay.
func (c *Config) prune(now time.Time) error {
	files, err := c.kept(now)
	if err != nil {
		return err
	}
	slices.Reverse(files) // the newest first
	most, days, size := or(c.Keeping.Keep, keptMost), or(c.Keeping.Days, keptDays), int64(0)
	var errs *multierror.Error
	for i, f := range files {
		if info, err := os.Lstat(f.File); err == nil {
			size += info.Size()
		}
		old := days > 0 && now.Sub(f.Time) > time.Duration(days)*24*time.Hour
		if i >= most || old || size > maxKept && i >= 2 {
			errs = multierror.Append(errs, remove(f.File))
		}
	}
	return errs.ErrorOrNil()
}

// kept are the reports that are kept, the oldest first. One from the future is of a clock that was set back since: if
// it counted as the newest, no later report would be kept beside enough of them.
func (c *Config) kept(now time.Time) ([]report.KeptReport, error) {
	entries, err := os.ReadDir(c.keptDir()) // sorted by name, which is by time
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	files := []report.KeptReport{}
	for _, e := range entries {
		at, err := time.Parse(keptName, e.Name())
		if err == nil && keptPattern.MatchString(e.Name()) {
			files = append(files, report.KeptReport{File: filepath.Join(c.keptDir(), e.Name()), Time: at})
		}
	}
	future := slices.IndexFunc(files, func(f report.KeptReport) bool { return f.Time.After(now.Add(maxAhead)) })
	if future > 0 {
		files = append(slices.Clone(files[future:]), files[:future]...)
	}
	return files, nil
}

// maxAhead is how far in the future a report may be: clocks are adjusted a little every day.
const maxAhead = time.Hour

// lastKept stands for the newest report that is kept.
const lastKept = "last"

// lastTwo are the names of the newest report that is kept and of the one before it of the same host.
func (c *Config) lastTwo() (before, last string, err error) {
	files, err := c.kept(time.Now())
	if err != nil {
		return "", "", err
	}
	var newest *report.Report
	for _, f := range slices.Backward(files) {
		r, err := readKept(f.File)
		switch {
		case err != nil:
			return "", "", err
		case newest == nil:
			newest, last = r, f.File
		case r.Host.Name == newest.Host.Name && r.Host.Machine == newest.Host.Machine && r.Host.Root == newest.Host.Root:
			return f.File, last, nil
		}
	}
	what := "only one report of this host is kept"
	if newest == nil {
		what = "no report is kept"
	}
	return "", "", usageError{fmt.Errorf("%s: %s; `harden schedule install` keeps one of each audit, or name two files",
		c.keptDir(), what)}
}

// newestKept is the name of the newest report that is kept.
func (c *Config) newestKept() (string, error) {
	files, err := c.kept(time.Now())
	if err == nil && len(files) == 0 {
		err = usageError{fmt.Errorf("%s: no report is kept; `harden schedule install` keeps one of each audit; a file of "+
			"the name last is ./last", c.keptDir())}
	}
	if err != nil {
		return "", err
	}
	return files[len(files)-1].File, nil
}

// readKept reads a report that is kept. It is refused where another user could have written it.
func readKept(name string) (*report.Report, error) {
	f, err := openTrusted(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return report.Read(name, f, maxReport)
}
