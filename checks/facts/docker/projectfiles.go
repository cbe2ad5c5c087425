package docker

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/source"
)

// reads adds a file to those that Compose reads, if root alone has put it there. An optional one need not exist: then
// root alone can make it.
func reads(h *facts.Host, p *Project, file string, optional bool) error {
	doubt := rootsAlone(h, file)
	if optional && errors.Is(doubt, fs.ErrNotExist) {
		p.Sums[file] = ""
		return rootsAlone(h, path.Dir(file))
	}
	if doubt != nil && !errors.Is(doubt, ErrNotRoots) {
		return doubt
	}
	info, err := h.Info(file)
	if err != nil {
		return err
	}
	if info.Size > source.MaxSize {
		return fmt.Errorf("%s: %d bytes are more than any of its kind has: the limit is %d", file, info.Size, source.MaxSize)
	}
	f, err := facts.FileWithin(h, budget.New(file, h.Spent()), file)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(f.Data)
	p.Sums[file] = hex.EncodeToString(sum[:])
	return doubt
}

// references adds the files that the Compose files name for Compose to read. It reads those of every service, whichever
// it is called for. Whole Compose files that they name are more than is looked into.
func references(h *facts.Host, p *Project) (doubt, err error) {
	for c, service := range p.service.Whole.ServiceNodes() {
		more, err := serviceFiles(h, p, c, service, 0)
		if err != nil {
			return doubt, err
		}
		doubt = cmp.Or(doubt, more)
	}
	return doubt, nil
}

// serviceFiles adds the files that one service names, itself or by what it merges in.
func serviceFiles(h *facts.Host, p *Project, c *source.Compose, service *yaml.Node, depth int) (doubt, err error) {
	if e := source.FieldOf(service, "extends"); e != nil && source.FieldOf(e, "file") != nil {
		return nil, fmt.Errorf("%s: extends: harden does not read other files", c.At(e.Line))
	}
	for _, key := range []string{"env_file", "label_file"} {
		n := source.FieldOf(service, key)
		if n == nil {
			continue
		}
		for _, item := range (source.Value{Node: n, File: c}).Items() {
			required := true
			if file := source.FieldOf(item.Node, "path"); file != nil {
				r := source.FieldOf(item.Node, "required")
				required = r == nil || r.Value == "true"
				item.Node = file
			}
			file, err := item.Text()
			if err != nil {
				return nil, err
			}
			if strings.HasPrefix(file, "~") {
				return nil, fmt.Errorf("%s: %s: harden does not know whose home directory is meant", c.At(n.Line), key)
			}
			if !path.IsAbs(file) {
				file = path.Join(p.Dir, file)
			}
			switch err := reads(h, p, path.Clean(file), !required); {
			case errors.Is(err, ErrNotRoots):
				doubt = err
			case err != nil:
				return nil, err
			}
		}
	}
	for _, m := range source.MergedInto(service) {
		if depth >= source.MaxChains {
			break
		}
		more, err := serviceFiles(h, p, c, m, depth+1)
		if err != nil {
			return nil, err
		}
		doubt = cmp.Or(doubt, more)
	}
	return doubt, nil
}
