package docker

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A Daemon is the dockerd of this host, in its three states: as it runs, as its files have it now, and as it would
// run after a restart.
type Daemon struct {
	Process *facts.Process // nil when none runs
	Unseen  bool           // what runs cannot be seen (--root), so that one may run all the same
	Others  []Other        // further daemons of this host, which are not judged
	Flavour string         // "package", "rootless", "snap"
	UID     uint32         // whom it runs as
	// "docker.service", "snap.docker.dockerd.service", OpenRC's "/etc/init.d/docker"; empty where no service starts it
	Unit     string
	Running  facts.Flags    // of the process's argv; nil when none runs
	Next     facts.Flags    // of the argv it would get from its unit; Running where no unit starts it
	File     string         // the daemon.json in use: --config-file, or the flavour's default
	Explicit bool           // whether File was named by --config-file, so that it must exist
	UnitBy   want.Warrant   // what entitles to change how Unit starts it
	By       want.Authority // who chose File: the user of a rootless daemon, else whoever passes --config-file
	KeysBy   want.Authority // whose word File's content is
	RootBy   want.Warrant   // what entitles to change DataRoot
	Keys     *Keys          // nil when the file does not exist
	KeysErr  error          // why File could not be read or parsed, naming line and column
	Changed  time.Time      // when File's content last changed; zero when it does not exist
	DataRoot string         // /var/lib/docker unless said otherwise
	Stale    bool           // File or Next is newer than the process: what runs may differ from what is configured

	dir    string // where relative paths of its next start begin
	newer  bool   // File is
	loaded *Keys  // what File held when the process started, where newer and harden's own journal tells; else nil
}

// openrcRun is the first line of a script that OpenRC runs.
var openrcRun = regexp.MustCompile(`^#!.*/(openrc-run|runscript)\b`)

// The places that tell whether Docker is installed, and how.
const (
	dockerUnit = "docker.service"
	snapUnit   = "snap.docker.dockerd.service"
	sysvScript = "/etc/init.d/docker"
	sysvEnv    = "/etc/default/docker"
)

// DaemonOf returns how dockerd runs and how it would run after a restart. ErrAbsent on a host without Docker.
func DaemonOf(h *facts.Host) (*Daemon, error) { return facts.Once(h, "daemon", facts.Anew, readDaemon) }

func readDaemon(h *facts.Host) (*Daemon, error) {
	engine, engineErr := EngineSays(h)
	if engineErr == nil && !engine.Local {
		return nil, fmt.Errorf("%w: %s", ErrElsewhere, engine.Host)
	}
	p, err := dockerd(h, engine)
	if err != nil {
		return nil, err
	}
	_, unseen := h.AllProcesses("dockerd")
	if p == nil && engineErr == nil && !errors.Is(unseen, facts.ErrAbsent) {
		return nil, fmt.Errorf("%s answers, but no dockerd process can be seen", engine.Host)
	}
	d := &Daemon{Process: p, Flavour: "package", Unseen: errors.Is(unseen, facts.ErrAbsent)}
	if p != nil {
		d.Flavour, d.UID = flavour(p), p.UID
		d.Running = facts.ParseFlags(facts.TokensOf(p))
	}
	if err := startedBy(h, d); err != nil {
		return nil, err
	}
	if p == nil && d.Unit == "" && d.Next == nil {
		if err := withoutSystems(h, d, engineErr); err != nil {
			return nil, err
		}
	}
	if p != nil && h.Restarted(cmp.Or(d.Unit, dockerUnit)) {
		d.Running = d.Next
	}
	d.dir = facts.StartDir(h, d.Unit, d.Process)
	configFile(h, d, engine)
	if err := Unanswered(h); p == nil && err != nil && !names(h, d) {
		return nil, err
	}
	d.DataRoot, d.RootBy = dataRoot(h, d, engine)
	d.Others = others(h, d)
	return d, nil
}

// withoutSystems is for a host on which the system would start no dockerd: it may be a user's own that is there.
func withoutSystems(h *facts.Host, d *Daemon, engineErr error) error {
	users, err := rootlessUsers(h)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return rootlessDaemon(h, d, users[0])
	}
	if present, err := installed(h, engineErr); err != nil || !present {
		return cmp.Or(err, fmt.Errorf("docker: %w", facts.ErrAbsent))
	}
	return nil
}

func flavour(p *facts.Process) string {
	switch {
	case strings.HasPrefix(p.Exe, "/snap/") || strings.HasPrefix(p.Exe, "/var/lib/snapd/snap/") || p.Unit == snapUnit:
		return "snap"
	case p.UID != 0:
		return "rootless"
	}
	return "package"
}

