package compare

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/kube"
)

// kubeRecorded holds kube-bench's verdicts on the node of a kubeadm control plane, by the numbers of CIS Kubernetes 1.12
// without its section 5: number, verdict.
//
//go:embed kube-recorded.tsv
var kubeRecorded string

// TestKubeBench holds the record to kube-bench itself, where KUBE_BENCH_DIR leads to a folder with the program and its
// cfg.
func TestKubeBench(t *testing.T) {
	dir := os.Getenv("KUBE_BENCH_DIR")
	if dir == "" || testing.Short() {
		t.Skip("needs kube-bench, in KUBE_BENCH_DIR")
	}
	n := kube.NewNode(t)
	n.Kubeadm()
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		p, err := n.Pod(name)
		if err == nil {
			err = n.Ready(p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(n.Root, "root", "kube-bench"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	n.IdleKubelet()
	now := kubeBench(t, n)
	if *update {
		var b strings.Builder
		for _, number := range slices.SortedFunc(maps.Keys(now), func(a, b string) int { return slices.Compare(parts(a), parts(b)) }) {
			fmt.Fprintf(&b, "%s\t%s\n", number, now[number])
		}
		if err := os.WriteFile("kube-recorded.tsv", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	was := verdicts{}
	for _, row := range rows(kubeRecorded, 2) {
		was[row[0]] = row[1]
	}
	if diff := cmp.Diff(was, now); diff != "" {
		t.Errorf("kube-bench's verdicts are not as recorded (-recorded +now; -update records them):\n%s", diff)
	}
}

// kubeBench gives kube-bench's verdicts by number.
func kubeBench(t *testing.T, n *kube.Node) verdicts {
	t.Helper()
	const report = "/root/kube-bench.json"
	out, err := n.Run("/root/kube-bench/kube-bench", "run", "--config-dir", "/root/kube-bench/cfg", "--benchmark", "cis-1.12",
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

// parts splits a number so that 1.1.10 comes after 1.1.9.
func parts(number string) (all []int) {
	for _, s := range strings.Split(number, ".") {
		var i int
		fmt.Sscan(s, &i)
		all = append(all, i)
	}
	return all
}
