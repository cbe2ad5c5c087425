package docker

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"strings"

	"example.com/harden/checks/facts"
)

// PluginDirs are where dockerd looks for plugins that run by themselves. Source: moby pkg/plugins/discovery.go.
var PluginDirs = []string{"/run/docker/plugins", "/etc/docker/plugins", "/usr/lib/docker/plugins"}

// Plugin reports whether dockerd would find a plugin of that name: one that runs by itself, or an enabled one that
// dockerd manages. dockerd ends itself 16 seconds after it was told to use one that it cannot find.
func Plugin(h *facts.Host, d *Daemon, name string) (bool, error) {
	candidates := []string{path.Join(PluginDirs[0], name+".sock"), path.Join(PluginDirs[0], name, name+".sock")}
	for _, dir := range PluginDirs[1:] {
		for _, ext := range []string{".spec", ".json"} {
			candidates = append(candidates, path.Join(dir, name+ext), path.Join(dir, name, name+ext))
		}
	}
	for _, c := range candidates {
		if _, err := h.Info(c); err == nil {
			return true, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return managed(h, d, name)
}

// managed looks for an enabled plugin that dockerd itself runs; its name has a tag, latest unless it says so.
func managed(h *facts.Host, d *Daemon, name string) (bool, error) {
	dir := path.Join(d.DataRoot, "plugins")
	ids, err := h.List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if !strings.Contains(path.Base(name), ":") {
		name += ":latest"
	}
	for _, id := range ids {
		f, err := h.File(path.Join(dir, id, "config.json"))
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
