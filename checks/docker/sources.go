package docker

import (
	"example.com/harden/checks"
	"example.com/harden/checks/source"
)

// sources says by which rule a check judges the files that images and containers are made from, by the check's ID.
var sources = map[string]checks.Rule{
	"docker/image-user":        source.User,
	"docker/image-base":        source.Pinned,
	"docker/image-secrets":     source.Secrets,
	"docker/image-healthcheck": source.Healthcheck,
	"docker/image-update":      source.Update,
	"docker/image-setuid":      source.Setuid,
	"docker/image-copy":        source.Copy,
}

// withSources gives checks their rules for sources.
func withSources(all []*checks.Check) []*checks.Check {
	for _, c := range all {
		c.Source = sources[c.ID]
	}
	return all
}
