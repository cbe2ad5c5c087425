package docker_test

import (
	"testing"

	"example.com/harden/checks/facts/docker"
)

// TestParseRestart holds which restart policies are taken: no more than docker takes.
func TestParseRestart(t *testing.T) {
	for text, valid := range map[string]bool{"no": true, "always": true, "unless-stopped": true, "on-failure": true,
		"on-failure:3": true, "": false, "never": false, "always:3": false, "on-failure:": false, "on-failure:0": false,
		"on-failure:-1": false, "on-failure:5x": false, "on-failure:5 6": false, "on-failure:1e3": false} {
		p, err := docker.ParseRestart(text)
		if (err == nil) != valid || valid && p.String() != text {
			t.Errorf("%q became %q, error %v", text, p, err)
		}
	}
}
