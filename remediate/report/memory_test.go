package report_test

import (
	"fmt"
	"runtime"
	"testing"

	"example.com/harden/remediate/report"
)

// A gauge measures how much memory is in use, once for each MiB that is written to it.
type gauge struct {
	written, next int
	most          uint64
}

func (g *gauge) Write(p []byte) (int, error) {
	if g.written += len(p); g.written >= g.next {
		g.next = g.written + 1<<20
		g.most = max(g.most, inUse())
	}
	return len(p), nil
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestFormatMemory holds formats that are written a host at a time to a small part of what they write.
func TestFormatMemory(t *testing.T) {
	names := make([]string, 100)
	for i := range names {
		names[i] = fmt.Sprintf("c%d", i)
	}
	one, many := findings(t, names), report.Reports{}
	for i := range 200 {
		r := *one
		r.Host.Machine = fmt.Sprintf("%064x", i)
		many = append(many, &r)
	}
	for _, format := range []string{"oscal", "jsonl", "csv"} {
		v, err := report.ViewOf(format, report.OfReport)
		if err != nil {
			t.Fatal(err)
		}
		g, before := &gauge{}, inUse()
		if err := v.Write(g, many, report.Style{}); err != nil {
			t.Fatal(err)
		}
		if used := int64(g.most) - int64(before); g.written < 4<<20 || used > int64(g.written)/8 {
			t.Errorf("%s takes %d bytes of memory for %d bytes of text", format, used, g.written)
		}
	}
	runtime.KeepAlive(many)
}
