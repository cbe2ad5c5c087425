package source

import (
	"errors"
	"strconv"

	"example.com/harden/checks"
	"example.com/harden/checks/facts/source"
	"example.com/harden/checks/want"
)

// Limited returns the changes of a Compose file that give a service limits which its containers have, or are to have: a
// limit that only the running container has is lost when Compose makes it again.
func Limited(s *source.Service, l want.Limits) (wants []want.Want, err error) {
	put := func(value any, places ...[]string) {
		key := places[0]
		for _, p := range places[1:] {
			if _, ok := s.Get(p...); ok { // both places with different values are refused by Compose
				key = p
			}
		}
		f := set(s, checks.Finding{}, change{key: key, value: value})
		if f.Reason != "" && err == nil {
			err = errors.New(f.Reason)
		}
		wants = append(wants, f.Wants...)
	}
	deploy := func(key string) []string { return []string{"deploy", "resources", "limits", key} }
	if l.PIDs != 0 {
		put(int(l.PIDs), []string{"pids_limit"}, deploy("pids"))
	}
	if l.CPUShares != 0 {
		put(int(l.CPUShares), []string{"cpu_shares"})
	}
	if l.Memory != 0 {
		put(sized(l.Memory), []string{"mem_limit"}, deploy("memory"))
		_, said := s.Get("memswap_limit")
		if said || l.MemorySwap > 0 && l.MemorySwap != 2*l.Memory { // twice the memory is what the Engine makes of none
			put(sized(l.MemorySwap), []string{"memswap_limit"})
		}
	}
	if l.Restart != "" {
		put(l.Restart, []string{"restart"})
	}
	return wants, err
}

// sized is a size as every version of Compose reads it.
func sized(n int64) string {
	const mebi = 1 << 20
	switch {
	case n < 0:
		return strconv.FormatInt(n, 10)
	case n%mebi == 0:
		return strconv.FormatInt(n/mebi, 10) + "m"
	}
	return strconv.FormatInt(n, 10) + "b"
}
