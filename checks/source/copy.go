package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/source"
	"example.com/harden/checks/want"
)

// Copy wants COPY where ADD does no more (4.9). ADD fetches URLs and unpacks archives, which a word away looks the
// same.
var Copy = dockerfiles(func(h *facts.Host, d *source.Dockerfile) ([]checks.Finding, error) {
	var findings []checks.Finding
	for i := range d.Stages {
		for _, s := range d.Stages[i].Steps {
			add, ok := s.Command.(*instructions.AddCommand)
			if !ok {
				continue
			}
			f := checks.Finding{Subject: d.As + " " + masked(add.String()), Got: "ADD", Must: "COPY", Place: d.At(s.Line)}
			if err := plain(h, d, add, s.Line); err != nil {
				f.Reason = err.Error()
			} else if d.Inline != nil {
				f.Reason = "harden does not change a Dockerfile that stands in a Compose file: write COPY there"
			} else {
				f.Wants = []want.Want{want.Instruction{File: d.Path, Line: s.Line, From: "ADD", To: "COPY"}}
			}
			findings = append(findings, f)
		}
	}
	return findings, nil
})

// plain says why COPY would not do the same as an ADD.
func plain(h *facts.Host, d *source.Dockerfile, add *instructions.AddCommand, line int) error {
	switch {
	case add.Checksum != "":
		return errors.New("it verifies a checksum, which COPY cannot: it is as good as ADD gets")
	case strings.Contains(add.String(), "--unpack") || strings.Contains(add.String(), "--keep-git-dir"):
		return errors.New("it has an option that COPY does not have")
	}
	for _, p := range add.SourcePaths {
		if err := local(h, d, p, line); err != nil {
			return err
		}
	}
	return nil
}

func local(h *facts.Host, d *source.Dockerfile, source string, line int) error {
	lower := strings.ToLower(source)
	switch {
	case strings.Contains(lower, "://") || strings.HasPrefix(lower, "git@") || strings.HasSuffix(lower, ".git"):
		return errors.New("it fetches from elsewhere: fetch in a RUN that verifies a checksum, or give ADD --checksum")
	case strings.Contains(source, "$"):
		return errors.New("what it takes depends on a variable")
	}
	found := false
	for _, dir := range contexts(&d.File) {
		spend := func(n int) error { return d.Names(n, line) }
		matches, err := glob(h, dir, strings.TrimPrefix(path.Clean("/"+source), "/"), spend)
		if err != nil {
			return err
		}
		for _, m := range matches {
			found = true
			if err := unpacked(h, m); err != nil {
				return err
			}
		}
	}
	if !found {
		return fmt.Errorf("%s is not here: if it is not an archive, use COPY", masked(source))
	}
	return nil
}

// glob finds what a path of an ADD may mean below a directory, wild cards included.
func glob(h *facts.Host, dir, pattern string, spend func(int) error) ([]string, error) {
	if pattern == "" || pattern == "." {
		return []string{dir}, nil
	}
	found := []string{dir}
	for part := range strings.SplitSeq(pattern, "/") {
		var next []string
		for _, d := range found {
			if !strings.ContainsAny(part, `*?[\`) {
				next = append(next, path.Join(d, part))
				continue
			}
			names, err := h.List(d)
			if err != nil {
				continue // not a directory, or not there
			}
			if err := spend(len(names)); err != nil {
				return nil, err
			}
			for _, n := range names {
				ok, err := path.Match(part, n)
				if err != nil {
					return nil, errors.New("its pattern is not understood")
				}
				if ok {
					next = append(next, path.Join(d, n))
				}
			}
		}
		found = next
	}
	var there []string
	if err := spend(len(found)); err != nil {
		return nil, err
	}
	for _, p := range found {
		switch _, err := h.Info(p); {
		case err == nil:
			there = append(there, p)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return there, nil
}

// unpacked is an error where ADD unpacks a file, or where that is not known.
func unpacked(h *facts.Host, p string) error {
	info, err := h.Info(p)
	if err != nil {
		return err
	}
	if info.Type.IsDir() {
		return nil // what is in a directory is copied as it is
	}
	file, err := facts.Added(h, p)
	if err != nil {
		return fmt.Errorf("whether it is an archive is not known: %w", err)
	}
	if isArchive(file.Data) {
		return errors.New("it unpacks an archive: unpack in a RUN, or leave it where that is what is meant")
	}
	return nil
}

// isArchive reports whether ADD would unpack a file, which it tells by the content and not by the name. Source: moby
// pkg/archive (gzip, bzip2, xz, zstd, and tar by its header).
func isArchive(data []byte) bool {
	for _, magic := range []string{"\x1f\x8b", "BZh", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd"} {
		if bytes.HasPrefix(data, []byte(magic)) {
			return true
		}
	}
	return len(data) >= 512 && bytes.HasPrefix(data[257:], []byte("ustar")) || oldTar(data)
}

// oldTar knows a tar archive of before POSIX by the checksum of its first header.
func oldTar(data []byte) bool {
	if len(data) < 512 {
		return false
	}
	sum, said := 0, 0
	for i, c := range data[:512] {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum += int(c)
	}
	for _, c := range bytes.Trim(data[148:156], " \x00") {
		if c < '0' || c > '7' {
			return false
		}
		said = said*8 + int(c-'0')
	}
	return said == sum
}
