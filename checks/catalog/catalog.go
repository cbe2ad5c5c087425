// Package catalog lists every check and picks from them what a user wants.
package catalog

import (
	"slices"

	"example.com/harden/checks/docker"
	"example.com/harden/checks/kubernetes"
)

// All is every check, in report order.
var All = slices.Concat(docker.All, kubernetes.All)