// startedBy finds what starts the daemon and so what Next is. A process that no service has started (by hand, in a
// test) would come back as it is, if at all; a wrapper such as snap run does not tell what it will pass.
func startedBy(h *facts.Host, d *Daemon) error {
	d.Next = d.Running
	switch {
	case d.Process == nil:
		return installedService(h, d)
	case d.Process.Unit != "":
		u, err := startUnit(h, d)
		if errors.Is(err, facts.ErrAbsent) {
			return nil // its unit has been removed, or masked, since
		}
		if err != nil {
			return err
		}
		d.Unit, d.UnitBy = u.Name, u.Entitled()
		for name, f := range d.Running { // who chooses the unit's command has chosen these
			f.By = min(f.By, u.CommandBy)
			d.Running[name] = f
		}
		if startsDockerd(u) {
			d.Next = u.Flags()
		}
		return nil
	}
	return sysv(h, d)
}

// startUnit loads the unit that the process runs in. A rootless daemon's is its user's, in that user's home.
func startUnit(h *facts.Host, d *Daemon) (*facts.Unit, error) {
	if d.Flavour == "rootless" {
		u, err := userUnit(h, d.UID, d.Process.Unit)
		if !errors.Is(err, facts.ErrAbsent) {
			return u, err
		}
	}
	return h.Unit(d.Process.Unit)
}

// userUnit loads a unit as the systemd of a user would.
func userUnit(h *facts.Host, uid uint32, name string) (*facts.Unit, error) {
	home, err := facts.HomeOf(h, uid)
	if err != nil {
		return nil, err
	}
	dirs := append([]string{path.Join(home, ".config/systemd/user")}, facts.UserUnits...)
	return facts.LoadUnit(h, name, append(dirs, path.Join(home, ".local/share/systemd/user")))
}

func startsDockerd(u *facts.Unit) bool {
	if len(u.Argv) == 0 {
		return false
	}
	name := path.Base(u.Argv[0].Text)
	return name == "dockerd" || name == "dockerd-rootless.sh" // which passes its arguments on
}

// installedService looks for what would start a daemon that does not run.
func installedService(h *facts.Host, d *Daemon) error {
	for _, name := range []string{dockerUnit, snapUnit} {
		u, err := h.Unit(name)
		if errors.Is(err, facts.ErrAbsent) {
			continue
		}
		if err != nil {
			return err
		}
		d.Unit, d.UnitBy = name, u.Entitled()
		if name == snapUnit {
			d.Flavour = "snap"
		}
		if startsDockerd(u) {
			d.Next = u.Flags()
		}
		return nil
	}
	return sysv(h, d)
}

// sysv is for hosts without systemd: Debian's /etc/init.d/docker passes the default pid file, which somebody who
// starts a daemon by hand does not, and DOCKER_OPTS.
func sysv(h *facts.Host, d *Daemon) error {
	if _, err := h.Info("/run/systemd/system"); err == nil {
		return nil // the script would have been started as a service
	}
	script, err := h.File(sysvScript)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if first, _, _ := strings.Cut(string(script.Data), "\n"); openrcRun.MatchString(first) {
		return openrc(h, d, script)
	}
	pidfile, _ := d.Running.Last("pidfile")
	if d.Process != nil && pidfile != "/var/run/docker.pid" {
		return nil
	}
	by := h.Vouch(sysvScript, want.Root)
	args := []facts.Token{{Text: "-p", File: sysvScript, By: by}, {Text: "/var/run/docker.pid", File: sysvScript, By: by}}
	f, err := facts.FileWithin(h, budget.New(sysvEnv, nil), sysvEnv)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, a := range facts.ParseEnv(f.Data) {
		if a.Name == "DOCKER_OPTS" {
			args = args[:2]
			by := h.Vouch(sysvEnv, by)
			for _, w := range facts.SplitWords(a.Value, false) {
				args = append(args, facts.Token{Text: w, File: sysvEnv, Variable: a.Name, By: by})
			}
		}
	}
	d.Next = facts.ParseFlags(args)
	return nil
}

