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
	for _, a := range Accounts(data) {
		if _, known := names[a.ID]; !known {
			names[a.ID] = a.Fields[0]
		}
	}
	return names
}

// UserID returns the uid of a user by the host's own passwd file.
func (h *Host) UserID(name string) (uint32, error) {
	a, err := AccountNamed(h, "/etc/passwd", name)
	return a.ID, err
}

// GroupID returns the gid of a group by the host's own group file.
func (h *Host) GroupID(name string) (uint32, error) {
	a, err := AccountNamed(h, "/etc/group", name)
	return a.ID, err
}

// Group returns a group's gid and its members, sorted: those that the group file lists and those whose primary group
// it is. Only the host's own files are read: members that a directory service adds are not seen. ErrAbsent when
// there is no such group.
func (h *Host) Group(name string) (gid uint32, members []string, err error) {
	group, err := AccountNamed(h, "/etc/group", name)
	if err != nil {
		return 0, nil, err
	}
	if len(group.Fields) > 3 {
		members = strings.FieldsFunc(group.Fields[3], func(r rune) bool { return r == ',' || r == ' ' })
	}
	users, err := h.File("/etc/passwd")
	if err != nil {
		return 0, nil, err
	}
	for _, u := range Accounts(users.Data) {
		if primary, err := strconv.ParseUint(u.Fields[3], 10, 32); err == nil && uint32(primary) == group.ID {
			members = append(members, u.Fields[0])
		}
	}
	slices.Sort(members)
	return group.ID, slices.Compact(members), nil
}

// HomeOf returns a user's home directory.
func HomeOf(h *Host, uid uint32) (string, error) {
	f, err := h.File("/etc/passwd")
	if err != nil {
		return "", err
	}
	for _, a := range Accounts(f.Data) {
		if a.ID == uid && len(a.Fields) > 5 && strings.HasPrefix(a.Fields[5], "/") {
			return a.Fields[5], nil
		}
	}
	return "", fmt.Errorf("/etc/passwd: no home directory of uid %d", uid)
}

// AccountNamed returns the account of that name in a file; ErrAbsent where there is none.
func AccountNamed(h *Host, file, name string) (Account, error) {
	f, err := h.File(file)
	if err != nil {
		return Account{}, err
	}
	for _, a := range Accounts(f.Data) {
		if a.Fields[0] == name {
			return a, nil
		}
	}
	return Account{}, fmt.Errorf("%s: no %q: %w", file, name, ErrAbsent)
}

// An Account is one line of passwd or group: both have the name first and the id third.
type Account struct {
	ID     uint32
	Fields []string // at least four
}

// Accounts reads the lines of a passwd or group file; what is none is left out.
func Accounts(data []byte) []Account {
	var all []Account
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 4 || fields[0] == "" {
			continue
		}
		if id, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
			all = append(all, Account{uint32(id), fields})
		}
	}
	return all
}
