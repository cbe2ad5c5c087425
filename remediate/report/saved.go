package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/severity"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/diff"
)

// SavedSchema names the shape of a plan file.
const SavedSchema = "harden-plan/v1"

// ErrMoved means that a saved plan is not what would be proposed now: the host, or what was asked for, has moved.
var ErrMoved = errors.New("the plan no longer fits")

// A Saved is a plan as a file. It holds what was asked and what each change comes to, by hash, and never the content
// of a file: so there is no secret in it, and nothing that a crafted plan could have written. To apply it the plan is
// made again by the same request and has to come out the same.
type Saved struct {
	Schema      string       `json:"schema"`
	Version     string       `json:"version"` // of the harden that made it
	Made        time.Time    `json:"made"`
	Host        Identity     `json:"host"`
	Request     Request      `json:"request"`
	Changes     []Change     `json:"changes"`
	Updates     []Update     `json:"updates"`
	Activations []Activation `json:"activations"`
}

// An Identity tells one host from another.
type Identity struct {
	Name    string `json:"name"`
	Machine string `json:"machine"` // SHA-256 of its machine-id, which itself is not for strangers; empty when it has none
}

// A Request is what a plan was asked for, resolved: an edition by its name and not as "the newest".
type Request struct {
	Only       []string          `json:"only"`
	Skip       []string          `json:"skip"`
	Level      int               `json:"level"`
	Severity   severity.Severity `json:"severity,omitempty"` // the least
	Benchmark  string            `json:"benchmark"`
	Allow      []string          `json:"allow"`
	Root       string            `json:"root"`
	Sources    []string          `json:"sources,omitempty"` // the directory of --source, by its real path; at most one
	DockerHost string            `json:"docker_host"`
	Kubeconfig string            `json:"kubeconfig,omitempty"`
	// the classes of the fixes that were chosen in a review, by check; absent where there was no review
	Chosen map[string][]want.Class `json:"chosen,omitzero"`
}

// An Image is a file at one moment, never with what is in it.
type Image struct {
	SHA256 string `json:"sha256,omitempty"` // of the content; empty where only attributes change
	Mode   string `json:"mode"`             // four octal digits
	Owner  string `json:"owner"`            // "user:group"
	UID    uint32 `json:"uid"`
	GID    uint32 `json:"gid"`
}

// Save describes what p would do, its secrets hidden by r.
func Save(p *remediate.Plan, r *diff.Redactor) *Saved {
	s := &Saved{Schema: SavedSchema, Changes: ChangesOf(p.Changes, r), Updates: UpdatesOf(p.Updates),
		Activations: ActivationsOf(p.Activations, r)}
	for _, c := range s.Changes {
		slices.Sort(c.Checks)
	}
	for _, u := range s.Updates {
		slices.Sort(u.Checks)
	}
	for _, a := range s.Activations {
		slices.Sort(a.Checks)
	}
	return s
}

func imageOf(f facts.File, content bool) *Image {
	i := Image{Mode: fmt.Sprintf("%04o", uint32(f.Mode)), Owner: f.Owner(), UID: f.UID, GID: f.GID}
	if content {
		sum := sha256.Sum256(f.Data)
		i.SHA256 = hex.EncodeToString(sum[:])
	}
	return &i
}

