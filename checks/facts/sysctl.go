package facts

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/budget"
)

// A Sysctl is one kernel setting as the next boot makes it, and the file that says so.
type Sysctl struct{ Value, File string }

// Where systemd-sysctl and procps look for settings, what comes first wins. Source: sysctl.d(5).
var sysctlDirs = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d",
	"/lib/sysctl.d"}

// Sysctls returns the kernel settings that files make at boot, by dotted name. Files apply in the order of their names
// whatever the directory; /etc/sysctl.conf, which procps reads and systemd only by a link, comes last.
func (h *Host) Sysctls() (map[string]Sysctl, error) {
	files := map[string]string{}
	for _, dir := range sysctlDirs {
		names, err := h.List(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, n := range names {
			if _, hidden := files[n]; !hidden && strings.HasSuffix(n, ".conf") {
				files[n] = path.Join(dir, n)
			}
		}
	}
	var order []string
	for _, n := range slices.Sorted(maps.Keys(files)) {
		order = append(order, files[n])
	}
	all := map[string]Sysctl{}
	cost := budget.New("sysctl.d", nil)
	for _, p := range append(order, "/etc/sysctl.conf") {
		f, err := FileWithin(h, cost, p)
		if errors.Is(err, fs.ErrNotExist) || f.Path == "/dev/null" {
			continue
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(f.Data)) {
			line = strings.TrimSpace(line)
			name, value, ok := strings.Cut(strings.TrimPrefix(line, "-"), "=")
			if !ok || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
				continue
			}
			name = strings.TrimSpace(name)
			if i := strings.IndexAny(name, "/."); i >= 0 && name[i] == '/' {
				name = strings.NewReplacer("/", ".", ".", "/").Replace(name)
			}
			all[name] = Sysctl{strings.TrimSpace(value), p}
		}
	}
	return all, nil
}
