package guide

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
)

// made is the user that dockerd makes for itself.
const made = "dockremap"

// Remapping is the user whose subordinate IDs a dockerd maps containers to, by name. Unless it is configured, it is the
// one that dockerd makes for itself.
func Remapping(d *docker.Daemon) string {
	o := d.Option("userns-remap")
	var value string
	_ = json.Unmarshal(o.File, &value)
	for _, flag := range []*facts.Flag{o.Next, o.Running} {
		if flag != nil && len(flag.Values) > 0 {
			value = flag.Values[len(flag.Values)-1]
		}
	}
	user, _, _ := strings.Cut(value, ":")
	if user == "" || user == "default" {
		return made
	}
	return user
}

// MappingOf returns the ranges that a host's files give to the user of the mapping. facts.ErrAbsent means that this
// user does not exist yet: dockerd makes it, with the next free range.
func MappingOf(h *facts.Host) (*Mapping, error) {
	d, err := docker.DaemonOf(h)
	if err != nil {
		return nil, err
	}
	user := Remapping(d)
	id, err := strconv.ParseUint(user, 10, 32)
	uid := uint32(id)
	if err != nil {
		if uid, err = h.UserID(user); err != nil {
			return nil, fmt.Errorf("user %s of userns-remap: %w", user, err)
		}
	} else {
		passwd, err := h.File("/etc/passwd")
		if err != nil {
			return nil, err
		}
		name, ok := facts.Names(passwd.Data)[uid]
		if !ok {
			return nil, fmt.Errorf("user %s of userns-remap: not in /etc/passwd", user)
		}
		user = name
	}
	subuid, err := h.File("/etc/subuid")
	subgid, errGroup := h.File("/etc/subgid")
	if err := errors.Join(err, errGroup); err != nil {
		return nil, err
	}
	return ParseMapping(subuid.Data, subgid.Data, user, uid)
}
