package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "embed"
)

// A file is part of an archive, a package or the image.
type file struct {
	path string // without a leading slash
	mode fs.FileMode
	data []byte
}

// example is the configuration that packages install. All of it is commented out.
//
//go:embed harden.yaml
var example []byte

// documents returns what every architecture gets, by the places of the archive.
func (r *release) documents() ([]file, error) {
	program, err := r.build("docs", "", "-tags", "docs")
	if err != nil {
		return nil, err
	}
	files := []file{{"harden.yaml", 0o644, example}}
	for _, kind := range []string{"man", "units"} {
		dir := filepath.Join(r.work, kind)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
		if _, err := commandIn("", r.settings(""), program, "docs", kind, dir); err != nil {
			return nil, err
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return nil, err
			}
			files = append(files, file{kind + "/" + e.Name(), 0o644, data})
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		text, err := commandIn("", r.settings(""), program, "completion", shell)
		if err != nil {
			return nil, err
		}
		files = append(files, file{"completions/harden." + shell, 0o644, []byte(text + "\n")})
	}
	return files, nil
}

// A target is what one architecture gets.
type target struct {
	arch    string
	program string // the path of what was built
	files   []file
}

// target builds harden for an architecture.
func (r *release) target(arch string, shared []file) (*target, error) {
	program, err := r.build("harden-"+arch, arch)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	notices, err := r.notices(program)
	if err != nil {
		return nil, err
	}
	return &target{arch, program, append([]file{{"harden", 0o755, data}, {"NOTICES", 0o644, notices}}, shared...)}, nil
}

// image returns what the image contains: the program, and the notices that have to go with it.
func (t *target) image() (files []file) {
	for _, f := range t.files {
		switch f.path {
		case "harden":
			files = append(files, file{"usr/bin/harden", f.mode, f.data})
		case "NOTICES":
			files = append(files, file{"usr/share/doc/harden/NOTICES", f.mode, f.data})
		}
	}
	return files
}

// archive writes the tar.gz of an architecture.
func (r *release) archive(t *target) error {
	name := "harden-" + r.bare() + "-linux-" + t.arch
	var files []file
	for _, f := range t.files {
		files = append(files, file{path.Join(name, f.path), f.mode, f.data})
	}
	data, err := tarball(files, r.time)
	if err != nil {
		return err
	}
	return r.write(name+".tar.gz", zipped(data))
}

// tarball returns a tar archive of files and their directories, sorted, all of root's and of one time.
func tarball(files []file, when time.Time) ([]byte, error) {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	made := map[string]bool{".": true}
	for _, f := range files {
		for _, dir := range parents(f.path) {
			if made[dir] {
				continue
			}
			made[dir] = true
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: when,
				Uname: "root", Gname: "root", Format: tar.FormatPAX}); err != nil {
				return nil, err
			}
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.path, Mode: int64(f.mode), ModTime: when,
			Size: int64(len(f.data)), Uname: "root", Gname: "root", Format: tar.FormatPAX}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// parents returns the directories above a path, the highest first.
func parents(name string) (dirs []string) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		dirs = append([]string{dir}, dirs...)
	}
	return dirs
}

// zipped compresses without a name and a time, so that the same bytes give the same bytes.
func zipped(data []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // a level that exists
	_, _ = w.Write(data)                                  // to memory
	_ = w.Close()
	return b.Bytes()
}
