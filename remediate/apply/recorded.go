package apply

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// sums are the hashes of what lies in the files of which the run has changed attributes alone. They are taken when all
// is done: until then the programs that the run restarts may write those files. What cannot be read stays unknown.
func (at site) sums() map[int]string {
	sums := map[int]string{}
	for i := range at.Items {
		it := &at.Items[i]
		if it.Content || it.After.Type != unix.S_IFREG {
			continue
		}
		if now, err := it.whole(at.tree); err == nil && now.data != nil {
			sums[i] = now.Sum
		}
	}
	return sums
}

// recorded is the hash of what was in item i when the run had changed its attributes alone; empty where that is not
// known, as in the journal of an older harden.
func (l log) recorded(i int) (sum string) {
	for _, e := range l {
		if e.Event == string(Applied) {
			sum = e.Sums[i]
		}
	}
	return sum
}

// replaced says that somebody has replaced the content of item i since the run, which changed its attributes alone;
// empty where nobody has. The mode and owner of before were not meant for what is there now, which may be a secret.
func (at site) replaced(i int) string {
	it, was := &at.Items[i], at.recorded(i)
	if it.Content || was == "" {
		return ""
	}
	now, err := it.whole(at.tree)
	switch {
	case err != nil:
		return "its content cannot be compared: " + err.Error()
	case now.Sum != was:
		return fmt.Sprintf("its content is another's: sha256 %s, not %s; the run has set its mode and owner only",
			now.Sum, was)
	}
	return ""
}

// whole looks at an item with its content, whether or not that is what changes.
func (it *item) whole(tree *tree) (sight, error) {
	whole := *it
	whole.Content = true
	return whole.look(tree)
}
