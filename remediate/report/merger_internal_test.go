package report

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestMergerBound merges hosts that have nothing alike: what is kept of them is bounded, and beyond that it is their
// states.
func TestMergerBound(t *testing.T) {
	const hosts, each = 300, 30
	for _, room := range []int{maxMerged, 200 << 10} {
		m := NewMerger(Grouping{text: "none"}, strings.Clone)
		m.room = room
		for i := range hosts {
			g := &Gist{File: "f", Time: time.Unix(1, 0), Host: Host{Name: fmt.Sprint(i)}}
			r := gistResult{id: "docker/x", standing: Fail, sum: [2]uint64{uint64(i), 1}, total: each}
			if i > 0 && i < hosts/3 { // all but the first of which pass
				r = gistResult{id: "docker/x", standing: Pass}
			}
			for j := range r.total {
				if j < maxSeen {
					r.seen = append(r.seen, sighting{subject: fmt.Sprintf("container %d-%d", i, j), got: "1", must: "2"})
				}
			}
			g.results = []gistResult{r}
			m.Add(g)
		}
		kept := 0
		for text := range m.texts {
			kept += len(text)
		}
		for _, k := range m.marks {
			kept += 32 * len(k.seen)
		}
		if kept > room || m.room < 0 {
			t.Errorf("%d bytes are kept, and %d may be", kept, room)
		}
		f := m.FleetOf("1", time.Unix(2, 0))
		if whole := room == maxMerged; (m.unkept == 0) != whole || (len(f.Notes) == 0) != whole {
			t.Errorf("room for %d bytes: %d results are not kept whole, and told is %q", room, m.unkept, f.Notes)
		}
		if f.Differing != hosts/3-1 || f.Groups[0].Checks[0].Majority != Fail {
			t.Errorf("room for %d bytes: %d differ: %+v", room, f.Differing, f.Groups)
		}
	}
}
