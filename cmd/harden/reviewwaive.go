package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/edit"
	"example.com/harden/remediate/report"
)

// A waiverFile is the configuration file, into which a review writes waivers.
type waiverFile struct {
	path   string     // links followed
	before facts.File // the zero File where there is none yet
	none   bool       // there is none yet
}

// openWaivers reads the configuration file once: what is written later is refused if anybody has changed it since.
func (r *review) openWaivers() (*waiverFile, error) {
	if r.file != nil {
		return r.file, nil
	}
	path, _ := configPath(r.cmd)
	if path == "" {
		return nil, errors.New("--config none: no file to write a waiver into; use --config FILE")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	data, err := readTrusted(path)
	if errors.Is(err, fs.ErrNotExist) {
		r.file = &waiverFile{path: path, none: true}
		return r.file, nil
	} else if err != nil {
		return nil, err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, err
	}
	f := &waiverFile{path: path}
	here := facts.New(r.ctx, live.New("/", live.DockerOptions{}), facts.Choices{})
	switch f.before, err = here.File(path); {
	case err != nil:
		return nil, err
	case f.before.Path != path || !bytes.Equal(f.before.Data, data):
		return nil, fmt.Errorf("%s: changed while it was read; try again", path)
	case f.before.Locked != "":
		return nil, fmt.Errorf("%s: can't be changed: %s", path, f.before.Locked)
	}
	r.file = f
	return f, nil
}

// with is the change that adds waivers to the file, keeping all else that is in it.
func (f *waiverFile) with(waivers []fileWaiver) (c remediate.Change, err error) {
	data := f.before.Data
	if f.none {
		data = nil
	}
	for _, w := range waivers {
		entry := map[string]string{"check": w.Check, "reason": w.Reason}
		if w.Scope != "" {
			entry["scope"] = w.Scope
		}
		if w.Expires != "" {
			entry["expires"] = w.Expires
		}
		if data, err = edit.YAML(data, []string{"waivers", "-"}, entry); err != nil {
			return c, fmt.Errorf("%s: %w", f.path, err)
		}
	}
	if err := f.says(data, waivers); err != nil {
		return c, err
	}
	c = remediate.Change{Path: f.path, Before: f.before, After: f.before, Created: f.none, Class: want.None,
		Warrants: []want.Warrant{{By: want.Root, From: "--config"}}}
	if f.none {
		c.After.Info = facts.Info{Path: f.path, Mode: 0o644, User: "root", Group: "root", Links: 1}
	}
	c.After.Data, c.After.Size = data, int64(len(data))
	return c, nil
}

// says holds the file to saying what it said, and the waivers.
func (f *waiverFile) says(data []byte, waivers []fileWaiver) error {
	before, err := parseConfig(f.path, f.before.Data)
	if err != nil {
		return err
	}
	after, err := parseConfig(f.path, data)
	if err != nil {
		return err
	}
	all := before.waivers
	for _, w := range waivers {
		waiver, err := w.check()
		if err != nil {
			return err
		}
		all = append(all, waiver)
	}
	if len(all) != len(after.waivers) {
		return fmt.Errorf("%s: the waivers would not read as they are meant; write them yourself", f.path)
	}
	for i, w := range all {
		if after.waivers[i] != w {
			return fmt.Errorf("%s: the waiver of %s would not read as it is meant; write it yourself", f.path, w.Check)
		}
	}
	return nil
}

// waive asks for a waiver of what a fix is for, shows what it changes in the configuration file, and asks again.
func (r *review) waive(o *offer) error {
	file, err := r.openWaivers()
	if err != nil {
		r.say("No waiver: %s.", report.Clean(err.Error()))
		return nil
	}
	waivers, err := r.wording(o)
	if err != nil || len(waivers) == 0 {
		return err
	}
	earlier := r.written()
	before, err := file.with(earlier)
	if err != nil {
		return err
	}
	change, err := file.with(append(earlier, waivers...))
	if err != nil {
		r.say("No waiver: %s.", report.Clean(err.Error()))
		return nil
	}
	if len(earlier) > 0 { // a diff of its own, on top of those before
		change.Before, change.Created = before.After, false
	}
	p := page{question: "Write this waiver when the review is done", keys: []rune{'y', 'n'},
		text: func() (string, error) {
			return r.text(&report.Edit{Change: report.ChangesOf([]remediate.Change{change}, r.redactor)[0]})
		}}
	if r.dry {
		p.question = "--dry-run writes no waiver. Skip the fix"
	}
	key, err := r.ask(p)
	switch {
	case err != nil || key != 'y':
		return err
	case r.dry:
		o.said = skip
	default:
		o.said, o.waivers = waived, waivers
	}
	return nil
}

// written are the waivers of this review so far.
func (r *review) written() (all []fileWaiver) {
	for _, o := range r.offers {
		all = append(all, o.waivers...)
	}
	return all
}

// wording asks what a waiver is to say; none where somebody thinks better of it.
func (r *review) wording(o *offer) ([]fileWaiver, error) {
	r.say("A waiver accepts a finding. Ctrl-D cancels.")
	reason, ok, err := r.answered("Reason:", func(text string) error {
		if text == "" {
			return errors.New("a waiver needs a reason")
		}
		return nil
	})
	if err != nil || !ok {
		return nil, err
	}
	w := fileWaiver{Check: o.check.ID, Reason: reason}
	_, ok, err = r.answered("Last day, YYYY-MM-DD, or never:", func(text string) error {
		if w.Expires = text; text == "never" {
			w.Expires = ""
			return nil
		} else if text == "" {
			return errors.New("a waiver needs a last day, or never")
		}
		waiver, err := w.check()
		if err == nil && waiver.Expired(r.now) {
			err = fmt.Errorf("%s is over; use a later day", text)
		}
		return err
	})
	if err != nil || !ok {
		return nil, err
	}
	return r.scoped(o, w)
}

// scoped asks what a waiver is of: by itself of these findings alone, each by its own name.
func (r *review) scoped(o *offer, w fileWaiver) (all []fileWaiver, err error) {
	what := "this finding"
	if len(o.findings) > 1 {
		what = fmt.Sprintf("these %d findings", len(o.findings))
	}
	scope, ok, err := r.answered("Scope: Enter for "+what+", * for all of "+o.check.ID+", or a pattern:",
		func(text string) error {
			w.Scope = text
			waiver, err := w.check()
			if err == nil && text != "" && !r.anyOf(o, waiver) {
				err = fmt.Errorf("%q matches none of them", text)
			}
			if text == "" {
				all, err = r.each(o, w)
			}
			return err
		})
	if err != nil || !ok {
		return nil, err
	}
	if scope == "*" {
		w.Scope = ""
	}
	if scope == "" {
		return all, nil
	}
	return []fileWaiver{w}, nil
}

func (r *review) anyOf(o *offer, w checks.Waiver) bool {
	for _, f := range o.findings {
		if w.Covers(o.check.ID, f) {
			return true
		}
	}
	return false
}

// each is a waiver of each finding of a fix. A name may hold what a pattern gives a meaning, and a repository or a
// container can choose its name: a waiver of one must not be one of others, so there a ? stands for the character.
func (r *review) each(o *offer, w fileWaiver) (all []fileWaiver, err error) {
	seen := map[string]bool{}
	for _, f := range o.findings {
		name := f.Named()
		if r.redactor.RedactText(name) != name {
			return nil, errors.New("the name of a finding holds a secret; give a pattern")
		}
		w.Scope = strings.ReplaceAll(name, "*", "?")
		if !seen[w.Scope] {
			all = append(all, w)
		}
		seen[w.Scope] = true
	}
	return all, nil
}

// answered asks for a line until it is one that does.
func (r *review) answered(question string, check func(string) error) (text string, ok bool, err error) {
	for {
		if text, ok, err = r.prompted(question); err != nil || !ok {
			return text, ok, err
		}
		wrong := check(text)
		if report.Clean(text) != text {
			wrong = errors.New("it has characters that can't be shown")
		}
		if wrong == nil {
			return text, true, nil
		}
		r.say("%s.", report.Clean(wrong.Error()))
	}
}

// writeWaivers writes the waivers, as a run of its own of this machine, wherever the plan is of.
func (r *review) writeWaivers() error {
	change, err := r.file.with(r.written())
	if err != nil {
		return err
	}
	if err := r.packagesIdle(); err != nil {
		return err
	}
	p := newProgress(0)
	o := apply.Options{State: cmp.Or(r.HostState, r.State), Root: "/", Version: version(), Progress: r.watched(p)}
	run, err := apply.Apply(r.ctx, &remediate.Plan{Changes: []remediate.Change{change}}, o)
	p.end()
	if err != nil {
		return fmt.Errorf("no waiver was written, and nothing was applied: %w", err)
	}
	r.say("%s written to %s as run %s.", remediate.Count(len(r.written()), "waiver"), report.Clean(r.file.path), run.ID)
	return nil
}
