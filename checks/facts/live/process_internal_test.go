//go:build linux && !portable

package live

import (
	"strings"
	"testing"
)

func TestUnitOf(t *testing.T) {
	tests := []struct{ cgroup, want string }{
		{"0::/system.slice/docker.service\n", "docker.service"},
		{"0::/system.slice/docker.service/supervisor\n", "docker.service"},
		{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service\n", "docker.service"},
		{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-term-7.scope\n", ""},
		{"0::/user.slice/user-0.slice/session-3.scope\n", ""},
		{"0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", ""},
		{"12:pids:/system.slice/x.service\n1:name=systemd:/system.slice/docker.service\n0::/\n", "docker.service"},
		{"0::/system.slice/docker-0123456789abcdef.scope\n", ""},
		{"0::/docker/0123456789abcdef\n", ""},
		{"9:name=systemd:/\n0::/\n", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got := unitOf(tt.cgroup); got != tt.want {
			t.Errorf("%q is of %q, want %q", tt.cgroup, got, tt.want)
		}
	}
}

func TestListenerLines(t *testing.T) {
	tests := []struct {
		parse         func(string) (string, string, bool)
		line          string
		address, node string
	}{
		{tcpListener, "   1: 0100007F:0947 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 " +
			"0 100 0 0 10 0", "127.0.0.1:2375", "4242"},
		{tcpListener, "   1: 0100007F:0947 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 4242 1 " +
			"0 100 0 0 10 0", "", ""},
		{tcpListener, "   0: 00000000000000000000000000000000:0948 00000000000000000000000000000000:0000 0A " +
			"00000000:00000000 00:00000000 00000000     0        0 77 1 0 100 0 0 10 0", "[::]:2376", "77"},
		{tcpListener, "   0: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A " +
			"00000000:00000000 00:00000000 00000000     0        0 78 1 0 100 0 0 10 0", "[2001:db8::1]:80", "78"},
		{tcpListener, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", "",
			""},
		{unixListener, "0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/docker.sock", "/run/docker.sock",
			"12345"},
		{unixListener, "0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/a b", "/run/a b", "12345"},
		{unixListener, "0000000000000000: 00000003 00000000 00000000 0001 03 12346 /run/docker.sock", "", ""},
		{unixListener, "0000000000000000: 00000002 00000000 00010000 0001 01    99 @abstract", "@abstract", "99"},
		{unixListener, "0000000000000000: 00000002 00000000 00010000 0001 01 12345", "", ""},
		{unixListener, "Num       RefCount Protocol Flags    Type St Inode Path", "", ""},
	}
	for _, tt := range tests {
		if address, node, ok := tt.parse(tt.line); ok != (tt.node != "") || ok && (address != tt.address || node != tt.node) {
			t.Errorf("%s gives %q of %q, %v", tt.line, address, node, ok)
		}
	}
}

func TestContainerOf(t *testing.T) {
	id := strings.Repeat("0a", 32)
	for cgroup, want := range map[string]string{
		"0::/system.slice/docker-" + id + ".scope\n":            id,
		"12:pids:/docker/" + id + "\n0::/\n":                    id,
		"0::/system.slice/containerd.service/" + id + "/init\n": id,
		"0::/user.slice/user-0.slice/session-1.scope\n":         "",
		"0::/system.slice/docker.service\n":                     "",
		"0::/docker/" + id[:63] + "\n":                          "",
		"0::/docker/" + strings.ToUpper(id) + "\n":              "",
		"": "",
	} {
		if got := containerOf(cgroup); got != want {
			t.Errorf("%q belongs to %q, want %q", cgroup, got, want)
		}
	}
}
