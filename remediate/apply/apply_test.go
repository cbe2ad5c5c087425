package apply

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

func TestApplyAndRollback(t *testing.T) {
	for name, spoil := range kernels {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			spoil(o.sys)
			before := w.look(t)
			var verified []string
			o.Verify = func(_ context.Context, ids []string) (map[string]string, error) {
				verified = ids
				return nil, nil
			}
			run, err := Apply(t.Context(), w.plan(t), o)
			must(t, err)
			if run.Outcome != Applied || run.Finished.IsZero() || run.Head == "" {
				t.Errorf("the run: %+v", run)
			}
			after := w.look(t)
			same(t, "after the apply", applied(before), after)
			want := []string{"docker/attributes", "docker/content", "docker/unit", "docker/icc"}
			if d := cmp.Diff(want, verified); d != "" {
				t.Errorf("verified (-want +got):\n%s", d)
			}

			_, plan, err := RollbackPlan(t.Context(), "", o)
			must(t, err)
			checkReverse(t, plan.Changes)
			same(t, "after planning the rollback", after, w.look(t))

			run, err = Rollback(t.Context(), run.ID, o)
			must(t, err)
			if run.Outcome != RolledBack || run.Reason != "" {
				t.Errorf("the run: %+v", run)
			}
			same(t, "after the rollback", before, w.look(t))
			wantDid := []string{"reload-systemd", "restart docker.service", "reload-systemd", "restart docker.service"}
			if d := cmp.Diff(wantDid, o.Services.(*services).did); d != "" {
				t.Errorf("activations (-want +got):\n%s", d)
			}
			must(t, VerifyHistory(o))
			if _, err := Rollback(t.Context(), "", o); !errors.Is(err, ErrNoRun) {
				t.Errorf("a second rollback: %v", err)
			}
		})
	}
}

// kernels are the kernels that harden meets: with all the calls it would like, and without.
var kernels = map[string]func(*sys){
	"new":      func(*sys) {},
	"old":      without(unix.ENOSYS),
	"filtered": without(unix.EPERM), // a container's seccomp filter
}

// applied is the host of newWorld as its plan leaves it.
func applied(before map[string]string) map[string]string {
	after := map[string]string{}
	for k, v := range before {
		after[k] = v
	}
	after["/etc/docker/daemon.json"] = `100644 0:0 "{\n  \"debug\": true,\n  \"icc\": false\n}\n" ` + xattrACL + "=" +
		hex.EncodeToString(acl(6, 4, 4, 4)) + " user.note=" + hex.EncodeToString([]byte("kept\x00\xff"))
	after["/etc/default/docker"] = `100644 0:0 "DOCKER_OPTS=\n" ` + xattrACL + "=" + hex.EncodeToString(acl(6, 7, 4, 4))
	after[odd] = `100640 1:2 "new\r\nno newline at the end"`
	after["/etc/docker"] = "040755 0:0"
	after["/etc/systemd/system/docker.service.d"] = "040755 0:0"
	after["/etc/systemd/system/docker.service.d/deep"] = "040755 0:0"
	after["/etc/systemd/system/docker.service.d/deep/zz-harden.conf"] = `100640 0:0 "[Service]\n"`
	after["/etc/systemd/system/docker.service.d/empty.conf"] = `100640 0:0 ""`
	delete(after, "/etc/systemd/system/gone.timer")
	return after
}

func checkReverse(t *testing.T, plan []remediate.Change) {
	t.Helper()
	got := map[string]string{}
	for _, c := range plan {
		switch {
		case c.Removed:
			got[c.Path] = "removed"
		case c.Created:
			got[c.Path] = fmt.Sprintf("%q %04o %d:%d", c.After.Data, c.After.Mode, c.After.UID, c.After.GID)
		case c.Content():
			got[c.Path] = string(c.Before.Data) + " -> " + string(c.After.Data)
		default:
			got[c.Path] = c.Before.Owner() + c.Before.Mode.String() + " -> " + c.After.Owner() + c.After.Mode.String()
		}
	}
	want := map[string]string{
		"/etc/docker/daemon.json": "{\n  \"debug\": true,\n  \"icc\": false\n}\n -> {\n  \"debug\": true\n}\n",
		"/etc/docker":             "0:0-rwxr-xr-x -> 0:0-rwxrwxrwx",
		"/etc/default/docker":     "0:0-rw-r--r-- -> 7:8" + os.FileMode(0o6755).String(),
		odd:                       "new\r\nno newline at the end -> old\r\nno newline at the end",
		"/etc/systemd/system/docker.service.d/deep/zz-harden.conf": "removed",
		"/etc/systemd/system/docker.service.d/empty.conf":          "removed",
		"/etc/systemd/system/gone.timer":                           `"[Timer]\n" 0604 5:6`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the rollback's plan (-want +got):\n%s", d)
	}
}

func without(err error) func(*sys) {
	return func(s *sys) {
		s.openat2 = func(int, string, *unix.OpenHow) (int, error) { return -1, err }
		s.fchmodat = func(int, string, uint32, int) error { return err }
	}
}
