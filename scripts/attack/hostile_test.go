package attack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Bounds of one run. The time is for a program that never ends, on a machine that does other things too; the memory is
// what an audit may have.
const (
	mostResident = 200 << 20
	mostTime     = 2 * time.Minute
	otherTime    = 20 * time.Second // of another build that HARDEN_BINARY names: most of its runs have no end
	mostAddress  = 6 << 30
)

// A cost is what one input took.
type cost struct {
	name     string
	size     int64
	resident int64
	took     time.Duration
	verdict  string
}

// TestHostileInputs has `harden check` read a hundred inputs, each made to use up its memory, its time, or its stack:
// as CI does with --source, and root with --root. Each must end by itself, small, and never pass what was not read
// whole.
func TestHostileInputs(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred runs of the whole program")
	}
	binary, dir := Binary(t), t.TempDir()
	writer := exec.Command(os.Args[0])
	writer.Env = append(os.Environ(), inputsVariable+"="+dir)
	if out, err := writer.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var all []written
	if data, err := os.ReadFile(filepath.Join(dir, "index.json")); err != nil || json.Unmarshal(data, &all) != nil ||
		len(all) < 100 {
		t.Fatalf("%d inputs: %v", len(all), err)
	}
	var costs []cost
	for i, in := range all {
		t.Run(in.Name, func(t *testing.T) { costs = append(costs, try(t, binary, filepath.Join(dir, strconv.Itoa(i)), in)) })
	}
	slices.SortFunc(costs, func(a, b cost) int { return int(b.resident - a.resident) })
	t.Log(table("the largest", costs))
	slices.SortFunc(costs, func(a, b cost) int { return int(b.took - a.took) })
	t.Log(table("the slowest", costs))
}

func table(title string, costs []cost) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %d:\n%-36s %10s %9s %8s  %s\n", title, len(costs), "input", "bytes", "MiB", "ms", "verdict")
	for _, c := range costs[:min(12, len(costs))] {
		fmt.Fprintf(&b, "%-36s %10d %9.1f %8d  %.90s\n", c.name, c.size, float64(c.resident)/(1<<20), c.took.Milliseconds(),
			c.verdict)
	}
	return b.String()
}

// try runs the audit of one input and holds it to the bounds.
func try(t *testing.T, binary, dir string, in written) cost {
	limit := mostTime
	if os.Getenv("HARDEN_BINARY") != "" {
		limit = otherTime
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	args := []string{"check", "--format", "json", "--exit-zero", "--source", dir}
	if in.Root {
		args[4] = "--root"
	}
	cmd := exec.CommandContext(ctx, "prlimit",
		append([]string{fmt.Sprintf("--as=%d", int64(mostAddress)), binary}, args...)...)
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=off")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	began := time.Now()
	err := cmd.Run()
	c := cost{name: in.Name, size: in.Size, took: time.Since(began)}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.resident = usage.Maxrss << 10
	}
	c.verdict = verdict(t, in, out.Bytes())
	if err != nil && cmd.ProcessState.ExitCode() != 1 { // 1 says that something is unknown
		c.verdict = fmt.Sprintf("%v %.200s", err, complaints.String())
		t.Errorf("%s", c.verdict)
	}
	if c.resident > mostResident {
		t.Errorf("it took %d MiB", c.resident>>20)
	}
	return c
}

// verdict is what the audit says of the input's own check. What goes beyond a limit is unknown, and the reason names
// it.
func verdict(t *testing.T, in written, out []byte) string {
	var r struct {
		Results []struct{ ID, Status, Reason string }
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Errorf("no report: %v", err)
		return ""
	}
	if in.Ends == "" {
		return fmt.Sprintf("%d verdicts", len(r.Results))
	}
	for _, x := range r.Results {
		if x.ID != in.Ends {
			continue
		}
		if x.Status != "unknown" || !strings.Contains(x.Reason, "limit") {
			t.Errorf("%s is %s: %.300s", x.ID, x.Status, x.Reason)
		}
		return x.Status + ": " + x.Reason
	}
	t.Errorf("nothing is said of %s", in.Ends)
	return ""
}
