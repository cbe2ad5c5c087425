package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/source"
	"example.com/harden/checks/want"
)

// sources says by which rule a check judges the files that images and containers are made from, by the check's ID.
var sources = map[string]checks.Rule{
	"docker/user":                        source.Both(source.User, source.ComposeUser),
	"docker/trusted-images":              source.Both(source.Pinned, source.ComposeImage),
	"docker/image-healthcheck":           source.Healthcheck,
	"docker/package-index":               source.Update,
	"docker/image-setuid":                source.Setuid,
	"docker/no-add":                      source.Copy,
	"docker/image-secrets":               source.Both(source.Secrets, source.ComposeSecrets),
	"docker/apparmor":                    source.AppArmor,
	"docker/selinux":                     source.SELinux,
	"docker/capabilities":                source.Capabilities,
	"docker/privileged":                  source.Privileged,
	"docker/sensitive-mounts":            source.SensitiveMounts,
	"docker/low-ports":                   source.LowPorts,
	"docker/host-network":                source.HostNetwork,
	"docker/memory":                      source.Memory,
	"docker/cpu":                         source.CPU,
	"docker/read-only":                   source.ReadOnly,
	"docker/bound-ports":                 source.BoundPorts,
	"docker/restart-policy":              source.Restart,
	"docker/host-pid":                    source.HostPID,
	"docker/host-ipc":                    source.HostIPC,
	"docker/devices":                     source.Devices,
	"docker/mount-propagation":           source.Propagation,
	"docker/host-uts":                    source.HostUTS,
	"docker/container-seccomp":           source.Seccomp,
	"docker/container-cgroup-parent":     source.CgroupParent,
	"docker/container-no-new-privileges": source.NoNewPrivileges,
	"docker/container-healthcheck":       source.ComposeHealthcheck,
	"docker/pids":                        source.PIDs,
	"docker/default-bridge":              source.DefaultBridge,
	"docker/host-userns":                 source.HostUsers,
	"docker/socket-mounts":               source.SocketMounts,
}

// decided are the checks of which a container is as its Compose file says, whatever the host and the image are like: one
// that differs is older than its file, and making it again settles it.
var decided = map[string]bool{
	"docker/capabilities": true, "docker/privileged": true, "docker/sensitive-mounts": true, "docker/host-network": true,
	"docker/read-only": true, "docker/bound-ports": true, "docker/host-pid": true, "docker/host-ipc": true, "docker/host-uts": true,
	"docker/mount-propagation": true, "docker/container-no-new-privileges": true,
}

// live are the checks that a container satisfies, or is made to, by what a live update gives it: which limits those are.
var live = map[string]func(want.Limits) want.Limits{
	"docker/memory":         func(l want.Limits) want.Limits { return want.Limits{Memory: l.Memory, MemorySwap: l.MemorySwap} },
	"docker/cpu":            func(l want.Limits) want.Limits { return want.Limits{CPUShares: l.CPUShares} },
	"docker/pids":           func(l want.Limits) want.Limits { return want.Limits{PIDs: l.PIDs} },
	"docker/restart-policy": func(l want.Limits) want.Limits { return want.Limits{Restart: l.Restart} },
}

// withSources gives checks their rules for sources, the fixes that those know for containers that Compose made, and what
// the files in images tell.
func withSources(all []*checks.Check) []*checks.Check {
	for _, c := range all {
		c.Source = sources[c.ID]
		if judge, ok := c.Source.(source.Service); ok {
			c.Rule = inCompose{c.Rule, judge, decided[c.ID], live[c.ID]}
			c.Live = live[c.ID] != nil
		}
		if files, ok := deeper[c.ID]; ok {
			c.Rule = alsoDeep{c.Rule, files}
		}
	}
	return all
}

// inCompose is a rule of containers, and the rule of Compose's services that knows how to settle what it finds.
type inCompose struct {
	rule    checks.Rule
	service source.Service
	decided bool                          // by the file alone
	live    func(want.Limits) want.Limits // of a container's limits those that the rule is about; nil where it is of none
}

