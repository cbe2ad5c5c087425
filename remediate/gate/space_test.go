package gate

import (
	"fmt"
	"testing"

	"example.com/harden/checks/facts"
	"example.com/harden/remediate"
)

func TestRoom(t *testing.T) {
	pod := func(flags string) []byte {
		return fmt.Appendf(nil, "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: kube-apiserver\n    command: "+
			"[kube-apiserver, %s]\n", flags)
	}
	path := "--audit-log-path=" + t.TempDir() + "/not/yet/audit.log"
	for _, tt := range []struct{ name, before, after, want string }{
		{"enough", "--x", path + ", --audit-log-maxsize=1, --audit-log-maxbackup=1", ""},
		{"not enough", "--x", path + ", --audit-log-maxsize=1000000000, --audit-log-maxbackup=10",
			"the audit log may grow to 11000000000 MB, and "},
		{"more than before", path + ", --audit-log-maxsize=1", path + ", --audit-log-maxsize=1000000000",
			"the audit log may grow to 11000000000 MB"},
		{"as before", path + ", --audit-log-maxsize=1000000000",
			path + ", --audit-log-maxsize=1000000000, --profiling=false", ""},
		{"more than a number holds", "--x",
			path + ", --audit-log-maxsize=9223372036854775807, --audit-log-maxbackup=9223372036854775807",
			"the audit log may grow to "},
		{"to its output", "--x", "--audit-log-path=-, --audit-log-maxsize=1000000000", ""},
		{"no log", "--x", "--profiling=false", ""},
	} {
		c := remediate.Change{Path: "/p", Before: facts.File{Data: pod(tt.before)}, After: facts.File{Data: pod(tt.after)}}
		t.Log(tt.name)
		mentions(t, room(c), tt.want)
	}
}
