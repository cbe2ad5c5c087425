package apply

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/remediate"
)

// A Comparison is of a host with what the applied runs have left.
type Comparison struct {
	Runs        int              // how many runs there are to compare with
	Files       int              // how many files those have left
	Containers  int              // how many containers those have changed in place
	Unconfirmed string           // the run among them that nobody has confirmed yet; empty when there is none
	Drifts      []Drift          // sorted by path
	Updated     []ContainerDrift // sorted by name
	Settled     []Settled        // what is still to be judged, sorted by check
	Timers      []Settled        // units whose timers the runs have set going; Check is empty
	Records     []Recorded       // what the cluster keeps for the runs
	Unknown     []Unknown        // what could not be compared
}

// A Drift is one file that is not any more as harden has left it.
type Drift struct {
	Run     string           // the last that wrote it
	Change  remediate.Change // from what that left to what is there now; without content where that is not at hand
	Missing bool
	// Replaced tells that harden has set nothing but the attributes of the file, and somebody has replaced its content.
	Replaced    bool
	Differences []Difference // never empty
}

// A Difference is one thing that differs. The two sides are for people: "0644", "root:root", a hash; empty where there
// is nothing to show, as with the values of extended attributes.
type Difference struct {
	// of a file "existence", "type", "content", "mode", "owner", "xattr NAME", LoadedRule, InForce or DropIn; of a
	// container "existence", "container" or a limit as `docker update` names it; else "verdict", "state" or "content"
	What string `json:"what"`
	Was  string `json:"was"`
	Now  string `json:"now"`
}

// A Settled is a check that was verified at the end of a run, or a timer that the run has set going.
type Settled struct {
	Check, Unit string
	Run         string
	DockerHost  string // where the Docker Engine was that it was judged with; empty for the host's own
	Waiting     bool   // it was not verified, since it waited for an activation
	Rebooted    bool   // and the host has booted since, which is an activation
}

// A Recorded is what a run has had the cluster keep.
type Recorded struct {
	Run    string
	Record remediate.Record
}

// An Unknown is something that could not be compared, and why.
type Unknown struct{ Subject, Run, Reason string }

// Live tells what runs on a host now.
type Live interface {
	Engine() (*docker.EngineFacts, error)
	Containers() ([]docker.Container, error)
	Audit() (*facts.Audit, error)
	Unit(name string) (*facts.Unit, error)
}

// LiveOn tells it of a host.
func LiveOn(h *facts.Host) Live { return liveHost{h} }

type liveHost struct{ *facts.Host }

func (h liveHost) Engine() (*docker.EngineFacts, error)    { return docker.EngineSays(h.Host) }
func (h liveHost) Containers() ([]docker.Container, error) { return docker.Containers(h.Host) }

// Drifted compares what the applied runs have left of Options.Root with what is there now: files, the audit rules of
// those that the kernel has loaded, and containers. The newest run's word on each counts; a file that does not outlive
// a boot is compared only in the boot of its run. The checks that the runs have settled are for the caller to judge
// again. What could not be compared is in Unknown; ErrInterrupted tells that there is a run of which nobody knows how
// far it got. Drifted writes nothing, and the Comparison is empty without a state directory.
func Drifted(live Live, o Options) (Comparison, error) {
	var c Comparison
	_, s, o, err := reading(o)
	if s == nil || err != nil {
		return c, err
	}
	defer s.close()
	u, err := s.unconfirmed()
	if err != nil {
		return c, err
	}
	runs, err := s.applied(o.Root)
	if err != nil {
		return c, err
	}
	tree, err := o.openTree()
	if err != nil {
		return c, err
	}
	defer tree.close()
	if u != nil && string(u.Root) == o.Root {
		c.Unconfirmed = u.ID
	}
	c.Runs, c.Settled, c.Timers = len(runs), settled(runs, o), timers(runs)
	c.Records = records(runs)
	left := files(runs)
	for _, l := range left {
		if !l.made {
			c.Files++
		}
		d, err := l.compare(tree)
		switch {
		case err != nil:
			c.unknown(l.path(), l.run.ID, err.Error())
		case d != nil:
			c.Drifts = append(c.Drifts, *d)
		}
		if err == nil && l.unrecorded(tree) && (d == nil || !d.Missing) {
			c.unknown(l.path(), l.run.ID, "content unknown to this run, which set mode and owner only: it was not recorded")
		}
	}
	c.units(live, left)
	c.rules(live, left, runs, o)
	c.containers(live, runs)
	return c, nil
}

func (c *Comparison) unknown(subject, run, reason string) {
	c.Unknown = append(c.Unknown, Unknown{subject, run, reason})
}

// applied returns the runs below root that are in force, oldest first.
func (s *store) applied(root string) ([]*txn, error) {
	t, err := current(s)
	if err != nil {
		return nil, err
	}
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	var all []*txn
	for _, id := range ids {
		t, err := optional(readTxn(s, s.run(id)))
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	if t != nil {
		if outcome, _ := t.outcome(); outcome == CutShort {
			return nil, fmt.Errorf("run %s: %w: finish it or roll it back before you check for drift",
				t.ID, ErrInterrupted)
		}
		all = append(all, t) // decided, and not put away yet
	}
	all = slices.DeleteFunc(all, func(t *txn) bool {
		if t == nil || string(t.Root) != root {
			return true
		}
		outcome, _ := t.outcome()
		return outcome != Applied
	})
	slices.SortStableFunc(all, func(a, b *txn) int { return a.Seq - b.Seq })
	return all, nil
}

// settled returns the checks that the runs have settled, each as the newest run that did has left it.
func settled(runs []*txn, o Options) []Settled {
	type key struct{ id, engine string }
	all := map[key]Settled{}
	for _, t := range runs {
		for _, id := range t.Checks {
			all[key{id, t.DockerHost}] = Settled{Check: id, Run: t.ID, DockerHost: t.DockerHost}
		}
		for _, id := range t.Waiting {
			all[key{id, t.DockerHost}] = Settled{Check: id, Run: t.ID, DockerHost: t.DockerHost, Waiting: true,
				Rebooted: o.Root == "/" && t.Boot != o.sys.boot}
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b Settled) int {
		return cmp.Or(strings.Compare(a.Check, b.Check), strings.Compare(a.DockerHost, b.DockerHost))
	})
}

// timers returns the timers that the runs have set going.
func timers(runs []*txn) []Settled {
	byUnit := map[string]Settled{}
	for _, t := range runs {
		as, _ := t.activations()
		for _, a := range as {
			if a.Kind == remediate.SetTimer && a.State == Done {
				byUnit[a.Unit] = Settled{Unit: a.Unit, Run: t.ID}
			}
		}
	}
	return slices.SortedFunc(maps.Values(byUnit), func(a, b Settled) int { return strings.Compare(a.Unit, b.Unit) })
}

// records returns what the runs have had the cluster keep, of each ConfigMap's key the newest.
func records(runs []*txn) []Recorded {
	byKey := map[string]Recorded{}
	for _, t := range runs {
		as, _ := t.activations()
		for _, a := range as {
			if a.Kind == remediate.RecordInCluster && a.State == Done && a.Record != nil {
				byKey[a.Record.String()+" "+a.Record.Key] = Recorded{t.ID, *a.Record}
			}
		}
	}
	return slices.SortedFunc(maps.Values(byKey), func(a, b Recorded) int {
		return strings.Compare(a.Record.String(), b.Record.String())
	})
}
