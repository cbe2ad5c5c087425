package docker

import (
	"errors"
	"io"

	"example.com/harden/checks/archive"
	"example.com/harden/checks/facts"
)

// ErrShallow means that nobody asked for the files in images to be looked at.
var ErrShallow = errors.New("the files in images are read only with --deep")

// Contents returns what the files in an image, by its ID, are known to hold. ErrShallow unless Deep.
func Contents(h *facts.Host, id string) (*archive.Contents, error) {
	if h.Deep == nil {
		return nil, ErrShallow
	}
	return facts.OncePer(h, "contents", id, facts.Kept, readContents)
}

func readContents(h *facts.Host, id string) (c *archive.Contents, err error) {
	engine, _, err := h.Source().Engine(h.Context())
	if err != nil {
		return nil, err
	}
	saver, ok := engine.(Saver)
	if !ok {
		return nil, errors.New("this Engine does not list images")
	}
	h.Deep(id, 0)
	err = saver.Save(h.Context(), id, func(r io.Reader) error {
		c, err = archive.Scan(r, func(read int64) { h.Deep(id, read) })
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}
