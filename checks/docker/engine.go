package docker

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/docker/go-units"

	"example.com/harden/checks"
	"example.com/harden/checks/archive"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/want"
)

// errAsleep says that what only a running dockerd tells is not known.
var errAsleep = errors.New("dockerd is not running")

// engine returns what the Docker Engine says of itself. Where Docker is installed but does not run, that is not
// known, and no reason to call a check not applicable.
func engine(h *facts.Host) (*docker.EngineFacts, error) {
	e, err := docker.EngineSays(h)
	if !errors.Is(err, facts.ErrAbsent) {
		return e, err
	}
	d, err := rule.Dockerd(h)
	switch {
	case err != nil:
		return nil, err
	case d.Unseen:
		return nil, errors.New("not checked: --root reads files only")
	}
	return nil, errAsleep
}

// unless judges by r unless reason says why the check does not apply.
func unless(reason func(*facts.Host) string, r checks.Rule) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		if why := reason(h); why != "" {
			return nil, rule.Inapplicable("%s", why)
		}
		return r.Judge(h)
	})
}

// some lists names in a sentence, the first few of many.
func some(names []string) string {
	const most = 8
	slices.Sort(names)
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// clip shortens what others have chosen.
func clip(s string) string { return facts.Clip(s) }

func size(n int64) string {
	return units.CustomSize("%.4g %s", float64(n), 1024, []string{"B", "KiB", "MiB", "GiB", "TiB"})
}

// containers returns every container, whatever its state. Where there is none nothing is to be judged; where some could
// not be looked at, the others come with the error.
func containers(h *facts.Host) ([]docker.Container, error) {
	if _, err := engine(h); err != nil {
		return nil, err
	}
	cs, err := docker.Containers(h)
	if len(cs) == 0 && err == nil {
		return nil, rule.Inapplicable("no containers")
	}
	return cs, err
}

// each judges every container by itself.
func each(judge func(*facts.Host, *docker.Container) []checks.Finding) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		cs, err := containers(h)
		var findings []checks.Finding
		for i := range cs {
			more := ofContainer(&cs[i], judge(h, &cs[i])...)
			if len(findings)+len(more) > cap(findings) { // append's own growth copies five times as much
				findings = slices.Grow(findings, len(findings)+len(more))
			}
			findings = append(findings, more...)
		}
		return findings, err
	})
}

// subject names a container, and its state where it does not run.
func subject(c *docker.Container) string {
	s := "container " + clip(c.ShortName())
	if !c.State.Running {
		s += " (" + clip(cmp.Or(c.State.Status, "of unknown state")) + ")"
	}
	return s
}

// found is one finding of a container; options says what to make it with instead.
func found(c *docker.Container, got, must, options string) []checks.Finding {
	return ofContainer(c, checks.Finding{Subject: subject(c), Got: got, Must: must, Reason: again(c, options)})
}

// again says how a person changes what only making the container again changes.
func again(c *docker.Container, options string) string {
	l := c.Config.Labels
	if s := l[docker.LabelSwarmService]; s != "" {
		return "a Swarm service manages it, " + clip(cmp.Or(l[docker.LabelSwarmName], s)) +
			": update the service, with " + options
	}
	if p := l[docker.LabelComposeProject]; p != "" {
		return "service " + clip(l[docker.LabelComposeService]) + " of the Compose project " + clip(p) +
			" manages it: set there what `docker run` calls " + options + "; then `docker compose up -d`"
	}
	return "recreate it with " + options
}

// imagesOf returns every image. Where there is none nothing is to be judged.
func imagesOf(h *facts.Host) ([]docker.Image, error) {
	if _, err := engine(h); err != nil {
		return nil, err
	}
	all, err := docker.Images(h)
	if len(all) == 0 && err == nil {
		return nil, rule.Inapplicable("no images")
	}
	return all, err
}

// eachImage judges every image by itself; an empty got means that it is good.
func eachImage(judge func(*docker.Image) (got, must string)) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		all, err := imagesOf(h)
		var findings []checks.Finding
		for i := range all {
			if got, must := judge(&all[i]); got != "" {
				findings = append(findings, ofImage(&all[i], got, must))
			}
		}
		return findings, err
	})
}

func imageSubject(i *docker.Image) string { return "image " + clip(i.ShortName()) }

// alsoDeep is a rule, and another one that is asked where --deep is.
type alsoDeep struct{ rule, files checks.Rule }

// Judge adds up what both say. What the files decide no person has to look for.
func (r alsoDeep) Judge(h *facts.Host) ([]checks.Finding, error) {
	findings, err := r.rule.Judge(h)
	if h.Deep == nil || errors.Is(err, facts.ErrAbsent) {
		return findings, err
	}
	more, errFiles := r.files.Judge(h)
	if errFiles != nil && (err == nil || errors.Is(err, checks.ErrManual)) {
		err = errFiles
	}
	return append(findings, more...), err
}