// ReadSaved parses a plan file. What it does not know is an error: it may be what the plan depends on.
func ReadSaved(data []byte) (*Saved, error) {
	s := new(Saved)
	if err := json.Unmarshal(data, s); err != nil { // loosely first: another schema is to be told as that
		return nil, fmt.Errorf("not a plan: %w", err)
	}
	if s.Schema != SavedSchema {
		return nil, fmt.Errorf("not a plan: its schema is %q, and not %q", s.Schema, SavedSchema)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return s, d.Decode(s)
}

// Moved compares a saved plan with the one that is proposed now and names each thing that is no longer the same;
// nothing when the two do the same to the same files.
func (s *Saved) Moved(now *Saved) []string {
	var moved []string
	say := func(format string, args ...any) { moved = append(moved, fmt.Sprintf(format, args...)) }
	if s.Host != now.Host {
		say("the plan was made for %s; this host is %s", s.Host, now.Host)
	}
	was, is := byTarget(s.Changes), byTarget(now.Changes)
	for _, c := range s.Changes {
		n, ok := is[c.Target]
		if !ok {
			say("%s: no change now", c.Target)
			continue
		}
		for _, m := range c.moved(n) {
			say("%s: %s", c.Target, m)
		}
	}
	for _, n := range now.Changes {
		if _, ok := was[n.Target]; !ok {
			say("%s: would now be changed too, for %s", n.Target, strings.Join(n.Checks, ", "))
		}
	}
	moved = append(moved, updatesMoved(s.Updates, now.Updates)...)
	moved = append(moved, activationsMoved(s.Activations, now.Activations)...)
	return moved
}

func (i Identity) String() string {
	if i.Machine == "" {
		return i.Name
	}
	return fmt.Sprintf("%s (machine %.12s)", i.Name, i.Machine)
}

func byTarget(cs []Change) map[string]Change {
	m := map[string]Change{}
	for _, c := range cs {
		m[c.Target] = c
	}
	return m
}

func (c Change) moved(n Change) (moved []string) {
	if c.Action != n.Action {
		return []string{fmt.Sprintf("the plan changes it by %q, now by %q", c.Action, n.Action)}
	}
	if c.Before != nil && n.Before != nil {
		moved = append(moved, c.Before.moved(*n.Before, "it is changed since the plan was made")...)
	}
	if len(moved) == 0 && c.After != nil && n.After != nil {
		moved = append(moved, c.After.moved(*n.After, "it would get other content than in the plan")...)
	}
	if c.Disruption != n.Disruption {
		moved = append(moved, fmt.Sprintf("its class was %s and is now %s", c.Disruption, n.Disruption))
	}
	return append(moved, checksMoved(c.Checks, n.Checks)...)
}

func (i Image) moved(n Image, what string) (moved []string) {
	differs := func(name, was, is string) {
		if was != is {
			moved = append(moved, fmt.Sprintf("%s: %s was %s, is %s", what, name, cmp.Or(was, "none"), cmp.Or(is, "none")))
		}
	}
	differs("sha256", i.SHA256, n.SHA256)
	differs("mode", i.Mode, n.Mode)
	differs("owner", fmt.Sprintf("%s (%d:%d)", i.Owner, i.UID, i.GID), fmt.Sprintf("%s (%d:%d)", n.Owner, n.UID, n.GID))
	return moved
}

func updatesMoved(was, is []Update) (moved []string) {
	now := map[string]Update{}
	for _, u := range is {
		now[u.ID] = u
	}
	for _, u := range was {
		n, ok := now[u.ID]
		delete(now, u.ID)
		switch {
		case !ok:
			moved = append(moved, fmt.Sprintf("%s: no change now", u))
		case n.Before != u.Before:
			moved = append(moved, fmt.Sprintf("%s: it is changed since the plan was made: it has %+v, not %+v", u, n.Before,
				u.Before))
		case n.After != u.After:
			moved = append(moved, fmt.Sprintf("%s: it would get other values than in the plan: %+v, not %+v", u, n.After,
				u.After))
		case n.Disruption != u.Disruption:
			moved = append(moved, fmt.Sprintf("%s: its class was %s and is now %s", u, u.Disruption, n.Disruption))
		default:
			for _, m := range checksMoved(u.Checks, n.Checks) {
				moved = append(moved, fmt.Sprintf("%s: %s", u, m))
			}
		}
	}
	for _, u := range is {
		if _, ok := now[u.ID]; ok {
			moved = append(moved, fmt.Sprintf("%s: would now be changed too, for %s", u, strings.Join(u.Checks, ", ")))
		}
	}
	return moved
}

func (u Update) String() string { return fmt.Sprintf("container %q (%.12s)", u.Name, u.ID) }

func checksMoved(was, is []string) (moved []string) {
	for _, id := range was {
		if !slices.Contains(is, id) {
			moved = append(moved, id+" no longer requires it")
		}
	}
	for _, id := range is {
		if !slices.Contains(was, id) {
			moved = append(moved, id+" now requires it too")
		}
	}
	return moved
}

func activationsMoved(was, is []Activation) (moved []string) {
	same := func(a Activation) func(Activation) bool {
		return func(b Activation) bool {
			return a.Kind == b.Kind && a.Unit == b.Unit && a.Later == b.Later && a.SHA256 == b.SHA256
		}
	}
	for _, a := range was {
		i := slices.IndexFunc(is, same(a))
		if i < 0 {
			moved = append(moved, fmt.Sprintf("%s: is no longer needed", a))
			continue
		}
		for _, m := range checksMoved(a.Checks, is[i].Checks) {
			moved = append(moved, fmt.Sprintf("%s: %s", a, m))
		}
	}
	for _, a := range is {
		if !slices.ContainsFunc(was, same(a)) {
			moved = append(moved, fmt.Sprintf("%s: is now needed too", a))
		}
	}
	return moved
}

func (a Activation) String() string {
	text := strings.TrimSpace(string(a.Kind) + " " + a.Unit)
	if a.Later {
		text += ", later"
	}
	return text
}
