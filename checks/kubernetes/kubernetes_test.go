package kubernetes_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/cis"
	"example.com/harden/checks/kubernetes"
	"example.com/harden/checks/stride"
)

// sections is how many items each section of an edition has, and the items that it counts and nobody checks.
var sections = map[cis.Benchmark]map[string]struct {
	last  int
	holes []int
}{
	// 1.2.12 asked for a plugin that has been removed from Kubernetes.
	cis.K8s124: {"1.1": {last: 21}, "1.2": {31, []int{12}}, "1.3": {last: 7}, "1.4": {last: 2}, "2": {last: 7},
		"3.1": {last: 1},
		"3.2": {last: 2}, "4.1": {last: 10}, "4.2": {last: 13}},
	cis.K8s110: {"1.1": {last: 21}, "1.2": {last: 29}, "1.3": {last: 7}, "1.4": {last: 2}, "2": {last: 7},
		"3.1": {last: 3},
		"3.2": {last: 2}, "4.1": {last: 10}, "4.2": {last: 13}, "4.3": {last: 1}},
	cis.K8s111: {"1.1": {last: 21}, "1.2": {last: 30}, "1.3": {last: 7}, "1.4": {last: 2}, "2": {last: 7},
		"3.1": {last: 3},
		"3.2": {last: 2}, "4.1": {last: 10}, "4.2": {last: 14}, "4.3": {last: 1}},
}

// TestEveryItem holds the catalogue to having every item of sections 1 to 4, in each edition.
func TestEveryItem(t *testing.T) {
	sections[cis.K8s112] = sections[cis.K8s111]
	sections[cis.K8s20] = sections[cis.K8s111]
	for edition, of := range sections {
		var want, got []string
		for section, s := range of {
			for i := 1; i <= s.last; i++ {
				if !slices.Contains(s.holes, i) {
					want = append(want, fmt.Sprintf("%s.%d", section, i))
				}
			}
		}
		for _, c := range kubernetes.All {
			if n := c.Items[edition]; n != "" {
				got = append(got, n)
			}
		}
		slices.SortFunc(want, cis.Compare)
		slices.SortFunc(got, cis.Compare)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", edition, diff)
		}
	}
}

// TestThreats holds the threats that harden was founded on to the items of edition 1.12 that answer them.
func TestThreats(t *testing.T) {
	for threat, items := range map[stride.ID]string{
		stride.KubernetesControlPlaneSpoofing:  "1.2.1 1.2.2 1.2.4 1.2.5 1.2.6 1.2.8 1.2.24 1.2.25 1.2.29",
		stride.KubernetesControlPlaneTampering: "2.1 2.2 2.3 2.4 2.5 2.6 2.7 1.1.7 1.1.8 1.1.11 1.1.12 1.2.23 1.2.26",
		stride.KubernetesNodeRepudiation: "4.2.1 4.2.2 4.2.3 4.2.4 4.2.9 4.2.10 4.2.11 4.1.1 4.1.2 4.1.5 4.1.6 " +
			"4.1.9 4.1.10",
		stride.KubernetesNodeDisclosure: "4.1.4",
	} {
		for item := range strings.FieldsSeq(items) {
			found := false
			for _, c := range kubernetes.All {
				found = found || c.Items[cis.K8s112] == item && slices.Contains(c.Threats, threat)
			}
			if !found {
				t.Errorf("%s is not answered by %s", threat, item)
			}
		}
	}
	own := map[string]stride.ID{
		"kubernetes/proxy-kubeconfig-exposed": stride.KubernetesNodeDisclosure,
		"kubernetes/protect-kernel-defaults":  stride.KubernetesNodeDenial,
	}
	for _, c := range kubernetes.All {
		if threat, ok := own[c.ID]; ok && (!c.Own || !slices.Contains(c.Threats, threat)) {
			t.Errorf("%s is no check of harden's own that answers %s", c, threat)
		}
	}
}