// installed reports whether anything of Docker is here though nothing runs or would start it. engineErr is why no
// engine answers: any reason but its absence is a sign of Docker.
func installed(h *facts.Host, engineErr error) (bool, error) {
	if engineErr != nil && !errors.Is(engineErr, facts.ErrAbsent) {
		return true, nil
	}
	for _, p := range []string{"/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd"} {
		if _, err := h.Info(p); err == nil {
			return true, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return false, nil
}

// configFile reads the daemon.json that the next start would read.
func configFile(h *facts.Host, d *Daemon, engine *EngineFacts) {
	d.File, d.Explicit = d.Next.Last("config-file")
	d.File = d.Path(d.File)
	d.By = d.Next["config-file"].By
	if !d.Explicit {
		d.By = d.Word()
		d.File, d.KeysErr = defaultFile(h, d)
		if d.KeysErr != nil {
			return
		}
	}
	f, err := h.File(d.File)
	switch {
	case errors.Is(err, fs.ErrNotExist) && d.Explicit:
		d.KeysErr = fmt.Errorf("%s does not exist, though --config-file names it", d.File)
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		d.KeysErr = err
	default:
		d.KeysBy = h.Vouch(d.File, d.By)
		d.Changed = f.Modified
		if d.Keys, err = parseDaemonKeys(f.Data, engine); err != nil {
			d.KeysErr = fmt.Errorf("%s: %w", d.File, err)
		}
	}
	if d.Process != nil && !h.Restarted(cmp.Or(d.Unit, dockerUnit)) {
		planned := h.Plan().Files[f.Path].Data != nil || h.Plan().Files[d.File].Data != nil
		d.newer = planned || d.Changed.After(d.Process.Started.Add(facts.Tick))
		if d.newer {
			d.loaded = loaded(h, d, cmp.Or(f.Path, d.File))
		}
		d.Stale = d.newer || !d.Running.Equal(d.Next)
	}
}

// Path is a file as the daemon finds it that a flag or a key names.
func (d *Daemon) Path(file string) string {
	if file == "" {
		return ""
	}
	return facts.From(d.dir, file)
}

// Entitled is the warrant of the daemon.json in use.
func (d *Daemon) Entitled() want.Warrant {
	if !d.Explicit {
		return want.Warrant{By: d.By, From: "the default of dockerd"}
	}
	return want.Warrant{By: d.By, From: "--config-file in " + d.Next["config-file"].Origin, Kind: want.DaemonConfig}
}

// Word is the authority of a daemon's own defaults: a rootless one's are its user's.
func (d *Daemon) Word() want.Authority {
	switch {
	case d.Process != nil:
		return d.Process.By
	case d.UID != 0:
		return want.User
	}
	return want.Root
}

func defaultFile(h *facts.Host, d *Daemon) (string, error) {
	switch d.Flavour {
	case "snap":
		return "/var/snap/docker/current/config/daemon.json", nil
	case "rootless":
		home, err := facts.HomeOf(h, d.UID)
		return path.Join(home, ".config/docker/daemon.json"), err
	}
	return "/etc/docker/daemon.json", nil
}

// dataRoot is the top of the daemon's data, without the directory that userns-remap puts below it and that the
// engine names: what is above it wants protection too.
func dataRoot(h *facts.Host, d *Daemon, engine *EngineFacts) (string, want.Warrant) {
	flags := d.Next
	if d.Process != nil {
		flags = d.Running
	}
	if root, ok := flags.Last("data-root"); ok && root != "" {
		f := flags["data-root"]
		return d.Path(root), want.Warrant{By: f.By, From: "--data-root in " + f.Origin, Kind: want.DockerData}
	}
	for _, key := range []string{"data-root", "graph"} {
		var root string
		if json.Unmarshal(d.Option(key).File, &root) == nil && root != "" {
			return d.Path(root), want.Warrant{By: d.KeysBy, From: key + " in " + d.File, Kind: want.DockerData}
		}
	}
	told := ""
	if engine != nil {
		told = remapped.ReplaceAllString(engine.DockerRootDir, "")
	}
	own := want.Warrant{By: d.Word()}
	its := want.Warrant{By: d.Word(), From: "what dockerd says of itself", Kind: want.DockerData}
	if told == defaultRoot {
		its = own
	}
	if told != "" && d.KeysErr != nil {
		return told, its
	}
	switch d.Flavour {
	case "snap":
		return "/var/snap/docker/common/var-lib-docker", own
	case "rootless":
		if home, err := facts.HomeOf(h, d.UID); err == nil {
			return path.Join(home, ".local/share/docker"), own
		}
	}
	if told != "" {
		return told, its
	}
	return defaultRoot, own
}

const defaultRoot = "/var/lib/docker"

// remapped is the directory, named by uid and gid, that userns-remap puts below the data root.
var remapped = regexp.MustCompile(`/[0-9]+\.[0-9]+$`)
