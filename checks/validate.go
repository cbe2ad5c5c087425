package checks

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"example.com/harden/checks/cis"
	"example.com/harden/checks/severity"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

var (
	idPattern     = regexp.MustCompile(`^[a-z]+/[a-z0-9]+(-[a-z0-9]+)*$`)
	numberPattern = regexp.MustCompile(`^([1-9]|C\.[1-9])[0-9]*(\.[1-9][0-9]*)+$`)
)

// Validate reports everything that is wrong with a catalogue in itself: IDs or numbers that occur twice or are not
// well formed, editions and threats that do not exist, and checks that do not say what a reader needs to know.
func Validate(cs []*Check) error {
	errs := new(multierror.Error)
	ids := map[string]bool{}
	numbers := map[string]string{}
	for _, c := range cs {
		say := func(format string, args ...any) {
			errs = multierror.Append(errs, fmt.Errorf("%s: %s", c.ID, fmt.Sprintf(format, args...)))
		}
		if !idPattern.MatchString(c.ID) {
			say("an ID is platform/words-in-lower-case")
		}
		if ids[c.ID] {
			say("this ID is taken")
		}
		ids[c.ID] = true
		for _, problem := range undocumented(c) {
			say("%s", problem)
		}
		for _, b := range cis.Editions {
			n, ok := c.Items[b]
			switch owner := numbers[string(b)+n]; {
			case !ok:
			case !numberPattern.MatchString(n):
				say("%q is not a number of %s", n, b)
			case owner != "":
				say("%s:%s is %s already", b, n, owner)
			default:
				numbers[string(b)+n] = c.ID
			}
		}
		for b := range c.Items {
			if !slices.Contains(cis.Editions, b) {
				say("unknown edition %q", b)
			}
		}
		for _, id := range c.Threats {
			if _, err := stride.Get(id); err != nil {
				say("%v", err)
			} else if !strings.HasPrefix(c.ID, id.Platform()+"/") {
				say("%s is a threat to another platform", id)
			}
		}
	}
	return errs.ErrorOrNil()
}

// undocumented says what a check leaves a reader to guess.
func undocumented(c *Check) []string {
	var missing []string
	for what, bad := range map[string]bool{
		"no title, or one with a full stop": c.Title == "" || strings.HasSuffix(c.Title, "."),
		"no reason why":                     c.Why == "",
		"no threat":                         len(c.Threats) == 0,
		"a level is 1 or 2":                 c.Level != 1 && c.Level != 2,
		"no severity in package severity":   c.Severity() == severity.None,
		"no reason for its severity":        severity.Of(c.ID).Reason == "",
		"no rule":                           c.Rule == nil,
		"no benchmark asks for it":          len(c.Items) == 0 && !c.Own,
		"people notice its fix, but nothing says who (Breaks)": c.Class >= want.Workload && c.Breaks == "",
	} {
		if bad {
			missing = append(missing, what)
		}
	}
	slices.Sort(missing)
	return missing
}
