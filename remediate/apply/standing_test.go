package apply

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// attrs is a file with those attributes, and the extended ones that are named with their values.
func attrs(mode, uid, gid uint32, xs ...string) image {
	im := image{Exists: true, Type: unix.S_IFREG, Mode: mode, UID: uid, GID: gid, Sum: "s"}
	for i := 0; i < len(xs); i += 2 {
		im.Xattrs = append(im.Xattrs, xattr{Name: []byte(xs[i]), Value: []byte(xs[i+1])})
	}
	return im
}

// TestStands judges what is there by what was before and what the run makes of it. A change of attributes that was cut
// short has each as before or as after; chown takes set-user-ID and capabilities away in between.
func TestStands(t *testing.T) {
	before, after := attrs(0o6755, 7, 8, xattrCap, "c"), attrs(0o4711, 0, 9, xattrCap, "d", xattrACL, "a")
	for name, c := range map[string]struct {
		got  image
		want standing
	}{
		"before":                    {before, isBefore},
		"after":                     {after, isAfter},
		"gone":                      {image{}, isConflict},
		"owner alone":               {attrs(0o6755, 0, 8, xattrCap, "c"), isBetween},
		"owner, and what it clears": {attrs(0o755, 0, 9), isBetween},
		"group alone":               {attrs(0o6755, 7, 9, xattrCap, "c"), isBetween},
		"mode alone":                {attrs(0o4711, 7, 8, xattrCap, "c"), isBetween},
		"mode, cleared":             {attrs(0o711, 0, 9, xattrCap, "d"), isBetween},
		"access list alone":         {attrs(0o6755, 7, 8, xattrCap, "c", xattrACL, "a"), isBetween},
		"capability alone":          {attrs(0o6755, 7, 8, xattrCap, "d"), isBetween},
		"no capability":             {attrs(0o6755, 7, 8), isBetween},
		"another mode":              {attrs(0o6777, 7, 8, xattrCap, "c"), isConflict},
		"fewer bits of a mode":      {attrs(0o6744, 7, 8, xattrCap, "c"), isConflict},
		"another owner":             {attrs(0o6755, 1, 8, xattrCap, "c"), isConflict},
		"another group":             {attrs(0o6755, 7, 1, xattrCap, "c"), isConflict},
		"another capability":        {attrs(0o6755, 7, 8, xattrCap, "x"), isConflict},
		"another access list":       {attrs(0o6755, 7, 8, xattrCap, "c", xattrACL, "x"), isConflict},
		"another type": {func() image {
			im := before
			im.Type = unix.S_IFDIR
			return im
		}(), isConflict},
		"what nobody asked for": {attrs(0o6755, 7, 8, xattrCap, "c", "user.x", "y"), isBefore},
	} {
		it := item{Before: before, After: after}
		if got, why := it.stands(c.got); got != c.want || (why == "") != (got == isBefore || got == isAfter) {
			t.Errorf("%s: %d (%s), want %d", name, got, why, c.want)
		}
		it.Content = true
		if got, _ := it.stands(c.got); got == isBetween {
			t.Errorf("%s: a rename has nothing in between", name)
		}
	}
	lists := item{Before: attrs(0o640, 7, 8, xattrACL, "a"), After: attrs(0o600, 7, 8)}
	if got, _ := lists.stands(attrs(0o600, 7, 8, xattrACL, "a")); got != isBetween {
		t.Errorf("mode alone, of what loses its access list: %d", got)
	}
	made := item{Content: true, After: image{Exists: true, Fresh: true, Mode: 0o600}}
	labelled := image{Exists: true, Mode: 0o600, Xattrs: []xattr{{Name: []byte("security.selinux"), Value: []byte("x")}}}
	if got, why := made.stands(labelled); got != isAfter {
		t.Errorf("a new file gets its label by itself: %d, %s", got, why)
	}
	labelled.Xattrs[0].Name = []byte("user.note")
	if got, _ := made.stands(labelled); got != isConflict {
		t.Errorf("a new file with a note of another's: %d", got)
	}
}

