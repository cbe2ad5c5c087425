package apply

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// LoadedRule is what differs of a file of audit rules where the kernel no longer has one of them.
const LoadedRule = "loaded rule"

// rules compares the audit rules of the files that the runs have left with those that the kernel has loaded.
func (c *Comparison) rules(live Live, left []legacy, runs []*txn, o Options) {
	for _, l := range left {
		if l.content == nil || !l.after.Exists || !isRules(l.path()) || !l.loaded(runs, o) {
			continue
		}
		audit, err := live.Audit()
		if err == nil {
			err = audit.LoadErr
		}
		if err != nil {
			c.unknown(l.path(), l.run.ID, "the kernel's audit rules: "+err.Error())
			continue
		}
		for _, r := range audit.OnDisk {
			if r.File == l.path() && facts.Covered(audit.OnDisk, r.Path, r.Dir) && !facts.Covered(audit.Loaded, r.Path, r.Dir) {
				c.also(l, Difference{LoadedRule, r.Text, "not loaded"})
			}
		}
	}
}

func isRules(p string) bool {
	return path.Ext(p) == ".rules" && (path.Dir(p) == "/etc/audit/rules.d" || path.Dir(p) == "/etc/audit")
}

// loaded reports whether the rules of a file should be in the kernel: a run has loaded them, or a boot has.
func (l *legacy) loaded(runs []*txn, o Options) bool {
	if o.Root != "/" {
		return false
	}
	for _, t := range runs {
		as, _ := t.activations()
		done := slices.ContainsFunc(as, func(a Activated) bool { return a.Kind == remediate.LoadAudit && a.State == Done })
		if t.Seq >= l.content.Seq && done {
			return true
		}
	}
	return l.content.Boot != o.sys.boot
}

// also adds a difference to what is known of a file.
func (c *Comparison) also(l legacy, x Difference) {
	byPath := func(d Drift, p string) int { return strings.Compare(d.Change.Path, p) }
	i, found := slices.BinarySearchFunc(c.Drifts, l.path(), byPath)
	if !found {
		c.Drifts = slices.Insert(c.Drifts, i, Drift{Run: l.run.ID, Change: remediate.Change{Path: l.path()}})
	}
	c.Drifts[i].Differences = append(c.Drifts[i].Differences, x)
}

// A ContainerDrift is one container that does not have any more what harden has given it.
type ContainerDrift struct {
	Run         string           // the last that changed it
	Update      remediate.Update // from what that left to what it has now, the same where it is gone
	Missing     bool             // it is gone, and no other has its name
	Differences []Difference     // never empty
}

// A given is one container as runs have left it.
type given struct {
	ContainerChange
	run *txn // the last that changed it
}

// updatesOf merges what the runs have given to containers. A container with the ID or the name of an earlier one takes
// its place.
func updatesOf(runs []*txn) []given {
	var all []given
	for _, t := range runs {
		for i, u := range t.Updates {
			if !t.updating(i) {
				continue
			}
			all = slices.DeleteFunc(all, func(g given) bool {
				same := g.ID == u.ID && g.run.engine().Same(t.engine())
				if same {
					u.After = g.After.With(u.After)
				}
				return same || g.Name == u.Name && g.run.engine().Same(t.engine())
			})
			all = append(all, given{u, t})
		}
	}
	slices.SortFunc(all, func(a, b given) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all
}

// containers compares what the runs have given to containers with what those have.
func (c *Comparison) containers(live Live, runs []*txn) {
	left := updatesOf(runs)
	if c.Containers = len(left); c.Containers == 0 {
		return
	}
	engine, err := live.Engine()
	var all []docker.Container
	if err == nil {
		all, err = live.Containers()
	}
	byID, byName := map[string]*docker.Container{}, map[string]*docker.Container{}
	for i := range all {
		byID[all[i].ID], byName[all[i].ShortName()] = &all[i], &all[i]
	}
	for _, g := range left {
		now := byID[g.ID]
		switch {
		case engine == nil:
			c.unknown(g.String(), g.run.ID, "the Docker Engine: "+err.Error())
		case engine.Identity().Hides(g.run.engine()):
			c.unknown(g.String(), g.run.ID, "dockerd keeps its data in "+engine.DockerRootDir+" now and does not see it")
		case !engine.Identity().Same(g.run.engine()):
			c.unknown(g.String(), g.run.ID, "it belongs to another Docker Engine; use --docker-host")
		case now == nil && err != nil:
			c.unknown(g.String(), g.run.ID, err.Error())
		default:
			if d := g.compare(now, byName[g.Name], docker.Shares(engine.Info)); d != nil {
				c.Updated = append(c.Updated, *d)
			}
		}
	}
}

// compare returns nil when the container is as it was left. Now is nil where it is gone; named is the one of its name.
func (g given) compare(now, named *docker.Container, shares int64) *ContainerDrift {
	d := &ContainerDrift{Run: g.run.ID, Update: remediate.Update{ID: g.ID, Name: g.Name, Before: g.After, After: g.After}}
	switch {
	case now == nil && named == nil:
		d.Missing = true
		d.Differences = []Difference{{"existence", "there", "gone"}}
		return d
	case now == nil:
		d.Differences = []Difference{{"container", facts.ShortID(g.ID), "recreated as " + facts.ShortID(named.ID)}}
		now = named
	}
	d.Update.After = now.Limits(shares).Of(g.After)
	d.Differences = append(d.Differences, limitsDiffer(g.After, d.Update.After)...)
	if len(d.Differences) == 0 {
		return nil
	}
	return d
}

// limitsDiffer names limits as `docker update` does.
func limitsDiffer(was, now want.Limits) (all []Difference) {
	add := func(what string, was, now any) {
		if was != now {
			all = append(all, Difference{what, fmt.Sprint(was), fmt.Sprint(now)})
		}
	}
	add("memory", was.Memory, now.Memory)
	add("memory-swap", was.MemorySwap, now.MemorySwap)
	add("cpu-shares", was.CPUShares, now.CPUShares)
	add("pids-limit", was.PIDs, now.PIDs)
	add("restart", was.Restart, now.Restart)
	return all
}
