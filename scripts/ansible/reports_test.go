package ansible

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/harden/scripts/child"
)

// TestReports plays the example that collects the reports of three hosts, of which one is not like the others, and
// merges them.
func TestReports(t *testing.T) {
	needs(t)
	dir := t.TempDir()
	inventory := "docker_hosts:\n  vars: {ansible_connection: local, ansible_become: false}\n  hosts:\n"
	for _, name := range []string{"web1", "web2", "web3"} {
		h := newHost(t)
		if err := os.WriteFile(h.root+"/etc/hostname", []byte(name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if name == "web2" {
			if err := os.Chmod(h.root+"/etc/default/docker", 0o600); err != nil {
				t.Fatal(err)
			}
		}
		inventory += fmt.Sprintf("    %s: {harden_arguments: [--root, %s, --state, %s], harden_report: %s/report.json}\n",
			name, h.root, h.state, h.dir)
	}
	if err := os.WriteFile(dir+"/inventory.yml", []byte(inventory), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ansible-playbook", "-i", dir+"/inventory.yml", "harden.hosts.reports",
		"-e", "harden_binary="+built.installed, "-e", "harden_reports="+dir+"/reports")
	cmd.Env = child.Environ("ANSIBLE_COLLECTIONS_PATH="+built.dir, "HOME="+dir, "ANSIBLE_NOCOLOR=1",
		"ANSIBLE_LOCALHOST_WARNING=0", "LC_ALL=C.UTF-8", "HARDEN_CONFIG=none")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "3 hosts in 1 group: 1 differs from its group") {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"docker_hosts/web1.json", "docker_hosts/web3.json", "fleet.html"} {
		if _, err := os.Stat(filepath.Join(dir, "reports", name)); err != nil {
			t.Error(err)
		}
	}
	table, err := os.ReadFile(dir + "/reports/fleet.csv")
	if err != nil || !strings.Contains(string(table), "\nweb2,docker_hosts,") ||
		!strings.Contains(string(table), "docker/etc-default-mode") {
		t.Errorf("%v\n%s", err, table)
	}
	if strings.Contains(string(out)+string(table), "hunter2") {
		t.Error("a secret is told")
	}
}
