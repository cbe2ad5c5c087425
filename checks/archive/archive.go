// Package archive reads an image, as the Docker Engine saves it, in one pass and without ever writing a file of it.
// What comes is whatever somebody has pushed to a registry: every size and count is bounded, and no link is followed.
package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// Bounds of one image. No honest image comes near them; one that does is not judged.
const (
	maxEntries     = 2_000_000
	maxBytes       = 256 << 30 // of all layers, unpacked
	maxLayers      = 512
	maxPath        = 4096
	maxRatio       = 200 // unpacked to packed, beyond the first free bytes
	free           = 64 << 20
	maxSmall       = 64 << 10 // of a file that is looked into
	maxPasswd      = 1 << 20
	maxInteresting = 20_000   // files kept by name
	maxKept        = 16 << 20 // bytes of what is kept: names, and every layer's passwd
)

// ErrBound means that an archive goes beyond what any image needs: it is broken, or made to use up whoever reads it.
var ErrBound = errors.New("too large or malformed")

// Contents are what an image holds that somebody should know of. Paths have no leading slash.
type Contents struct {
	SetID  []File // regular files with a set-user-ID or set-group-ID bit, as the topmost layers leave them, by path
	Keys   []File // private keys in any layer, those included that a later one hides: who has the image has them
	Cache  int64  // bytes of package managers' indexes and archives, in all layers
	Passwd []byte // /etc/passwd as the topmost layers leave it; nil where there is none
}

// A File is one file of a layer.
type File struct {
	Path   string
	Mode   int64 // the twelve permission bits
	Hidden bool  // a later layer has removed or replaced it
}

// layer is what one layer says. Of files that nobody asks about only a hash of the path is kept: enough to know that
// they replace another.
type layer struct {
	files   map[string]File // of interest, by path
	keys    []File
	passwd  []byte
	paths   []uint64        // hashes of all paths, sorted in the end
	removed map[string]bool // whiteouts, cleaned
	opaque  map[string]bool // directories of which nothing below counts
}

type scanner struct {
	seed     maphash.Seed
	layers   map[string]*layer // by the name that the manifest has for it
	manifest []byte
	entries  int
	bytes    int64
	kept     int
	held     int // bytes of what is kept
	cache    int64
}

// Scan reads an archive such as `docker save` makes, of one image. progress, which may be nil, is told how many bytes
// have been read.
func Scan(r io.Reader, progress func(read int64)) (*Contents, error) {
	if progress == nil {
		progress = func(int64) {}
	}
	s := &scanner{seed: maphash.MakeSeed(), layers: map[string]*layer{}}
	t := tar.NewReader(&counted{r: r, progress: progress})
	links := map[string]string{}
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the saved image: %w", err)
		}
		if err := s.entry(h); err != nil {
			return nil, err
		}
		switch name := path.Clean(h.Name); {
		case h.Typeflag == tar.TypeSymlink && strings.HasSuffix(name, "/layer.tar"):
			links[name] = path.Join(path.Dir(name), h.Linkname) // a layer that another one is the same as
			if err := s.keep(len(name) + len(links[name])); err != nil {
				return nil, err
			}
		case h.Typeflag != tar.TypeReg:
		case name == "manifest.json":
			if s.manifest, err = io.ReadAll(io.LimitReader(t, maxPasswd+1)); err != nil || len(s.manifest) > maxPasswd {
				return nil, errors.Join(err, fmt.Errorf("manifest.json: %w", ErrBound))
			}
		case strings.HasSuffix(name, ".json") || name == "repositories" || name == "oci-layout" || name == "VERSION" ||
			strings.HasSuffix(name, "/VERSION"):
		default:
			if err := s.blob(name, t, h.Size); err != nil {
				return nil, fmt.Errorf("layer %s: %w", short(name), err)
			}
		}
	}
	return s.contents(links)
}

