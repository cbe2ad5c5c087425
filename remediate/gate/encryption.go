package gate

import (
	"errors"
	"fmt"
	"strings"

	"example.com/harden/checks/budget"
)

// An encryption is an EncryptionConfiguration, as far as who can read what whom wrote depends on it.
type encryption struct {
	Kind      string
	Resources []struct {
		Resources []string
		Providers []map[string]struct {
			Name string
			Keys []struct{ Name, Secret string }
		}
	}
}

// A keyring is what one entry of it writes with, and all that it reads.
type keyring struct {
	writer  string
	readers map[string]bool
}

// rings are the keyrings by the resources that they are for.
func (e encryption) rings() map[string]keyring {
	all := map[string]keyring{}
	for _, r := range e.Resources {
		ring := keyring{readers: map[string]bool{}}
		for _, p := range r.Providers {
			for kind, provider := range p {
				ids := []string{kind + " " + provider.Name} // identity, or a kms by its name
				if len(provider.Keys) > 0 {
					ids = nil
				}
				for _, k := range provider.Keys {
					ids = append(ids, kind+" "+k.Name+" "+k.Secret)
				}
				if ring.writer == "" {
					ring.writer = ids[0]
				}
				for _, id := range ids {
					ring.readers[id] = true
				}
			}
		}
		all[strings.Join(r.Resources, ",")] = ring
	}
	return all
}

const identity = "identity "

var plain = keyring{identity, map[string]bool{identity: true}}

// validateEncryption keeps each way between two configurations open: what one writes with, the other can read. So a key
// is first only read with, on all nodes, before anything is written with it, and taking a run back loses no Secret.
// Before is nil where there was none, which is to write in the clear.
func validateEncryption(before, after []byte) error {
	var was, is encryption
	if budget.Unmarshal(after, &is) != nil || len(before) > 0 && budget.Unmarshal(before, &was) != nil {
		return errors.New("it cannot be read as an EncryptionConfiguration") // the parser's error may quote a key
	}
	old, new := was.rings(), is.rings()
	for resources, ring := range new {
		other, ok := old[resources]
		if !ok {
			other = plain
		}
		if !other.readers[ring.writer] {
			return fmt.Errorf("%s would be written with a key that the previous configuration cannot read, on this node when "+
				"this run is rolled back, and on other nodes until they have it: "+
				"add the key after identity first, and make it the first provider in a second step", resources)
		}
	}
	for resources, ring := range old {
		other, ok := new[resources]
		if !ok {
			other = plain
		}
		if !other.readers[ring.writer] {
			return fmt.Errorf("%s is written with a key that the new configuration could not read", resources)
		}
	}
	return nil
}
