//go:build linux && !portable

package live

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks/facts"
)

// Listeners returns what a process accepts connections on, sorted: the sockets among its descriptors that its own
// network namespace lists as listening. fs.ErrNotExist when it has ended.
func (s *Source) Listeners(ctx context.Context, pid int) ([]facts.Listener, error) {
	if err := s.running(); err != nil {
		return nil, err
	}
	inodes, err := sockets(pid)
	if err != nil {
		return nil, err
	}
	var all []facts.Listener
	for _, table := range []string{"tcp", "tcp6", "unix"} {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if errors.Is(err, fs.ErrNotExist) && table == "tcp6" {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			parse := tcpListener
			if table == "unix" {
				parse = unixListener
			}
			address, inode, ok := parse(strings.TrimRight(line, "\n"))
			if ok && inodes[inode] {
				all = append(all, facts.Listener{Network: table, Address: address})
			}
		}
	}
	slices.SortFunc(all, func(a, b facts.Listener) int {
		return cmp.Or(cmp.Compare(a.Network, b.Network), cmp.Compare(a.Address, b.Address))
	})
	return slices.Compact(all), nil
}

// sockets returns the inodes of a process's sockets, in decimal.
func sockets(pid int) (map[string]bool, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	inodes := map[string]bool{}
	for _, n := range names {
		target, err := os.Readlink(dir + "/" + n)
		if gone(err) {
			continue // closed meanwhile
		}
		if err != nil {
			return nil, err
		}
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return inodes, nil
}

// tcpListener reads a line of /proc/net/tcp or tcp6. Source: Linux Documentation/networking/proc_net_tcp.rst.
func tcpListener(line string) (address, inode string, ok bool) {
	const listen = "0A"
	f := strings.Fields(line)
	if len(f) < 10 || f[3] != listen {
		return "", "", false
	}
	host, port, ok := strings.Cut(f[1], ":")
	ip, err := hex.DecodeString(host)
	n, portErr := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || portErr != nil || len(ip)%4 != 0 {
		return "", "", false
	}
	for i := 0; i < len(ip); i += 4 { // four bytes at a time in the machine's own order
		binary.BigEndian.PutUint32(ip[i:], binary.NativeEndian.Uint32(ip[i:]))
	}
	addr, ok := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)).String(), f[9], ok
}

// unixListener reads a line of /proc/net/unix: Num RefCount Protocol Flags Type St Inode Path.
func unixListener(line string) (address, inode string, ok bool) {
	const acceptsConnections = 1 << 16
	f := strings.Fields(line)
	if len(f) < 8 {
		return "", "", false // no name, so nobody can connect
	}
	flags, err := strconv.ParseUint(f[3], 16, 32)
	if err != nil || flags&acceptsConnections == 0 {
		return "", "", false
	}
	_, address, _ = strings.Cut(line, " "+f[6]+" ") // a path may hold blanks
	return address, f[6], true
}
