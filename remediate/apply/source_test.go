package apply

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPlain holds a journal that came with sources to the contents of plain files: no run below --source makes another.
func TestPlain(t *testing.T) {
	fine := func() *item {
		im := image{Exists: true, Type: unix.S_IFREG, Mode: 0o644, UID: uint32(os.Geteuid()), GID: 7, Sum: "x"}
		return &item{Path: []byte("/a"), Content: true, Before: im, After: im}
	}
	if why := fine().plain(); why != "" {
		t.Error(why)
	}
	for why, spoil := range map[string]func(*item){
		"does not change a file's content": func(it *item) { it.Content = false },
		"content":                          func(it *item) { it.Before.Exists = false },
		"a file's content":                 func(it *item) { it.After.Type = unix.S_IFDIR },
		"set-user-ID":                      func(it *item) { it.Before.Mode, it.After.Mode = 0o4755, 0o4755 },
		"another mode":                     func(it *item) { it.After.Mode = 0o777 },
		"another owner":                    func(it *item) { it.Before.UID++; it.After.UID++ },
		"owner":                            func(it *item) { it.After.GID++ },
		"capabilities":                     func(it *item) { it.After.Xattrs = []xattr{{Name: []byte(xattrCap)}} },
	} {
		it := fine()
		if spoil(it); !strings.Contains(it.plain(), why) {
			t.Errorf("%s: %q", why, it.plain())
		}
	}
}

// TestAlone holds which groups count as one user's own.
func TestAlone(t *testing.T) {
	const users = "root:x:0:0::/:\nme:x:1000:1000::/:\nyou:x:1001:1001::/:\nthey:x:1002:1001::/:\n"
	for _, test := range []struct {
		groups, gid string
		want        bool
	}{
		{"me:x:1000:\n", "1000", true}, {"me:x:1000:me\n", "1000", true}, {"me:x:1000:me,you\n", "1000", false},
		{"other:x:9:\n", "1000", false},
		{"you:x:1001:\n", "1001", false}, {"", "1000", false},
	} {
		if got := alone([]byte(users), []byte(test.groups), "1000", test.gid); got != test.want {
			t.Errorf("%q %s: %v", test.groups, test.gid, got)
		}
	}
	if alone([]byte(users), []byte("x:x:7:\n"), "4000", "7") {
		t.Error("a user who is not listed")
	}
}
