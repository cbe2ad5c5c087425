package facts_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/harden/checks/facts"
	"example.com/harden/fixtures"
)

// A host on which /etc/docker and /usr/bin are directories, /var/run is a link, and the rest are files.
const auditHost = `-- etc/docker/daemon.json --
{}
-- usr/bin/dockerd --
x
-- run/docker.sock --
-- var/run@ --
../run
-- usr/bin/runc@ --
dockerd
`

func TestAuditRules(t *testing.T) {
	watch := facts.Rule{Path: "/usr/bin/dockerd", Perms: "wa"}
	with := func(change func(*facts.Rule)) []facts.Rule {
		r := watch
		change(&r)
		return []facts.Rule{r}
	}
	tests := []struct {
		text string
		want []facts.Rule
	}{
		{"-w /usr/bin/dockerd -p wa -k docker", []facts.Rule{watch}},
		{"-k docker -p wa -w /usr/bin/dockerd", []facts.Rule{watch}},
		{"-a always,exit -F path=/usr/bin/dockerd -F perm=wa -F key=docker", []facts.Rule{watch}},
		{"-a exit,always -S all -F path=/usr/bin/dockerd -F perm=wa -k x", []facts.Rule{watch}},
		{"-w /usr/bin/dockerd -k docker", with(func(r *facts.Rule) { r.Perms = "rwxa" })},
		{"-w /usr/bin/dockerd", with(func(r *facts.Rule) { r.Perms = "rwxa" })},
		{"-w /etc/docker -p wa", with(func(r *facts.Rule) { r.Path, r.Dir = "/etc/docker", true })},
		{"-w /etc/docker/ -p wa", with(func(r *facts.Rule) { r.Path, r.Dir = "/etc/docker", true })},
		{"-w /gone -p wa", with(func(r *facts.Rule) { r.Path = "/gone" })},
		{"-w /gone/ -p wa", with(func(r *facts.Rule) { r.Path, r.Dir = "/gone", true })},
		{"-w '/etc/docker/a b' -p wa", with(func(r *facts.Rule) { r.Path = "/etc/docker/a b" })},
		{"-a always,exit -F path=/etc/docker -F perm=wa", with(func(r *facts.Rule) { r.Path = "/etc/docker" })},
		{"-a always,exit -F dir=/etc/docker/ -F perm=wa", with(func(r *facts.Rule) { r.Path, r.Dir = "/etc/docker", true })},
		{"-w /var/run/docker.sock -p wa", with(func(r *facts.Rule) { r.Path = "/run/docker.sock" })},
		{"-w /usr/bin/runc -p wa", with(func(r *facts.Rule) { r.Path = "/usr/bin/runc" })},
		{"-a never,exit -F path=/usr/bin/dockerd -F perm=wa", with(func(r *facts.Rule) { r.Never = true })},
		{"-a always,exit -F path=/usr/bin/dockerd -F perm=wa -F auid>=1000",
			with(func(r *facts.Rule) { r.Narrow = "auid>=1000" })},
		{"-a always,exit -S openat -F path=/usr/bin/dockerd -F perm=wa",
			with(func(r *facts.Rule) { r.Narrow = "syscall=openat" })},
		{"-a always,exit -F path!=/usr/bin/dockerd", nil},
		{"-a always,exit -S adjtimex -k time", nil},
		{"-a never,task", []facts.Rule{{Path: "/", Dir: true, Perms: "rwxa", Never: true}}},
		{"-a never,exit -S adjtimex -F auid=unset", nil},
		{"-a never,user -F msgtype=CRED_ACQ", nil},
		{"-a always,filesystem -F dir=/etc -F fstype=x", nil},
		{"-D\n-b 8192\n--backlog_wait_time 60000\n-f 1\n", nil},
		{"# -w /usr/bin/dockerd -p wa", nil},
		{"-w /usr/bin/dockerd -p wa\n-W /usr/bin/dockerd -p wa", nil},
		{"-w /usr/bin/dockerd -p wa\n-W /usr/bin/dockerd -p r", []facts.Rule{watch}},
		{"-w /usr/bin/dockerd -p wa\n-d always,exit -F path=/usr/bin/dockerd -F perm=wa", nil},
		{"-a always,exit -F arch=b64 -F path=/usr/bin/dockerd -F perm=wa",
			with(func(r *facts.Rule) { r.Narrow = "arch=b64" })},
		{"-a always,exit -F arch=b64 -F path=/usr/bin/dockerd -F perm=wa\n-a always,exit -F arch=b32 -F " +
			"path=/usr/bin/dockerd -F perm=wa",
			[]facts.Rule{watch, watch}},
		{"-w /usr/bin/dockerd -p wa\n-A never,exit -F path=/usr/bin/dockerd", []facts.Rule{
			{Path: "/usr/bin/dockerd", Perms: "rwxa", Never: true}, watch}},
	}
	for _, tt := range tests {
		a, err := fixtures.NewMachine(t, auditHost+"-- etc/audit/rules.d/x.rules --\n"+tt.text+"\n").Host().Audit()
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if diff := cmp.Diff(tt.want, a.OnDisk, cmpopts.IgnoreFields(facts.Rule{}, "Text", "File"),
			cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.text, diff)
		}
	}
}

