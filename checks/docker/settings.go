package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
)

func isRootless(h *facts.Host) ([]checks.Finding, error) {
	e, err := engine(h)
	if err != nil {
		return nil, err
	}
	if _, ok := option(e, "rootless", ""); ok {
		return nil, nil
	}
	return nil, fmt.Errorf("%w: dockerd runs as root; dockerd-rootless-setuptool.sh sets up another one that does not, "+
		"with images, volumes and a socket of its own", checks.ErrManual)
}

func noDefaultBridge(h *facts.Host) string {
	d, err := rule.Dockerd(h)
	if err != nil {
		return ""
	}
	if b, err := rule.Daemon("bridge", rule.Default("")).Next(d); err == nil && b.Value == "none" {
		return "dockerd makes no default bridge (" + b.String() + ")"
	}
	return ""
}

func bridgeICC(h *facts.Host, _ *facts.EngineFacts) (bool, bool) {
	n, err := h.Network("bridge")
	if err != nil {
		return false, false
	}
	icc, err := strconv.ParseBool(n.Options["com.docker.network.bridge.enable_icc"])
	return icc, err == nil
}

func onDefaultBridge(h *facts.Host) string {
	containers, err := h.Containers()
	if err != nil {
		return ""
	}
	var names []string
	for _, c := range containers {
		if c.NetworkSettings.Networks["bridge"] != nil {
			names = append(names, clip(c.ShortName()))
		}
	}
	if len(names) < 2 {
		return ""
	}
	return "on the default bridge now, and soon unable to reach each other: " + some(names)
}

// insecureRegistries leaves out the loopback networks that dockerd adds by itself: up to 29.9 always, from 29.10 on where no
// list is configured.
func insecureRegistries(h *facts.Host, e *facts.EngineFacts) ([]string, bool) {
	if e.RegistryConfig == nil {
		return nil, false
	}
	added := !e.AtLeast(29, 10)
	if d, err := rule.Dockerd(h); err == nil && !added {
		o := d.Option("insecure-registries")
		added = (o.File == nil || string(o.File) == "null") && o.Running == nil && o.Next == nil
	}
	var found []string
	for _, cidr := range e.RegistryConfig.InsecureRegistryCIDRs {
		if p, err := netip.ParsePrefix(cidr.String()); err != nil || !added || !p.Addr().IsLoopback() {
			found = append(found, cidr.String())
		}
	}
	for name, index := range e.RegistryConfig.IndexConfigs {
		if index != nil && !index.Secure {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found, true
}

// storageDriver is the rule that the engine uses any other one. What is configured tells little: dockerd picks the
// driver that it finds data of.
func storageDriver(bad string) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		e, err := engine(h)
		if err != nil || e.Driver != bad {
			return nil, err
		}
		return []checks.Finding{{Subject: "daemon storage-driver", Got: e.Driver + " in the running daemon", Must: "other than " + bad}}, nil
	})
}

func noDevicemapper(h *facts.Host) string {
	if e, err := engine(h); err == nil && e.Driver != "devicemapper" {
		return "the storage driver is " + e.Driver
	}
	return ""
}

// ulimits are dockerd's default-ulimits.
type ulimits map[string]*container.Ulimit

// FromFlags reads NAME=SOFT[:HARD], as --default-ulimit takes it.
func (u *ulimits) FromFlags(values []string) error {
	*u = ulimits{}
	for _, v := range values {
		name, limits, ok := strings.Cut(v, "=")
		soft, hard, both := strings.Cut(limits, ":")
		if !both {
			hard = soft
		}
		s, errSoft := strconv.ParseInt(soft, 10, 64)
		x, errHard := strconv.ParseInt(hard, 10, 64)
		if !ok || errSoft != nil || errHard != nil {
			return fmt.Errorf("%q is no NAME=SOFT:HARD", v)
		}
		(*u)[name] = &container.Ulimit{Name: name, Soft: s, Hard: x}
	}
	return nil
}

func (u ulimits) String() string {
	if len(u) == 0 {
		return "unset"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(u)) {
		all = append(all, fmt.Sprintf("%s=%d:%d", name, u[name].Soft, u[name].Hard))
	}
	return strings.Join(all, ", ")
}

// limited requires limits that limit: -1 stands for none.
var limited = be.Cond[ulimits]{
	Text: "set, and none of them unlimited",
	Holds: func(u ulimits) bool {
		for _, l := range u {
			if l == nil || l.Hard < 0 {
				return false
			}
		}
		return len(u) > 0
	},
	Nearest: func(u ulimits) (ulimits, bool) { return u, false },
}

