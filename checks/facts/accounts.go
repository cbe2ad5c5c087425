package facts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Names reads the name of every id in a passwd or group file; of two names of one id the first counts, as it does
// for getpwuid.
func Names(data []byte) map[uint32]string {
	names := map[uint32]string{}
	for _, a := range accounts(data) {
		if _, known := names[a.id]; !known {
			names[a.id] = a.fields[0]
		}
	}
	return names
}

// UserID returns the uid of a user by the host's own passwd file.
func (h *Host) UserID(name string) (uint32, error) {
	a, err := accountNamed(h, "/etc/passwd", name)
	return a.id, err
}

// GroupID returns the gid of a group by the host's own group file.
func (h *Host) GroupID(name string) (uint32, error) {
	a, err := accountNamed(h, "/etc/group", name)
	return a.id, err
}

// Group returns a group's gid and its members, sorted: those that the group file lists and those whose primary group
// it is. Only the host's own files are read: members that a directory service adds are not seen. ErrAbsent when
// there is no such group.
func (h *Host) Group(name string) (gid uint32, members []string, err error) {
	group, err := accountNamed(h, "/etc/group", name)
	if err != nil {
		return 0, nil, err
	}
	if len(group.fields) > 3 {
		members = strings.FieldsFunc(group.fields[3], func(r rune) bool { return r == ',' || r == ' ' })
	}
	users, err := h.File("/etc/passwd")
	if err != nil {
		return 0, nil, err
	}
	for _, u := range accounts(users.Data) {
		if primary, err := strconv.ParseUint(u.fields[3], 10, 32); err == nil && uint32(primary) == group.id {
			members = append(members, u.fields[0])
		}
	}
	slices.Sort(members)
	return group.id, slices.Compact(members), nil
}

// home returns a user's home directory.
func home(h *Host, uid uint32) (string, error) {
	f, err := h.File("/etc/passwd")
	if err != nil {
		return "", err
	}
	for _, a := range accounts(f.Data) {
		if a.id == uid && len(a.fields) > 5 && strings.HasPrefix(a.fields[5], "/") {
			return a.fields[5], nil
		}
	}
	return "", fmt.Errorf("/etc/passwd: no home directory of uid %d", uid)
}

func accountNamed(h *Host, file, name string) (account, error) {
	f, err := h.File(file)
	if err != nil {
		return account{}, err
	}
	for _, a := range accounts(f.Data) {
		if a.fields[0] == name {
			return a, nil
		}
	}
	return account{}, fmt.Errorf("%s: no %q: %w", file, name, ErrAbsent)
}

// An account is one line of passwd or group: both have the name first and the id third.
type account struct {
	id     uint32
	fields []string // at least four
}

func accounts(data []byte) []account {
	var all []account
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 4 || fields[0] == "" {
			continue
		}
		if id, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
			all = append(all, account{uint32(id), fields})
		}
	}
	return all
}