// eachContents judges the files of every image; an empty got means that they are good.
func eachContents(judge func(*docker.Image, *archive.Contents) (got, must string)) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		all, err := imagesOf(h)
		if err == nil && h.Deep == nil {
			return nil, fmt.Errorf("%w: %w", checks.ErrManual, docker.ErrShallow)
		}
		var findings []checks.Finding
		for i := range all {
			c, errRead := docker.Contents(h, all[i].ID)
			switch {
			case errors.Is(errRead, facts.ErrAbsent): // it is gone
			case errRead != nil:
				err = errors.Join(err, fmt.Errorf("%s: %w", imageSubject(&all[i]), errRead))
			default:
				if got, must := judge(&all[i], c); got != "" {
					findings = append(findings, ofImage(&all[i], got, must))
				}
			}
		}
		return findings, err
	})
}

// noHealthcheck says why there is no health check that could fail; empty where there is one.
func noHealthcheck(check *struct{ Test []string }) string {
	if check == nil || len(check.Test) == 0 || check.Test[0] == "" {
		return "without a health check"
	}
	if check.Test[0] == "NONE" {
		return "its health check is switched off"
	}
	command := strings.Join(strings.Fields(strings.Join(check.Test[1:], " ")), " ")
	if slices.Contains([]string{"", "true", "exit 0", "/bin/true", ":"}, command) {
		return "its health check always succeeds"
	}
	return ""
}

func snapshotter(s [2]string) bool {
	return s[0] == "driver-type" && strings.HasPrefix(s[1], "io.containerd.snapshotter")
}

// containerdStore reports whether containerd keeps the Engine's images.
func containerdStore(h *facts.Host) bool {
	e, err := docker.EngineSays(h)
	return err == nil && slices.ContainsFunc(e.DriverStatus, snapshotter)
}

var rootRoot = be.Equal("root:root")

// ownedByRoot is for the files of dockerd itself: a rootless one reads its user's own, which root need not own.
func ownedByRoot(paths rule.Paths) checks.Rule {
	return unless(rootlessDaemon, rule.Owner(paths).Must(rootRoot))
}

func rootlessDaemon(h *facts.Host) string {
	d, err := rule.Dockerd(h)
	if err == nil && d.Flavour == "rootless" {
		return fmt.Sprintf("dockerd is rootless, so its files belong to uid %d", d.UID)
	}
	return ""
}

// serviceUnit is the unit that starts dockerd and everything that overrides parts of it.
func serviceUnit(h *facts.Host) ([]facts.Place, error) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	if d.OpenRC() {
		return nil, rule.Inapplicable("OpenRC starts dockerd, by %s", d.Unit)
	}
	return unitFiles(h, rule.Service(d))
}

func unitFiles(h *facts.Host, name string) ([]facts.Place, error) {
	u, err := h.Unit(name)
	if err != nil {
		return nil, err
	}
	return u.Files(), nil
}

// daemonJSON is the configuration file in use.
func daemonJSON(h *facts.Host) ([]facts.Place, error) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	if d.File == "" {
		return nil, d.KeysErr
	}
	return rule.Named(d.Entitled(), d.File), nil
}

// Where containerd keeps its sockets and state: by itself, and when dockerd supervises it.
var (
	containerdDirs    = rule.At("/run/containerd", "/run/docker/containerd")
	containerdSockets = rule.At("/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock")
)

var hosts = rule.Daemon("hosts", []string(nil))

// apiSockets is the unix sockets that dockerd serves its API on.
func apiSockets(h *facts.Host) ([]facts.Place, error) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	addresses, err := hosts.Next(d)
	w := want.Warrant{By: addresses.By, From: "the addresses that dockerd listens at", Kind: want.Socket}
	var paths []facts.Place
	for _, a := range addresses.Value {
		switch p, unix := strings.CutPrefix(a, "unix://"); {
		case unix:
			paths = append(paths, rule.Named(w, cmp.Or(p, "/run/docker.sock"))...)
		case strings.HasPrefix(a, "fd://"):
			for _, s := range streams(h) {
				if path.IsAbs(s.Path) {
					paths = append(paths, s)
				}
			}
		}
	}
	if len(addresses.Value) == 0 && d.Flavour == "rootless" {
		w.By = d.Word()
		paths = append(paths, rule.Named(w, fmt.Sprintf("/run/user/%d/docker.sock", d.UID))...)
	} else if len(addresses.Value) == 0 {
		paths = append(paths, rule.Known("/run/docker.sock")...)
	}
	return paths, err
}

// streams is what docker.socket listens on.
func streams(h *facts.Host) []facts.Place {
	u, err := h.Unit("docker.socket")
	if err != nil {
		return nil
	}
	var all []facts.Place
	for _, s := range u.All("Socket", "ListenStream") {
		w := want.Warrant{By: s.By, From: "ListenStream= in " + s.File, Kind: want.Socket}
		all = append(all, rule.Named(w, strings.NewReplacer("%t", "/run").Replace(s.Value))...)
	}
	return all
}

// activated reports whether systemd opens the API's socket, so that docker.socket says whose it is.
func activated(h *facts.Host) (*facts.Unit, bool) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, false
	}
	addresses, _ := hosts.Next(d)
	for _, a := range addresses.Value {
		if strings.HasPrefix(a, "fd://") {
			u, err := h.Unit("docker.socket")
			return u, err == nil
		}
	}
	return nil, false
}
