package guide

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Mapping says which ID of the host stands for an ID of a container.
type Mapping struct {
	UIDs, GIDs []Range
}

// A Range maps the IDs of a container from Inside on to those of the host from Outside on.
type Range struct {
	Inside, Outside, Count uint32
}

// defaultIDs is how many IDs dockerd and the tools of Debian and Red Hat give to a user that they make.
const defaultIDs = 65536

// to returns the host's ID for an ID of a container, false where the ranges have no place for it.
func to(ranges []Range, id uint32) (uint32, bool) {
	for _, r := range ranges {
		if id >= r.Inside && id-r.Inside < r.Count {
			return r.Outside + (id - r.Inside), true
		}
	}
	return 0, false
}

// UID and GID return the host's IDs. A nil Mapping leaves IDs as they are.
func (m *Mapping) UID(id uint32) (uint32, bool) {
	if m == nil {
		return id, true
	}
	return to(m.UIDs, id)
}

// GID is UID for groups.
func (m *Mapping) GID(id uint32) (uint32, bool) {
	if m == nil {
		return id, true
	}
	return to(m.GIDs, id)
}

// Expected is the mapping by which a volume is looked at before the user of the mapping is known: as many IDs as a new
// user gets, each as it is.
func Expected() *Mapping {
	whole := []Range{{0, 0, defaultIDs}}
	return &Mapping{UIDs: whole, GIDs: whole}
}

// ParseMapping reads the ranges of a user, of this name and number, from /etc/subuid and /etc/subgid as dockerd does.
// Source: moby/sys/user LoadIdentityMapping, which goes by the user for both files.
func ParseMapping(subuid, subgid []byte, user string, uid uint32) (*Mapping, error) {
	uids, err := parseRanges("/etc/subuid", subuid, user, uid)
	if err != nil {
		return nil, err
	}
	gids, err := parseRanges("/etc/subgid", subgid, user, uid)
	if err != nil {
		return nil, err
	}
	return &Mapping{UIDs: uids, GIDs: gids}, nil
}

func parseRanges(file string, data []byte, user string, uid uint32) ([]Range, error) {
	var found []Range
	var inside uint64
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		f := strings.Split(strings.TrimSpace(lines.Text()), ":")
		if len(f) != 3 || f[0] != user && f[0] != strconv.FormatUint(uint64(uid), 10) {
			continue
		}
		start, errStart := strconv.ParseUint(f[1], 10, 32)
		count, errCount := strconv.ParseUint(f[2], 10, 32)
		if err := cmp.Or(errStart, errCount); err != nil || count == 0 || start == 0 || start+count > 1<<32-1 ||
			inside+count > 1<<32-1 {
			return nil, fmt.Errorf("%s: line %d: not a range of subordinate IDs; write USER:START:COUNT", file, n)
		}
		found = append(found, Range{uint32(inside), uint32(start), uint32(count)})
		inside += count
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no range for user %s; add one, such as %s:231072:65536", file, user, user)
	}
	if !slices.IsSortedFunc(found, func(a, b Range) int { return cmp.Compare(a.Outside, b.Outside) }) {
		// dockerd up to 24 sorts them, and from 25 on takes them as they stand.
		return nil, fmt.Errorf("%s: the ranges of user %s are not in ascending order, and versions of dockerd "+
			"differ in how they take that; sort them", file, user)
	}
	return found, nil
}