// TestDiffers names what differs, and of a file whose content nobody asks about no content.
func TestDiffers(t *testing.T) {
	file := attrs(0o644, 1, 2, "user.x", "y", xattrACL, "a")
	with := func(edit func(*image)) image { im := file; edit(&im); return im }
	for says, c := range map[string]struct {
		got  image
		both bool // whether it differs though the content does not count
	}{
		"":                     {file, true},
		"it is gone":           {image{}, true},
		"its type":             {with(func(im *image) { im.Type = unix.S_IFDIR }), true},
		"its content":          {with(func(im *image) { im.Sum = "z" }), false},
		"its mode":             {with(func(im *image) { im.Mode = 0o600 }), true},
		"its owner: 9:2":       {with(func(im *image) { im.UID = 9 }), true},
		"its owner: 1:9":       {with(func(im *image) { im.GID = 9 }), true},
		`"user.x"`:             {with(func(im *image) { im.Xattrs = im.Xattrs[1:] }), false},
		`"` + xattrACL + `"`:   {with(func(im *image) { im.Xattrs = im.Xattrs[:1] }), true},
		`attribute "user.new"`: {attrs(0o644, 1, 2, "user.x", "y", xattrACL, "a", "user.new", ""), false},
	} {
		if got := differs(file, c.got, true); !strings.Contains(got, says) || (got == "") != (says == "") {
			t.Errorf("%q: %q", says, got)
		}
		if got := differs(file, c.got, false); says != "" && (got != "") != c.both {
			t.Errorf("%q, without content: %q", says, got)
		}
	}
	if got := differs(image{}, file, true); got != "it has appeared" {
		t.Error(got)
	}
	if got := differs(image{}, image{Mode: 1}, true); got != "" {
		t.Error(got)
	}
}

// TestWithMode rewrites an access list as the kernel does with a chmod.
func TestWithMode(t *testing.T) {
	list := func(entries ...byte) []byte { // of tag and permissions
		out := []byte{2, 0, 0, 0}
		for i := 0; i < len(entries); i += 2 {
			out = append(out, entries[i], 0, entries[i+1], 0, 0xff, 0xff, 0xff, 0xff)
		}
		return out
	}
	for name, c := range map[string]struct{ before, after []byte }{
		"without a mask": {list(1, 7, 4, 7, 0x20, 7), list(1, 6, 4, 5, 0x20, 3)},
		"with a mask":    {list(1, 7, 2, 7, 4, 7, 0x10, 7, 0x20, 7), list(1, 6, 2, 7, 4, 7, 0x10, 5, 0x20, 3)},
		"a mask first":   {list(0x10, 7, 4, 7), list(0x10, 5, 4, 7)},
		"two groups":     {list(4, 7, 8, 7, 4, 7), list(4, 5, 8, 7, 4, 7)},
		"empty":          {list(), list()},
		"too short":      {[]byte{2, 0}, []byte{2, 0}},
		"cut off":        {list(1, 7)[:11], list(1, 7)[:11]},
	} {
		note := xattr{Name: []byte("user.note"), Value: list(1, 7)}
		given := []xattr{note, {Name: []byte(xattrACL), Value: c.before}}
		whole := append([]byte{}, c.before...)
		got := withMode(given, 0o4653)
		if d := cmp.Diff(c.after, got[1].Value); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if string(got[0].Value) != string(note.Value) || string(given[1].Value) != string(whole) {
			t.Errorf("%s: it has changed what it was given, or a note", name)
		}
	}
}

