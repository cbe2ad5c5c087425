package facts_test

import (
	"errors"
	"testing"

	"example.com/harden/checks/facts"
	"example.com/harden/fixtures"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A view of a unit is what tests compare.
type view struct {
	Fragment string
	DropIns  []string
	Argv     []facts.Token
}

func TestUnit(t *testing.T) {
	const (
		deb = "/lib/systemd/system/docker.service"
		ce  = "/usr/lib/systemd/system/docker.service"
	)
	in := func(file string, words ...string) []facts.Token {
		var tokens []facts.Token
		for _, w := range words {
			tokens = append(tokens, facts.Token{Text: w, File: file})
		}
		return tokens
	}
	tests := []struct {
		name, archive string
		want          view
	}{
		{"debian without its environment file", fixtures.DebianUnit,
			view{deb, nil, in(deb, "/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock")}},
		{"debian with options", fixtures.DebianUnit + `-- etc/default/docker --
# DOCKER_OPTS="--dns 8.8.8.8"
DOCKER_OPTS="--icc=false --label 'a b'"
`, view{deb, nil, append(in(deb, "/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock"),
			facts.Token{Text: "--icc=false", File: "/etc/default/docker", Variable: "DOCKER_OPTS"},
			facts.Token{Text: "--label", File: "/etc/default/docker", Variable: "DOCKER_OPTS"},
			facts.Token{Text: "a b", File: "/etc/default/docker", Variable: "DOCKER_OPTS"})}},
		{"a drop-in resets the command", fixtures.CEUnit + `-- etc/systemd/system/docker.service.d/override.conf --
[Service]
ExecStart=
ExecStart=/usr/bin/dockerd -H tcp://127.0.0.1:2375 \
# a comment does not end the line
    --icc=false
`, view{ce, []string{"/etc/systemd/system/docker.service.d/override.conf"},
			in("/etc/systemd/system/docker.service.d/override.conf", "/usr/bin/dockerd", "-H", "tcp://127.0.0.1:2375",
				"--icc=false")}},
		{"drop-ins sort by name over all directories, and the first of a name hides the others", fixtures.CEUnit +
			`-- usr/lib/systemd/system/docker.service.d/50-a.conf --
[Service]
Environment=A=vendor B=vendor
-- etc/systemd/system/docker.service.d/50-a.conf --
[Service]
Environment=A=admin
-- run/systemd/system/docker.service.d/10-z.conf --
[Service]
ExecStart=
ExecStart=@/usr/bin/dockerd dockerd ${A}x $B $$A "-${A}" $A
-- etc/systemd/system/docker.service.d/note.txt --
[Service]
Environment=A=ignored
-- etc/systemd/system/service.d/20-all.conf --
[Service]
Environment=A=overridden
`, view{ce, []string{"/run/systemd/system/docker.service.d/10-z.conf", "/etc/systemd/system/service.d/20-all.conf",
			"/etc/systemd/system/docker.service.d/50-a.conf"}, append(
			in("/run/systemd/system/docker.service.d/10-z.conf", "/usr/bin/dockerd", "adminx", "$A", "-admin"),
			facts.Token{Text: "admin", File: "/etc/systemd/system/docker.service.d/50-a.conf"})}},
		{"an administrator's copy hides the vendor's, a null link hides a drop-in", fixtures.CEUnit +
			`-- etc/systemd/system/docker.service --
[Service]
ExecStart=-/opt/dockerd
-- usr/lib/systemd/system/docker.service.d/50-a.conf --
[Service]
ExecStart=/never
-- etc/systemd/system/docker.service.d/50-a.conf@ --
/dev/null
`, view{"/etc/systemd/system/docker.service", nil, in("/etc/systemd/system/docker.service", "/opt/dockerd")}},
		{"an alias brings the drop-ins of both names", `-- usr/lib/systemd/system/moby.service --
[Service]
ExecStart=:/usr/bin/dockerd $A
-- etc/systemd/system/docker.service@ --
/usr/lib/systemd/system/moby.service
-- etc/systemd/system/moby.service.d/a.conf --
-- etc/systemd/system/docker.service.d/b.conf --
`, view{"/usr/lib/systemd/system/moby.service",
			[]string{"/etc/systemd/system/moby.service.d/a.conf", "/etc/systemd/system/docker.service.d/b.conf"},
			in("/usr/lib/systemd/system/moby.service", "/usr/bin/dockerd", "$A")}},
		{"the later of two environment files wins, wildcards work", `-- etc/systemd/system/docker.service --
[Service]
Environment=OPTS=-D
EnvironmentFile=/etc/sysconfig/docker*
ExecStart=/usr/bin/dockerd $OPTS $OTHER
-- etc/sysconfig/docker --
OPTS='--selinux-enabled'
OTHER=
-- etc/sysconfig/docker-network --
OPTS=--bip=10.0.0.1/24
`, view{"/etc/systemd/system/docker.service", nil, append(in("/etc/systemd/system/docker.service", "/usr/bin/dockerd"),
			facts.Token{Text: "--bip=10.0.0.1/24", File: "/etc/sysconfig/docker-network", Variable: "OPTS"})}},
		{"variables that are taken away again", `-- etc/systemd/system/docker.service --
[Service]
Environment=A=a B=b C=c
EnvironmentFile=/etc/sysconfig/docker
UnsetEnvironment=A B=other "C=c" D
ExecStart=/usr/bin/dockerd $A ${B}x $C $D
-- etc/sysconfig/docker --
D=d
`, view{"/etc/systemd/system/docker.service", nil, in("/etc/systemd/system/docker.service", "/usr/bin/dockerd", "bx")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := fixtures.NewMachine(t, tt.archive).Host().Unit("docker.service")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, view{u.Fragment, u.DropIns, u.Argv},
				cmpopts.IgnoreFields(facts.Token{}, "By")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestUnitThatCannotStart(t *testing.T) {
	tests := []struct {
		name, archive string
		absent        bool
	}{
		{"there is none", "-- etc/hostname --\nx\n", true},
		{"masked by a link", fixtures.CEUnit + "-- etc/systemd/system/docker.service@ --\n/dev/null\n", true},
		{"masked by an empty file", fixtures.CEUnit + "-- etc/systemd/system/docker.service --\n", true},
		{"its environment file is missing",
			"-- etc/systemd/system/docker.service --\n[Service]\nEnvironmentFile=/etc/gone\nExecStart=/usr/bin/dockerd\n",
			false},
		{"a directory in its place", "-- etc/systemd/system/docker.service/x --\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if u, err := fixtures.NewMachine(t, tt.archive).Host().Unit("docker.service"); err == nil ||
				errors.Is(err, facts.ErrAbsent) != tt.absent {
				t.Errorf("got %v, %v; want an error that is ErrAbsent: %v", u, err, tt.absent)
			}
		})
	}
}

func TestUnitSettings(t *testing.T) {
	u, err := fixtures.NewMachine(t, `-- etc/systemd/system/docker.socket --
[Socket]
ListenStream=/run/docker.sock
SocketMode=0660
; not SocketMode=0666
-- etc/systemd/system/docker.socket.d/more.conf --
[Socket]
ListenStream=
ListenStream=/run/a.sock
ListenStream = /run/b.sock
`).Host().Unit("docker.socket")
	if err != nil {
		t.Fatal(err)
	}
	var streams []string
	for _, s := range u.All("Socket", "ListenStream") {
		streams = append(streams, s.Value)
	}
	if diff := cmp.Diff([]string{"/run/a.sock", "/run/b.sock"}, streams); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	mode, _ := u.Get("Socket", "SocketMode")
	mode.By = 0 // TestAuthority is about that
	if want := (facts.Setting{Section: "Socket", Key: "SocketMode", Value: "0660",
		File: "/etc/systemd/system/docker.socket"}); mode != want {
		t.Errorf("mode is %v, want %v", mode, want)
	}
	if s, ok := u.Get("Service", "SocketMode"); ok {
		t.Errorf("%v is of another section", s)
	}
}

func TestFlagVariable(t *testing.T) {
	m := fixtures.NewMachine(t, fixtures.DebianUnit+"-- etc/default/docker --\nDOCKER_OPTS=--icc=true\n")
	u, err := m.Host().Unit("docker.service")
	if err != nil {
		t.Fatal(err)
	}
	if file, variable, ok := u.FlagVariable("icc"); file != "/etc/default/docker" || variable != "DOCKER_OPTS" || !ok {
		t.Errorf("icc is in %q of %q, %v", variable, file, ok)
	}
	for _, name := range []string{"host", "live-restore"} {
		if file, variable, ok := u.FlagVariable(name); ok {
			t.Errorf("%s is said to be in %q of %q", name, variable, file)
		}
	}
}

func TestParseEnv(t *testing.T) {
	tests := []struct {
		text string
		want []facts.Assignment
	}{
		{"A=1\nB = two words  \n", []facts.Assignment{{"A", "1"}, {"B", "two words"}}},
		{"# A=1 \\\nB=2\nC=3\n", []facts.Assignment{{"C", "3"}}},
		{"; A=1\r\nB=2\r\n", []facts.Assignment{{"B", "2"}}},
		{`A="x 'y' \"z\" \$ \n"`, []facts.Assignment{{"A", `x 'y' "z" $ \n`}}},
		{`A='x "y" \z ' B`, []facts.Assignment{{"A", `x "y" \z B`}}},
		{"A=x\\\ny\n", []facts.Assignment{{"A", "xy"}}},
		{"A=\"x\ny\"\n", []facts.Assignment{{"A", "x\ny"}}},
		{"A=x\"y\n", []facts.Assignment{{"A", `x"y`}}},
		{"export A=1\nno assignment\n1A=2\n=3\nB=\n", []facts.Assignment{{"B", ""}}},
		{"A=1\nA=2", []facts.Assignment{{"A", "1"}, {"A", "2"}}},
		{`A="open`, []facts.Assignment{{"A", "open"}}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, facts.ParseEnv([]byte(tt.text))); diff != "" {
			t.Errorf("%q (-want +got)\n%s", tt.text, diff)
		}
	}
}
