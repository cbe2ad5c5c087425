//go:build linux && !portable

package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts"
)

// trusted returns the dockerds that count as this host's own, the eldest first.
func (s *Source) trusted() ([]facts.Process, error) {
	ps, err := facts.New(context.Background(), s, facts.Choices{}).Processes("dockerd")
	slices.SortFunc(ps, func(a, b facts.Process) int {
		return cmp.Or(a.Started.Compare(b.Started), a.PID-b.PID)
	})
	return ps, err
}

// deserted reports whether a socket is left of somebody who no longer listens there. To ask systemd would start
// dockerd.
func (s *Source) deserted(socket string) bool {
	if s.holds(1, socket) {
		return false
	}
	conn, err := net.DialTimeout("unix", socket, dialTimeout)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, unix.ECONNREFUSED)
}

// listening is where a dockerd answers that does not listen on the usual socket: the eldest that counts, on a unix
// socket that the kernel says is its own, else on a TCP port where it asks for no certificate.
func (s *Source) listening() (facts.Endpoint, bool) {
	ps, err := s.trusted()
	if err != nil {
		return facts.Endpoint{}, false
	}
	return s.first(ps)
}

// first is where the first of the dockerds that can be asked answers.
func (s *Source) first(ps []facts.Process) (facts.Endpoint, bool) {
	for _, p := range ps {
		ls, err := s.Listeners(context.Background(), p.PID)
		if err != nil || p.OtherNetwork {
			continue
		}
		from := fmt.Sprintf("the dockerd with PID %d", p.PID)
		for _, l := range ls {
			if l.Network != "unix" || !strings.HasPrefix(l.Address, "/") {
				continue
			}
			// dockerd's other sockets, of plugins and of libnetwork, speak other protocols
			if local, pid, err := s.dialSocket(l.Address); err == nil && local && pid == p.PID && serves(p, l.Address) {
				return facts.Endpoint{Host: "unix://" + l.Address, From: from}, true
			}
		}
		if slices.ContainsFunc(p.Args, func(a string) bool { return strings.HasPrefix(a, "--tls") }) {
			continue
		}
		for _, l := range ls {
			if host, port, err := net.SplitHostPort(l.Address); l.Network != "unix" && err == nil && serves(p, ":"+port) {
				if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
					host = "127.0.0.1"
				}
				return facts.Endpoint{Host: "tcp://" + net.JoinHostPort(host, port), From: from}, true
			}
		}
	}
	return facts.Endpoint{}, false
}

// serves reports whether a dockerd was told to listen at an address, or is told by its configuration file alone.
func serves(p facts.Process, address string) bool {
	told := false
	for i, a := range p.Args {
		value, ok := "", true
		switch {
		case a == "-H" || a == "--host":
			if i+1 < len(p.Args) {
				value = p.Args[i+1]
			}
		case strings.HasPrefix(a, "--host="):
			value = strings.TrimPrefix(a, "--host=")
		case strings.HasPrefix(a, "-H"):
			value = strings.TrimPrefix(strings.TrimPrefix(a, "-H"), "=")
		default:
			ok = false
		}
		told = told || ok
		_, rest, _ := strings.Cut(value, "://")
		if ok && (rest == address || address[0] == ':' && strings.HasSuffix(rest, address) ||
			strings.Replace(rest, "/var/run/", "/run/", 1) == address) {
			return true
		}
	}
	return !told && address[0] == '/' && !strings.Contains(address, "/libnetwork/") &&
		!strings.Contains(address, "/plugins/")
}
