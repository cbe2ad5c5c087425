package edit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/remediate/edit"
)

func TestClusterConfiguration(t *testing.T) {
	args := []edit.ClusterArg{{Name: "profiling", Value: "false"}, {Name: "secure-port", Value: "6443"},
		{Name: "old", Gone: true}}
	volumes := []edit.ClusterVolume{{Name: "harden-audit", HostPath: "/var/log/a", MountPath: "/var/log/a",
		PathType: "DirectoryOrCreate"},
		{Name: "harden-policy", HostPath: "/etc/p", MountPath: "/etc/p", PathType: "File", ReadOnly: true}}
	for _, tt := range []struct{ name, component, in, want string }{
		{"v1beta4, nothing yet", "apiServer", "apiServer: {}\napiVersion: kubeadm.k8s.io/v1beta4\n" +
			"kind: ClusterConfiguration\nscheduler: {}\n",
			"apiServer:\n  extraArgs:\n    - name: profiling\n      value: \"false\"\n    - name: secure-port\n" +
				"      value: \"6443\"\n" +
				"  extraVolumes:\n    - hostPath: /var/log/a\n      mountPath: /var/log/a\n      name: harden-audit\n" +
				"      pathType: DirectoryOrCreate\n" +
				"    - hostPath: /etc/p\n      mountPath: /etc/p\n      name: harden-policy\n      pathType: File\n" +
				"      readOnly: true\n" +
				"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nscheduler: {}\n"},
		{"v1beta4, some", "apiServer", "apiServer:\n  extraArgs:\n  - name: old # gone\n    value: x\n" +
			"  - name: profiling\n    value: \"true\" # no\n  extraVolumes:\n" +
			"  - hostPath: /var/log/a\n    mountPath: /var/log/a\n    name: logs\n  - hostPath: /etc/p\n" +
			"    mountPath: /etc/p\n    name: p\n    readOnly: true\n" +
			"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n",
			"apiServer:\n  extraArgs:\n  - name: profiling\n    value: \"false\" # no\n  - name: secure-port\n" +
				"    value: \"6443\"\n  extraVolumes:\n" +
				"  - hostPath: /var/log/a\n    mountPath: /var/log/a\n    name: logs\n  - hostPath: /etc/p\n" +
				"    mountPath: /etc/p\n    name: p\n    readOnly: true\n" +
				"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"},
		{"v1beta3", "apiServer", "apiServer:\n  extraArgs:\n    old: x\n    profiling: \"true\"\n  extraVolumes:\n" +
			"  - {hostPath: /var/log/a, mountPath: /var/log/a, name: a}\n" +
			"  - {hostPath: /etc/p, mountPath: /etc/p, name: b}\napiVersion: kubeadm.k8s.io/v1beta3\n" +
			"kind: ClusterConfiguration\n",
			"apiServer:\n  extraArgs:\n    profiling: \"false\"\n    secure-port: \"6443\"\n  extraVolumes:\n" +
				"  - {hostPath: /var/log/a, mountPath: /var/log/a, name: a}\n" +
				"  - {hostPath: /etc/p, mountPath: /etc/p, name: b}\napiVersion: kubeadm.k8s.io/v1beta3\n" +
				"kind: ClusterConfiguration\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := edit.ClusterConfiguration([]byte(tt.in), tt.component, args, volumes)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if again, err := edit.ClusterConfiguration(got, tt.component, args, volumes); err != nil || &again[0] != &got[0] {
				t.Errorf("the second edit gave %q, %v", again, err)
			}
		})
	}
	head := "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
	for _, tt := range []struct{ name, component, in, want string }{
		{"an old version", "apiServer", "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n",
			"this is not a ClusterConfiguration of kubeadm in a version that harden knows (v1beta3, v1beta4)"},
		{"of another group", "apiServer", "apiVersion: example.com/v1beta4\nkind: ClusterConfiguration\n",
			"this is not a ClusterConfiguration of kubeadm in a version that harden knows (v1beta3, v1beta4)"},
		{"of another kind", "apiServer", "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n",
			"this is not a ClusterConfiguration of kubeadm in a version that harden knows (v1beta3, v1beta4)"},
		{"nothing", "apiServer", "", "this is not a ClusterConfiguration of kubeadm in a version that harden knows " +
			"(v1beta3, v1beta4)"},
		{"etcd's volumes", "etcd.local", head, "kubeadm has no extraVolumes for etcd: use a kubeadm patch"},
		{"twice", "apiServer", head + "apiServer:\n  extraArgs:\n  - {name: profiling, value: a}\n" +
			"  - {name: profiling, value: b}\n", "apiServer.extraArgs: profiling is there twice: edit it yourself"},
		{"another volume", "apiServer", head + "apiServer:\n  extraVolumes:\n" +
			"  - {name: x, hostPath: /b, mountPath: /var/log/a}\n",
			"apiServer.extraVolumes: harden-audit is another volume there: edit it yourself"},
	} {
		if got, err := edit.ClusterConfiguration([]byte(tt.in), tt.component, args, volumes); err == nil ||
			err.Error() != tt.want {
			t.Errorf("%s: got %q, %v", tt.name, got, err)
		}
	}
	one := volumes[:1]
	if got, err := edit.ClusterConfiguration([]byte(head), "etcd.local", nil, one); err == nil {
		t.Errorf("one volume of etcd's became %q", got)
	}
}
