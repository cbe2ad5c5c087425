// Package remediate turns findings into a plan: for each file to change, the file as it is and the file as it should
// be, and which programs must then use it. Making a plan writes nothing.
//
// This is the second half of a tour that follows one check, docker/icc, from its literal to the written file. The first
// half is the documentation of package checks: it ends with a finding, and the finding's want.
//
// # The draft
//
// [Propose] sorts the wants by file. Two wants that disagree are both left to a person. For each file an editor of
// package edit makes the new content: it finds the place in the text, replaces the bytes there, parses the result and
// compares it with what was intended. Comments, order and indentation stay. The result is one [Change] per file, with
// the file before and after. A want in daemon.json also asks for an [Activation]: icc needs a restart of
// docker.service.
//
// # The rehearsal
//
// The draft is applied to a copy of the host's facts, and the checks judge the copy. A fix that does not resolve its
// finding is left, with the reason. So the plan of a repaired host is empty. Policy.Precheck refuses what would break
// this host, and Policy.Validate checks the new content as the program that reads it would.
//
// # The plan
//
// A [Plan] is complete: apply does this and nothing else. Each change has a class; what the policy does not allow is
// Held, with the flag that would allow it. icc has the class behaviour, so it is held unless it is named. A plan can be
// saved; `harden apply` makes it again and refuses if anything differs.
//
// # The diff
//
// Package diff shows a change as a unified diff with secrets hidden. Its header has the SHA-256 of the whole file
// before and after, so the diff is the change.
//
// # The written file
//
// Package apply writes the plan to a journal in the state directory, with each file before and after, and syncs it to
// disk. Then it replaces each file with one rename, refusing a file that is no longer as the plan found it. Package
// activate restarts docker.service once and watches that the same containers run on a healthy daemon. The checks judge
// the host again. If anything fails, the run is rolled back; `harden rollback` does the same later, to the byte.
//
// The example below does all of this to a Dockerfile, which needs neither root nor Docker.
package remediate
