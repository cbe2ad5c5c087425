package want

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Key wants a key of a JSON file to hold a value. Key is the path to it from the top of the document. A nil
// Value wants the key gone.
type Key struct {
	File  string
	Key   []string
	Value any
	Warrant
}

// Class: a daemon's key needs a restart unless the daemon re-reads it.
func (w Key) Class() Class {
	if len(w.Key) > 0 && Reloadable[w.Key[0]] {
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

// Text is what it asks for.
func (w Key) Text() string { return setting(strings.Join(w.Key, "."), w.Value, w.File) }

// Claim is the value of the key.
func (w Key) Claim() (place, value string) {
	return w.File + " " + strings.Join(w.Key, "."), fmt.Sprint(w.Value)
}

func (Key) want() {}

// setting is the text of a value that a document is to have, or of one that it is to lose.
func setting(name string, value any, file string) string {
	if value == nil {
		return fmt.Sprintf("take %s out of %s", name, file)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("set %s in %s", name, file)
	}
	return fmt.Sprintf("set %s to %s in %s", name, text, file)
}