// counted counts what is read.
type counted struct {
	r        io.Reader
	read     int64
	told     int64
	progress func(int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.read += int64(n); c.read-c.told >= 1<<20 {
		c.told = c.read
		c.progress(c.read)
	}
	return n, err
}

// entry counts one entry of any archive, and refuses names that lead elsewhere.
func (s *scanner) entry(h *tar.Header) error {
	if s.entries++; s.entries > maxEntries {
		return fmt.Errorf("more than %d files: %w", maxEntries, ErrBound)
	}
	if len(h.Name) > maxPath || len(h.Linkname) > maxPath || strings.ContainsRune(h.Name, 0) {
		return fmt.Errorf("a name of %d bytes: %w", max(len(h.Name), len(h.Linkname)), ErrBound)
	}
	return nil
}

// blob reads a layer. A blob that is no archive is configuration.
func (s *scanner) blob(name string, r io.Reader, packed int64) error {
	b := bufio.NewReaderSize(r, 64<<10)
	head, err := b.Peek(512)
	if err != nil && err != io.EOF {
		return err
	}
	var in io.Reader = b
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			return err
		}
		defer z.Close()
		in = z
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return errors.New("it is packed by zstd, which is not read")
	case len(head) < 512 || !bytes.HasPrefix(head[257:], []byte("ustar")) && !allZero(head):
		return nil
	}
	if len(s.layers) == maxLayers {
		return fmt.Errorf("more than %d layers: %w", maxLayers, ErrBound)
	}
	l := &layer{files: map[string]File{}, removed: map[string]bool{}, opaque: map[string]bool{}}
	s.layers[name] = l
	return s.layer(l, &unpacked{r: in, scanner: s, most: free + packed*maxRatio})
}

func allZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// unpacked bounds what comes out of a layer, by itself and with all others.
type unpacked struct {
	r       io.Reader
	scanner *scanner
	read    int64
	most    int64
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.read += int64(n)
	u.scanner.bytes += int64(n)
	if u.read > u.most || u.scanner.bytes > maxBytes {
		return n, fmt.Errorf("%d bytes and more out of %d: %w", u.read, max(0, u.most-free)/maxRatio, ErrBound)
	}
	return n, err
}

func (s *scanner) layer(l *layer, r io.Reader) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			slices.Sort(l.paths)
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.entry(h); err != nil {
			return err
		}
		name, err := clean(h.Name)
		if err != nil {
			return err
		}
		if err := s.file(l, t, h, name); err != nil {
			return err
		}
	}
}

