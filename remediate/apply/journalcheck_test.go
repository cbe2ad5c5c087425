package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"example.com/harden/checks/facts"
	"example.com/harden/remediate"
)

// TestJournalNamesWhatIsThere refuses a journal that names a path, a run or a number that is none of its own, and takes
// the nearest that are: what it says becomes a path and an index.
func TestJournalNamesWhatIsThere(t *testing.T) {
	whole := func() *txn {
		return &txn{store: &store{dir: "/s"}, dir: "/s/runs/0001-x", journal: journal{ID: "0001-x",
			Items:       []item{{Path: []byte("/a"), Temp: ".harden-x"}, {Path: []byte("/b")}},
			Updates:     []ContainerChange{{ID: "c"}},
			Activations: []Activated{{Kind: remediate.RecordInCluster, Record: &remediate.Record{}}}},
			log: []entry{{Event: string(Applied)}}}
	}
	for name, c := range map[string]struct {
		spoil func(*txn)
		says  string
	}{
		"whole":           {func(*txn) {}, ""},
		"being made":      {func(j *txn) { j.dir = "/s/staging" }, ""},
		"at work":         {func(j *txn) { j.dir, j.log = "/s/current", nil }, ""},
		"another's ID":    {func(j *txn) { j.dir = "/s/runs/0002-x" }, "its ID is run"},
		"no ID":           {func(j *txn) { j.ID, j.dir = "x", "/s/runs/x" }, "its ID is run"},
		"no ID, at work":  {func(j *txn) { j.ID, j.dir = "../x", "/s/current" }, "its ID is run"},
		"a relative path": {func(j *txn) { j.Items[1].Path = []byte("b") }, `item 1: "b"`},
		"a path upwards":  {func(j *txn) { j.Items[1].Path = []byte("/a/../b") }, "item 1"},
		"the root":        {func(j *txn) { j.Items[1].Path = []byte("/") }, "item 1"},
		"another's temp":  {func(j *txn) { j.Items[0].Temp = "passwd" }, "temporary file"},
		"a path for it":   {func(j *txn) { j.Items[0].Temp = ".harden-/x" }, "temporary file"},
		"of sources":      {func(j *txn) { j.store.source = true }, "nothing else is written"},
		"no record":       {func(j *txn) { j.Activations[0].Record = nil }, "has no record"},
		"no record of what needs none": {func(j *txn) {
			j.Activations[0] = Activated{Kind: remediate.Reload}
		}, ""},
		"no outcome": {func(j *txn) { j.log = nil }, "the outcome of the run is lost"},
	} {
		j := whole()
		c.spoil(j)
		says(t, name, j.check(j.dir), c.says)
	}
	undo := entry{Event: evUndo, Activations: make([]Activated, 3)}
	for _, c := range []struct {
		event  string
		limit  int
		before []entry
	}{
		{evWrite, 2, nil}, {evUnwritten, 2, nil}, {evLost, 2, nil}, {evUpdate, 1, nil}, {evActivate, 1, nil},
		{evActivation, 1, nil}, {evActivation, 3, []entry{undo}},
		{evActivate, 1, []entry{undo, {Event: string(Abandoned)}}},
	} {
		for n := -1; n <= c.limit; n++ {
			j, words := whole(), ""
			if j.log = append(c.before, entry{Event: c.event, N: n}, entry{Event: string(Applied)}); n < 0 || n == c.limit {
				words = fmt.Sprintf("line %d of its log: %s %d is out of range: there are %d", len(c.before)+1, c.event, n,
					c.limit)
			}
			says(t, c.event, j.check(j.dir), words)
		}
	}
	for _, update := range []bool{false, true} {
		limit := map[bool]int{false: 2, true: 1}[update]
		for n := -1; n <= limit; n++ {
			j, words := whole(), ""
			j.log = append(j.log, entry{Event: evResolved, N: 99, Resolved: []resolved{{N: n, Update: update}}})
			if n < 0 || n == limit {
				words = fmt.Sprintf("line 2 of its log: %d is out of range: there are %d", n, limit)
			}
			says(t, "resolved", j.check(j.dir), words)
		}
	}
}

