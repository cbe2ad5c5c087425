package apply

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

// A legacy is one file as runs have left it.
type legacy struct {
	item          // what the last run made of it
	run     *txn  // that run
	content *txn  // the last that wrote the content, nil when none has
	n       int   // the item's number in content
	after   image // with the content's hash, whichever run wrote or recorded that
	ours    bool  // harden has made it
	made    bool  // a directory made for a file: only its mode and owner are harden's
}

// known reports whether a run has written the content or has recorded what it left alone.
func (l *legacy) known() bool { return l.content != nil || l.after.Sum != "" }

// files merges what the runs have left, sorted by path.
func files(runs []*txn) []legacy {
	byPath := map[string]legacy{}
	for _, t := range runs {
		for _, d := range t.Dirs {
			if _, ok := byPath[string(d)]; !ok {
				im := image{Exists: true, Type: unix.S_IFDIR, Mode: 0o755, Owner: "root:root"}
				byPath[string(d)] = legacy{item: item{Path: d, After: im}, run: t, after: im, made: true}
			}
		}
		for i, it := range t.Items {
			if t.keeps(i) {
				continue // it is not the run's any more
			}
			earlier := byPath[it.path()]
			l := legacy{item: it, run: t, content: t, n: i, after: it.After, ours: !it.Before.Exists || earlier.ours}
			if !it.Content {
				l.content = earlier.content
				l.n = earlier.n
				l.after.Sum = t.recorded(i)
				// What harden wrote is compared with, and not what a later run found: it set nothing but attributes.
				if l.content != nil || l.after.Sum == "" {
					l.after.Sum = earlier.after.Sum
				}
			}
			byPath[it.path()] = l
		}
	}
	return slices.SortedFunc(maps.Values(byPath), func(a, b legacy) int { return bytes.Compare(a.Path, b.Path) })
}

// unrecorded reports whether there is content that no run knows.
func (l *legacy) unrecorded(tree *tree) bool {
	past := l.Volatile && l.run.Boot != tree.sys.boot
	return l.after.Exists && l.after.Type == unix.S_IFREG && !l.known() && !past
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
	if l.made && (link != "" || now.Type != unix.S_IFDIR) {
		return nil, nil // the file that it was made for tells of it
	}
	d := &Drift{Run: l.run.ID}
	switch {
	case link != "" && !l.after.Exists:
	case link != "":
		d.Differences = []Difference{{What: "type", Was: "a path without links", Now: link}}
	default:
		d.Differences = differences(l.after, now.image, l.known())
	}
	if len(d.Differences) == 0 {
		return nil, nil
	}
	d.Missing = !now.Exists && link == ""
	d.Replaced = l.content == nil &&
		slices.ContainsFunc(d.Differences, func(x Difference) bool { return x.What == "content" })
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
	now, err = g.look(l.known())
	if l.made { // its group and access list are those that the directory above it hands down
		now.Mode, now.Xattrs = now.Mode&^unix.S_ISGID, nil
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
	for _, name := range xattrsDiffer(want, got, true) {
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