func chosenUlimits(h *facts.Host) (ulimits, error) {
	if len(h.Choices.DefaultUlimits) == 0 {
		return nil, rule.ErrNotChosen
	}
	u := ulimits{}
	for name, l := range h.Choices.DefaultUlimits {
		u[name] = &container.Ulimit{Name: name, Soft: l[0], Hard: l[1]}
	}
	if !limited.Holds(u) {
		return nil, fmt.Errorf("the limits chosen in harden's configuration do not limit: %s", u)
	}
	return u, nil
}

// remapped passes where dockerd itself is in a user namespace already.
func remapped(h *facts.Host) ([]checks.Finding, error) {
	e, err := h.Engine()
	if err == nil {
		if _, ok := option(e, "rootless", ""); ok {
			return nil, nil
		}
	}
	if rootless(h) != "" {
		return nil, nil
	}
	return rule.Daemon("userns-remap", rule.Default("")).Told(userns).Breaks(hidden).Must(be.Some("default")).Judge(h)
}

func userns(_ *facts.Host, e *facts.EngineFacts) (string, bool) {
	if _, ok := option(e, "userns", ""); ok {
		return "on", true
	}
	return "", true
}

// hidden tells what userns-remap would hide, and which containers would not start with it.
func hidden(h *facts.Host) string {
	e, err := h.Engine()
	if err != nil {
		return ""
	}
	text := fmt.Sprintf("%d images and %d containers are hidden", e.Images, e.Info.Containers)
	if slices.ContainsFunc(e.DriverStatus, snapshotter) {
		text += "; the containerd image store in use does not go with it"
	}
	containers, _ := h.Containers()
	var refused []string
	for _, c := range containers {
		if c.HostConfig.NeedsHostUsers() {
			refused = append(refused, clip(c.ShortName()))
		}
	}
	if len(refused) > 0 {
		text += "; privileged or in the host's namespaces, so refused without --userns=host: " + some(refused)
	}
	return text
}

// pluginDirs is where dockerd looks for a plugin's socket or description. Source: moby pkg/plugins/discovery_unix.go.
var pluginDirs = map[string][]string{
	"/run/docker/plugins":     {".sock"},
	"/etc/docker/plugins":     {".spec", ".json"},
	"/usr/lib/docker/plugins": {".spec", ".json"},
}

// chosenPlugins asks for no plugin that cannot be found: dockerd ends 16 seconds after it was told to use it.
func chosenPlugins(h *facts.Host) ([]string, error) {
	if len(h.Choices.AuthorizationPlugins) == 0 {
		return nil, rule.ErrNotChosen
	}
	for _, p := range h.Choices.AuthorizationPlugins {
		if !installedPlugin(h, p) {
			return nil, fmt.Errorf("install and start the plugin %s first: dockerd ends itself when it cannot find it", p)
		}
	}
	return h.Choices.AuthorizationPlugins, nil
}

func installedPlugin(h *facts.Host, plugin string) bool {
	for dir, extensions := range pluginDirs {
		for _, e := range extensions {
			for _, p := range []string{path.Join(dir, plugin+e), path.Join(dir, plugin, plugin+e)} {
				if _, err := h.Info(p); err == nil {
					return true
				}
			}
		}
	}
	return false
}

// onHost are the log drivers whose logs stay on the host. The journal can be forwarded by itself, so that it is good
// where the site has chosen it.
var onHost = []string{"json-file", "local", "none", "journald"}

func remoteLogs(h *facts.Host) ([]checks.Finding, error) {
	bad := onHost
	if h.Choices.LogDriver == "journald" {
		bad = onHost[:3]
	}
	choose := func(h *facts.Host) (string, error) {
		switch d := h.Choices.LogDriver; {
		case d == "":
			return "", rule.ErrNotChosen
		case slices.Contains(bad, d):
			return "", fmt.Errorf("the log driver chosen in harden's configuration, %s, keeps logs on this host", d)
		default:
			return d, nil
		}
	}
	opts := func(h *facts.Host, d *facts.Daemon) map[string]any {
		switch {
		case len(h.Choices.LogOpts) > 0:
			return map[string]any{"log-opts": h.Choices.LogOpts}
		case d.Option("log-opts").File != nil: // another driver's options keep dockerd from starting
			return map[string]any{"log-opts": nil}
		}
		return nil
	}
	told := func(_ *facts.Host, e *facts.EngineFacts) (string, bool) {
		return e.LoggingDriver, e.LoggingDriver != ""
	}
	return rule.Daemon("log-driver", rule.Default("json-file")).Told(told).Choose(choose).Also(opts).Must(be.Other(bad...)).Judge(h)
}

