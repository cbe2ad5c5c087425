package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"example.com/harden/checks/catalog"
)

// completeChecks offers what --only takes: IDs, numbers, sections, threats and numbers of other lists, each with what
// it is about. There are two thousand of them: as long as nothing is written that tells which are meant, it offers
// what they begin with.
func completeChecks(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	const done = cobra.ShellCompDirectiveNoFileComp
	before := typed[:strings.LastIndexByte(typed, ',')+1] // --only takes several
	typed = typed[len(before):]
	benchmark := ""
	if f := cmd.Flags().Lookup("benchmark"); f != nil {
		benchmark = f.Value.String()
	}
	words := specs(benchmark)
	offered, space := []string{}, done|cobra.ShellCompDirectiveNoSpace
	for _, w := range words {
		if !strings.HasPrefix(w, typed) {
			continue
		}
		if end := strings.IndexAny(w, "/:"); end >= len(typed) {
			w = w[:end+1]
		} else {
			space = done
		}
		offered = append(offered, before+w)
	}
	slices.Sort(offered)
	return slices.Compact(offered), space
}

// specs is everything that one word of --only may be, but for globs, each with what it is about behind a tab.
func specs(benchmark string) (words []string) {
	s, err := catalog.Select(catalog.All, catalog.Query{Benchmark: benchmark})
	if err != nil { // an edition that there is not
		if s, err = catalog.Select(catalog.All, catalog.Query{}); err != nil {
			return nil
		}
	}
	titles := map[string]string{}
	for _, c := range s.Checks {
		titles[c.ID] = c.Title
		edition, number := s.Number(c)
		if number == "" {
			continue
		}
		titles[edition.Family()+":"+number] = c.Title
		for section, heading := edition.Heading(number); section != ""; {
			in := edition.Family() + ":" + section
			titles[in] = cmp.Or(heading, titles[in])
			above := strings.LastIndexByte(section, '.')
			if above < 0 {
				break
			}
			section, heading = section[:above], ""
		}
	}
	for _, w := range catalog.Words(s.Checks) {
		if _, known := titles[w]; !known {
			titles[w] = ""
		}
	}
	for w, title := range titles {
		if title != "" {
			w += "\t" + title
		}
		words = append(words, w)
	}
	return words
}
