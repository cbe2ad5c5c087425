package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/remediate/diff"
)

// A FindingID names one finding on every audit, in every format: 32 hexadecimal digits. It is made of the host, the
// check and the subject's key, and so stays the same while a container stops, restarts or is recreated, and when a
// value, a title or a sentence changes. Waivers, drift and each format go by the same key.
type FindingID string

// A named is what a FindingID is made of, beside host and check.
type named struct{ key, service string }

func (n named) compare(m named) int {
	return cmp.Or(strings.Compare(n.key, m.key), strings.Compare(n.service, m.service))
}

// identityOf tells one host from another. A name alone is not enough, since many hosts are called the same; nor is a
// machine-id alone, since virtual machines are cloned with it.
func (h Host) identityOf() string { return h.Machine + "\x00" + h.Name }

// findingIDs are the IDs of a check's findings. Those with the same key, such as two tags of a repository, are told
// apart by their rank: detail, of one of them, orders them, so that the order in which they were found does not matter.
func findingIDs(h Host, check string, all []named, detail func(i int) string) []FindingID {
	order := make([]int, len(all))
	for i := range all {
		order[i], all[i].key = i, untagged(all[i].key)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if c := all[a].compare(all[b]); c != 0 {
			return c
		}
		return cmp.Compare(untagged(detail(a)), untagged(detail(b))) // few have to be told apart so
	})
	ids, rank := make([]FindingID, len(all)), 0
	text := append(make([]byte, 0, 1<<10), joined(h.identityOf(), check, "")...)
	for at, i := range order {
		n := all[i]
		if rank++; at == 0 || n != all[order[at-1]] {
			rank = 0
		}
		sum := sha256.Sum256(fmt.Appendf(text, "%s\x00%s\x00%d", n.key, n.service, rank))
		ids[i] = FindingID(hex.EncodeToString(sum[:16]))
	}
	return ids
}

// FindingIDs are the IDs that a report of h gives to a check's findings, made of what r leaves of them.
func FindingIDs(h Host, check string, findings []checks.Finding, r *diff.Redactor) []FindingID {
	all := make([]named, len(findings))
	for i, f := range findings {
		all[i] = named{r.RedactText(f.Named()), f.Service}
	}
	return findingIDs(h, check, all, func(i int) string {
		f := &findings[i]
		return joined(f.Subject, f.Place, r.RedactText(f.Must), r.RedactText(f.Got))
	})
}

func joined(parts ...string) string { return strings.Join(parts, "\x00") }

// identify gives each finding its ID. One that was read from a file keeps its own.
func (r *Report) identify() {
	for i := range r.Results {
		res := &r.Results[i]
		all := make([]named, 0, len(res.Findings)+len(res.Waived))
		for _, f := range res.Findings {
			all = append(all, named{cmp.Or(f.key, f.Subject), f.service})
		}
		for _, a := range res.Waived {
			all = append(all, named{cmp.Or(a.key, a.Subject), a.service})
		}
		ids := findingIDs(r.Host, res.ID, all, func(i int) string {
			if i < len(res.Findings) {
				f := &res.Findings[i]
				return joined(f.Subject, f.Place, f.Must, f.Got)
			}
			a := &res.Waived[i-len(res.Findings)]
			return joined(a.Subject, a.Place, a.Must, a.Got)
		})
		for j := range res.Findings {
			res.Findings[j].ID = cmp.Or(res.Findings[j].ID, ids[j])
		}
		for j := range res.Waived {
			res.Waived[j].ID = cmp.Or(res.Waived[j].ID, ids[len(res.Findings)+j])
		}
	}
}

// MachineID is the SHA-256 of a host's machine-id; empty where it has none.
func MachineID(h *facts.Host) string {
	f, err := h.File("/etc/machine-id")
	if err != nil || len(f.Data) == 0 {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(f.Data))
}

// osName is what os-release calls the operating system; empty where there is no such file.
func osName(h *facts.Host) string {
	f, err := h.File("/etc/os-release")
	if err != nil {
		return ""
	}
	for _, a := range facts.ParseEnv(f.Data) {
		if a.Name == "PRETTY_NAME" {
			return facts.Clip(a.Value)
		}
	}
	return ""
}
