package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/testdocker"
)

// needs skips a test where a program is missing, or root.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("needs %s: %v", p, err)
		}
	}
}

// TestLintian: Debian's own rules find no error in either package.
func TestLintian(t *testing.T) {
	dist(t)
	needs(t, "lintian")
	for _, arch := range architectures {
		out, _ := exec.Command("lintian", "--allow-root", one(t, "harden_*_"+arch+".deb")).CombinedOutput()
		if s := strings.TrimSpace(string(out)); s != "" {
			t.Errorf("%s:\n%s", arch, s)
		}
	}
}

// TestScripts: neither kind of package runs anything when it is installed or removed.
func TestScripts(t *testing.T) {
	dist(t)
	needs(t, "dpkg-deb", "rpm")
	control := t.TempDir()
	output(t, "dpkg-deb", "-e", one(t, "harden_*_amd64.deb"), control)
	entries, err := os.ReadDir(control)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff([]string{"conffiles", "control", "md5sums"}, names); diff != "" {
		t.Errorf("control files (-want +got):\n%s", diff)
	}
	rpm := one(t, "harden-*.x86_64.rpm")
	if out := output(t, "rpm", "-qp", "--scripts", "--triggers", rpm); out != "" {
		t.Errorf("scripts of the RPM package:\n%s", out)
	}
	if out := output(t, "rpm", "-qp", "--configfiles", rpm); out != "/etc/harden/harden.yaml\n" {
		t.Errorf("configuration of the RPM package: %q", out)
	}
	if out := output(t, "rpm", "-qp", "--queryformat", "%{LICENSE}", rpm); out != "none chosen yet" {
		t.Errorf("licence of the RPM package: %q", out)
	}
}

// installs is what has to work in a fresh system, line by line.
const installs = `set -eu
find / -xdev -path /var/cache/man -prune -o -path /var/log -prune -o -path /package.deb -prune -o -print | sort >/var/log/before
dpkg -i /package.deb >/dev/null
harden --version
harden version | head -n 1
harden --dry-run --root / --exit-zero --format json >/report
harden check --root / --only docker:3.17 --exit-zero || true
man -w harden harden-drift harden.yaml
man harden | head -n 1
bash -c '. /usr/share/bash-completion/bash_completion; _comp_load harden 2>/dev/null || _completion_loader harden || true
  complete -p harden'
ls /etc/systemd/system/timers.target.wants | grep harden || echo not enabled
dpkg-query -W -f '${Conffiles}\n' harden | cut -d ' ' -f 2
mkdir -p /var/lib/harden && touch /var/lib/harden/state
dpkg --purge harden >/dev/null
rm /report
find / -xdev -path /var/cache/man -prune -o -path /var/log -prune -o -path /package.deb -prune -o -print | sort >/var/log/after
diff /var/log/before /var/log/after || true
`

// TestDebian installs, uses and purges the package in a fresh Debian 12 and 13.
func TestDebian(t *testing.T) {
	dist(t)
	needs(t, "debootstrap", "chroot")
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "root")
			output(t, "debootstrap", "--variant=minbase", "--include=man-db,bash-completion", suite, root)
			data, err := os.ReadFile(one(t, "harden_*_amd64.deb"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, "package.deb"), data, 0o644); err != nil {
				t.Fatal(err)
			}
			got := output(t, "unshare", "--mount", "--pid", "--fork", "--mount-proc="+filepath.Join(root, "proc"),
				"chroot", root,
				"/bin/bash", "-c", installs)
			for _, want := range []string{"harden version v", "/usr/share/man/man8/harden.8.gz",
				"/usr/share/man/man5/harden.yaml.5.gz",
				"HARDEN(8)", "__start_harden harden", "\nnot enabled\n", "\n/etc/harden/harden.yaml\n",
				"> /var/lib/harden/state\n"} {
				if !strings.Contains(got, want) {
					t.Errorf("there is no %q in:\n%s", want, got)
				}
			}
			_, left, _ := strings.Cut(got, "\n/etc/harden/harden.yaml\n")
			for line := range strings.Lines(left) {
				ours := strings.Contains(line, "/var/lib/harden")
				if strings.HasPrefix(line, "<") || strings.HasPrefix(line, ">") && !ours {
					t.Errorf("purge leaves: %s", line)
				}
			}
		})
	}
}

// TestImage loads the image into a real dockerd, and holds what it finds below a mounted directory to what harden finds
// there without a container.
func TestImage(t *testing.T) {
	dist(t)
	d := testdocker.Start(t)
	image, err := os.Open(one(t, "harden-*-oci.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	answer, err := d.Client.ImageLoad(context.Background(), image)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var said strings.Builder
	for dec := json.NewDecoder(answer.Body); dec.More(); {
		var m struct{ Stream, Error string }
		if err := dec.Decode(&m); err != nil || m.Error != "" {
			t.Fatalf("%v %s", err, m.Error)
		}
		said.WriteString(m.Stream)
	}
	tag := ""
	for word := range strings.FieldsSeq(said.String()) {
		if strings.HasPrefix(word, "harden:") && strings.HasSuffix(word, "-amd64") {
			tag = word
		}
	}
	root := host(t)
	program := filepath.Join(t.TempDir(), "harden")
	output(t, "bash", "-c", `tar -xzf "$1" -O --wildcards '*/harden' >"$2" && chmod +x "$2"`, "bash",
		one(t, "harden-*-linux-amd64.tar.gz"), program)
	d.Create("victim", func(_ *container.Config, h *container.HostConfig) { h.Privileged = true })
	for name, more := range map[string][]string{"files": nil,
		"engine": {"--docker-host", d.Host, "--only", "docker/privileged"}} {
		args := append([]string{"check", "--config", "none", "--root", root, "--format", "json", "--exit-zero"}, more...)
		id := d.Create("audit-"+name, func(c *container.Config, h *container.HostConfig) {
			c.Image, c.Cmd = tag, args
			h.ReadonlyRootfs, h.NetworkMode = true, "none"
			h.Binds = []string{root + ":" + root + ":ro", d.Socket + ":" + d.Socket}
			h.CapDrop, h.CapAdd = []string{"ALL"}, []string{"DAC_READ_SEARCH"}
			h.SecurityOpt = []string{"no-new-privileges"}
		})
		inside := logs(t, d, id)
		outside := output(t, program, args...)
		if diff := cmp.Diff(results(t, outside), results(t, inside)); diff != "" {
			t.Errorf("%s: harden finds something else in a container (-outside +inside):\n%s", name, diff)
		}
		if found := strings.Contains(outside, `"subject": "container victim`); found != (more != nil) {
			t.Errorf("%s: the privileged container is found: %v\n%s", name, found, outside)
		}
	}
}

// host is the files of a host with findings.
func host(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{"etc/docker/daemon.json": `{"icc": true}`,
		"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\ndocker:x:999:somebody\n", "usr/bin/dockerd": "",
		"usr/lib/systemd/system/docker.service": "[Service]\nExecStart=/usr/bin/dockerd\n"} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// logs starts a container, waits for its end, and returns what it has said.
func logs(t *testing.T, d *testdocker.Daemon, id string) string {
	t.Helper()
	out, err := exec.Command("docker", "-H", d.Host, "start", "-a", id).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// results are the verdicts of a report.
func results(t *testing.T, text string) any {
	t.Helper()
	var r struct{ Results any }
	if err := json.Unmarshal([]byte(text), &r); err != nil || r.Results == nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return r.Results
}
