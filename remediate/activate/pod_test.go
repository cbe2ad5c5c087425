package activate

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestPatience(t *testing.T) {
	for probe, want := range map[string]time.Duration{
		"": 0,
		"    startupProbe: {failureThreshold: 24, initialDelaySeconds: 10, periodSeconds: 10}\n": 250 * time.Second,
		"    startupProbe: {failureThreshold: 180, periodSeconds: 5}\n":                          15 * time.Minute,
		"    startupProbe: {}\n": 30 * time.Second, // the kubelet's defaults
	} {
		path := filepath.Join(t.TempDir(), "pod.yaml")
		text := "kind: Pod\nspec:\n  containers:\n  - name: kube-apiserver\n    command: [kube-apiserver]\n" + probe
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := readManifest(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Spec.Containers[0].patience(); got != want {
			t.Errorf("%q: %v, want %v", probe, got, want)
		}
	}
}