// says checks what an error says; that there is none when it is to say nothing.
func says(t *testing.T, name string, err error, words string) {
	t.Helper()
	if words == "" && err != nil || words != "" && (err == nil || !strings.Contains(err.Error(), words)) {
		t.Errorf("%s: %v: must say %q", name, err, words)
	}
}

// TestLogCutOff reads a log up to what a crash has cut off, and refuses one that was changed.
func TestLogCutOff(t *testing.T) {
	line := func(text string) string { return string(logLine([]byte(text))) }
	one, two := line(`{"event":"write","n":1,"time":"2026-01-01T00:00:00Z"}`),
		line(`{"event":"undo","time":"2026-01-01T00:00:00Z"}`)
	for name, c := range map[string]struct {
		text    string
		entries int
		is      error
	}{
		"whole":                      {one + two, 2, nil},
		"nothing":                    {"", 0, nil},
		"without its end":            {one + two[:len(two)-1], 1, nil},
		"in the middle":              {one + two[:20], 1, nil},
		"zeros":                      {one + "\x00\x00\x00\x00", 1, nil},
		"zeros and a line's end":     {one + "\x00\x00\n", 1, nil},
		"zeros in the last":          {one + two[:10] + "\x00\x00\n", 1, nil},
		"zeros, and another line":    {one + "\x00\n" + two, 0, ErrDamaged},
		"cut off, and another line":  {one[:10] + "\n" + two, 0, ErrDamaged},
		"a last line that is no log": {one + "rubbish\n", 0, ErrDamaged},
		"another's hash":             {one + "0123456789abcdef" + two[16:], 0, ErrDamaged},
		"of a newer harden":          {one + line(`{"event":"undo","wonder":1}`), 0, ErrNewer},
		"something behind the entry": {one + line(`{"event":"undo"} {}`), 0, ErrNewer},
	} {
		log, size, err := parseLog("log", []byte(c.text))
		if !errors.Is(err, c.is) || len(log) != c.entries {
			t.Errorf("%s: %d entries, %v", name, len(log), err)
		}
		if err != nil && !strings.Contains(err.Error(), "line 2") && !strings.Contains(err.Error(), "line 1 (byte 1)") {
			t.Errorf("%s: the line is not named: %v", name, err)
		}
		if whole := map[int]int{0: 0, 1: len(one), 2: len(one + two)}[c.entries]; err == nil && size != whole {
			t.Errorf("%s: %d bytes hold, want %d", name, size, whole)
		}
	}
}

