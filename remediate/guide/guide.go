// Package guide does with a host what no single change can do: it takes all that a Docker Engine has along when
// userns-remap moves the Engine to another data root. What there is to move is data, made by pure functions from what
// the Engine answers; the steps are journaled one by one, so that a move that was cut short goes on or goes back; and
// nothing of the old data root is changed, which is the way back.
//
// The setting itself is not written here: that is a run of package apply, with its own journal.
package guide

import (
	"encoding/json"
	"time"
)

// A Move is all that there is to do, in the order of its fields. It is kept in the journal, so its names are for ever.
// It holds what containers were made from, secrets included, and is never shown: View is.
type Move struct {
	ID         string      `json:"id"`
	Made       time.Time   `json:"made"`
	Engine     string      `json:"engine"` // where it is reached: "unix:///var/run/docker.sock"
	From       string      `json:"from"`   // the data root; the new one is a directory below it
	Images     []Image     `json:"images"`
	Networks   []Network   `json:"networks"`
	Volumes    []Volume    `json:"volumes"`
	Containers []Container `json:"containers"` // each after those that it needs
	Left       []Left      `json:"left"`       // what does not come along, and what works differently afterwards
	Space      Space       `json:"space"`
	Refusals   []string    `json:"refusals,omitempty"` // why the move can't be made; empty where it can
}

// An Image is one image. It comes along in an archive, or is pulled again by its digest.
type Image struct {
	ID      string   `json:"id"`
	Names   []string `json:"names,omitempty"` // its tags; empty where it has none
	Digests []string `json:"digests,omitempty"`
	Bytes   int64    `json:"bytes"` // with the layers that it shares with others
	Pull    string   `json:"pull,omitempty"`
}

// A Network is a user-defined network: the Engine keeps them in its data root.
type Network struct {
	Name   string          `json:"name"`
	ID     string          `json:"id"`
	Bridge string          `json:"bridge,omitempty"` // the interface, where the Engine has named it
	Body   json.RawMessage `json:"body"`             // of the request that makes it again
}

// A Volume is a volume. One whose content is elsewhere, by its driver or its options, is made again and not copied.
type Volume struct {
	Name    string            `json:"name"`
	Driver  string            `json:"driver"`
	Options map[string]string `json:"options,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	Source  string            `json:"source,omitempty"` // the directory that is copied; empty where nothing is
	Host    bool              `json:"host,omitempty"`   // only containers with --userns=host use it: owners stay
	Tree    Tree              `json:"tree"`
}

// A Container is a container and what it is made again from.
type Container struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Running bool       `json:"running"`
	Host    bool       `json:"host,omitempty"` // it can't be in a user namespace of its own: --userns=host
	Created Creation   `json:"created"`
	Own     int64      `json:"own"` // bytes that it has written into its own layer, which stay behind
	Binds   []BindInfo `json:"binds,omitempty"`
}

// A Creation is the request that makes a container again.
type Creation struct {
	Body     json.RawMessage            `json:"body"`
	Networks map[string]json.RawMessage `json:"networks,omitempty"` // to be connected to afterwards
}

// A BindInfo is a directory or file of the host that a container has, and who owns it.
type BindInfo struct {
	Source   string `json:"source"`
	Writes   bool   `json:"writes"` // the container may write there
	UID      uint32 `json:"uid"`
	GID      uint32 `json:"gid"`
	Mode     uint32 `json:"mode"`
	Unknown  string `json:"unknown,omitempty"` // why the owner isn't known
	TakesAny bool   `json:"takes_any"`         // every user may do there what the container may
}

// A Left is something that does not come along or works differently, and why.
type Left struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Space is what the move needs on the file system of the data root, in bytes. Nothing old is removed.
type Space struct {
	Archive int64 `json:"archive"` // until the images are loaded
	Images  int64 `json:"images"`
	Volumes int64 `json:"volumes"`
	Free    int64 `json:"free"`
}

// Need is the most that the move uses at one time.
func (s Space) Need() int64 { return s.Archive + s.Images + s.Volumes }

// Room reports whether there is room, with a tenth of what is needed and 64 MiB to spare.
func (s Space) Room() bool { return s.Need()+s.Need()/10+64<<20 <= s.Free }

// A Tree is what a volume holds.
type Tree struct {
	Entries  int64    `json:"entries"`
	Bytes    int64    `json:"bytes"` // on disk: of a sparse file only what is written
	Links    int64    `json:"hard_links,omitempty"`
	SetID    int64    `json:"set_id,omitempty"`   // files with the set-user-ID or set-group-ID bit
	Devices  []string `json:"devices,omitempty"`  // device nodes, which are not copied; the first ten
	NDevices int64    `json:"ndevices,omitempty"` // how many there are
	Mounts   []string `json:"mounts,omitempty"`   // what is mounted in it, which is not copied; the first ten
	Foreign  []string `json:"foreign,omitempty"`  // whose owner has no place in the mapping; the first ten
	NForeign int64    `json:"nforeign,omitempty"`
	Sum      uint64   `json:"sum,omitempty"` // of names, kinds, modes, owners and sizes, in any order
}
