package schedule

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"example.com/harden/remediate"
)

// sandbox is what neither service needs. Each line is one that the real services were tried with: see scripts/vm.
const sandbox = `UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
`

// What a run by the clock may use. An audit of 10,000 containers stays below 150 MiB. An apply also starts
// docker-compose, augenrules and the like, whose memory and threads count for the service. Under cron each process has
// the limit for itself.
const (
	auditMemory = 512  // MiB
	applyMemory = 1024 // MiB
	maxTasks    = 256
)

// auditService may read everything and write its own state and metrics. It needs to look into dockerd's /proc, to ask
// the kernel for its audit rules, and to write metrics into a directory that is the node exporter's user's.
func (s *Spec) auditService() string {
	var b strings.Builder
	s.head(&b, "Audit this host against the CIS benchmarks", "", 30*time.Minute, auditMemory)
	b.WriteString(sandbox)
	b.WriteString("SystemCallFilter=~@privileged @resources\nRestrictSUIDSGID=yes\n")
	fmt.Fprintf(&b, "CapabilityBoundingSet=CAP_AUDIT_CONTROL CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_SYS_PTRACE\n")
	s.tail(&b, nil)
	return b.String()
}

// applyService may write the state, the metrics, and the directories that its plan named when it was installed: a later
// plan that would write elsewhere is left to a person. What it needs beside depends on what may have to be activated.
func (s *Spec) applyService() string {
	var b strings.Builder
	s.head(&b, "Harden this host as far as its configuration allows", "--apply", time.Hour, applyMemory)
	b.WriteString(sandbox)
	caps := []string{"CAP_AUDIT_CONTROL", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER",
		"CAP_FSETID", "CAP_SETFCAP", "CAP_SYS_PTRACE"}
	writable := slices.Clone(s.Apply.Writable)
	for _, k := range s.Apply.Kinds {
		switch k {
		case remediate.LoadAudit:
			writable = append(writable, "/etc/audit") // augenrules writes audit.rules there
		case remediate.Reload:
			caps = append(caps, "CAP_KILL") // SIGHUP to a dockerd that is not systemd's
		case remediate.Restart:
			writable = append(writable, "/run/systemd/system") // what keeps containers alive over the restart
		}
	}
	fmt.Fprintf(&b, "CapabilityBoundingSet=%s\n", strings.Join(distinct(caps), " "))
	s.tail(&b, distinct(writable))
	return b.String()
}

func (s *Spec) head(b *strings.Builder, title, arg string, limit time.Duration, memory int) {
	var args []string
	if arg != "" {
		args = append(args, arg)
	}
	fmt.Fprintf(b, `%s
[Unit]
Description=%s
After=docker.service containerd.service

[Service]
Type=oneshot
ExecStart=%s
# 2 says that there are findings, which is no failure of the audit.
SuccessExitStatus=2
TimeoutStartSec=%d
Nice=10
MemoryMax=%dM
TasksMax=%d
`, s.top(), title, s.command(args...), int(limit.Seconds()), memory, maxTasks)
}

func (s *Spec) tail(b *strings.Builder, writable []string) {
	families := "AF_UNIX AF_NETLINK"
	if s.Network {
		families += " AF_INET AF_INET6"
	} else {
		b.WriteString("IPAddressDeny=any\n")
	}
	fmt.Fprintf(b, "RestrictAddressFamilies=%s\n", families)
	if s.packaged {
		fmt.Fprintf(b, "StateDirectory=%s\nStateDirectoryMode=0700\n", path.Base(s.State))
		fmt.Fprintf(b, "ReadWritePaths=-%s\n", path.Dir(s.Metrics))
	} else {
		// The state directory is there: the journal of installing this is in it. Others may come and go.
		fmt.Fprintf(b, "ReadWritePaths=%s -%s\n", s.State, path.Dir(s.Metrics))
	}
	// What is mounted below the root may stay writable with ProtectSystem=strict: systemd 252 leaves /run so.
	if !slices.Contains(writable, "/run") {
		b.WriteString("ReadOnlyPaths=/run\n")
	}
	for _, w := range writable {
		fmt.Fprintf(b, "ReadWritePaths=-%s\n", w)
	}
}

func distinct(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

func (s *Spec) timerUnit(title string, t Timing) string {
	text := fmt.Sprintf(`%s
[Unit]
Description=%s

[Timer]
OnCalendar=%s
RandomizedDelaySec=%d
Persistent=yes
`, s.top(), title, t.Calendar, int(t.Delay.Seconds()))
	if s.packaged {
		text += "\n[Install]\nWantedBy=timers.target\n"
	}
	return text
}

// top is the comment that a unit begins with.
func (s *Spec) top() string {
	if s.packaged {
		return "# Part of harden's package; settings of your own belong into a drop-in (systemctl edit)."
	}
	return mark + "\n# It is written as a whole; settings of your own belong into a drop-in."
}

// Packaged returns the units that a package brings, by their names: an audit every day, which runs once somebody has
// enabled the timer. `harden schedule install` writes units of the same names to /etc, which take their place.
func Packaged(program, state string) map[string]string {
	s := &Spec{Program: program, State: state, Metrics: DefaultMetrics, packaged: true,
		Audit: Timing{Calendar: "daily", Delay: time.Hour}}
	return map[string]string{AuditTimer: s.timerUnit(auditTitle, s.Audit),
		strings.TrimSuffix(AuditTimer, ".timer") + ".service": s.auditService()}
}

func wanted(timer string) string {
	return fmt.Sprintf("%s\n# It has the timer started at boot.\n[Unit]\nWants=%s\n", mark, timer)
}
