package compare

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/cis"
	"example.com/harden/scripts/child"
	"example.com/harden/scripts/kube"
	"example.com/harden/scripts/vm"
)

// kubeRecorded holds kube-bench's verdicts on the node of a kubeadm control plane, as kubeadm made it and as harden
// did, by the numbers of CIS Kubernetes 2.0 without its section 5: node, number, verdict. They stand in for the program
// itself where its module cannot be downloaded.
//
//go:embed kube-recorded.tsv
var kubeRecorded string

// kubeDifferences holds the verdicts that are not the same: number, kube-bench's, harden's, why.
//
//go:embed kube-differences.tsv
var kubeDifferences string

// kubeAlike gives what harden may say where kube-bench says this. Its WARN is what it has found wrong and does not
// count, and what it does not look at.
var kubeAlike = map[string][]string{"PASS": {"pass"}, "FAIL": {"fail"}, "WARN": {"fail", "manual"}}

// answers are those of harden: of each item, and of what it leaves to people why, by the same key.
type answers struct{ verdicts, left verdicts }

func TestKubeVerdicts(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Kubernetes: not in a -short run")
	}
	n, bench := kube.NewNode(t), benchDir(t)
	n.Kubeadm()
	n.Write("/etc/hostname", 0o644, kube.Name+"\n")
	n.Write("/etc/systemd/system/kubelet.service", 0o644, "[Service]\nExecStart=/usr/local/bin/kubelet\nRestart=always\n")
	n.Write("/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", 0o644, kubeletDropIn)
	if bench != "" {
		if err := os.CopyFS(filepath.Join(n.Root, "root", "kube-bench"), os.DirFS(bench)); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(n.Root, "root", "harden")
	if err := vm.Compile(program, "example.com/harden/cmd/harden"); err != nil {
		t.Fatal(err)
	}
	theirs, ours := verdicts{}, answers{verdicts{}, verdicts{}}
	for _, host := range []string{"kubeadm", "hardened"} {
		if host == "hardened" {
			cmd := exec.Command(program, "--root", n.Root, "--state", t.TempDir(), "--config", "none", "--yes", "--allow", "all")
			cmd.Env = child.Environ()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("harden: %v\n%s", err, out)
			}
		}
		look(t, n, host, ours, theirs)
	}
	switch {
	case bench == "":
		theirs = parse(kubeRecorded)
	case *update:
		recordKube(t, theirs)
	default:
		if diff := cmp.Diff(parse(kubeRecorded), theirs); diff != "" {
			t.Errorf("kube-bench's verdicts are not as recorded (-recorded +now; -update records them):\n%s", diff)
		}
	}
	known := differ(t, "kube-bench", kubeDifferences, kubeAlike, theirs, ours.verdicts)

	failed := 0
	for at, their := range theirs {
		host, number, _ := strings.Cut(at, " ")
		if their != "FAIL" {
			continue
		}
		if host == "kubeadm" {
			failed++
			continue
		}
		if our := ours.verdicts[at]; !known[difference{number, their, our}] && ours.left[at] == "" {
			t.Errorf("%s: kube-bench still fails it once harden has repaired the node, and harden, which says %s, does not "+
				"tell why", number, our)
		}
	}
	if failed == 0 {
		t.Error("kube-bench fails nothing on kubeadm's own node: it has not looked")
	}
}

// TestKubeCounts holds the numbers of kube-bench's verdicts in DIFFERENCES.md to the record.
func TestKubeCounts(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	told := strings.Join(strings.Fields(string(text)), " ")
	for _, host := range []string{"kubeadm", "hardened"} {
		count := map[string]int{}
		for _, row := range rows(kubeRecorded, 3) {
			if row[0] == host {
				count[row[2]]++
			}
		}
		if want := fmt.Sprintf("%d PASS, %d FAIL and %d WARN", count["PASS"], count["FAIL"],
			count["WARN"]); !strings.Contains(told, want) {
			t.Errorf("%s does not say %s, for the node %s", page, want, host)
		}
	}
}

// kubeletDropIn starts the kubelet with what kubeadm has written, as its package's does.
const kubeletDropIn = `[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=
ExecStart=/usr/local/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS
`

