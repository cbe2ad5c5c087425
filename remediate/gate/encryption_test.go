package gate

import (
	"strings"
	"testing"

	"example.com/harden/checks/facts"
	"example.com/harden/remediate"
)

func TestEncryption(t *testing.T) {
	config := func(providers ...string) string {
		return "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: " +
			"[secrets]\n  providers:\n  - " + strings.Join(providers, "\n  - ") + "\n"
	}
	const (
		identity = "identity: {}"
		key1     = "aescbc: {keys: [{name: key1, secret: c2VjcmV0MQ==}]}"
		key2     = "aescbc: {keys: [{name: key2, secret: c2VjcmV0Mg==}, {name: key1, secret: c2VjcmV0MQ==}]}"
		both     = "aescbc: {keys: [{name: key1, secret: c2VjcmV0MQ==}, {name: key2, secret: c2VjcmV0Mg==}]}"
		kms      = "kms: {apiVersion: v2, name: vault, endpoint: 'unix:///x'}"
	)
	const first = "secrets would be written with a key that the previous configuration cannot read"
	const lost = "secrets is written with a key that the new configuration could not read"
	for _, tt := range []struct{ name, before, after, want string }{
		{"first phase", "", config(identity, key1), ""},
		{"a key at once", "", config(key1, identity), first},
		{"second phase", config(identity, key1), config(key1, identity), ""},
		{"back to the first", config(key1, identity), config(identity, key1), ""},
		{"a key is lost", config(key1, identity), config(identity), lost},
		{"identity is lost", config(identity, key1), config(key1), lost},
		{"another key at once", config(key1, identity), config(key2, identity), first},
		{"another key behind", config(key1, identity), config(both, identity), ""},
		{"and before", config(both, identity), config(key2, identity), ""},
		{"a kms behind", config(identity, key1), config(identity, kms, key1), ""},
		{"a kms at once", config(identity, key1), config(kms, identity), first},
		{"no longer for secrets", config(key1, identity),
			"apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources: []\n", lost},
		{"something unknown", "", config("aescdc: {keys: []}"), "there is no field resources[0].providers[0].aescdc"},
	} {
		c := remediate.Change{Path: "/e.yaml", Created: tt.before == "", Before: facts.File{},
			After: facts.File{Data: []byte(tt.after)}}
		if tt.before != "" {
			c.Before.Data = []byte(tt.before)
		}
		t.Log(tt.name)
		err := validateKubernetes(c)
		mentions(t, err, tt.want)
		if err != nil && strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("a key got out: %v", err)
		}
	}
}
