package kubernetes

import (
	"slices"
	"strings"

	"example.com/harden/checks/be"
)

// strongCiphers are the suites that the benchmark allows a kubelet, strongest first, and the older names of two of
// them.
var strongCiphers = []string{
	"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
	"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
}

var olderNames = map[string]bool{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": true,
	"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305": true}

// tls13Suites cannot be chosen in Go, and do no harm where they are named.
func strong(suite string) bool {
	return slices.Contains(strongCiphers, suite) || olderNames[suite] || strings.HasPrefix(suite, "TLS_AES_") ||
		suite == "TLS_CHACHA20_POLY1305_SHA256"
}

// strongSuites requires a list of strong suites alone; the nearest keeps what is strong of a list that was chosen.
var strongSuites = be.Cond[[]string]{
	Text: "strong suites alone, or the lowest version TLS 1.3",
	Holds: func(suites []string) bool {
		return len(suites) > 0 && !slices.ContainsFunc(suites, func(s string) bool { return !strong(s) })
	},
	Nearest: func(suites []string) ([]string, bool) {
		kept := slices.DeleteFunc(slices.Clone(suites), func(s string) bool { return !strong(s) })
		if len(kept) == 0 {
			kept = strongCiphers
		}
		return kept, true
	},
}
