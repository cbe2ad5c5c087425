package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/remediate"
)

// A planner makes the items of a journal from the changes of a plan.
type planner struct {
	tree    *tree
	planned map[string]facts.Info // what the run makes of directories before it comes to what is in them
}

// prepare turns a plan's changes into a journal's items, each compared with what is there. It writes nothing.
func (e *engine) prepare(ctx context.Context, p *remediate.Plan, j *journal) error {
	seen := map[string]bool{}
	pl := planner{e.tree, map[string]facts.Info{}}
	for _, c := range p.Changes {
		if c.Before.Type.IsDir() {
			pl.planned[c.Path] = c.After.Info
		}
	}
	for i, c := range p.Changes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := proper(c); err != nil {
			return err
		}
		if seen[c.Path] {
			return fmt.Errorf("%s: the plan changes it twice", c.Path)
		}
		seen[c.Path] = true
		e.step(Checking, c.Path)
		it, err := pl.item(c)
		if err != nil {
			return err
		}
		if it.Content {
			it.Temp = fmt.Sprintf(".harden-%s-%d", j.ID, i)
		}
		j.Items = append(j.Items, *it)
		if c.Created {
			j.Dirs, err = e.tree.addMissing(j.Dirs, c.Path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// proper refuses a change that no planner makes.
func proper(c remediate.Change) error {
	switch {
	case !path.IsAbs(c.Path) || path.Clean(c.Path) != c.Path || c.Path == "/" || strings.ContainsRune(c.Path, 0):
		return fmt.Errorf("%q: not a clean absolute path", c.Path)
	case c.Removed && (c.Created || c.Before.Data == nil || c.Before.Type != 0 || c.After.Data != nil):
		return fmt.Errorf("%s: only a regular file is removed, and its content must be known", c.Path)
	case !c.Removed && c.Content() && (c.After.Data == nil || c.After.Type != 0 || !c.Created &&
		(c.Before.Data == nil || c.Before.Type != 0)):
		return fmt.Errorf("%s: a change of content needs the content of a regular file, before and after", c.Path)
	case c.Before.Type != 0 && !c.Before.Type.IsDir() && c.Before.Type != fs.ModeSocket:
		return fmt.Errorf("%s: only files, directories and sockets are changed", c.Path)
	case !c.Created && !c.Removed && c.Before.Type == 0 && (c.Before.UID != c.After.UID || c.Before.GID != c.After.GID) &&
		c.After.Mode&0o6000 != 0:
		return fmt.Errorf("%s: a file that gets another owner keeps no set-user-ID or set-group-ID bit", c.Path)
	case c.After.Mode&^0o7777 != 0 || len(c.After.Data) > facts.MaxFile:
		return fmt.Errorf("%s: its mode or size is too large or malformed", c.Path)
	}
	return nil
}

// item compares a change's target with what the plan was made from and adds what only the file itself tells.
func (pl planner) item(c remediate.Change) (*item, error) {
	it := &item{Path: []byte(c.Path), Content: c.Content(), Checks: remediate.IDs(c.Checks)}
	it.before, it.after = c.Before.Data, c.After.Data
	if !c.Removed {
		it.After = imageOf(c.After)
	}
	it.After.Fresh = c.Created
	if !c.Created {
		it.Before, it.Modified = imageOf(c.Before), c.Before.Modified
		if !c.Removed {
			it.After.Type = it.Before.Type
		}
	}
	g, err := pl.tree.open(c.Path)
	if c.Created && errors.Is(err, fs.ErrNotExist) {
		return it, pl.creatable(c)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
		return nil, fmt.Errorf("%w: %w", ErrDrift, err)
	}
	if err != nil {
		return nil, err
	}
	defer g.close()
	if it.Content && !c.Created {
		var st unix.Stat_t // a file that has grown beyond measure is told by its size
		if unix.Fstat(g.file, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size != int64(len(c.Before.Data)) {
			return nil, fmt.Errorf("%s: %w: its content: %d bytes, not %d", c.Path, ErrDrift, st.Size, len(c.Before.Data))
		}
	}
	now, err := g.look(it.Content)
	if err != nil {
		return nil, err
	}
	known := it.Before
	known.Xattrs = now.Xattrs // a plan does not tell them
	if why := differs(known, now.image, it.Content); why != "" {
		return nil, fmt.Errorf("%s: %w: %s", c.Path, ErrDrift, why)
	}
	if now.Type == unix.S_IFREG && now.links != 1 {
		return nil, fmt.Errorf("%s: %w: it has %d names (hard links); a change would change or unlink the others", c.Path,
			ErrDrift, now.links)
	}
	if err := g.stuck(c.Path, it.Content); err != nil {
		return nil, err
	}
	if err := pl.entitled(g, c, now); err != nil {
		return nil, err
	}
	it.Volatile = !it.Content && g.volatile()
	it.Before.Xattrs = now.Xattrs
	if !it.After.Fresh && it.After.Exists {
		it.After.Xattrs = withMode(now.Xattrs, it.After.Mode)
		if it.Before.UID != it.After.UID || it.Before.GID != it.After.GID {
			it.After.Xattrs = lacking(it.After.Xattrs, xattrCap) // what they let the program do was for its old owner to choose
		}
	}
	return it, nil
}

// creatable looks at the nearest directory there is above a file to be made.
func (pl planner) creatable(c remediate.Change) error {
	missing, err := pl.tree.missing(c.Path)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	g, err := pl.tree.open(missing[0])
	if err != nil {
		return err
	}
	defer g.close()
	if err := pl.entitled(g, c, sight{}); err != nil {
		return err
	}
	return g.stuck(c.Path, true)
}

// judged returns the checks that the plan settles, and those of them that cannot hold yet: what activates them stays
// pending. A check that the plan leaves a finding of, or holds a fix of back, fails before and after and says nothing.
func judged(p *remediate.Plan, as []Activated) (checked, waiting []string) {
	var open []*checks.Check
	for _, l := range p.Left {
		open = append(open, l.Check)
	}
	for _, h := range p.Held {
		for _, c := range h.Changes {
			open = append(open, c.Checks...)
		}
		for _, u := range h.Updates {
			open = append(open, u.Checks...)
		}
		for _, a := range h.Activations {
			open = append(open, a.Checks...)
		}
	}
	add := func(to []string, cs []*checks.Check) []string {
		for _, c := range cs {
			if !slices.Contains(open, c) && !slices.Contains(to, c.ID) && !slices.Contains(waiting, c.ID) {
				to = append(to, c.ID)
			}
		}
		return to
	}
	for i, a := range p.Activations {
		if as[i].State == Pending {
			waiting = add(waiting, a.Checks)
		}
	}
	for _, c := range p.Changes {
		checked = add(checked, c.Checks)
	}
	for _, u := range p.Updates {
		checked = add(checked, u.Checks)
	}
	for _, a := range p.Activations {
		checked = add(checked, a.Checks)
	}
	return checked, waiting
}
