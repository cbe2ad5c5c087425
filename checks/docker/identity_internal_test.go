package docker

import (
	"testing"

	"example.com/harden/checks/facts/docker"
)

func TestContainerKey(t *testing.T) {
	const task = "abcdefghijklmnopqrstuvwxy"
	for name, want := range map[string]string{
		"web":                        "web",
		"shop-web-1":                 "shop-web-1",
		"web.1." + task:              "web.1",
		"agent." + task + "." + task: "agent." + task,
		"web.1.short":                "web.1.short",
		"k8s_etcd_etcd-n1_kube-system_0123-4567_3": "k8s_etcd_etcd-n1_kube-system",
		"shop-web-run-0123456789ab":                "shop-web-run",
		"=cmd()":                                   "=cmd()",
	} {
		if got := containerKey(name); got != "container "+want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestImageKey(t *testing.T) {
	for ref, want := range map[string]string{
		"nginx:1.27": "nginx", "nginx": "nginx", "r.example:5000/a/b:2": "r.example:5000/a/b",
		"r.example:5000/a": "r.example:5000/a", "nginx@sha256:0123": "nginx", "nginx:1@sha256:0123": "nginx",
	} {
		if got := imageKey(ref); got != "image "+want {
			t.Errorf("%s: %q", ref, got)
		}
	}
}

// TestImageOrder names an image that has several tags the same in whichever order the Engine lists them.
func TestImageOrder(t *testing.T) {
	key := func(tags ...string) string {
		return ofImage(&docker.Image{ID: "sha256:0123456789abcdef", RepoTags: tags}, "", "").Key
	}
	if a, b := key("b:1", "a:1"), key("a:1", "b:1"); a != "image a" || b != a {
		t.Errorf("%s, %s", a, b)
	}
	if got := key("<none>:<none>"); got != "image 0123456789ab" {
		t.Error(got)
	}
}