func TestAuditFiles(t *testing.T) {
	m := fixtures.NewMachine(t, auditHost+`-- etc/audit/rules.d/10-b.rules --
-w /b
-- etc/audit/rules.d/9-a.rules --
-w /a
-- etc/audit/rules.d/99-finalize.rules --
-e 2
-- etc/audit/rules.d/z.rules.bak --
-w /bak
-- etc/audit/rules.d/.z.rules --
-w /hidden
-- etc/audit/audit.rules --
-w /compiled
`)
	m.Loaded, m.AuditErr = facts.AuditState{Enabled: 1,
		Rules: []string{"-a always,exit -S all -F path=/loaded -F perm=wa -F key=k"}}, nil
	h := m.Host()
	a, err := h.Audit()
	if err != nil {
		t.Fatal(err)
	}
	rule := func(text, file, path, perms string) facts.Rule {
		return facts.Rule{Text: text, File: file, Path: path, Perms: perms}
	}
	want := &facts.Audit{
		Enabled: 1,
		Loaded:  []facts.Rule{rule("-a always,exit -S all -F path=/loaded -F perm=wa -F key=k", "", "/loaded", "wa")},
		OnDisk: []facts.Rule{
			rule("-w /a", "/etc/audit/rules.d/9-a.rules", "/a", "rwxa"),
			rule("-w /b", "/etc/audit/rules.d/10-b.rules", "/b", "rwxa"),
		},
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	after, err := h.With(facts.Overlay{Audited: true}).Audit()
	if err != nil || len(after.Loaded) != 3 {
		t.Errorf("after loading there are %v, error %v; want three rules", after.Loaded, err)
	}
}

func TestAuditElsewhere(t *testing.T) {
	if _, err := fixtures.NewMachine(t, "-- etc/hostname --\n").Host().Audit(); !errors.Is(err, facts.ErrAbsent) {
		t.Errorf("a host without auditing gives %v", err)
	}
	m := fixtures.NewMachine(t, "-- etc/audit/audit.rules --\n-w /a -p wa\n")
	a, err := m.Host().Audit()
	if err != nil || len(a.OnDisk) != 1 || !errors.Is(a.LoadErr, facts.ErrAbsent) || a.Loaded != nil {
		t.Errorf("an offline host without rules.d gives %+v, %v", a, err)
	}
	m.AuditErr = fs.ErrPermission
	if a, err = m.Host().Audit(); err != nil || !errors.Is(a.LoadErr, fs.ErrPermission) {
		t.Errorf("a kernel that refuses gives %+v, %v", a, err)
	}
}

func TestCovers(t *testing.T) {
	file := facts.Rule{Path: "/etc/docker/daemon.json", Perms: "wa"}
	dir := facts.Rule{Path: "/etc/docker", Dir: true, Perms: "rwxa"}
	tests := []struct {
		name  string
		rules []facts.Rule
		path  string
		dir   bool
		want  bool
	}{
		{"the file itself", []facts.Rule{file}, "/etc/docker/daemon.json", false, true},
		{"its directory", []facts.Rule{dir}, "/etc/docker/daemon.json", false, true},
		{"the directory whole", []facts.Rule{dir}, "/etc/docker", true, true},
		{"a directory above", []facts.Rule{{Path: "/", Dir: true, Perms: "wa"}}, "/etc/docker", true, true},
		{"the directory as a file", []facts.Rule{{Path: "/etc/docker", Perms: "wa"}}, "/etc/docker", true, false},
		{"the beginning of a name", []facts.Rule{file, dir}, "/etc/docker-other", false, false},
		{"a longer name", []facts.Rule{{Path: "/usr/bin/containerd-shim-runc-v2", Perms: "wa"}}, "/usr/bin/containerd-shim",
			false, false},
		{"reads alone", []facts.Rule{{Path: "/a", Perms: "rx"}}, "/a", false, false},
		{"writes alone", []facts.Rule{{Path: "/a", Perms: "w"}}, "/a", false, false},
		{"some users", []facts.Rule{{Path: "/a", Perms: "wa", Narrow: "auid>=1000"}}, "/a", false, false},
		{"silenced before", []facts.Rule{{Path: "/a", Perms: "rwxa", Never: true}, {Path: "/a", Perms: "wa"}}, "/a", false,
			false},
		{"silenced after", []facts.Rule{{Path: "/a", Perms: "wa"}, {Path: "/a", Perms: "rwxa", Never: true}}, "/a", false,
			true},
		{"everything silenced", []facts.Rule{{Path: "/", Dir: true, Perms: "rwxa", Never: true}, file},
			"/etc/docker/daemon.json", false, false},
		{"nothing", nil, "/a", false, false},
	}
	for _, tt := range tests {
		if got := facts.Covered(tt.rules, tt.path, tt.dir); got != tt.want {
			t.Errorf("%s: covered %v, want %v", tt.name, got, tt.want)
		}
	}
}
