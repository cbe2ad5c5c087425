package apply

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

// A Comparison is of a host with what the applied runs have left.
type Comparison struct {
	Runs        int     // how many runs there are to compare with
	Files       int     // how many files those have left
	Unconfirmed string  // the run among them that nobody has confirmed yet; empty when there is none
	Drifts      []Drift // sorted by path
}

// A Drift is one file that is not any more as harden has left it.
type Drift struct {
	Run         string           // the last that wrote it
	Change      remediate.Change // from what that left to what is there now; without content where that is not at hand
	Missing     bool
	Differences []Difference // never empty
}

// A Difference is one thing that differs. The two sides are for people: "0644", "root:root", a hash; empty where there
// is nothing to show, as with the values of extended attributes.
type Difference struct {
	What     string // "existence", "type", "content", "mode", "owner" or "xattr NAME"
	Was, Now string
}

// Drifted compares every file that the applied runs have left below Options.Root with what is there now. A file that
// several runs have written is compared with what the last one left, and one that does not outlive a boot only in the
// boot of its run. A file that could not be compared is in the error, beside the others' comparison; ErrInterrupted tells
// that there is a run of which nobody knows how far it got. It writes nothing, and is empty without a state directory.
func Drifted(o Options) (Comparison, error) {
	var c Comparison
	_, s, o, err := reading(o)
	if s == nil || err != nil {
		return c, err
	}
	defer s.close()
	u, err := s.unconfirmed()
	if err != nil {
		return c, err
	}
	left, runs, err := s.left(o.Root)
	if err != nil {
		return c, err
	}
	tree, err := openTree(o.Root, o.sys)
	if err != nil {
		return c, err
	}
	defer tree.close()
	if c.Runs, c.Files = runs, len(left); u != nil && string(u.Root) == o.Root {
		c.Unconfirmed = u.ID
	}
	var errs []error
	for _, l := range left {
		d, err := l.compare(tree)
		if err != nil {
			errs = append(errs, err)
		} else if d != nil {
			c.Drifts = append(c.Drifts, *d)
		}
	}
	return c, together(errs...)
}

// A legacy is one file as runs have left it.
type legacy struct {
	item          // what the last run made of it
	run     *txn  // that run
	content *txn  // the last that wrote the content, nil when none has
	n       int   // the item's number in content
	after   image // with the content's hash, whichever run wrote that
}

// left merges what the applied runs have left, sorted by path.
func (s *store) left(root string) ([]legacy, int, error) {
	t, err := current(s)
	if err != nil {
		return nil, 0, err
	}
	ids, err := s.ids()
	if err != nil {
		return nil, 0, err
	}
	var all []*txn
	for _, id := range ids {
		t, err := optional(readTxn(s, s.run(id)))
		if err != nil {
			return nil, 0, err
		}
		all = append(all, t)
	}
	if t != nil {
		if outcome, _ := t.outcome(); outcome == CutShort {
			return nil, 0, fmt.Errorf("run %s: %w: finish it or take it back, to be able to tell what others have changed", t.ID, ErrInterrupted)
		}
		all = append(all, t) // decided, and not put away yet
	}
	slices.SortStableFunc(all, func(a, b *txn) int { return a.number() - b.number() })
	files, runs := map[string]legacy{}, 0
	for _, t := range all {
		if t == nil || string(t.Root) != root {
			continue
		}
		if outcome, _ := t.outcome(); outcome != Applied {
			continue
		}
		runs++
		for i, it := range t.Items {
			l := legacy{item: it, run: t, content: t, n: i, after: it.After}
			if earlier, ok := files[it.path()]; !it.Content {
				if l.content = nil; ok && earlier.content != nil {
					l.content, l.n, l.after.Sum = earlier.content, earlier.n, earlier.after.Sum
				}
			}
			files[it.path()] = l
		}
	}
	var out []legacy
	for _, l := range files {
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b legacy) int { return bytes.Compare(a.Path, b.Path) })
	return out, runs, nil
}

// number orders runs; that of no run comes first.
func (t *txn) number() int {
	if t == nil {
		return 0
	}
	return t.Seq
}

// compare returns nil when the file is as it was left.
func (l *legacy) compare(tree *tree) (*Drift, error) {
	if l.Volatile && l.run.Boot != tree.sys.boot {
		return nil, nil
	}
	now, link, err := l.see(tree)
	if err != nil {
		return nil, err
	}
	if l.Volatile && !now.Exists && link == "" {
		return nil, nil // whoever makes it is not running
	}
	d := &Drift{Run: l.run.ID}
	switch {
	case link != "" && !l.after.Exists:
	case link != "":
		d.Differences = []Difference{{What: "type", Was: "a path without links", Now: link}}
	default:
		d.Differences = differences(l.after, now.image, l.content != nil)
	}
	if len(d.Differences) == 0 {
		return nil, nil
	}
	d.Missing = !now.Exists && link == ""
	whole := l.item
	whole.Content = l.content != nil
	if !l.after.Exists { // harden removed it, and somebody has made it anew
		d.Change = remediate.Change{Path: l.path(), Created: true, After: now.image.file(&whole, now.data)}
		return d, nil
	}
	d.Change = remediate.Change{Path: l.path(), Before: l.after.file(&whole, nil), Removed: d.Missing && l.content != nil}
	if !d.Missing {
		d.Change.After = now.image.file(&whole, nil)
	}
	d.Change.Before.Data, d.Change.After.Data = nil, nil
	if l.content == nil || link != "" || now.Exists && now.data == nil {
		return d, nil
	}
	if d.Change.Before.Data, err = l.content.bytes("after", l.n); err != nil {
		return nil, err
	}
	d.Change.After.Data = now.data
	return d, nil
}

// see looks at what is there. Link tells, in words, that the path has come to lead through a symbolic link.
func (l *legacy) see(tree *tree) (now sight, link string, err error) {
	g, err := tree.open(l.path())
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return sight{}, "", nil
	case errors.Is(err, unix.ELOOP):
		return sight{}, "a symbolic link above it, below " + path.Dir(path.Dir(l.path())), nil
	case err != nil:
		return sight{}, "", err
	}
	defer g.close()
	now, err = g.look(l.content != nil)
	if err == nil && now.data == nil && now.Exists && now.Type == unix.S_IFREG && l.content != nil && now.size == 0 {
		now.data = []byte{}
	}
	return now, "", err
}

// differences are all that differ, where differs names the first.
func differences(want, got image, content bool) []Difference {
	var all []Difference
	add := func(what, was, now string) {
		if was != now {
			all = append(all, Difference{what, was, now})
		}
	}
	switch {
	case !want.Exists && !got.Exists:
		return nil
	case !want.Exists:
		return []Difference{{"existence", "gone", "there"}}
	case !got.Exists:
		return []Difference{{"existence", "there", "gone"}}
	case want.Type != got.Type:
		return []Difference{{"type", typeNames[want.Type], typeNames[got.Type]}}
	}
	if content {
		add("content", "sha256 "+want.Sum, "sha256 "+got.Sum)
	}
	add("mode", fmt.Sprintf("%04o", want.Mode), fmt.Sprintf("%04o", got.Mode))
	add("owner", fmt.Sprintf("%d:%d", want.UID, want.GID), fmt.Sprintf("%d:%d", got.UID, got.GID))
	for _, name := range xattrsDiffer(want, got, content) {
		side := func(xs []xattr) string {
			if v, ok := find(xs, name); ok {
				return "sha256 " + sum(v)
			}
			return "none"
		}
		add("xattr "+name, side(want.Xattrs), side(got.Xattrs))
	}
	return all
}
