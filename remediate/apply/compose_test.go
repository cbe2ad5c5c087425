package apply

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/remediate"
)

// TestComposeReads has Compose be called for what was judged, in either direction. How many containers ran counts while
// a run is taken back that did not end well, and not when it is rolled back later: whoever has stopped them since meant
// it.
func TestComposeReads(t *testing.T) {
	for name, tt := range map[string]struct {
		fails bool
		want  []string
	}{
		"fails and is rolled back":          {true, []string{"old>new 2", "new>old 2"}},
		"ends well and is rolled back then": {false, []string{"old>new 2", "new>old 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			plan := w.manifests(t)
			plan.Changes = plan.Changes[:1]
			plan.Activations = []remediate.Activation{{Kind: remediate.ComposeUp, Unit: "shop/web", Reads: &remediate.Reads{
				Before: map[string]string{"f": "old"}, After: map[string]string{"f": "new"}, Ran: 2}}}
			o := w.options()
			var got []string
			o.Services.(*services).broken = func(nth int, a remediate.Activation) error {
				got = append(got, fmt.Sprintf("%s>%s %d", a.Reads.Before["f"], a.Reads.After["f"], a.Reads.Ran))
				if tt.fails && nth == 1 {
					return errors.New("sick")
				}
				return nil
			}
			if _, err := Apply(t.Context(), plan, o); (err != nil) != tt.fails {
				t.Fatal(err)
			}
			if !tt.fails {
				if _, err := Rollback(t.Context(), "", o); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