// clean is a path of a layer without its leading slash. One that leads out of the image is refused.
func clean(name string) (string, error) {
	if slices.Contains(strings.Split(name, "/"), "..") {
		return "", fmt.Errorf("a path that leads out of the image: %w", ErrBound)
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/"), nil
}

const whiteout = ".wh."

func (s *scanner) file(l *layer, r io.Reader, h *tar.Header, name string) error {
	dir, base := path.Split(name)
	if base == ".wh..wh..opq" {
		l.opaque[path.Clean(dir)] = true
		return s.keep(len(name))
	}
	if hidden, ok := strings.CutPrefix(base, whiteout); ok {
		l.removed[path.Join(dir, hidden)] = true
		return s.keep(len(name))
	}
	l.paths = append(l.paths, maphash.String(s.seed, name))
	if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeLink {
		return nil
	}
	f := File{Path: name, Mode: h.Mode & 0o7777}
	if f.Mode&0o6000 != 0 {
		l.files[name] = f
		if err := s.keep(len(name)); err != nil {
			return err
		}
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	if cached(name) {
		s.cache += h.Size
	}
	if name == "etc/passwd" {
		data, err := io.ReadAll(io.LimitReader(r, maxPasswd+1))
		if err != nil {
			return err
		}
		if len(data) > maxPasswd {
			return fmt.Errorf("etc/passwd: %w", ErrBound)
		}
		l.passwd = append([]byte{}, data...)
		l.files[name] = f
		return s.keep(len(name) + len(data))
	}
	if h.Size < 64 || h.Size > maxSmall {
		return nil
	}
	return s.look(l, r, f)
}

// look reads the beginning of a small file, and all of it where it may be a key.
func (s *scanner) look(l *layer, r io.Reader, f File) error {
	var head [32]byte
	n, err := io.ReadFull(r, head[:])
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return err
	}
	if !bytes.Contains(head[:n], []byte("-----BEGIN")) {
		return nil
	}
	rest, err := io.ReadAll(io.LimitReader(r, maxSmall))
	if err != nil {
		return err
	}
	if text := append(head[:n:n], rest...); bytes.Contains(text, []byte("PRIVATE KEY-----")) &&
		bytes.Contains(text, []byte("-----END")) {
		l.keys = append(l.keys, f)
		return s.keep(len(f.Path))
	}
	return nil
}

// keep counts what is remembered by name, and its bytes.
func (s *scanner) keep(size int) error {
	if s.kept++; s.kept > maxInteresting {
		return fmt.Errorf("more than %d files of note: %w", maxInteresting, ErrBound)
	}
	if s.held += size; s.held > maxKept {
		return fmt.Errorf("more than %d bytes of names and of passwd: %w", maxKept, ErrBound)
	}
	return nil
}

// caches are where package managers keep what nobody needs in an image.
var caches = []string{"var/lib/apt/lists/", "var/cache/apt/", "var/cache/apk/", "var/cache/dnf/", "var/cache/yum/",
	"var/cache/zypp/",
	"var/cache/pacman/pkg/", "root/.cache/pip/", "root/.npm/_cacache/"}

func cached(name string) bool {
	return slices.ContainsFunc(caches, func(c string) bool { return strings.HasPrefix(name, c) })
}

// contents puts the layers upon each other in the order of the manifest.
func (s *scanner) contents(links map[string]string) (*Contents, error) {
	var manifest []struct{ Layers []string }
	if err := json.Unmarshal(s.manifest, &manifest); err != nil || len(manifest) == 0 {
		return nil, errors.New("the saved image: no manifest")
	}
	names := manifest[0].Layers
	if len(names) > maxLayers {
		return nil, fmt.Errorf("the manifest: more than %d layers: %w", maxLayers, ErrBound)
	}
	var stack []*layer
	for _, n := range names {
		n = path.Clean(n)
		if to, ok := links[n]; ok {
			n = to
		}
		l := s.layers[n]
		if l == nil {
			return nil, fmt.Errorf("layer %s: not in the archive", short(n))
		}
		stack = append(stack, l)
	}
	c := &Contents{Cache: s.cache}
	for i, l := range stack {
		for _, name := range slices.Sorted(maps.Keys(l.files)) {
			f := l.files[name]
			if s.hidden(stack[i+1:], f.Path) {
				continue
			}
			if f.Mode&0o6000 != 0 {
				c.SetID = append(c.SetID, f)
			}
			if f.Path == "etc/passwd" {
				c.Passwd = l.passwd
			}
		}
		for _, k := range l.keys {
			k.Hidden = s.hidden(stack[i+1:], k.Path)
			c.Keys = append(c.Keys, k)
		}
	}
	byPath := func(a, b File) int { return strings.Compare(a.Path, b.Path) }
	slices.SortFunc(c.SetID, byPath)
	slices.SortFunc(c.Keys, byPath)
	return c, nil
}

// hidden reports whether a later layer replaces a file, or removes it or a directory that it is in.
func (s *scanner) hidden(later []*layer, name string) bool {
	hash := maphash.String(s.seed, name)
	for _, l := range later {
		if _, ok := slices.BinarySearch(l.paths, hash); ok || l.removed[name] {
			return true
		}
		for dir := name; dir != "." && dir != ""; {
			if dir = path.Dir(dir); l.removed[dir] || l.opaque[dir] {
				return true
			}
		}
		if l.removed[""] || l.opaque[""] {
			return true
		}
	}
	return false
}

// short is the name of a layer for a message: it comes from the archive.
func short(name string) string {
	name = strings.TrimPrefix(strings.TrimSuffix(name, "/layer.tar"), "blobs/sha256/")
	return name[:min(12, len(name))]
}
