package schedule

import (
	"fmt"
	"hash/fnv"
	"strings"

	"example.com/harden/checks/facts"
)

// spread is a number that differs from host to host and stays the same on each: cron knows no delay by chance.
func spread(h *facts.Host) uint32 {
	sum := fnv.New32a()
	for _, p := range []string{"/etc/machine-id", "/etc/hostname"} {
		if f, err := h.File(p); err == nil && len(f.Data) > 0 {
			sum.Write(f.Data)
			break
		}
	}
	return sum.Sum32()
}

// fields are the five of crontab(5). A word is put off by what spread makes of the delay, up to a day.
func (t Timing) fields(spread uint32) (string, error) {
	within := uint32(min(max(t.Delay.Minutes(), 1), 24*60))
	minute, hour := spread%within%60, spread%within/60
	switch t.Calendar {
	case "hourly":
		return fmt.Sprintf("%d * * * *", minute), nil
	case "daily":
		return fmt.Sprintf("%d %d * * *", minute, hour), nil
	case "weekly":
		return fmt.Sprintf("%d %d * * 1", minute, hour), nil
	case "monthly":
		return fmt.Sprintf("%d %d 1 * *", minute, hour), nil
	}
	f := strings.Fields(t.Calendar)
	if len(f) != 5 || strings.ContainsAny(t.Calendar, ":.~+@_") {
		return "", fmt.Errorf("%q: cron accepts hourly, daily, weekly, monthly, or five fields such as \"30 4 * * 1\"",
			t.Calendar)
	}
	return strings.Join(f, " "), nil
}

// limited is what the shell does first: it limits the memory that a process can write to (RLIMIT_DATA, which dash, bash
// and busybox know as -d). A limit of addresses (-v) says nothing of a Go program, which reserves a gigabyte and uses
// little.
func limited(memory int) string { return fmt.Sprintf("ulimit -d %d && ", memory<<10) }

// crontab is a file for /etc/cron.d. What a run prints is mailed to root, and that is only what has changed.
func (s *Spec) crontab(spread uint32) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nSHELL=/bin/sh\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n", mark)
	when, _ := s.Audit.fields(spread) // check has seen that they are right
	fmt.Fprintf(&b, "%s root %s%s\n", when, limited(auditMemory), s.command())
	if s.Apply != nil {
		when, _ = s.Apply.fields(spread)
		fmt.Fprintf(&b, "%s root %s%s\n", when, limited(applyMemory), s.command("--apply"))
	}
	return b.String()
}
