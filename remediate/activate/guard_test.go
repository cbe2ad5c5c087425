package activate

import (
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/harden/remediate"
)

// TestGuardWithoutSystemd has nothing armed where nothing would call harden back. With systemd it is scripts/vm's to
// show.
func TestGuardWithoutSystemd(t *testing.T) {
	g := &Guard{without}
	for name, err := range map[string]error{
		"Ready":  g.Ready(t.Context()),
		"Try":    g.Try(t.Context(), "x.service"),
		"Call":   g.Call(t.Context(), "x", "x", []string{"/bin/true"}, time.Minute),
		"Cancel": g.Cancel(t.Context(), "x"),
	} {
		if !errors.Is(err, errNoSystemd) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBooting touches no service of a machine that is booting, whatever a run had done to it.
func TestBooting(t *testing.T) {
	b := &Booting{New(Options{bus: without})}
	for _, kind := range remediate.Kinds {
		a := remediate.Activation{Kind: kind, Unit: "docker.service"}
		want := "the host is booting"
		switch kind {
		case remediate.ReloadManager:
			want = errNoSystemd.Error() // it is asked, and alone
		case remediate.ComposeUp:
			want = "until Compose recreates them" // dockerd does not read its files
		case remediate.RecordInCluster:
			want = "the cluster is not reachable"
		}
		for name, err := range map[string]error{"ready": b.Ready(t.Context(), a), "activate": b.Activate(t.Context(), a)} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: %v, want %q", kind, name, err, want)
			}
		}
	}
}