// noNewPrivileges is told by newer engines alone, and only where it is on.
func noNewPrivileges(_ *facts.Host, e *facts.EngineFacts) (bool, bool) {
	_, ok := option(e, "no-new-privileges", "")
	return ok, ok
}

// inSwarm finds a node of a swarm even while dockerd does not run, since it would not start with live-restore.
func inSwarm(h *facts.Host) string {
	const conflict = "dockerd does not start with both live-restore and Swarm: "
	if h.Choices.Swarm {
		return conflict + "this site has chosen Swarm"
	}
	e, err := h.Engine()
	if err == nil && e.Swarm.LocalNodeState != "" && e.Swarm.LocalNodeState != "inactive" {
		return conflict + "this node's Swarm state is " + string(e.Swarm.LocalNodeState)
	}
	d, daemonErr := rule.Dockerd(h)
	if err == nil || daemonErr != nil {
		return ""
	}
	if i, err := h.Info(path.Join(d.DataRoot, "swarm/docker-state.json")); err == nil && i.Size > 0 {
		return conflict + i.Path + " makes this host a node of one"
	}
	return ""
}

// seccompProfile is the name of the profile; Docker's own is called default before version 23 and builtin since.
func seccompProfile(_ *facts.Host, e *facts.EngineFacts) (string, bool) {
	profile, ok := option(e, "seccomp", "profile")
	if profile == "default" || profile == "builtin" {
		profile = ""
	}
	return profile, ok
}

var confined = be.Cond[string]{
	Text:    "Docker's own profile, or a stricter one",
	Holds:   func(profile string) bool { return profile != "unconfined" },
	Nearest: func(string) (string, bool) { return "", true },
}

func seccompAtAll(h *facts.Host) ([]checks.Finding, error) {
	e, err := engine(h)
	if err != nil {
		return nil, err
	}
	if _, ok := option(e, "seccomp", ""); ok {
		return nil, nil
	}
	return []checks.Finding{{
		Subject: "engine seccomp", Got: "not supported", Must: "supported",
		Reason: "boot a kernel with CONFIG_SECCOMP_FILTER, and use a dockerd that was built with seccomp",
	}}, nil
}

// customProfile judges what a machine can see of a site's own profile, the one that runs and the one that is configured: one
// that allows what it does not name is none.
func customProfile(h *facts.Host) ([]checks.Finding, error) {
	e, err := engine(h)
	var files []string
	if err == nil {
		file, _ := seccompProfile(h, e)
		files = append(files, file)
	}
	if d, err := rule.Dockerd(h); err == nil {
		if next, err := rule.Daemon("seccomp-profile", rule.Default("")).Next(d); err == nil {
			files = append(files, next.Value)
		}
	}
	var findings []checks.Finding
	slices.Sort(files)
	for _, file := range slices.Compact(files) {
		if !path.IsAbs(file) {
			continue
		}
		bad, errFile := ownProfile(h, file)
		findings = append(findings, bad...)
		if errFile != nil && (err == nil || errors.Is(err, checks.ErrManual)) {
			err = errFile
		}
	}
	return findings, err
}

func ownProfile(h *facts.Host, file string) ([]checks.Finding, error) {
	f, err := h.File(file)
	if err != nil {
		return nil, err
	}
	var p profile
	if err := json.Unmarshal(f.Data, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	switch p.DefaultAction {
	case "":
		return nil, errors.New(file + ": no defaultAction")
	case "SCMP_ACT_ALLOW", "SCMP_ACT_LOG":
		return []checks.Finding{{
			Subject: file, Got: "defaultAction " + p.DefaultAction, Must: "a defaultAction that denies",
			Reason: "deny by default and name the calls that are allowed, as Docker's own profile does",
		}}, nil
	}
	return nil, fmt.Errorf("%w: read the site's own profile, %s", checks.ErrManual, file)
}

// A profile is what a seccomp profile says of system calls.
type profile struct {
	DefaultAction string `json:"defaultAction"`
	Syscalls      []struct {
		Name   string
		Names  []string
		Action string
	}
}

// allowsAll reports whether a seccomp profile denies nothing at all, so that it is none.
func (p profile) allowsAll() bool {
	allows := func(action string) bool { return action == "SCMP_ACT_ALLOW" || action == "SCMP_ACT_LOG" }
	if !allows(p.DefaultAction) {
		return false
	}
	for _, s := range p.Syscalls {
		if !allows(s.Action) && (s.Name != "" || len(s.Names) > 0) {
			return false
		}
	}
	return true
}

// open reports whether a profile, in JSON, is known to deny nothing.
func open(data []byte) bool {
	var p profile
	return json.Unmarshal(data, &p) == nil && p.allowsAll()
}
