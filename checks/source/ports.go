package source

import (
	"net/netip"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/source"
)

// A port is one entry of a service's ports.
type port struct {
	at      source.Value
	address string
	host    string // "8080", "8080-8090", or empty where the Engine chooses
	text    string // the short form
	shown   string // it, or the published port of the long form, as written
	long    bool
}

func ports(s *source.Service) ([]port, error) {
	var all []port
	var unknown error
	for _, v := range s.All("ports") {
		for _, item := range v.Items() {
			p := port{at: item}
			var err error
			if item.Node.Kind == yaml.MappingNode {
				p.long = true
				for key, to := range map[string]*string{"host_ip": &p.address, "published": &p.host} {
					if f, ok := item.Field(key); ok {
						if *to, err = f.Text(); err != nil {
							unknown = err
						}
						if key == "published" {
							p.shown = f.Said()
						}
					}
				}
				if err == nil { // mode: ingress is what Compose takes where it says nothing: every address, all the same
					all = append(all, p)
				}
				continue
			}
			if p.text, err = item.Text(); err != nil {
				unknown = err
				continue
			}
			p.shown = item.Said()
			rest, _, _ := strings.Cut(p.text, "/")
			if i := strings.LastIndexByte(rest, ':'); i >= 0 { // what stands behind it is the container's
				p.host = rest[:i]
				if j := strings.LastIndexByte(p.host, ':'); j >= 0 {
					p.address, p.host = strings.Trim(p.host[:j], "[]"), p.host[j+1:]
				}
			}
			all = append(all, p)
		}
	}
	return all, unknown
}

// BoundPorts wants ports on one address. Which one is the site's to choose.
var BoundPorts Service = func(h *facts.Host, s *source.Service) ([]checks.Finding, error) {
	all, err := ports(s)
	var findings []checks.Finding
	for _, p := range all {
		if p.address != "" && p.address != "0.0.0.0" && p.address != "::" {
			continue
		}
		f := about(s, p.at, "ports "+masked(p.shown), "on every address", "on one of the host's addresses")
		to := h.Choices.PublishAddress
		switch {
		case to == "":
			f.Reason = "put the address in front (127.0.0.1 where only the host itself needs it), or choose publish-address " +
				"in harden's configuration"
			findings = append(findings, f)
			continue
		case !isAddress(to):
			f.Reason = "publish-address in harden's configuration is not an IP address"
			findings = append(findings, f)
			continue
		case !p.long && strings.Contains(p.at.Node.Value, "$"):
			f.Reason = "it has variables in it: put the address in front"
			findings = append(findings, f)
			continue
		}
		breaks := "who reaches " + s.Name + " at another address than " + to + " no longer does"
		c := change{append(keyOf(p.at), "host_ip"), to, true, breaks}
		if !p.long {
			spelled := to
			if strings.Contains(to, ":") {
				spelled = "[" + to + "]"
			}
			_, behind, ok := strings.Cut(p.text, p.host+":")
			if p.host == "" {
				behind, ok = strings.TrimLeft(p.text, ":"), true
			}
			if !ok {
				f.Reason = "its form is not known well enough to change it: put the address in front"
				findings = append(findings, f)
				continue
			}
			c = change{keyOf(p.at), spelled + ":" + p.host + ":" + behind, true, breaks}
		}
		findings = append(findings, fixed(s, p.at, f, c))
	}
	return findings, err
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// LowPorts wants none below 1024.
var LowPorts Service = func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
	all, err := ports(s)
	var findings []checks.Finding
	for _, p := range all {
		first, _, _ := strings.Cut(p.host, "-")
		if n, errPort := strconv.Atoi(first); errPort == nil && n > 0 && n < 1024 {
			number := first
			if strings.Contains(p.shown, "$") {
				number = "below 1024"
			}
			f := about(s, p.at, "ports "+masked(p.shown), "host port "+number, "1024 or more")
			f.Reason = "publish another port, and let a proxy that is meant to be there have this one; or waive it"
			findings = append(findings, f)
		}
	}
	return findings, err
}
