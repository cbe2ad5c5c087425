package guide

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/harden/scripts/child"
)

// TestBridge: an interface that somebody else has named is never touched.
func TestBridge(t *testing.T) {
	const id = "cccccccccccc1111"
	for _, tt := range []struct {
		driver, named, want string
	}{{"bridge", "", "br-cccccccccccc"}, {"bridge", "br0", ""}, {"macvlan", "", ""}, {"null", "", ""}} {
		options := map[string]string{"com.docker.network.bridge.name": tt.named}
		if got := bridge(id, tt.driver, options); got != tt.want {
			t.Errorf("%s, named %q: %q, want %q", tt.driver, tt.named, got, tt.want)
		}
	}
}

// TestSwitchOff takes an interface down, in a network namespace of its own.
func TestSwitchOff(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes a network namespace")
	}
	done := make(chan struct{})
	child.Thread(func() {
		defer close(done)
		takeDown(t)
	})
	<-done
}

func takeDown(t *testing.T) {
	must(t, unix.Unshare(unix.CLONE_NEWNET))
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	must(t, err)
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	must(t, err)
	lo.SetUint16(unix.IFF_UP | unix.IFF_LOOPBACK)
	must(t, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo))
	up := func() bool {
		must(t, unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, lo))
		return lo.Uint16()&unix.IFF_UP != 0
	}
	if !up() {
		t.Fatal("the interface is not up")
	}
	for range 2 {
		must(t, switchOff("lo"))
		if up() {
			t.Error("the interface is up")
		}
	}
	must(t, switchOff("br-gone"))
	must(t, switchOff(""))
	if err := switchOff("a name that is too long for it"); err == nil {
		t.Error("no interface has this name")
	}
}
