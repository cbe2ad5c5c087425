package source

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bound tells of a volume of the file that is a directory of the host under another name: which one, and the options of
// its mount. ok is false for any other volume.
func (c *Compose) Bound(name string) (device, options string, ok bool) {
	for _, f := range c.Files() {
		for _, d := range slices.Backward(f.docs) {
			if device, options, ok = f.bound(d.top, name); ok {
				return device, options, true
			}
		}
	}
	return "", "", false
}

// Shared tells of a secret or config, by its section and name, which file of the host it is, and the Compose file that
// says so, from which relative paths start; of is nil for any other.
func (c *Compose) Shared(section, name string) (file string, of *Compose, err error) {
	for _, f := range c.Files() {
		for _, d := range slices.Backward(f.docs) {
			if n := FieldOf(FieldOf(FieldOf(d.top, section), name), "file"); n != nil {
				file, err = f.text(n)
				return file, f, err
			}
		}
	}
	return "", nil, nil
}

func (c *Compose) bound(top *yaml.Node, name string) (device, options string, ok bool) {
	opts := FieldOf(FieldOf(FieldOf(top, "volumes"), name), "driver_opts")
	o, d := FieldOf(opts, "o"), FieldOf(opts, "device")
	if o == nil || d == nil {
		return "", "", false
	}
	options, errOptions := c.text(o)
	device, errDevice := c.text(d)
	bind := false
	for word := range strings.SplitSeq(options, ",") {
		bind = bind || word == "bind" || word == "rbind"
	}
	return device, options, bind && errOptions == nil && errDevice == nil
}
