package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"example.com/harden/checks"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
	"example.com/harden/remediate/schedule"
)

// lookSchema names the shape of a look as it is kept.
const lookSchema = "harden-look/v1"

// A look is what a scheduled run leaves for the next one.
type look struct {
	Schema string         `json:"schema"`
	Report *report.Report `json:"report"`
	Failed int            `json:"failed"` // findings whose fix the last scheduled apply tried in vain
}

// lookFile is where the last look is kept. The host below a directory has one of its own.
func (c *Config) lookFile() string { return filepath.Join(c.State, "last.json") }

// lastLook reads what the last scheduled run has left; nil when there was none, or when it was of another host.
func (c *Config) lastLook() (*look, error) {
	data, err := readTrusted(c.lookFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l := new(look)
	if err := json.Unmarshal(data, l); err != nil || l.Schema != lookSchema || l.Report == nil {
		complain("%s: not a report of this harden: this run counts as the first", c.lookFile())
		return nil, nil
	}
	if l.Report.Host.Root != c.Root {
		return nil, nil
	}
	return l, nil
}

// writeJSON keeps a document for harden's own later use, for root's eyes alone.
func writeJSON(file string, v any) error {
	return writeFileFrom(file, 0o600, func(w io.Writer) error { return report.JSON(w, v) })
}

// writeMetrics writes the metrics whole, readable by everybody: there is nothing in them but counts. Without a file
// named, it is the default one, where somebody has made its directory.
func (s *session) writeMetrics(file string, l look, drifts []report.Shift) error {
	if file == "" {
		file = schedule.DefaultMetrics
		dir, err := openPlace(filepath.Dir(file))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil
		} else if err != nil {
			return err
		}
		dir.Close()
	}
	run, err := apply.Interrupted(s.options())
	if err != nil {
		return err
	}
	var b bytes.Buffer
	metrics, err := report.ViewOf("prometheus", report.OfMetrics)
	if err != nil {
		return err
	}
	m := &report.Metrics{Report: l.Report, Shifts: drifts, Failed: l.Failed, Open: run != nil}
	if err := metrics.Write(&b, hide(s.redactor, m), report.Style{}); err != nil {
		return err
	}
	return writeFileMode(file, b.Bytes(), 0o644)
}

// allowedByClock is what may be applied while nobody looks on: what disturbs nothing, and more only where the
// configuration allows it by its class. That an item is named there selects it, and does not allow it.
func (c *Config) allowedByClock(k *checks.Check, class want.Class) bool {
	return !k.Named && (class == want.None || c.Asked && slices.Contains(c.Allow, class))
}

// mayRepeat reports whether the clock may make such a change again. A journal does not tell the class: it is the
// checks', and what rewrites a file is for a daemon to take up. A schedule's own files have no checks.
func (c *Config) mayRepeat(f apply.FileChange) bool {
	least := want.Reload
	if f.Kind == apply.Attributes {
		least = want.None
	}
	return slices.ContainsFunc(named(f.Checks), func(k *checks.Check) bool {
		return c.allowedByClock(k, max(k.Class, least))
	})
}
