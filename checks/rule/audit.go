package rule

import (
	"errors"
	"fmt"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// Audited is the rule that the kernel records writes to, and attribute changes of, each of paths: now, by a loaded
// rule, and after the next boot, by a rule on disk. A directory must be covered with all that is below it. What
// counts is where a path really is, since the kernel watches that and not a link to it.
func Audited(paths Paths) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		off := false
		findings, err := Each(h, paths, func(place facts.Place, i facts.Info) ([]checks.Finding, error) {
			a, err := h.Audit()
			if errors.Is(err, facts.ErrAbsent) {
				return []checks.Finding{{Subject: place.Path, Got: "not recorded: this host has no audit system",
					Must:   recorded,
					Reason: "install and start auditd (the package is auditd or audit), then run harden again"}}, nil
			}
			if err != nil {
				return nil, err
			}
			off = a.LoadErr == nil && a.Enabled == 0
			return unrecorded(h, a, place, i)
		})
		if off {
			findings = append(findings, checks.Finding{Subject: "kernel auditing", Got: "switched off", Must: "on",
				Reason: "start auditd (`systemctl enable --now auditd`) or run `auditctl -e 1`"})
		}
		return findings, err
	})
}

const recorded = "recorded on write and attribute change"

func unrecorded(h *facts.Host, a *facts.Audit, place facts.Place, i facts.Info) ([]checks.Finding, error) {
	dir := i.Type.IsDir()
	disk, loaded := facts.Covered(a.OnDisk, i.Path, dir), facts.Covered(a.Loaded, i.Path, dir)
	unasked := a.LoadErr
	if errors.Is(unasked, facts.ErrAbsent) && offline(h) {
		unasked, loaded = nil, disk // nothing runs: what is on disk is all there is
	}
	f := checks.Finding{Subject: place.Path, Must: recorded,
		Wants: []want.Want{want.AuditRule{Path: i.Path, Dir: dir, Warrant: place.Warrant}}}
	switch {
	case disk && loaded:
		return nil, nil
	case disk && errors.Is(unasked, facts.ErrAbsent):
		f.Got, f.Wants, unasked = "on disk there is a rule, but the kernel has no audit system", nil, nil
		f.Reason = "boot a kernel with auditing (CONFIG_AUDIT, and no audit=0 on its command line)"
	case disk && unasked != nil:
		return nil, unasked
	case disk && a.Enabled == 2:
		f.Pending, f.Wants = true, nil
		f.Got = "recorded from the next boot on: the loaded rules are locked until then"
		f.Reason = "reboot this host"
	case disk:
		f.Pending = true
		f.Got = "recorded by a rule on disk that is not loaded"
	case strings.HasPrefix(i.Locked, facts.ByLink):
		f.Got, f.Wants = "not recorded", nil
		f.Reason = fmt.Sprintf("no rule is added for %s: %s; name the file itself, or give the link and the "+
			"directory it is in to root", i.Path, i.Locked)
	case loaded:
		f.Got = "recorded only until the next boot: no rule on disk says so"
	default:
		f.Got = "not recorded"
	}
	return []checks.Finding{f}, unasked
}

// offline reports whether the host is only a file system that is mounted somewhere.
func offline(h *facts.Host) bool {
	_, err := h.Processes("dockerd")
	return errors.Is(err, facts.ErrAbsent)
}
