package kube

import (
	"os"
	"path/filepath"
	"testing"
)

// TestProfile picks the profile of the newest Kubernetes, not the one that the names would make the newest.
func TestProfile(t *testing.T) {
	for config, want := range map[string]string{
		"version_mapping:\n  \"1.24\": \"cis-1.24\"\n  \"1.9\": \"cis-1.5\"\n  \"1.34\": \"cis-1.12\"\n" +
			"  \"1.33\": \"cis-1.11\"\n  \"eks-1.99\": \"eks-1.8.0\"\n": "cis-1.12",
		"  \"1.34\": \"cis-1.12\"\n  \"1.35\": \"cis-2.0\"\n": "cis-2.0",
		"  \"gke-1.0\": \"gke-1.0\"\n":                        "",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := Profile(dir); got != want || (err == nil) != (want != "") {
			t.Errorf("of %q: %q, %v; want %q", config, got, err, want)
		}
	}
}
