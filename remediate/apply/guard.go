package apply

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts"
	"example.com/harden/remediate"
	"example.com/harden/remediate/linux"
)

// entitled asks the gate about a change again, of what is held open.
func (pl planner) entitled(g *target, c remediate.Change, now sight) error {
	if pl.tree.source && (!now.Exists || int(now.UID) != os.Geteuid() || c.After.Mode&^0o777 != 0) {
		return fmt.Errorf("%s: it belongs to uid %d or has special bits, and below --source only plain files of whoever "+
			"runs harden are changed; change it yourself", c.Path, now.UID)
	}
	t := remediate.Target{Path: c.Path, Exists: now.Exists}
	var err error
	if t.Chain, err = pl.tree.chain(g, now); err != nil {
		return err
	}
	for i, dir := range t.Chain {
		if p, ok := pl.planned[dir.Path]; ok && dir.Path != c.Path {
			t.Chain[i].UID, t.Chain[i].Mode = pl.tree.trust(p.UID), p.Mode
		}
	}
	if len(c.Warrants) == 0 {
		return fmt.Errorf("%s: not in the plan: this is a bug in harden", c.Path)
	}
	for _, w := range c.Warrants {
		if now.Exists && facts.NeedsContent(w.Kind) && t.Data == nil && t.Names == nil {
			if t.Data, t.Names, err = g.content(now); err != nil {
				return err
			}
		}
		if why := t.Refuse(w); why != "" {
			return fmt.Errorf("%s", why)
		}
	}
	return nil
}

// exposed is an error where somebody besides root could put something else in the target's place. It is asked right
// before each write: what another could write to when the run was planned has been put right by then.
func (t *tree) exposed(g *target, now sight) error {
	why, err := t.exposure(g, now)
	if err == nil && why != "" {
		err = fmt.Errorf("%s: %w: %s", g.path, ErrDrift, why)
	}
	return err
}

// exposure says who besides root could put something else in the target's place, empty when nobody could.
func (t *tree) exposure(g *target, now sight) (string, error) {
	chain, err := t.chain(g, now)
	if err != nil {
		return "", err
	}
	why := facts.Exposed(chain, now.Exists)
	if why != "" {
		why = "users other than root can change its path: " + why
	}
	return why, nil
}

// chain describes the directories above a target that is open, by going up from the one that is held, and then the
// target.
func (t *tree) chain(g *target, now sight) ([]facts.Info, error) {
	var top unix.Stat_t
	if err := unix.Fstat(t.root, &top); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: "/", Err: err}
	}
	var chain []facts.Info
	if now.Exists {
		chain = append(chain, facts.Info{Path: g.path, Type: typeOf(now.Type), Mode: fs.FileMode(now.Mode),
			UID: t.trust(now.UID), GID: now.GID})
	}
	fd, name := g.dir, path.Dir(g.path)
	for depth := 0; ; depth++ {
		var st unix.Stat_t
		err := unix.Fstat(fd, &st)
		if err == nil {
			if t.source && private(fd, st.Gid) {
				st.Mode &^= 0o020
			}
			chain = append(chain, facts.Info{Path: name, Type: fs.ModeDir, Mode: fs.FileMode(st.Mode & 0o7777),
				UID: t.trust(st.Uid), GID: st.Gid})
		}
		done := err != nil || st.Dev == top.Dev && st.Ino == top.Ino || depth > unix.PathMax
		above := -1
		if !done {
			above, err = unix.Openat(fd, "..", linux.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		}
		if fd != g.dir {
			unix.Close(fd)
		}
		if err != nil {
			return nil, &fs.PathError{Op: "look above", Path: name, Err: err}
		}
		if done {
			break
		}
		fd, name = above, path.Dir(name)
	}
	slices.Reverse(chain)
	return chain, nil
}

// trust counts whoever runs harden as root: without root it changes what is its own.
func (t *tree) trust(uid uint32) uint32 {
	if uid == uint32(os.Geteuid()) {
		return 0
	}
	return uid
}

func typeOf(kernel uint32) fs.FileMode {
	switch kernel {
	case unix.S_IFREG:
		return 0
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFSOCK:
		return fs.ModeSocket
	}
	return fs.ModeIrregular
}

// content reads what the kind of a target shows in: the bytes of a file, the names in a directory.
func (g *target) content(now sight) (data []byte, names []string, err error) {
	switch {
	case now.Type == unix.S_IFREG && now.size <= facts.MaxFile:
		data, err = g.read()
	case now.Type == unix.S_IFDIR:
		var f *os.File
		if f, err = os.Open(procFD(g.file)); err != nil {
			return nil, nil, err
		}
		defer f.Close()
		names, err = f.Readdirnames(-1)
	}
	return data, names, err
}

// lacking leaves out an extended attribute.
func lacking(xs []xattr, name string) []xattr {
	return slices.DeleteFunc(slices.Clone(xs), func(x xattr) bool { return string(x.Name) == name })
}