// Judge gives a finding that nothing else settles the change of the file that the container was made from.
func (r inCompose) Judge(h *facts.Host) ([]checks.Finding, error) {
	findings, err := r.rule.Judge(h)
	if len(findings) == 0 && r.live == nil {
		return findings, err
	}
	cs, _ := h.Containers()
	bySubject := map[string]*facts.Container{}
	for i := range cs {
		if cs[i].Sourced() {
			bySubject[subject(&cs[i])] = &cs[i]
		}
	}
	if len(bySubject) == 0 {
		return findings, err
	}
	shared := asked(findings, bySubject)
	open := findings[:0]
	for _, f := range findings {
		c := bySubject[f.Subject]
		switch {
		case c == nil:
		case len(f.Wants) == 0:
			var settled bool
			if f, settled = r.settle(h, c, f); settled {
				continue
			}
		case r.live != nil && h.Recreated(c):
			if _, settled := r.settle(h, c, f); settled {
				continue
			}
		case r.live != nil:
			f.Remade = remade(h, c, shared[c.ComposeUnit()])
		}
		open = append(open, f)
	}
	return append(open, r.lost(h, findings, bySubject)...), err
}

// composeFile is the warrant of a Compose file. A container's labels only say where to look: what entitles to it is that
// nobody but root can have written what is there.
func composeFile(h *facts.Host, file string) want.Warrant {
	return want.Warrant{By: h.Vouch(file, want.Root), From: "a container's labels", Kind: want.ComposeFile}
}

// settle reports whether a plan would have made the container again from a file that is as it must be; else it gives the
// finding what makes it so.
func (r inCompose) settle(h *facts.Host, c *facts.Container, f checks.Finding) (checks.Finding, bool) {
	s, doubt := h.ComposeService(c)
	if s == nil {
		if !errors.Is(doubt, facts.ErrNoSource) {
			f.Reason = strings.TrimSpace(fmt.Sprintf("%s (%v)", f.Reason, doubt))
		}
		return f, false
	}
	inFile, err := r.service.One(h, s)
	switch {
	case err != nil:
		return f, false
	case len(inFile) == 0 && h.Recreated(c):
		return f, true
	case len(inFile) == 0 && !r.decided:
		return f, false
	case s.Whole.Unset():
		f.Reason += "; harden does not do it, since the file needs variables that only whoever started it has set"
		return f, false
	}
	project := c.Config.Labels[facts.LabelComposeProject]
	fixed := f
	for _, g := range inFile {
		if len(g.Wants) == 0 {
			return f, false
		}
		for _, w := range g.Wants {
			if w, ok := w.(want.Compose); ok {
				w.Project, w.Warrant = project, composeFile(h, w.File)
				fixed.Wants = append(fixed.Wants, w)
			}
		}
		fixed.Place, fixed.Breaks = g.Place, g.Breaks
	}
	if len(inFile) == 0 { // the file has been put right since the container was made
		fixed.Wants = []want.Want{want.Compose{File: s.File.Path, Service: s.Name, Project: project, Warrant: composeFile(h, s.File.Path)}}
		fixed.Place = s.File.At(s.Line)
	}
	if doubt != nil {
		f.Reason = fmt.Sprintf("%v; harden does not run it as root: %s", doubt, byOwner(project, s.Name, fixed.Wants))
		return f, false
	}
	fixed.Reason = ""
	fixed.Breaks = strings.TrimPrefix(fixed.Breaks+"; the containers of "+s.Name+" are made again", "; ")
	return fixed, false
}

// byOwner says in words what a plan would do to a service, for the owner of a file that is not root's.
func byOwner(project, service string, wants []want.Want) string {
	var steps []string
	for _, w := range wants {
		w, ok := w.(want.Compose)
		if !ok || len(w.Key) == 0 {
			continue
		}
		key := "services." + w.Service + "." + strings.Join(w.Key, ".")
		value, err := json.Marshal(w.Value) // JSON is YAML too
		switch {
		case w.Value == nil:
			steps = append(steps, "remove "+key)
		case err == nil:
			steps = append(steps, fmt.Sprintf("set %s to %s", strings.TrimSuffix(key, ".-"), value))
		}
	}
	steps = append(steps, fmt.Sprintf("run `docker compose -p %s up -d %s`", project, service))
	return "its owner must " + strings.Join(steps, ", then ")
}
