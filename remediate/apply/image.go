package apply

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts"
)

// An image is what a file is, apart from its bytes: the journal keeps those beside it.
type image struct {
	Exists bool    `json:"exists"`
	Fresh  bool    `json:"fresh,omitempty"` // made by harden: the security module labels it as it likes
	Type   uint32  `json:"type,omitempty"`  // S_IFMT bits
	Mode   uint32  `json:"mode,omitempty"`
	UID    uint32  `json:"uid,omitempty"`
	GID    uint32  `json:"gid,omitempty"`
	Owner  string  `json:"owner,omitempty"` // as the plan spells it, for people
	Sum    string  `json:"sum,omitempty"`   // SHA-256 of the content; empty where only attributes matter
	Xattrs []xattr `json:"xattrs,omitempty"`
}

// An xattr is one extended attribute. Both halves are bytes: JSON text would lose those that are no UTF-8.
type xattr struct {
	Name  []byte `json:"name"`
	Value []byte `json:"value"`
}

// The attributes that changing an owner or a mode changes too.
const (
	xattrACL = "system.posix_acl_access"
	xattrCap = "security.capability"
)

// An ident tells one state of one inode from any other.
type ident struct {
	dev, ino     uint64
	mtime, ctime unix.Timespec
}

func identOf(st *unix.Stat_t) ident { return ident{uint64(st.Dev), st.Ino, st.Mtim, st.Ctim} }

// A sight is what is at a target now.
type sight struct {
	image
	ident
	links uint64
	size  int64
	data  []byte
}

// look reads what is there; the content only when it is asked for and is a regular file's. A longer file than
// facts.MaxFile was never planned with, so it is told by its size and not read.
func (g *target) look(content bool) (sight, error) {
	if g.file < 0 {
		return sight{}, nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(g.file, &st); err != nil {
		return sight{}, &fs.PathError{Op: "stat", Path: g.path, Err: err}
	}
	s := sight{ident: identOf(&st), links: uint64(st.Nlink), size: st.Size}
	s.image = image{Exists: true, Type: uint32(st.Mode & unix.S_IFMT), Mode: uint32(st.Mode & 0o7777), UID: st.Uid,
		GID: st.Gid}
	if s.Type == unix.S_IFLNK {
		return s, nil
	}
	var err error
	if s.Xattrs, err = xattrs(g.file); err != nil {
		return s, fmt.Errorf("%s: %w", g.path, err)
	}
	if !content || s.Type != unix.S_IFREG {
		return s, nil
	}
	if s.size > facts.MaxFile {
		s.Sum = fmt.Sprintf("(not read, %d bytes)", s.size)
		return s, nil
	}
	if s.data, err = g.read(); err != nil {
		return s, err
	}
	s.Sum = sum(s.data)
	return s, nil
}

// read goes through the descriptor that was judged: opening by name could meet another file, or wait on a FIFO.
func (g *target) read() ([]byte, error) {
	f, err := os.OpenFile(procFD(g.file), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.path, errors.Unwrap(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, facts.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.path, err)
	}
	return data, nil
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// xattrs returns a file's extended attributes, sorted. IMA's and EVM's are left out: they sign one inode and are
// nobody's to copy.
func xattrs(fd int) ([]xattr, error) {
	p := procFD(fd)
	list, err := sized(func(buf []byte) (int, error) { return unix.Listxattr(p, buf) })
	if errors.Is(err, unix.ENOTSUP) || err == nil && len(list) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("extended attributes: %w", err)
	}
	var xs []xattr
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if name == "security.ima" || name == "security.evm" {
			continue
		}
		value, err := sized(func(buf []byte) (int, error) { return unix.Getxattr(p, name, buf) })
		if errors.Is(err, unix.ENODATA) {
			continue // gone since it was listed
		}
		if err != nil {
			return nil, fmt.Errorf("extended attribute %q: %w", name, err)
		}
		xs = append(xs, xattr{[]byte(name), value})
	}
	slices.SortFunc(xs, func(a, b xattr) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return xs, nil
}

// sized calls get with a buffer as large as it asks for.
func sized(get func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := get(nil)
		if err != nil || n == 0 {
			return nil, err
		}
		buf := make([]byte, n)
		n, err = get(buf)
		if err == unix.ERANGE {
			continue // grown in between
		}
		return buf[:max(n, 0)], err
	}
}

func find(xs []xattr, name string) ([]byte, bool) {
	for _, x := range xs {
		if string(x.Name) == name {
			return x.Value, true
		}
	}
	return nil, false
}

// withMode returns the attributes as they are after a chmod to mode. An access control list repeats the mode's bits:
// the owner's, the mask's (else the group's) and everybody else's, and chmod rewrites them.
func withMode(xs []xattr, mode uint32) []xattr {
	xs = slices.Clone(xs)
	for i, x := range xs {
		if string(x.Name) != xattrACL || len(x.Value) < 4 {
			continue
		}
		acl := slices.Clone(x.Value) // 4 bytes of version, then tag and permissions (16 bits each) and an ID (32)
		group := -1
		for at := 4; at+8 <= len(acl); at += 8 {
			set := func(bits uint32) { binary.LittleEndian.PutUint16(acl[at+2:], uint16(bits&7)) }
			switch tag := binary.LittleEndian.Uint16(acl[at:]); {
			case tag == 0x01: // the owner
				set(mode >> 6)
			case tag == 0x20: // everybody else
				set(mode)
			case tag == 0x10, tag == 0x04 && group < 0: // the mask; the group where there is no mask
				group = at
			}
		}
		if group >= 0 {
			binary.LittleEndian.PutUint16(acl[group+2:], uint16(mode>>3&7))
		}
		xs[i].Value = acl
	}
	return xs
}

// imageOf is what the plan says a file is. The kernel's own words for the type are those of the journal.
func imageOf(f facts.File) image {
	im := image{Exists: true, Mode: uint32(f.Mode) & 0o7777, UID: f.UID, GID: f.GID, Owner: f.Owner()}
	switch f.Type {
	case 0:
		im.Type = unix.S_IFREG
	case fs.ModeDir:
		im.Type = unix.S_IFDIR
	case fs.ModeSocket:
		im.Type = unix.S_IFSOCK
	}
	if f.Data != nil {
		im.Sum = sum(f.Data)
	}
	return im
}
