package apply

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

var typeNames = map[uint32]string{
	unix.S_IFREG: "a regular file", unix.S_IFDIR: "a directory", unix.S_IFLNK: "a symbolic link", unix.S_IFIFO: "a FIFO",
	unix.S_IFSOCK: "a socket", unix.S_IFBLK: "a block device", unix.S_IFCHR: "a character device",
}

// differs says how what is there differs from what was expected, in words; empty when it does not. Where only
// attributes change, the content is somebody else's business and so are the extended attributes that no change of
// mode or owner touches.
func differs(want, got image, content bool) string {
	switch {
	case want.Exists && !got.Exists:
		return "it is gone"
	case !want.Exists && got.Exists:
		return "it has appeared"
	case !want.Exists:
		return ""
	case want.Type != got.Type:
		return fmt.Sprintf("its type: it is %s, not %s", typeNames[got.Type], typeNames[want.Type])
	case content && want.Sum != got.Sum:
		return fmt.Sprintf("its content: sha256 %s, not %s", got.Sum, want.Sum)
	case want.Mode != got.Mode:
		return fmt.Sprintf("its mode: %04o, not %04o", got.Mode, want.Mode)
	case want.UID != got.UID || want.GID != got.GID:
		return fmt.Sprintf("its owner: %d:%d, not %d:%d", got.UID, got.GID, want.UID, want.GID)
	}
	if names := xattrsDiffer(want, got, content); len(names) > 0 {
		return fmt.Sprintf("its extended attribute %q", names[0])
	}
	return ""
}

// xattrsDiffer names the extended attributes that differ.
func xattrsDiffer(want, got image, content bool) []string {
	var names []string
	for _, pair := range [][2]image{{want, got}, {got, want}} {
		for _, x := range pair[0].Xattrs {
			name := string(x.Name)
			if want.Fresh && strings.HasPrefix(name, "security.") || !content && name != xattrACL && name != xattrCap {
				continue
			}
			if v, ok := find(pair[1].Xattrs, name); (!ok || !bytes.Equal(v, x.Value)) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// A standing is where one item of a run stands.
type standing int

const (
	isBefore   standing = iota // as it was before the run
	isAfter                    // as the run makes it
	isBetween                  // a change of attributes, cut short: each is either as before or as after
	isConflict                 // anything else
	isForeign                  // somebody else's, kept in the journal, and decided to be written over
)

// stands judges an item by what is there. A change of content is one rename, so there is nothing in between; a
// change of attributes is several calls.
func (it *item) stands(got image) (s standing, why string) {
	if why = differs(it.Before, got, it.Content); why == "" {
		return isBefore, ""
	}
	if why = differs(it.After, got, it.Content); why == "" {
		return isAfter, ""
	}
	if !it.Content && got.Exists && got.Type == it.Before.Type && it.partial(got) {
		return isBetween, why
	}
	return isConflict, why
}

// partial reports whether each attribute is the one of before or of after. chown clears setuid and setgid, and with
// them a file's capabilities, until the calls that follow it put them back.
func (it *item) partial(got image) bool {
	b, a := it.Before, it.After
	like := func(mode uint32) bool {
		return got.Mode&^mode == 0 && mode&^got.Mode&^(unix.S_ISUID|unix.S_ISGID) == 0
	}
	mode := like(b.Mode) || like(a.Mode)
	if !mode || got.UID != b.UID && got.UID != a.UID || got.GID != b.GID && got.GID != a.GID {
		return false
	}
	for _, name := range []string{xattrACL, xattrCap} {
		v, ok := find(got.Xattrs, name)
		was, had := find(b.Xattrs, name)
		will, has := find(a.Xattrs, name)
		same := ok == had && bytes.Equal(v, was) || ok == has && bytes.Equal(v, will) || name == xattrCap && !ok
		if !same {
			return false
		}
	}
	return true
}
