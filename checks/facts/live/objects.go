package live

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/harden/checks/facts"
)

// questions is how many the engine is asked at once: an answer waits for the engine more than it works here.
const questions = 16

// maxObject bounds what an engine can say of one object, in bytes.
const maxObject = 32 << 20

// Containers inspects every container, several at a time.
func (e *engine) Containers(ctx context.Context) ([]facts.Container, error) {
	return every(ctx, e, "/containers/json?all=1", func(id string, answer func(string, any) error) (facts.Container, error) {
		var c facts.Container
		return c, answer("/containers/"+url.PathEscape(id)+"/json", &c)
	}, func(c *facts.Container) string { return c.ID })
}

// Images inspects every image, several at a time, with its history.
func (e *engine) Images(ctx context.Context) ([]facts.Image, error) {
	return every(ctx, e, "/images/json", func(id string, answer func(string, any) error) (facts.Image, error) {
		var i facts.Image
		err := answer("/images/"+url.PathEscape(id)+"/json", &i)
		if err == nil {
			err = answer("/images/"+url.PathEscape(id)+"/history", &i.History)
		}
		return i, err
	}, func(i *facts.Image) string { return i.ID })
}

// every lists objects and looks at each, a bounded number at a time and sorted by ID. One that is gone meanwhile is left
// out; with an error come those that could be looked at.
func every[T any](ctx context.Context, e *engine, list string, look func(id string, answer func(string, any) error) (T, error),
	id func(*T) string) ([]T, error) {
	ids, err := e.list(ctx, list)
	if err != nil {
		return nil, err
	}
	all, errs := make([]T, len(ids)), make([]error, len(ids))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(questions, len(ids)) {
		wg.Go(func() {
			var buf bytes.Buffer // one for all of a worker's answers
			answer := func(path string, v any) error {
				return e.Get(ctx, path, func(r io.Reader) error { return decode(r, &buf, v) })
			}
			for {
				i := int(next.Add(1)) - 1
				if i >= len(ids) {
					return
				}
				if errs[i] = context.Cause(ctx); errs[i] == nil {
					all[i], errs[i] = look(ids[i], answer)
				}
			}
		})
	}
	wg.Wait()
	kept := make([]T, 0, len(all))
	failed, first := 0, error(nil)
	for i := range all {
		switch {
		case errs[i] == nil:
			kept = append(kept, all[i])
		case !errors.Is(errs[i], facts.ErrAbsent):
			failed++
			first = cmp.Or(first, errs[i])
		}
	}
	slices.SortFunc(kept, func(a, b T) int { return cmp.Compare(id(&a), id(&b)) })
	if failed > 1 {
		first = fmt.Errorf("%d of %d could not be looked at: %w", failed, len(ids), first)
	}
	return kept, first
}

// list reads the IDs of a list one object at a time: the rest of it may be larger than all that is kept.
func (e *engine) list(ctx context.Context, path string) (ids []string, err error) {
	seen := map[string]bool{}
	err = e.Get(ctx, path, func(r io.Reader) error {
		d := json.NewDecoder(r)
		if _, err := d.Token(); err != nil {
			return err
		}
		for d.More() {
			var o struct{ ID string }
			if err := d.Decode(&o); err != nil {
				return err
			}
			if o.ID != "" && !seen[o.ID] {
				seen[o.ID] = true
				ids = append(ids, o.ID)
			}
		}
		return nil
	})
	return ids, err
}

func decode(r io.Reader, buf *bytes.Buffer, v any) error {
	buf.Reset()
	if n, err := buf.ReadFrom(io.LimitReader(r, maxObject+1)); err != nil {
		return err
	} else if n > maxObject {
		return fmt.Errorf("an answer of more than %d bytes", maxObject)
	}
	return json.Unmarshal(buf.Bytes(), v)
}

// silence is for how long the engine may send nothing of an image that it saves.
const silence = 60 * time.Second

// Save hands read an image as the engine saves it, for as long as something comes.
func (e *engine) Save(ctx context.Context, id string, read func(io.Reader) error) error {
	quiet := fmt.Errorf("nothing for %s", silence)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(silence, func() { cancel(quiet) })
	defer timer.Stop()
	e.negotiate.Do(func() { e.client.NegotiateAPIVersion(ctx) })
	err := e.get(ctx, "/v"+e.client.ClientVersion()+"/images/"+url.PathEscape(id)+"/get", func(r io.Reader) error {
		return read(&heard{r, timer})
	})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("docker engine at %s: %w", e.endpoint.Host, err)
	}
	return nil
}

// heard puts a timer off whenever something comes.
type heard struct {
	r     io.Reader
	timer *time.Timer
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if n > 0 {
		h.timer.Reset(silence)
	}
	return n, err
}