// TestDecide says of each subject what becomes of it, by each way in which it can be chosen.
func TestDecide(t *testing.T) {
	file := subject{Conflict: Conflict{Path: "/a", Why: "w", n: 3, found: &sight{image: image{Exists: true, Sum: "f"}}},
		open: true}
	box := subject{Conflict: Conflict{Path: "container web (0123456789ab)", Why: "w", n: 1, update: true,
		ids: []string{"0123456789abcdef", "web"}, limits: &want.Limits{Memory: 5}}, open: true}
	with := func(s subject, edit func(*subject)) subject { edit(&s); return s }
	quiet := with(file, func(s *subject) { s.open = false })
	found := image{Exists: true, Sum: "f"}
	for name, c := range map[string]struct {
		how  Resolution
		of   subject
		want *resolved
		says string
	}{
		"undecided":         {Resolution{}, file, nil, "changed by somebody else since the run: w"},
		"nothing to decide": {Resolution{Skip: true}, quiet, nil, ""},
		"all skipped":       {Resolution{Skip: true}, file, &resolved{N: 3, Keep: true, Why: "w"}, ""},
		"theirs":            {Resolution{Theirs: []string{"/a"}}, file, &resolved{N: 3, Keep: true, Why: "w"}, ""},
		"ours":              {Resolution{Ours: []string{"/a"}}, file, &resolved{N: 3, Why: "w", Found: &found}, ""},
		"ours, though skipped": {Resolution{Skip: true, Ours: []string{"/a"}}, file, &resolved{N: 3, Why: "w", Found: &found},
			""},
		"both": {Resolution{Ours: []string{"/a"}, Theirs: []string{"/a"}}, file, nil,
			"as both ours and theirs"},
		"theirs, unchanged": {Resolution{Theirs: []string{"/a"}}, quiet,
			&resolved{N: 3, Keep: true, Why: "you chose to leave it as it is"}, ""},
		"ours, unchanged": {Resolution{Ours: []string{"/a"}}, quiet, nil, ""},
		"ours, and a later run": {Resolution{Ours: []string{"/a"}}, with(file, func(s *subject) {
			s.Newer = []string{"0002-b"}
		}),
			nil, "a later run has changed it: first `harden rollback 0002-b`"},
		"ours, stuck": {Resolution{Ours: []string{"/a"}}, with(file, func(s *subject) {
			s.Stuck = "glued"
		}), nil, "as ours: glued"},
		"theirs, stuck": {Resolution{Theirs: []string{"/a"}}, with(file, func(s *subject) { s.Stuck = "glued" }),
			&resolved{N: 3, Keep: true, Why: "w"}, ""},
		"another":         {Resolution{Skip: true, Ours: []string{"/b"}}, file, nil, "no such file or container"},
		"another, theirs": {Resolution{Skip: true, Theirs: []string{"/b"}}, file, nil, "no such file or container"},
		"container's name": {Resolution{Ours: []string{"web"}}, box,
			&resolved{N: 1, Update: true, Why: "w", Limits: &want.Limits{Memory: 5}}, ""},
		"container's ID, cut": {Resolution{Ours: []string{"0123456789ab"}}, box,
			&resolved{N: 1, Update: true, Why: "w", Limits: &want.Limits{Memory: 5}}, ""},
		"container's ID, too short": {Resolution{Ours: []string{"0123456789a"}}, box, nil, "no such file or container"},
		"not its ID":                {Resolution{Ours: []string{"1123456789ab"}}, box, nil, "no such file or container"},
	} {
		got, err := c.how.decide("0001-x", []subject{c.of})
		says(t, name, err, c.says)
		var want []resolved
		if c.want != nil {
			want = []resolved{*c.want}
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(image{}, resolved{}, xattr{})); err == nil && d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		var conflict *ConflictError
		if errors.As(err, &conflict) != (name == "undecided") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReversalsOf says what makes programs forget a run, for each way in which it may have gone.
func TestReversalsOf(t *testing.T) {
	reload := Activated{Kind: remediate.Reload, Unit: "docker.service", State: NotReached}
	restart := Activated{Kind: remediate.Restart, Unit: "docker.service", State: NotReached}
	other := Activated{Kind: remediate.Restart, Unit: "kubelet.service", State: NotReached}
	pod := Activated{Kind: remediate.RollOut, Unit: "/a", State: NotReached}
	cluster := Activated{Kind: remediate.RecordInCluster, Unit: "c", State: NotReached,
		Record: &remediate.Record{Before: "old", After: "new"}}
	up := Activated{Kind: remediate.ComposeUp, Unit: "shop/web", State: NotReached, Reads: &remediate.Reads{Ran: 2}}
	waits := func(a Activated) Activated { a.State = Pending; return a }
	began := func(n int) entry { return entry{Event: evActivate, N: n} }
	wrote := entry{Event: evWrite}
	ended := func(n int, state string) entry { return entry{Event: evActivation, N: n, State: state} }
	for name, c := range map[string]struct {
		as   []Activated
		log  []entry
		boot string
		want string
	}{
		"nothing begun": {[]Activated{restart}, []entry{wrote}, "one", ""},
		"begun": {[]Activated{restart}, []entry{wrote, began(0)}, "one",
			"restart docker.service not reached"},
		"failed": {[]Activated{restart}, []entry{began(0), ended(0, Failure)}, "one",
			"restart docker.service not reached"},
		"done by a boot":          {[]Activated{restart}, []entry{wrote}, "two", "restart docker.service not reached"},
		"a boot, nothing written": {[]Activated{restart}, nil, "two", ""},
		"waiting":                 {[]Activated{waits(restart)}, []entry{wrote}, "one", "restart docker.service pending"},
		"two": {[]Activated{restart, other}, []entry{began(0), began(1)}, "one",
			"restart docker.service not reached, restart kubelet.service not reached"},
		"the second not begun": {[]Activated{restart, other}, []entry{began(0)}, "one",
			"restart docker.service not reached"},
		"twice, waiting and begun": {[]Activated{waits(other), other}, []entry{began(1)}, "one",
			"restart kubelet.service not reached"},
		"twice, begun and waiting": {[]Activated{other, waits(other)}, []entry{began(0)}, "one",
			"restart kubelet.service not reached"},
		"a reload and a restart": {[]Activated{reload, restart}, []entry{began(0), began(1)}, "one",
			"restart docker.service not reached"},
		"a reload alone": {[]Activated{reload}, []entry{began(0)}, "one",
			"reload docker.service not reached, restart docker.service pending"},
		"a reload, a restart waiting": {[]Activated{reload, waits(restart)}, []entry{began(0)}, "one",
			"reload docker.service not reached, restart docker.service pending"},
		"a reload, and another's restart": {[]Activated{reload, other}, []entry{began(0), began(1)}, "one",
			"reload docker.service not reached, restart kubelet.service not reached, restart docker.service pending"},
		"a pod, its manifest written":     {[]Activated{pod}, []entry{wrote}, "one", "roll-out /a not reached"},
		"a pod, its manifest not written": {[]Activated{pod}, []entry{began(0)}, "one", ""},
		"a pod that waits":                {[]Activated{waits(pod)}, []entry{wrote}, "one", "roll-out /a pending"},
		"the cluster's, done": {[]Activated{cluster}, []entry{began(0), ended(0, Done)}, "one",
			"record-in-cluster c not reached new>old"},
		"the cluster's, failed":    {[]Activated{cluster}, []entry{began(0), ended(0, Failure)}, "one", ""},
		"the cluster's, not begun": {[]Activated{cluster}, []entry{wrote}, "two", ""},
		"Compose, cut short":       {[]Activated{up}, []entry{began(0)}, "one", "compose-up shop/web not reached 2"},
		"Compose, applied": {[]Activated{up}, []entry{began(0), {Event: string(Applied)}}, "one",
			"compose-up shop/web not reached 0"},
	} {
		run := &txn{journal: journal{Boot: "one", Items: []item{{Path: []byte("/a")}}, Activations: c.as}, log: c.log}
		var got []string
		for _, a := range run.reversals(c.boot) {
			text := a.String() + " " + strings.ReplaceAll(a.State, "-", " ")
			if a.Record != nil {
				text += " " + a.Record.Before + ">" + a.Record.After
			}
			if a.Reads != nil {
				text += " " + string(rune('0'+a.Reads.Ran))
			}
			if a.State == NotReached && a.Reason != "" {
				t.Errorf("%s: %s has a reason: %s", name, a, a.Reason)
			}
			got = append(got, text)
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, text, c.want)
		}
	}
}

// TestJudged lists the checks that are judged again, once each, without those that are known to fail or have to wait.
func TestJudged(t *testing.T) {
	c := map[string]*checks.Check{}
	for _, id := range []string{"file", "box", "act", "waits", "left", "held file", "held box", "held act"} {
		c[id] = &checks.Check{ID: id}
	}
	of := func(ids ...string) (out []*checks.Check) {
		for _, id := range ids {
			out = append(out, c[id])
		}
		return out
	}
	p := &remediate.Plan{
		Left: []remediate.Left{{Check: c["left"]}},
		Held: []remediate.Held{{Changes: []remediate.Change{{Checks: of("held file")}},
			Updates:     []remediate.Update{{Checks: of("held box")}},
			Activations: []remediate.Activation{{Checks: of("held act")}}}},
		Changes: []remediate.Change{{Checks: of("file", "left", "held file", "held box", "held act", "waits")},
			{Checks: of("file")}},
		Updates:     []remediate.Update{{Checks: of("box", "file")}},
		Activations: []remediate.Activation{{Checks: of("act", "box")}, {Checks: of("waits", "left")}},
	}
	checked, waiting := judged(p, []Activated{{State: NotReached}, {State: Pending}})
	if got := strings.Join(checked, " ") + " / " + strings.Join(waiting, " "); got != "file box act / waits" {
		t.Error(got)
	}
}

// TestPassing tells errors that may be gone the next time from those that stay.
func TestPassing(t *testing.T) {
	for _, err := range []error{unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.ENOMEM, unix.EMFILE, unix.ENFILE,
		unix.ETIMEDOUT} {
		if !passing(&fs.PathError{Op: "open", Path: "/a", Err: err}) {
			t.Errorf("%v stays", err)
		}
	}
	for _, err := range []error{unix.EROFS, unix.EPERM, unix.EBUSY, fs.ErrNotExist, ErrConflict, context.Canceled} {
		if passing(err) {
			t.Errorf("%v passes", err)
		}
	}
}

// TestImageOf takes over what a plan says of each kind of file.
func TestImageOf(t *testing.T) {
	for kind, want := range map[fs.FileMode]uint32{0: unix.S_IFREG, fs.ModeDir: unix.S_IFDIR,
		fs.ModeSocket: unix.S_IFSOCK} {
		f := facts.File{Info: facts.Info{Type: kind, Mode: 0o2750, UID: 3, GID: 4}}
		im := imageOf(f)
		if im.Type != want || !im.Exists || im.Mode != 0o2750 || im.UID != 3 || im.GID != 4 || im.Sum != "" {
			t.Errorf("%v: %+v", kind, im)
		}
		if f.Data = []byte("x"); imageOf(f).Sum != sum(f.Data) {
			t.Errorf("%v: no sum", kind)
		}
	}
}
