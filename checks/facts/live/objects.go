//go:build linux && !portable

package live

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"example.com/harden/checks/aside"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
)

// questions is how many the engine is asked at once: an answer waits for the engine more than it works here.
const questions = 16

// maxObject bounds what an engine can say of one object, in bytes.
const maxObject = 32 << 20

// Containers inspects every container, several at a time.
func (e *engine) Containers(ctx context.Context) ([]docker.Container, error) {
	return every(ctx, e, "/containers/json?all=1",
		func(id string, answer func(string, any) error) (*docker.Container, error) {
			c := new(docker.Container)
			return c, answer("/containers/"+url.PathEscape(id)+"/json", c)
		}, func(c *docker.Container) string { return c.ID })
}

// Images inspects every image, several at a time, with its history.
func (e *engine) Images(ctx context.Context) ([]docker.Image, error) {
	return every(ctx, e, "/images/json", func(id string, answer func(string, any) error) (*docker.Image, error) {
		i := new(docker.Image)
		err := answer("/images/"+url.PathEscape(id)+"/json", i)
		if err == nil {
			err = answer("/images/"+url.PathEscape(id)+"/history", &i.History)
		}
		return i, err
	}, func(i *docker.Image) string { return i.ID })
}

// every lists objects and looks at each as soon as it is listed, a bounded number at a time; they come sorted by ID.
// One that is gone meanwhile is left out; with an error come those that could be looked at.
func every[T any](ctx context.Context, e *engine, list string,
	look func(id string, answer func(string, any) error) (*T, error),
	id func(*T) string) ([]T, error) {
	var ids queue
	var mu sync.Mutex
	var kept []*T
	var failed int
	var first error
	var workers aside.Group
	for range questions {
		workers.Go(func() {
			var buf bytes.Buffer // one for all of a worker's answers
			answer := func(path string, v any) error {
				return e.Get(ctx, path, func(r io.Reader) error { return decode(r, &buf, v) })
			}
			for next, ok := ids.take(); ok; next, ok = ids.take() {
				var o *T
				err := context.Cause(ctx)
				if err == nil {
					o, err = look(next, answer)
				}
				mu.Lock()
				switch {
				case err == nil:
					kept = append(kept, o)
				case !errors.Is(err, facts.ErrAbsent):
					failed++
					first = cmp.Or(first, err)
				}
				mu.Unlock()
			}
		})
	}
	listed, err := e.list(ctx, list, ids.put)
	ids.end(err == nil)
	workers.Wait()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(kept, func(a, b *T) int { return cmp.Compare(id(a), id(b)) })
	all := make([]T, len(kept))
	for i, o := range kept {
		all[i] = *o
	}
	if failed > 1 {
		first = fmt.Errorf("%d of %d could not be read: %w", failed, listed, first)
	}
	return all, first
}

// A queue hands out IDs while more are put into it. It takes however many: a list that waited for what is done with it
// would not be told within the time that an answer has.
type queue struct {
	mu    sync.Mutex
	more  *sync.Cond
	ids   []string
	ended bool
}

func (q *queue) locked() (unlock func()) {
	q.mu.Lock()
	if q.more == nil {
		q.more = sync.NewCond(&q.mu)
	}
	return q.mu.Unlock
}

func (q *queue) put(id string) {
	defer q.locked()()
	q.ids = append(q.ids, id)
	q.more.Signal()
}

// take waits for an ID; it is not ok when there will be none.
func (q *queue) take() (id string, ok bool) {
	defer q.locked()()
	for len(q.ids) == 0 && !q.ended {
		q.more.Wait()
	}
	if len(q.ids) == 0 {
		return "", false
	}
	id, q.ids = q.ids[0], q.ids[1:]
	return id, true
}

// end says that no more is put, and whether what is still there is worth taking.
func (q *queue) end(worth bool) {
	defer q.locked()()
	q.ended = true
	if !worth {
		q.ids = nil
	}
	q.more.Broadcast()
}

// list reads the IDs of a list one object at a time: the rest of it may be larger than all that is kept.
func (e *engine) list(ctx context.Context, path string, found func(id string)) (n int, err error) {
	seen := map[string]bool{}
	err = e.Get(ctx, path, func(r io.Reader) error {
		d := jsontext.NewDecoder(r, spelling)
		if begin, err := d.ReadToken(); err != nil || begin.Kind() == jsontext.KindNull {
			return err
		}
		for d.PeekKind() != jsontext.KindEndArray {
			var o struct{ ID string }
			if err := json.UnmarshalDecode(d, &o, spelling); err != nil {
				return err
			}
			if o.ID != "" && !seen[o.ID] {
				seen[o.ID] = true
				found(o.ID)
			}
		}
		return nil
	})
	return len(seen), err
}

// spelling is what encoding/json takes too: an engine tells names and environments as whoever made the containers has
// chosen them. encoding/json itself reads an answer three times as long.
var spelling = json.JoinOptions(jsonv1.DefaultOptionsV1(), jsonv1.ReportErrorsWithLegacySemantics(false))

func decode(r io.Reader, buf *bytes.Buffer, v any) error {
	buf.Reset()
	if n, err := buf.ReadFrom(io.LimitReader(r, maxObject+1)); err != nil {
		return err
	} else if n > maxObject {
		return fmt.Errorf("an answer of more than %d bytes", maxObject)
	}
	return json.Unmarshal(buf.Bytes(), v, spelling)
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
