package remediate_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/diff"
	"example.com/harden/remediate/report"
)

func TestUpgrade(t *testing.T) {
	logs := want.Mount{Path: "/var/log/kubernetes/audit", Type: "DirectoryOrCreate"}
	all := []*checks.Check{
		holds("kubernetes/a", apiserver, "--profiling=false", want.PodFlag{Warrant: want.Mine, Manifest: apiserver,
			Container: "kube-apiserver", Name: "profiling", Value: "false"}),
		holds("kubernetes/b", apiserver, "AlwaysPullImages", want.PodFlag{Warrant: want.Mine, Manifest: apiserver,
			Container: "kube-apiserver", Name: "enable-admission-plugins", Add: []string{"AlwaysPullImages"}}),
		holds("kubernetes/c", apiserver, "--audit-log-path", want.PodFlag{Warrant: want.Mine, Manifest: apiserver,
			Container: "kube-apiserver", Name: "audit-log-path", Value: "/var/log/kubernetes/audit/a.log",
			Mounts: []want.Mount{logs}}),
		lacks("kubernetes/d", apiserver, "--kubelet-client-key", want.PodFlag{Warrant: want.Mine, Manifest: apiserver,
			Container: "kube-apiserver", Name: "kubelet-client-key", Gone: true}),
		mode("kubernetes/mode", apiserver, 0o600),
		mode("kubernetes/mode-etcd", etcd, 0o600),
		holds("kubernetes/e", kubelet, "podPidsLimit", want.Field{Warrant: want.Mine, File: kubelet,
			Field: []string{"podPidsLimit"}, Value: 4096}),
		holds("kubernetes/f", kubelet, "tlsCipherSuites", want.Field{Warrant: want.Mine, File: kubelet,
			Field: []string{"tlsCipherSuites"}, Value: []string{"A"}}),
		lacks("kubernetes/g", kubelet, "cgroupDriver", want.Field{Warrant: want.Mine, File: kubelet,
			Field: []string{"cgroupDriver"}}),
		holds("kubernetes/h", policy, "x", want.Content{Warrant: want.Mine, File: policy, Data: "x"}),
		lacks("kubernetes/i", flagsEnv, "read-only-port", want.Flag{Warrant: want.Mine, Unit: "kubelet.service",
			Name: "read-only-port", Gone: true}),
	}
	notes := func(host tree) map[string]string {
		h := facts.New(t.Context(), host, facts.Choices{})
		plan, err := remediate.Propose(t.Context(), h, checks.Run(t.Context(), h, all),
			remediate.Policy{Allow: func(*checks.Check, want.Class) bool { return true }})
		if err != nil || len(plan.Changes) != 5 && len(plan.Changes) != 4 {
			t.Fatalf("%s%v", differences(plan), err)
		}
		got := map[string]string{}
		for _, c := range plan.Changes {
			switch {
			case c.Upgrade == nil:
			case c.Upgrade.Safe:
				got[c.Path] = "safe"
			default:
				got[c.Path] = c.Upgrade.Note
			}
		}
		return got
	}
	wanted := map[string]string{
		apiserver: `"kubeadm upgrade" writes this file anew from ConfigMap kube-system/kubeadm-config, and joining nodes ` +
			`do: add to apiServer of its ClusterConfiguration ` +
			`{extraArgs: [{name: profiling, value: "false"}, {name: enable-admission-plugins, value: ` +
			`'NodeRestriction,AlwaysPullImages'}, ` +
			`{name: audit-log-path, value: /var/log/kubernetes/audit/a.log}], ` +
			`extraVolumes: [{name: harden-audit, hostPath: /var/log/kubernetes/audit, mountPath: /var/log/kubernetes/audit, ` +
			`pathType: DirectoryOrCreate}]}` +
			`; take --kubelet-client-key out of apiServer.extraArgs there (before v1beta4, extraArgs is a mapping of name to ` +
			`value)`,
		kubelet: `"kubeadm upgrade" writes this file anew from ConfigMap kube-system/kubelet-config, and joining nodes get ` +
			`it: under its key kubelet, ` +
			`set podPidsLimit: 4096; set tlsCipherSuites: [A]; take cgroupDriver out`,
		policy: "safe", flagsEnv: "safe",
	}
	if diff := cmp.Diff(wanted, notes(kubeadmNode(t))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	other := kubeadmNode(t)
	delete(other, flagsEnv)
	if got := notes(other); len(got) != 0 {
		t.Errorf("a node that is not kubeadm's: %v", got)
	}
}

func TestRecordInCluster(t *testing.T) {
	all := []*checks.Check{
		holds("kubernetes/a", apiserver, "--profiling=false", want.PodFlag{Warrant: want.Mine, Manifest: apiserver,
			Container: "kube-apiserver", Name: "profiling", Value: "false"}),
		holds("kubernetes/e", kubelet, "podPidsLimit", want.Field{Warrant: want.Mine, File: kubelet,
			Field: []string{"podPidsLimit"}, Value: 4096}),
	}
	const none = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
	for _, tt := range []struct {
		name    string
		cluster *remediate.Cluster
		err     error
		safe    bool
		note    string
		after   []string
	}{
		{"both", &remediate.Cluster{Configuration: "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n",
			Kubelet: none}, nil, true, "",
			[]string{"apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\napiServer:\n  extraArgs:\n    " +
				"profiling: \"false\"\n", none + "podPidsLimit: 4096\n"}},
		{"it keeps them already", &remediate.Cluster{Configuration: "apiVersion: kubeadm.k8s.io/v1beta4\nkind: " +
			"ClusterConfiguration\napiServer: {extraArgs: [{name: profiling, value: \"false\"}]}\n",
			Kubelet: none + "podPidsLimit: 4096\n"}, nil, true, "", nil},
		{"it keeps nothing", &remediate.Cluster{}, nil, false, "has not done it: configmap/kube-system/", nil},
		{"what cannot be edited", &remediate.Cluster{Configuration: "apiVersion: kubeadm.k8s.io/v1beta2\nkind: " +
			"ClusterConfiguration\n", Kubelet: "a: 1\na: 2\n"}, nil, false, "has not done it", nil},
		{"nobody answers", nil, context.DeadlineExceeded, false,
			"(the cluster is not reachable: context deadline exceeded)", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := facts.New(t.Context(), kubeadmNode(t), facts.Choices{})
			plan, err := remediate.Propose(t.Context(), h, checks.Run(t.Context(), h, all),
				remediate.Policy{Allow: func(*checks.Check, want.Class) bool { return true },
					Cluster: func(context.Context) (*remediate.Cluster, error) { return tt.cluster, tt.err }})
			if err != nil || len(plan.Changes) != 2 {
				t.Fatalf("%s%v", differences(plan), err)
			}
			for _, c := range plan.Changes {
				if c.Upgrade == nil || c.Upgrade.Safe != tt.safe || !strings.Contains(c.Upgrade.Note, tt.note) {
					t.Errorf("%s: %+v", c.Path, c.Upgrade)
				}
			}
			var after []string
			for _, a := range plan.Activations {
				if a.Kind == remediate.RecordInCluster {
					after = append(after, a.Record.After)
				}
			}
			if diff := cmp.Diff(tt.after, after); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			hidden := diff.NewRedactor(make([]byte, 32))
			saved := report.Save(plan, hidden)
			if moved := saved.Moved(saved); len(moved) != 0 {
				t.Errorf("%q", moved)
			}
			if len(after) > 0 {
				plan.Activations[len(plan.Activations)-1].Record.After += "#\n"
				if moved := saved.Moved(report.Save(plan, hidden)); len(moved) != 2 {
					t.Errorf("another text for the cluster: %q", moved)
				}
			}
		})
	}
}
