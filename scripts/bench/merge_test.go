package bench

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/fixtures"
	"example.com/harden/remediate/report"
)

// maxMerge bounds the memory of a merge at its peak, in bytes.
const maxMerge = 200 << 20

// BenchmarkMerge merges the reports of ten thousand hosts, as a user does, in every format.
func BenchmarkMerge(b *testing.B) {
	program, dir := build(b, "cmd/harden"), b.TempDir()
	if keep := os.Getenv("HARDEN_FLEET"); keep != "" { // to measure by other means
		dir = keep
	}
	size := fleet(b, dir, 10_000)
	out := b.TempDir()
	args := []string{program, "merge", dir, "--config", "none", "--out", "json=" + out + "/f.json",
		"--out", "csv=" + out + "/f.csv", "--out", "html=" + out + "/f.html"}
	best := time.Hour
	for b.Loop() {
		best = min(best, timed(func() { run(b, 0, args...) }))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(best.Seconds(), "s/merge")
	b.ReportMetric(float64(size)/(1<<20), "MiB-read")
	tellPeak(b, held(b, 0, args...), maxMerge)
}

// fleet writes the reports of n hosts below dir and returns how large they are together. They are of one recorded host
// where everything is at its defaults; each has forty containers of its own, and of every fifty one has other values.
func fleet(b *testing.B, dir string, n int) (size int64) {
	b.Helper()
	recorded, err := fixtures.Load("docker/loose.txtar")
	if err != nil {
		b.Fatal(err)
	}
	selection, err := catalog.Select(catalog.All, catalog.Query{})
	if err != nil {
		b.Fatal(err)
	}
	h := recorded.Host(b.Context())
	base := report.New(selection, checks.Run(b.Context(), h, selection.Checks), nil, time.Now())
	base.Version, base.Command = "v0.0.0", "check"
	base.Host = report.HostOf(h, report.Look{Root: "/", UID: 0})
	base.Settle()
	for i := range n {
		size += member(b, dir, base, i)
	}
	return size
}

// member writes the report of the i-th host.
func member(b *testing.B, dir string, base *report.Report, i int) int64 {
	b.Helper()
	r := *base
	r.Host.Name = fmt.Sprintf("web%05d.example.com", i)
	r.Host.Machine = fmt.Sprintf("%x", sha256.Sum256([]byte(r.Host.Name)))
	r.Results = slices.Clone(base.Results)
	crowded := false
	for j := range r.Results {
		res := &r.Results[j]
		switch {
		case len(res.Findings) == 0:
		case !crowded:
			crowded = true
			one := res.Findings[0]
			res.Findings = nil
			for c := range 40 {
				one.Subject = fmt.Sprintf("container app-%d-%d", i, c)
				res.Findings = append(res.Findings, one)
			}
		case i%50 == 0:
			res.Findings = slices.Clone(res.Findings)
			res.Findings[0].Got = fmt.Sprint("otherwise on host ", i)
		}
	}
	f, err := os.Create(filepath.Join(dir, r.Host.Name+".json"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := report.JSON(f, &r); err != nil {
		b.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}
