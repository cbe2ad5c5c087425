package facts_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts"
	"example.com/harden/fixtures"
)

func TestGroup(t *testing.T) {
	h := fixtures.NewMachine(t, `-- etc/group --
root:x:0:
docker:x:998:carol,alice
broken
-- etc/passwd --
root:x:0:0:root:/root:/bin/sh
bob:x:1001:998::/home/bob:/bin/sh
alice:x:1002:998::/home/alice:/bin/sh
dave:x:1003:100::/home/dave:/bin/sh
`).Host()
	gid, members, err := h.Group("docker")
	if err != nil || gid != 998 {
		t.Errorf("gid %d, error %v", gid, err)
	}
	if diff := cmp.Diff([]string{"alice", "bob", "carol"}, members); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if uid, err := h.UserID("dave"); uid != 1003 || err != nil {
		t.Errorf("dave is %d, %v", uid, err)
	}
	if _, err := h.GroupID("nobody"); !errors.Is(err, facts.ErrAbsent) {
		t.Errorf("a group that is not there gives %v", err)
	}
}
