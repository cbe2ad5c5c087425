package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

// forward brings every item to what it shall be, makes what runs take it up and verifies it. It can be called at
// any point that an earlier one was cut off at.
func (e execution) forward(ctx context.Context) error {
	for _, d := range e.tx.Dirs {
		if !e.tx.needs(string(d)) {
			continue
		}
		if err := e.tree.makeDir(string(d)); err != nil {
			return err
		}
	}
	files, err := e.tx.stage()
	defer func() {
		for _, f := range files {
			f.close()
		}
	}()
	if err != nil {
		return err
	}
	late := rollOuts(e.tx.Activations)
	for i := range e.tx.Items {
		if _, ok := late[e.tx.Items[i].path()]; ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.write(i, files[i]); err != nil {
			return err
		}
	}
	for i := range e.tx.Updates {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.update(ctx, i); err != nil {
			return err
		}
	}
	if err := e.activate(ctx); err != nil {
		return err
	}
	if err := e.rollOut(ctx, files); err != nil {
		return err
	}
	return e.verify(ctx, e.tx.toVerify())
}

// stage writes every new file beside its place before the first takes its place: a full disk is met while there is
// nothing to take back.
func (at site) stage() (map[int]*staged, error) {
	files := map[int]*staged{}
	for i := range at.Items {
		it := &at.Items[i]
		if !it.Content || !it.After.Exists || at.keeps(i) {
			continue
		}
		s, err := at.stageItem(i)
		if err != nil {
			return files, err
		}
		if s != nil {
			files[i] = s
		}
	}
	return files, nil
}

func (at site) stageItem(i int) (s *staged, err error) {
	it := &at.Items[i]
	g, err := at.tree.open(it.path())
	if err != nil {
		return nil, err
	}
	defer func() {
		if s == nil {
			g.close()
		}
	}()
	now, err := g.look(true)
	if err != nil {
		return nil, err
	}
	switch stands, why := at.stands(i, now.image); stands {
	case isAfter: // an earlier attempt got here
		return nil, together(g.unstage(it.Temp), g.syncDir())
	case isConflict:
		return nil, fmt.Errorf("%s: %w: %s", it.path(), ErrDrift, why)
	}
	data, err := at.bytes("after", i)
	if err != nil {
		return nil, err
	}
	return g.stage(it.Temp, it.After, data, now)
}

// write brings item i to what it shall be. It is announced in the history and in the journal first.
func (e execution) write(i int, s *staged) error {
	it := &e.tx.Items[i]
	if e.tx.keeps(i) || it.Content && it.After.Exists && s == nil {
		return nil
	}
	e.step(Writing, it.path())
	before, after := it.Before.public(), it.After.public()
	r := record{Run: e.tx.ID, Event: hiWrite, Path: it.Path, Before: &before, After: &after}
	earlier := e.tx.begun(i)
	if err := e.hist.append(r); err != nil {
		return err
	}
	if err := e.tx.note(entry{Event: evWrite, N: i}); err != nil {
		return err
	}
	var err error
	switch {
	case !it.After.Exists:
		err = e.tx.drop(i)
	case it.Content:
		if err = e.tree.exposed(s.target, s.found); err == nil {
			err = s.commit()
		}
	default:
		err = e.tx.attributes(i)
	}
	if errors.Is(err, ErrDrift) && !earlier { // so it was not touched, and taking the run back has nothing to judge
		return together(err, e.tx.note(entry{Event: evUnwritten, N: i}))
	}
	if err == nil {
		err = it.confirm(e.tree, it.After)
	}
	if err != nil {
		return err
	}
	r.Event, r.Before, r.After = hiWritten, nil, nil
	return e.hist.append(r)
}

