package activate

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"strings"
)

func (p *precheck) plugins(s setting) {
	for _, name := range s.list() {
		found, err := p.plugin(name)
		if err != nil {
			p.refuse(s.checks, "authorization plugin %q: %v", name, err)
		} else if !found {
			p.refuse(s.checks, "authorization plugin %q is in none of %s and not installed as a managed plugin; dockerd ends "+
				"16 seconds after it has been told to use it", name, strings.Join(pluginDirs, ", "))
		}
	}
}

// pluginDirs are where dockerd looks for plugins that run by themselves. Source: moby pkg/plugins/discovery.go.
var pluginDirs = []string{"/run/docker/plugins", "/etc/docker/plugins", "/usr/lib/docker/plugins"}

func (p *precheck) plugin(name string) (bool, error) {
	candidates := []string{path.Join(pluginDirs[0], name+".sock"), path.Join(pluginDirs[0], name, name+".sock")}
	for _, dir := range pluginDirs[1:] {
		for _, ext := range []string{".spec", ".json"} {
			candidates = append(candidates, path.Join(dir, name+ext), path.Join(dir, name, name+ext))
		}
	}
	for _, c := range candidates {
		if _, err := p.host.Info(c); err == nil {
			return true, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return p.managed(name)
}

// managed looks for an enabled plugin that the daemon itself runs; its name has a tag, latest unless it says so.
func (p *precheck) managed(name string) (bool, error) {
	dir := path.Join(p.daemon.DataRoot, "plugins")
	ids, err := p.host.List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if !strings.Contains(path.Base(name), ":") {
		name += ":latest"
	}
	for _, id := range ids {
		f, err := p.host.File(path.Join(dir, id, "config.json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var stored struct {
			Plugin struct {
				Name    string
				Enabled bool
			}
		}
		if err != nil || json.Unmarshal(f.Data, &stored) != nil {
			continue
		}
		if stored.Plugin.Name == name && stored.Plugin.Enabled {
			return true, nil
		}
	}
	return false, nil
}
