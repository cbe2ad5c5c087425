package facts

// Audit is the host's audit rules, as loaded into the kernel and as the next boot would load them.
type Audit struct {
	Enabled int    // 0 off, 1 on, 2 on and locked until reboot
	Loaded  []Rule // nil, with LoadErr set, when the kernel could not be asked
	LoadErr error
	OnDisk  []Rule // of /etc/audit/rules.d/*.rules, in the order augenrules compiles them
	Locks   bool   // the files on disk end in -e 2
}

// A Rule is one audit rule about a path, parsed.
type Rule struct {
	Text  string // as written
	File  string // where it is written; empty for a loaded rule
	Path  string // of -w, -F path= or -F dir=
	Dir   bool   // covers everything below Path too
	Perms string // subset of "rwxa"; "rwxa" when the rule names none
	Never bool   // its action is never: it silences instead of recording
}
