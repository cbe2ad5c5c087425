package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/remediate"
)

const (
	manifestDir = "/etc/kubernetes/manifests"
	apiserver   = manifestDir + "/kube-apiserver.yaml"
	etcd        = manifestDir + "/etcd.yaml"
	policy      = "/etc/kubernetes/audit/policy.yaml"
)

// manifests is a plan for two static pods, and for a file that one of them will read.
func (w world) manifests(t testing.TB) *remediate.Plan {
	t.Helper()
	must(t, os.MkdirAll(w.path(manifestDir), 0o755))
	must(t, os.Chmod(w.path("/etc/docker"), 0o755))
	for _, p := range []string{apiserver, etcd} {
		if _, err := os.Stat(w.path(p)); err != nil {
			w.file(t, p, "old "+p+"\n", 0o600, 0, 0)
		}
	}
	return &remediate.Plan{
		Changes: []remediate.Change{
			w.content(t, "/etc/docker/daemon.json", "{}\n"),
			created(policy, "rules\n"),
			w.content(t, etcd, "new "+etcd+"\n"),
			w.content(t, apiserver, "new "+apiserver+"\n"),
		},
		Activations: []remediate.Activation{
			{Kind: remediate.Restart, Unit: "kubelet.service"},
			{Kind: remediate.RollOut, Unit: etcd},
			{Kind: remediate.RollOut, Unit: apiserver},
			{Kind: remediate.RecordInCluster, Unit: "configmap/n/m", Record: &remediate.Record{Before: "old", After: "new"}},
		},
	}
}

// seen notes what is on the disk at each activation.
func (w world) seen(t testing.TB, s *services, fails func(nth int) error) *[]string {
	var all []string
	s.broken = func(nth int, a remediate.Activation) error {
		text := strings.TrimSpace(string(a.Kind)+" "+a.Unit) + ":"
		if a.Record != nil {
			text += " " + a.Record.Before + ">" + a.Record.After
		}
		for _, p := range []string{policy, etcd, apiserver} {
			data, err := os.ReadFile(w.path(p))
			first, _, _ := strings.Cut(string(data), " ")
			if err != nil {
				first = "none"
			}
			text += " " + strings.TrimSpace(first)
		}
		all = append(all, text)
		if fails != nil {
			return fails(nth)
		}
		return nil
	}
	return &all
}