// look runs the node's programs from its files as they are, has harden look at them, and kube-bench where it is there,
// and ends them.
func look(t *testing.T, n *kube.Node, host string, ours answers, theirs verdicts) {
	t.Helper()
	var run []*kube.Process
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		p, err := n.Pod(name)
		if err == nil {
			err = n.Ready(p)
		}
		if err != nil {
			t.Fatal(err)
		}
		run = append([]*kube.Process{p}, run...)
	}
	kubelet := n.IdleKubelet()
	hardenNode(t, n, host, ours)
	if _, err := os.Stat(filepath.Join(n.Root, "root/kube-bench")); err == nil {
		for number, verdict := range kubeBench(t, n) {
			theirs[host+" "+number] = verdict
		}
	}
	kubelet.Kill() // while it waits it does not listen
	for _, p := range run {
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// hardenNode adds what harden, on the node itself, says of every item.
func hardenNode(t *testing.T, n *kube.Node, host string, to answers) {
	t.Helper()
	p := n.Start("/bin/bash", "-c", "exec /root/harden --dry-run --allow all --config none --format json "+
		"--only 'kubernetes/*' --benchmark "+string(cis.K8s20)+" >/root/harden.json")
	if p.Wait(); p.Code() != 2 {
		t.Fatalf("harden exited %d:\n%s", p.Code(), p.Log())
	}
	var report struct {
		Results []struct {
			Number, Status string
			Findings       []struct{ State, Reason string }
		}
	}
	if err := json.Unmarshal([]byte(n.Read("/root/harden.json")), &report); err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		to.verdicts[host+" "+r.Number] = r.Status
		for _, f := range r.Findings {
			if f.State == "left" {
				to.left[host+" "+r.Number] += f.Reason
			}
		}
	}
}

func recordKube(t *testing.T, all verdicts) {
	t.Helper()
	order := func(at string) []int {
		host, number, _ := strings.Cut(at, " ")
		return append([]int{strings.Index("kubeadm hardened", host)}, parts(number)...)
	}
	var b strings.Builder
	for _, at := range slices.SortedFunc(maps.Keys(all),
		func(a, b string) int { return slices.Compare(order(a), order(b)) }) {
		fmt.Fprintf(&b, "%s\t%s\n", strings.ReplaceAll(at, " ", "\t"), all[at])
	}
	if err := os.WriteFile("kube-recorded.tsv", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// kubeBench gives kube-bench's verdicts by number.
func kubeBench(t *testing.T, n *kube.Node) verdicts {
	t.Helper()
	const report = "/root/kube-bench.json"
	profile, err := kube.Profile(filepath.Join(n.Root, "root/kube-bench/cfg"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := n.Run("/root/kube-bench/kube-bench", "run", "--config-dir", "/root/kube-bench/cfg", "--benchmark", profile,
		"--targets", "master,node,etcd,controlplane", "--json", "--outputfile", report)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Controls []struct {
			Tests []struct {
				Results []struct {
					Number string `json:"test_number"`
					Status string
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(n.Read(report)), &r); err != nil {
		t.Fatalf("kube-bench's report: %v\n%s", err, out)
	}
	all := verdicts{}
	for _, c := range r.Controls {
		for _, section := range c.Tests {
			for _, x := range section.Results {
				all[x.Number] = x.Status
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("kube-bench reports nothing:\n%s", out)
	}
	return all
}

// benchModule is the newest kube-bench that Go's checksum database knows: 0.16.0 is not in it, as of November 2026.
const benchModule = "github.com/aquasecurity/kube-bench@v0.15.6"

// benchDir gives a folder with the program kube-bench and its cfg: the one that KUBE_BENCH_DIR names, or one made of
// benchModule; empty where that cannot be downloaded.
func benchDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("KUBE_BENCH_DIR"); dir != "" {
		return dir
	}
	dir := t.TempDir()
	download := exec.Command("go", "mod", "download", "-json", benchModule)
	download.Dir = dir // away from this module's go.sum
	out, err := download.Output()
	var module struct{ Dir string }
	if err != nil || json.Unmarshal(out, &module) != nil {
		t.Logf("%s: %v: its recorded verdicts stand in\n%s", benchModule, err, out)
		return ""
	}
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "kube-bench"), ".")
	build.Dir, build.Env = module.Dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", benchModule, err, out)
	}
	if err := os.CopyFS(filepath.Join(dir, "cfg"), os.DirFS(filepath.Join(module.Dir, "cfg"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// parts splits a number so that 1.1.10 comes after 1.1.9.
func parts(number string) (all []int) {
	for _, s := range strings.Split(number, ".") {
		var i int
		fmt.Sscan(s, &i)
		all = append(all, i)
	}
	return all
}
