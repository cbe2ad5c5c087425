// Package checks says what must hold on a hardened host, and finds where a host differs. It reads; it cannot write.
//
// This is the first half of a tour that follows one check, docker/icc, from its literal to the written file. The second
// half is the documentation of package remediate.
//
// # The literal
//
// A check is a value. Its literal is in the file of its subject, checks/docker/network.go:
//
//	var icc = &checks.Check{
//		ID:      "docker/icc",
//		Items:   cis.Docker("2.1", "2.2", "2.2", "2.2"),
//		Title:   "containers on the default bridge cannot reach one another",
//		Why:     "one compromised container can scan and attack every neighbour on docker0",
//		Class:   want.Behaviour,
//		Threats: []stride.ID{stride.DockerNetworkTampering},
//		Level:   1,
//		Rule:    rule.Daemon("icc", true).Must(be.False),
//	}
//
// The list, the explanation, the catalogue's page and the threat model are derived from it. Beside it, package severity
// has a line for each check, which says how much it matters and why, in one table, so that all of them are chosen
// alike; package mapping has the numbers of other frameworks. A test refuses a check that lacks a reason, a threat, a
// number or a severity.
//
// # The facts
//
// A rule asks a [facts.Host]. The host reads each fact when a check first asks for it, keeps it, and keeps its error
// too, so all checks see the same machine. A [facts.Host] itself knows the machine: files, processes, units, audit
// rules. What is known of a platform is a function of it, such as [docker.DaemonOf], that reads by [facts.Once] and
// states there what becomes of the fact after a plan. rule.Daemon asks for the setting in three places: what dockerd's
// configuration says on disk, what the running dockerd was started with, and what it says itself. A [facts.Source] is
// where the bytes come from: this machine (facts/live), a directory (--root), or a recording (package fixtures).
//
// # The finding
//
// The condition be.False judges the value and knows the nearest value that holds, so the verdict and the fix come from
// one declaration. If icc is true, the rule returns a [Finding]: the subject, what is there, what must be, and a
// [want.Want] in plain data, here want.Key{File: "/etc/docker/daemon.json", Key: ["icc"], Value: false}. The want names
// the file that the effective value comes from: a flag in a unit is changed in the unit.
//
// [Run] turns findings into a [Result]. No finding is Pass; an error is NotApplicable, Manual or Unknown, and never a
// pass. A check that panics makes its own result Unknown and no other.
//
// # The test
//
// Recorded hosts in fixtures/ test every check: each must fail on one and pass on another. The example below judges one
// of them.
package checks
