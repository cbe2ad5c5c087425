package kube

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

// mapped is a line of kube-bench's config.yaml: the profile of a release of Kubernetes, of no distribution.
var mapped = regexp.MustCompile(`(?m)^\s*"1\.(\d+)":\s*"(cis-[\d.]+)"`)

// Profile names the profile that kube-bench, whose folder cfg this is, has for the newest Kubernetes that it knows. The
// names do not tell: cis-1.24 is of Kubernetes 1.24, and cis-1.12 is the 1.12th edition. Releases before 0.16 end with
// that, and 0.16 has its items, numbers and tests under 2.0: there only the advice of 1.2.29 and 3.2.2 is another.
func Profile(cfg string) (string, error) {
	config, err := os.ReadFile(filepath.Join(cfg, "config.yaml"))
	if err != nil {
		return "", err
	}
	newest, profile := 0, ""
	for _, m := range mapped.FindAllStringSubmatch(string(config), -1) {
		if n, err := strconv.Atoi(m[1]); err == nil && n > newest {
			newest, profile = n, m[2]
		}
	}
	if profile == "" {
		return "", fmt.Errorf("%s: no profile for any Kubernetes; name a folder with kube-bench and its cfg", cfg)
	}
	return profile, nil
}
