package want

import (
	"fmt"
	"strings"
)

// Limits are what a live update can change of a container. A zero field says nothing: there is no way to ask the Engine
// for it either, to which 0 means unchanged.
type Limits struct {
	Memory     int64  `json:"memory,omitempty"`      // bytes
	MemorySwap int64  `json:"memory_swap,omitempty"` // bytes of memory and swap together; -1 for no limit
	CPUShares  int64  `json:"cpu_shares,omitempty"`
	PIDs       int64  `json:"pids_limit,omitempty"` // -1 for no limit
	Restart    string `json:"restart,omitempty"`    // "no", "always", "unless-stopped", "on-failure", "on-failure:5"
}

// With is l with what other says in place of its own.
func (l Limits) With(other Limits) Limits {
	put(&l.Memory, other.Memory)
	put(&l.MemorySwap, other.MemorySwap)
	put(&l.CPUShares, other.CPUShares)
	put(&l.PIDs, other.PIDs)
	put(&l.Restart, other.Restart)
	return l
}

func put[T comparable](v *T, other T) {
	var none T
	if other != none {
		*v = other
	}
}

// Of is what l says of the fields that other says something of.
func (l Limits) Of(other Limits) Limits {
	keep(&l.Memory, other.Memory)
	keep(&l.MemorySwap, other.MemorySwap)
	keep(&l.CPUShares, other.CPUShares)
	keep(&l.PIDs, other.PIDs)
	keep(&l.Restart, other.Restart)
	return l
}

func keep[T comparable](v *T, other T) {
	var none T
	if other == none {
		*v = none
	}
}

// Name is what they limit, as `docker update` calls it.
func (l Limits) Name() string {
	switch {
	case l.Memory != 0:
		return "memory"
	case l.CPUShares != 0:
		return "cpu-shares"
	case l.PIDs != 0:
		return "pids-limit"
	}
	return "restart"
}

// options spells them as `docker update` takes them.
func (l Limits) options() (options []string) {
	add := func(name string, n int64) {
		if n != 0 {
			options = append(options, fmt.Sprintf("--%s=%d", name, n))
		}
	}
	add("memory", l.Memory)
	add("memory-swap", l.MemorySwap)
	add("cpu-shares", l.CPUShares)
	add("pids-limit", l.PIDs)
	if l.Restart != "" {
		options = append(options, "--restart="+l.Restart)
	}
	return options
}

// A Container wants a container to be changed in place, by the Engine, while it runs.
type Container struct {
	ID      string // whole: the Engine takes the beginning of one for a name
	Name    string // for people
	Limits  Limits
	Because string // where a value comes from, where that is not plain: "…, with head room over 31 MiB at its peak"
	Offered bool   // nobody has chosen the value
	Reboot  bool   // what the host starts by itself after a reboot changes
}

// Entitled: there is no path to it.
func (Container) Entitled() Warrant { return Mine }

// Class: a memory limit kills what exceeds it and cannot be unset, people count on what a reboot brings back, and what
// nobody has chosen is offered.
func (w Container) Class() Class {
	if w.Limits.Memory != 0 || w.Reboot || w.Offered {
		return Behaviour
	}
	return Reload
}

// Text is what it asks for.
func (w Container) Text() string {
	return fmt.Sprintf("update %s of the container %s in place", strings.Join(w.Limits.options(), ", "), w.Name)
}

// Claim is the value of the limit.
func (w Container) Claim() (place, value string) {
	return "the " + w.Limits.Name() + " of container " + w.Name + " " + w.ID, fmt.Sprint(w.Limits)
}

func (Container) want() {}
