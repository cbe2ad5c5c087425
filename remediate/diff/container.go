package diff

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/docker/go-units"

	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// Container shows an update of a container as Unified shows a change of a file: one line for each limit, as `docker
// update` names it.
func Container(u remediate.Update) string {
	title := fmt.Sprintf("container %s (%s)", visible(u.Name), visible(docker.ShortID(u.ID)))
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", title)
	for _, n := range u.Because {
		fmt.Fprintf(&b, "# %s\n", visible(n))
	}
	for _, n := range u.OneWay {
		fmt.Fprintf(&b, "# one-way: %s\n", visible(n))
	}
	minus, plus := lines(u.Before, u.After)
	fmt.Fprintf(&b, "--- %s\n+++ %s\n@@ -1,%d +1,%d @@\n", title, title, len(minus), len(plus))
	for _, l := range minus {
		b.WriteString("-" + l + "\n")
	}
	for _, l := range plus {
		b.WriteString("+" + l + "\n")
	}
	return b.String()
}

// ContainerSides returns what an update changes of a container as it is before and after, as Sides does of a file.
func ContainerSides(u remediate.Update) (before, after string) {
	minus, plus := lines(u.Before, u.After)
	return strings.Join(minus, "\n") + "\n", strings.Join(plus, "\n") + "\n"
}

// lines spells each limit in which two states of a container differ.
func lines(before, after want.Limits) (was, is []string) {
	line := func(option, b, a string) {
		if b != a {
			was, is = append(was, visible(option+" "+b)), append(is, visible(option+" "+a))
		}
	}
	line("memory", bytesOf(before.Memory), bytesOf(after.Memory))
	line("memory-swap", bytesOf(before.MemorySwap), bytesOf(after.MemorySwap))
	line("cpu-shares", count(before.CPUShares), count(after.CPUShares))
	line("pids-limit", count(before.PIDs), count(after.PIDs))
	line("restart", before.Restart, after.Restart)
	return was, is
}

func bytesOf(n int64) string {
	switch {
	case n == 0:
		return "none"
	case n < 0:
		return "unlimited"
	}
	return fmt.Sprintf("%d (%s)", n, units.BytesSize(float64(n)))
}

func count(n int64) string {
	if n < 0 {
		return "unlimited"
	}
	return strconv.FormatInt(n, 10)
}