// drop removes item i, which the run is to remove, if it is still what it was; an earlier attempt may have got here.
func (at site) drop(i int) error {
	it := &at.Items[i]
	g, err := at.tree.open(it.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer g.close()
	now, err := g.look(true)
	if err != nil {
		return err
	}
	switch stands, why := at.stands(i, now.image); {
	case stands == isAfter:
		return g.syncDir()
	case stands != isBefore && stands != isForeign:
		return fmt.Errorf("%s: %w: %s", it.path(), ErrDrift, why)
	case now.links != 1:
		return fmt.Errorf("%s: %w: it has %d names (hard links)", it.path(), ErrDrift, now.links)
	}
	if err := at.tree.exposed(g, now); err != nil {
		return err
	}
	return g.remove(now)
}

// attributes gives item i its new owner and mode, on what is there if that is still what it was.
func (at site) attributes(i int) error {
	it := &at.Items[i]
	g, err := at.tree.open(it.path())
	if err != nil {
		return err
	}
	defer g.close()
	now, err := g.look(false)
	if err != nil {
		return err
	}
	if it.Volatile && !now.Exists {
		return nil
	}
	stands, why := at.stands(i, now.image)
	if stands == isConflict && !(it.Volatile && now.Type == it.Before.Type) {
		return fmt.Errorf("%s: %w: %s", it.path(), ErrDrift, why)
	}
	if now.links != 1 && now.Type == unix.S_IFREG {
		return fmt.Errorf("%s: %w: it has %d names (hard links)", it.path(), ErrDrift, now.links)
	}
	if err := at.tree.exposed(g, now); err != nil {
		return err
	}
	return g.dressUp(it.After)
}

// confirm looks at an item once more, by its name: a file system may take a change of mode and not make it.
func (it *item) confirm(tree *tree, want image) error {
	now, err := it.look(tree)
	if err != nil {
		return err
	}
	why := differs(want, now.image, it.Content)
	if why == "" || it.Volatile && !now.Exists {
		return nil
	}
	return fmt.Errorf("%s: written, but it now has other content: %s", it.path(), why)
}

// activate makes what runs take up what was written, and watches that it survives.
func (e execution) activate(ctx context.Context) error {
	before := e.tx.Snapshot
	if e.tx.Boot != e.sys.boot { // what ran before does not run any more, and that is nobody's fault
		before = nil
	}
	as, _ := e.tx.activations()
	if err := e.each(ctx, as, false); err != nil {
		return err
	}
	return e.watch(ctx, as, before)
}

// each does the activations that are not pending, in their order, but for roll-outs, and on the way forward
// for what the cluster is to keep, which come last. All are safe to do twice, and after an
// interruption nothing tells how far one got. The first error ends it, unless everything is to be tried.
func (e execution) each(ctx context.Context, as []Activated, all bool) error {
	var errs error
	for n, a := range as {
		if !wanted(a) || a.Kind == remediate.RollOut || a.Kind == remediate.RecordInCluster && !all {
			continue
		}
		if errs = together(errs, e.do(ctx, n, a, all)); errs != nil && !all {
			break
		}
	}
	return errs
}

// do announces one activation and does it, for all also where it could not be announced.
func (e execution) do(ctx context.Context, n int, a Activated, all bool) error {
	err := e.announced(ctx, n, a)
	if err == nil || all && e.Services != nil {
		err = together(err, e.one(ctx, n, a))
	}
	return err
}

func (e execution) announced(ctx context.Context, n int, a Activated) error {
	if e.Services == nil {
		return fmt.Errorf("%s: it cannot be done here any more", a)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := e.tx.note(entry{Event: evActivate, N: n}); err != nil {
		return err
	}
	return e.hist.append(record{Run: e.tx.ID, Event: evActivate, What: a.String()})
}

func (e execution) one(ctx context.Context, n int, a Activated) error {
	e.step(Activating, a.String())
	done := entry{Event: evActivation, N: n, State: Done}
	err := e.Services.Activate(ctx, a)
	if err != nil {
		err = fmt.Errorf("%s: %w", a, err)
		done.State, done.Reason = Failure, err.Error()
	}
	said := e.hist.append(record{Run: e.tx.ID, Event: evActivation,
		What: strings.TrimSpace(a.String() + ": " + done.State + " " + done.Reason)})
	return together(err, said, e.tx.note(done))
}

func (o Options) watch(ctx context.Context, as []Activated, before []byte) error {
	if !slices.ContainsFunc(as, func(a Activated) bool { return wanted(a) && disturbs(a) }) {
		return nil
	}
	if o.Services == nil {
		return nil // each has said so
	}
	o.step(Watching, "")
	return o.Services.Healthy(ctx, before)
}

// verify has checks judged again.
func (o Options) verify(ctx context.Context, ids []string) error {
	if o.Verify == nil || len(ids) == 0 {
		return nil
	}
	o.step(Verifying, "")
	failing, err := o.Verify(ctx, ids)
	if err != nil {
		return fmt.Errorf("verification: %w", err)
	}
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(failing)) {
		errs = append(errs, fmt.Errorf("%s still fails: %s", id, failing[id]))
	}
	return together(errs...)
}

// toVerify are the run's checks, without those of what is left as somebody else made it.
func (t *txn) toVerify() []string {
	var left []string
	for i, it := range t.Items {
		if t.keeps(i) {
			left = append(left, it.Checks...)
		}
	}
	for i, u := range t.Updates {
		if d := t.decided(true, i); d != nil && d.Keep {
			left = append(left, u.Checks...)
		}
	}
	return slices.DeleteFunc(slices.Clone(t.Checks), func(id string) bool { return slices.Contains(left, id) })
}

// needs reports whether anything that is to be written lies below a directory.
func (t *txn) needs(dir string) bool {
	for i := range t.Items {
		if !t.keeps(i) && strings.HasPrefix(t.Items[i].path(), dir+"/") {
			return true
		}
	}
	return false
}
