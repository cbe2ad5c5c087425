// Package want describes, as plain data, how a host should differ from how it is. A want says nothing about how
// to get there: that is remediate's work.
package want

import (
	"fmt"
	"io/fs"
	"strings"
)

// A Class says what a change may disturb. Classes are ordered: a later one disturbs more.
type Class int

// The classes, from the least disturbing to the most.
const (
	None      Class = iota // attributes and files that nothing needs to re-read
	Reload                 // a daemon re-reads it in place: SIGHUP, augenrules, a live container update
	Restart                // a daemon restarts once; with live-restore the containers survive
	Workload               // containers or pods must be recreated, or a control-plane pod restarts
	Behaviour              // people notice: pulls refused, images hidden, traffic cut
)

// Classes lists the classes in order.
var Classes = []Class{None, Reload, Restart, Workload, Behaviour}

var classNames = []string{"none", "reload", "restart", "workload", "behaviour"}

func (c Class) String() string { return classNames[c] }

// MarshalText writes the class's name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the class's name; any other text is an error that lists the names.
func (c *Class) UnmarshalText(text []byte) error {
	for i, n := range classNames {
		if n == string(text) {
			*c = Class(i)
			return nil
		}
	}
	return fmt.Errorf("no disruption class is called %q (there are %s)", text, strings.Join(classNames, ", "))
}

// A Want is one desired fact. The set is closed; remediate handles every member.
type Want interface {
	// Class is the least that bringing the want about disturbs.
	Class() Class
	// Entitled returns what entitles harden to the file that the want is about.
	Entitled() Warrant
	want()
}

// A Key wants a key of a JSON file to hold a value. Key is the path to it from the top of the document. A nil
// Value wants the key gone.
type Key struct {
	File  string
	Key   []string
	Value any
	Warrant
}

// A Flag wants a command-line flag of a service to hold a value, or to be gone. Name has no dashes. A flag whose value
// is a list keeps what Add and Drop do not name; Value is then what it comes to by itself. File and Variable say where
// it is written; systemd's own services tell that themselves.
type Flag struct {
	Unit, Name, Value string
	Add, Drop         []string
	Gone              bool
	File, Variable    string
	Warrant
}

// A Field wants a field of a YAML document to hold a value, and the service Unit to take it up by a restart. Field is
// the path to it from the top of the document. A nil Value wants the field gone.
type Field struct {
	File  string
	Field []string
	Value any
	Unit  string // "kubelet.service"
	Warrant
}

// A PodFlag wants a flag of a static pod's container, in the pod's manifest. Name has no dashes. A flag whose value is
// a list keeps what Add and Drop do not name; any other gets Value, or goes.
type PodFlag struct {
	Manifest  string // where the manifest really is
	Container string // the component, as its container is called
	Program   string // what runs in it where its name does not tell: "kube-apiserver"
	Name      string
	Value     string
	Add, Drop []string // tokens of a comma-separated list
	Gone      bool
	Mounts    []Mount // what the container must see for the value to make sense
	Warrant
}

// A Mount is a path of the node that a static pod must see at the same place.
type Mount struct {
	Path     string
	Type     string // hostPath type: "File", "FileOrCreate", "DirectoryOrCreate"
	ReadOnly bool
}

// A Content wants a file that does not exist yet to be there with these bytes. What is there already is left alone.
type Content struct {
	File string
	Data string
	Mode fs.FileMode
	// Owner is "user:group", by number or name; empty for root.
	Owner string
	Warrant
}

// A Setting wants a systemd unit to hold Section.Key=Value, by a drop-in of ours.
type Setting struct {
	Unit, Section, Key, Value string
	Warrant
}

// A Mode wants a file to have exactly these twelve permission bits.
type Mode struct {
	File string
	Mode fs.FileMode
	Warrant
}

// An Owner wants a file to belong to a user and group, as "user:group".
type Owner struct {
	File, Owner string
	Warrant
}

// An AuditRule wants the kernel to record writes to, and attribute changes of, a path: Path itself, or with Dir
// all that is below it too. Both the rule on disk and the rule as loaded are wanted.
type AuditRule struct {
	Path string
	Dir  bool
	Warrant
}

// An Env wants an environment file to assign a value to a variable, and the service Unit, where it names one, to take
// it up by a restart.
type Env struct {
	File, Name, Value string
	Unit              string
	Warrant
}

// A Service wants a running service to take up the configuration that it already has on disk: nothing to write,
// only something to activate.
type Service struct {
	Unit   string
	Key    string // what has not been taken up yet
	Reload bool   // in place, by the service's own reload; otherwise by a restart
}

// An Instruction wants the instruction that begins on a line of a Dockerfile to be another one with the same arguments.
type Instruction struct {
	File     string
	Line     int    // from 1
	From, To string // "ADD", "COPY"
	Warrant
}

// A Compose wants a service of a Compose file to have a value, and its containers, where they run, to be made again
// with it.
type Compose struct {
	File    string
	Service string
	Key     []string // below the service: "read_only"; "security_opt", "-" is a new last element, "ports", "0" the first
	Was     string   // what the element of a list is now, where Key ends with its index: others may have moved it by then
	Value   any      // a string, bool, int, or a slice or map of those; nil wants it gone
	Project string   // whose containers are to be made again; empty where nothing runs
	People  bool     // who uses the service notices more than that it restarts
	Warrant
}

// Class: the containers are made again.
func (w Compose) Class() Class {
	if w.People {
		return Behaviour
	}
	return Workload
}

// Class: a daemon's key needs a restart unless the daemon re-reads it.
func (w Key) Class() Class {
	if len(w.Key) > 0 && Reloadable[w.Key[0]] {
		return Reload
	}
	return Restart
}

// Class: a control plane's pod restarts. While a lone etcd does, the API does not answer; how many there are is not on
// the node to read for certain.
func (w PodFlag) Class() Class {
	if w.Runs() == "etcd" {
		return Behaviour
	}
	return Workload
}

// Class: a service that is to take it up restarts.
func (w Env) Class() Class {
	if w.Unit != "" {
		return Restart
	}
	return None
}

// Runs is the program whose flag it is.
func (w PodFlag) Runs() string {
	if w.Program == "" {
		return w.Container
	}
	return w.Program
}

func (Flag) Class() Class      { return Restart }
func (Field) Class() Class     { return Restart }
func (Content) Class() Class   { return None }
func (Setting) Class() Class   { return None }
func (Mode) Class() Class      { return None }
func (Owner) Class() Class     { return None }
func (AuditRule) Class() Class { return Reload }

// Class: nobody notices before the next build.
func (Instruction) Class() Class { return None }
func (w Service) Class() Class {
	if w.Reload {
		return Reload
	}
	return Restart
}

// Reloadable lists the keys of daemon.json that dockerd takes up on SIGHUP and that a check can want.
// Source: moby daemon/reload.go.
var Reloadable = map[string]bool{
	"live-restore": true, "insecure-registries": true, "debug": true, "labels": true, "authorization-plugins": true,
	"registry-mirrors": true, "features": true, "shutdown-timeout": true, "default-runtime": true, "runtimes": true,
}

// Entitled: there is no path to it.
func (Service) Entitled() Warrant { return Mine }

func (Key) want()         {}
func (Flag) want()        {}
func (Field) want()       {}
func (PodFlag) want()     {}
func (Content) want()     {}
func (Setting) want()     {}
func (Mode) want()        {}
func (Owner) want()       {}
func (AuditRule) want()   {}
func (Env) want()         {}
func (Service) want()     {}
func (Instruction) want() {}
func (Compose) want()     {}