func TestRollOutOrder(t *testing.T) {
	const (
		kubelet = "restart kubelet.service: rules old old"
		first   = "roll-out " + etcd + ": rules new old"
		second  = "roll-out " + apiserver + ": rules new new"
		record  = "record-in-cluster configmap/n/m: old>new rules new new"
		forget  = "record-in-cluster configmap/n/m: new>old none old old"
	)
	for _, tt := range []struct {
		name  string
		fails map[int]error
		want  []string
		outcome
	}{
		{"well", nil, []string{kubelet, first, second, record}, outcome{Applied, ""}},
		{"the second does not start", map[int]error{3: errors.New("sick")}, []string{kubelet, first, second,
			"roll-out " + apiserver + ": rules new old", "roll-out " + etcd + ": rules old old",
			"restart kubelet.service: none old old"},
			outcome{RolledBack, "sick"}},
		{"the first does not start", map[int]error{2: errors.New("sick")}, []string{kubelet, first,
			"roll-out " + etcd + ": rules old old", "restart kubelet.service: none old old"}, outcome{RolledBack, "sick"}},
		{"the cluster does not keep it", map[int]error{4: errors.New("conflict")}, []string{kubelet, first, second, record,
			"roll-out " + apiserver + ": rules new old", "roll-out " + etcd + ": rules old old",
			"restart kubelet.service: none old old"},
			outcome{RolledBack, "conflict"}},
		{"nor does it go back", map[int]error{3: errors.New("sick"), 4: errors.New("dead")}, []string{kubelet, first, second,
			"roll-out " + apiserver + ": rules new old", "roll-out " + etcd + ": rules old old",
			"restart kubelet.service: none old old"},
			outcome{Failed, "dead"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			plan := w.manifests(t)
			before := w.look(t)
			o := w.options()
			got := w.seen(t, o.Services.(*services), func(nth int) error { return tt.fails[nth] })
			run, err := Apply(t.Context(), plan, o)
			if run == nil || run.Outcome != tt.outcome.is || !strings.Contains(run.Reason, tt.outcome.why) ||
				(err == nil) != (tt.is == Applied) {
				t.Fatalf("%+v, %v", run, err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if tt.is == Applied {
				*got = nil
				run, err = Rollback(t.Context(), "", o)
				if err != nil || run.Outcome != RolledBack {
					t.Fatalf("%+v, %v", run, err)
				}
				if diff := cmp.Diff([]string{"roll-out " + apiserver + ": rules new old", "roll-out " + etcd + ": rules old old",
					"restart kubelet.service: none old old", forget}, *got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
			same(t, "afterwards", before, w.look(t))
		})
	}
}

type outcome struct {
	is  Outcome
	why string
}

// A pod that is not well now is not touched: a written manifest cannot wait for later.
func TestRollOutNotReady(t *testing.T) {
	w := newWorld(t)
	plan := w.manifests(t)
	before := w.look(t)
	o := w.options()
	o.Services = &services{pending: map[remediate.Kind]string{remediate.RollOut: "it is not well"}}
	if run, err := Apply(t.Context(), plan, o); err == nil ||
		!strings.Contains(err.Error(), "it is not well; nothing has been changed") {
		t.Errorf("%+v, %v", run, err)
	}
	same(t, "afterwards", before, w.look(t))
	o.Services = nil // --root: nothing runs there
	run, err := Apply(t.Context(), plan, o)
	if err != nil || run.Outcome != Applied || run.Activations[2].State != Pending {
		t.Errorf("%+v, %v", run, err)
	}
}

// Cut off while the pod is waited for, a run is finished or taken back by the next.
func TestRollOutInterrupted(t *testing.T) {
	for _, then := range []string{"resume", "rollback"} {
		t.Run(then, func(t *testing.T) {
			w := newWorld(t)
			plan := w.manifests(t)
			before := w.look(t)
			o := w.options()
			w.seen(t, o.Services.(*services), func(nth int) error {
				if nth == 3 {
					panic("cut off")
				}
				return nil
			})
			func() {
				defer func() {
					if recover() == nil {
						t.Fatal("it was not cut off")
					}
				}()
				_, _ = Apply(context.Background(), plan, o)
			}()
			o = w.options()
			got := w.seen(t, o.Services.(*services), nil)
			want := []string{"restart kubelet.service: rules new new", "roll-out " + etcd + ": rules new new",
				"roll-out " + apiserver + ": rules new new", "record-in-cluster configmap/n/m: old>new rules new new"}
			var run *Run
			var err error
			if then == "resume" {
				run, err = Resume(t.Context(), o)
			} else {
				want = []string{"roll-out " + apiserver + ": rules new old", "roll-out " + etcd + ": rules old old",
					"restart kubelet.service: none old old"}
				run, err = Rollback(t.Context(), "", o)
				same(t, "afterwards", before, w.look(t))
			}
			if err != nil || run == nil {
				t.Fatalf("%+v, %v", run, err)
			}
			if diff := cmp.Diff(want, *got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Whenever harden is killed, the kubelet finds each manifest whole, old or new, and no file beside them that it would
// read.
func TestTortureManifest(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("needs strace")
	}
	w := newWorld(t)
	w.manifests(t)
	old := w.look(t)
	ps := points(t, w, "roll-out")
	missed := 0
	some := sample(ps, 40)
	begun := false
	for _, p := range some {
		fresh(t, w)
		w.manifests(t)
		if !killed(t, helper(w, "roll-out"), p) {
			missed++
			continue
		}
		if wrong := w.readable(); wrong != "" {
			t.Errorf("killed at %s %d: %s", p.call, p.nth, wrong)
		}
		run, err := Interrupted(w.options())
		must(t, err)
		if run == nil {
			continue
		}
		begun = true
		if _, err := Rollback(t.Context(), "", w.options()); err != nil {
			t.Errorf("killed at %s %d: %v", p.call, p.nth, err)
		}
		same(t, fmt.Sprintf("killed at %s %d and taken back", p.call, p.nth), old, w.look(t))
	}
	t.Logf("killed at %d of %d moments, missed %d", len(some)-missed, len(ps), missed)
	if missed > len(some)/10 || !begun {
		t.Errorf("%d of %d kills came too late: this tortures nothing", missed, len(some))
	}
}

// readable says what is wrong with what the kubelet would read.
func (w world) readable() string {
	entries, err := os.ReadDir(w.path(manifestDir))
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		names = append(names, e.Name())
		p := manifestDir + "/" + e.Name()
		data, err := os.ReadFile(w.path(p))
		if err != nil || string(data) != "old "+p+"\n" && string(data) != "new "+p+"\n" {
			return fmt.Sprintf("%s holds %q, %v", p, data, err)
		}
	}
	if !slices.Equal(names, []string{"etcd.yaml", "kube-apiserver.yaml"}) {
		return fmt.Sprintf("the kubelet would read %q", names)
	}
	return ""
}
