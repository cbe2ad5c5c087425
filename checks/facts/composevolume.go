package facts

import "strings"

// Bound tells of a volume of the file that is a directory of the host under another name: which one, and the options of
// its mount. ok is false for any other volume.
func (c *Compose) Bound(name string) (device, options string, ok bool) {
	opts := field(field(field(c.top, "volumes"), name), "driver_opts")
	o, d := field(opts, "o"), field(opts, "device")
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