// TestProper refuses changes that cannot be meant, and takes the nearest that can.
func TestProper(t *testing.T) {
	file := func(data string) facts.File { return facts.File{Info: facts.Info{Mode: 0o644}, Data: []byte(data)} }
	bare := func(kind fs.FileMode) facts.File { return facts.File{Info: facts.Info{Type: kind, Mode: 0o644}} }
	change := func(before, after facts.File) remediate.Change {
		return remediate.Change{Path: "/a", Before: before, After: after}
	}
	with := func(c remediate.Change, edit func(*remediate.Change)) remediate.Change { edit(&c); return c }
	content, attributes := change(file("a"), file("b")), change(bare(0), bare(0))
	removal := with(change(file("a"), facts.File{}), func(c *remediate.Change) { c.Removed = true })
	creation := with(change(facts.File{}, file("b")), func(c *remediate.Change) { c.Created = true })
	const path, removed, needs = "not a clean absolute path", "only a regular file is removed",
		"needs the content of a regular"
	const kinds, suid, bounds = "only files, directories and sockets", "keeps no set-user-ID", "too large or malformed"
	for name, c := range map[string]struct {
		change remediate.Change
		says   string
	}{
		"content": {content, ""}, "attributes": {attributes, ""}, "removal": {removal, ""}, "creation": {creation, ""},
		"a directory":                {change(bare(fs.ModeDir), bare(fs.ModeDir)), ""},
		"a socket":                   {change(bare(fs.ModeSocket), bare(fs.ModeSocket)), ""},
		"a FIFO":                     {change(bare(fs.ModeNamedPipe), bare(fs.ModeNamedPipe)), kinds},
		"no path":                    {with(content, func(c *remediate.Change) { c.Path = "" }), path},
		"relative":                   {with(content, func(c *remediate.Change) { c.Path = "a" }), path},
		"unclean":                    {with(content, func(c *remediate.Change) { c.Path = "/a/" }), path},
		"the root":                   {with(content, func(c *remediate.Change) { c.Path = "/" }), path},
		"a zero":                     {with(content, func(c *remediate.Change) { c.Path = "/a\x00b" }), path},
		"removed and created":        {with(removal, func(c *remediate.Change) { c.Created = true }), removed},
		"removed unknown":            {with(removal, func(c *remediate.Change) { c.Before.Data = nil }), removed},
		"a directory removed":        {with(removal, func(c *remediate.Change) { c.Before.Type = fs.ModeDir }), removed},
		"removed, and content after": {with(removal, func(c *remediate.Change) { c.After.Data = []byte{} }), removed},
		"created without content":    {with(creation, func(c *remediate.Change) { c.After.Data = nil }), needs},
		"a directory created":        {with(creation, func(c *remediate.Change) { c.After.Type = fs.ModeDir }), needs},
		"content before unknown":     {with(content, func(c *remediate.Change) { c.Before.Data = nil }), needs},
		"content of a directory":     {with(content, func(c *remediate.Change) { c.Before.Type = fs.ModeDir }), needs},
		"another owner":              {with(attributes, func(c *remediate.Change) { c.After.UID = 1 }), ""},
		"another owner, set-user-ID": {with(attributes, func(c *remediate.Change) { c.After.UID, c.After.Mode = 1, 0o4755 }),
			suid},
		"another group, set-group-ID": {with(attributes, func(c *remediate.Change) { c.After.GID, c.After.Mode = 1, 0o2755 }),
			suid},
		"set-user-ID, as it was": {with(attributes, func(c *remediate.Change) { c.After.Mode = 0o4755 }), ""},
		"another owner, sticky":  {with(attributes, func(c *remediate.Change) { c.After.UID, c.After.Mode = 1, 0o1755 }), ""},
		"a directory given away, set-group-ID": {with(change(bare(fs.ModeDir), bare(fs.ModeDir)), func(c *remediate.Change) {
			c.After.GID, c.After.Mode = 1, 0o2755
		}), ""},
		"created set-group-ID": {with(creation, func(c *remediate.Change) { c.After.GID, c.After.Mode = 1, 0o2755 }), ""},
		"all twelve bits":      {with(attributes, func(c *remediate.Change) { c.After.Mode = 0o7777 }), ""},
		"a thirteenth":         {with(attributes, func(c *remediate.Change) { c.After.Mode = 0o17777 }), bounds},
		"as large as can be": {with(content, func(c *remediate.Change) {
			c.After.Data = make([]byte, facts.MaxFile)
		}), ""},
		"larger": {with(content, func(c *remediate.Change) { c.After.Data = make([]byte, facts.MaxFile+1) }), bounds},
	} {
		says(t, name, proper(c.change), c.says)
	}
}

// TestListedRuns sorts runs by their number, and takes nothing else that lies there for one.
func TestListedRuns(t *testing.T) {
	s := &store{dir: t.TempDir()}
	if ids, err := s.ids(); err != nil || len(ids) > 0 {
		t.Errorf("without a directory: %v, %v", ids, err)
	}
	must(t, os.Mkdir(s.runs(), 0o700))
	for _, name := range []string{"0010-b", "0002-a", "10000-c", "0000-none", "x-1", "notes", "-1-z"} {
		must(t, os.Mkdir(s.run(name), 0o700))
	}
	ids, err := s.ids()
	if got := strings.Join(ids, " "); err != nil || got != "0002-a 0010-b 10000-c" {
		t.Errorf("%s, %v", got, err)
	}
	if n, err := s.next(); err != nil || n != 10001 {
		t.Errorf("next: %d, %v", n, err)
	}
}
