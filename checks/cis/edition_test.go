package cis_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/cis"
)

func TestFind(t *testing.T) {
	for name, want := range map[string]cis.Benchmark{
		"docker": cis.Docker180, "docker@1.6.0": cis.Docker160, "1.2.0": cis.Docker120, "docker@1.6": "", "podman": "",
		"": "", "k8s": cis.K8s20, "k8s@1.24": cis.K8s124, "kubernetes": cis.K8s20, "kubernetes@1.12": cis.K8s112,
		"2.0": cis.K8s20, "1.11": cis.K8s111, "2.0.1": cis.K8s20, "k8s@2.0.1": cis.K8s20, "1.12.0": cis.K8s112,
		"k8s@2.0.x": "", "docker@1.6.0.1": "", "k8s@2.1": "",
	} {
		got, err := cis.Find(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Find(%q) = %q, %v; want %q", name, got, err, want)
		}
	}
	if diff := cmp.Diff([]cis.Benchmark{cis.Docker180, cis.K8s20}, cis.Newest()); diff != "" {
		t.Errorf("Newest() (-want +got)\n%s", diff)
	}
}

func TestCompare(t *testing.T) {
	got := []string{"", "3.10", "1.1.18", "3.9", "2.1", "1.1.9", "1.2", "3"}
	slices.SortFunc(got, cis.Compare)
	if diff := cmp.Diff([]string{"1.1.9", "1.1.18", "1.2", "2.1", "3", "3.9", "3.10", ""}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestHeading(t *testing.T) {
	for _, test := range []struct {
		edition        cis.Benchmark
		number         string
		section, title string
	}{
		{cis.Docker160, "1.1.4", "1.1", "the host's disk, users and audit rules"},
		{cis.Docker120, "1.2.4", "1.2", "the host's disk, users and audit rules"},
		{cis.Docker120, "1.1.1", "1.1", "the host's system and its Docker"},
		{cis.Docker180, "3.20", "3", "the daemon's files"},
		{cis.K8s112, "4.2.6", "4.2", "the kubelet"},
		{cis.K8s20, "2.1", "2", "etcd"},
	} {
		section, title := test.edition.Heading(test.number)
		if section != test.section || title != test.title {
			t.Errorf("%s:%s is under %s, %q", test.edition, test.number, section, title)
		}
	}
	if got := cis.Docker180.Title(); got != "CIS Docker Benchmark 1.8.0" {
		t.Errorf("Title() = %q", got)
	}
	if got := cis.K8s112.Title(); got != "CIS Kubernetes Benchmark 1.12" {
		t.Errorf("Title() = %q", got)
	}
}
