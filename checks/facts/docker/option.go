package docker

import (
	"bytes"
	"encoding/json"
	"strings"

	"example.com/harden/checks/facts"
)

// An Option is what each place that configures dockerd says of one key of daemon.json.
type Option struct {
	Flag    string          // the key as a flag, without dashes
	File    json.RawMessage // in daemon.json; nil where it is not there
	Next    *facts.Flag     // as the daemon would be started next; nil where it is not passed
	Running *facts.Flag     // as the daemon was started; nil where it was not passed, or none runs
}

// Option collects what is said of a key. It does not know defaults, and that dockerd refuses to start when File and
// Next both say something is the caller's to judge.
func (d *Daemon) Option(key string) Option {
	o := Option{Flag: FlagName(key)}
	if d.Keys != nil {
		o.File = d.Keys.Values[key]
	}
	if f, ok := d.Next[o.Flag]; ok {
		o.Next = &f
	}
	if f, ok := d.Running[o.Flag]; ok {
		o.Running = &f
	}
	return o
}

// FlagName is how dockerd's command line spells a key of daemon.json: most alike, lists in the singular.
func FlagName(key string) string {
	switch key {
	case "runtimes":
		return "add-runtime"
	case "insecure-registries":
		return "insecure-registry"
	case "graph":
		return "data-root"
	}
	if singular := strings.TrimSuffix(key, "s"); facts.IsList(singular) {
		return singular
	}
	return key
}

// Settled reports whether what is configured of one key is what the process was started with, so that it needs no
// asking what runs.
func (d *Daemon) Settled(key string) bool {
	if d.Process == nil {
		return true
	}
	read := !d.newer || d.loaded != nil && d.Keys != nil && bytes.Equal(d.loaded.Values[key], d.Keys.Values[key])
	return read && d.Running.Agrees(d.Next, FlagName(key))
}

// loaded returns what the configuration file held as the daemon started: the version that was there before and was
// replaced after, if harden itself replaced it.
func loaded(h *facts.Host, d *Daemon, path string) *Keys {
	if h.Earlier == nil {
		return nil
	}
	for _, v := range h.Earlier(path) {
		if v.Modified.After(d.Process.Started) || !v.Replaced.After(d.Process.Started) {
			continue
		}
		if v.Data == nil {
			return &Keys{}
		}
		if text, _ := decoded(v.Data); len(bytes.TrimSpace(text)) == 0 {
			return &Keys{} // which it has started with
		} else if keys, err := ParseKeys(text); err == nil {
			return keys
		}
		return nil
	}
	return nil
}

// texts reads a list of texts; nil has none.
func texts(raw json.RawMessage) (all []string, err error) {
	if raw != nil {
		err = json.Unmarshal(raw, &all)
	}
	return all, err
}
