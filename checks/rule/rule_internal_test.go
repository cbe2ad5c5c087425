package rule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
)

// A machine has these files, and an engine that answers with an error.
type machine struct {
	facts.Source
	files  map[string]facts.Info
	errs   map[string]error
	engine error
}

func (m machine) Stat(_ context.Context, path string) (facts.Info, error) {
	if err := m.errs[path]; err != nil {
		return facts.Info{}, err
	}
	i, ok := m.files[path]
	if !ok {
		return i, fs.ErrNotExist
	}
	return i, nil
}

func (m machine) Engine(context.Context) (facts.API, facts.Endpoint, error) {
	return nil, facts.Endpoint{}, m.engine
}

// told is what a rule says, on one line.
func told(findings []checks.Finding, err error) string {
	var all []string
	for _, f := range findings {
		all = append(all, fmt.Sprintf("%s is %s, must be %s, %d wants (%s)", f.Subject, f.Got, f.Must, len(f.Wants),
			f.Reason))
	}
	if err != nil {
		all = append(all, "error: "+err.Error())
	}
	return strings.Join(all, "; ")
}

func TestAll(t *testing.T) {
	found := checks.Func(func(*facts.Host) ([]checks.Finding, error) { return []checks.Finding{{Subject: "x"}}, nil })
	holds := checks.Func(func(*facts.Host) ([]checks.Finding, error) { return nil, nil })
	broken := checks.Func(func(*facts.Host) ([]checks.Finding, error) { return nil, errors.New("cannot be read") })
	absent := checks.Func(func(*facts.Host) ([]checks.Finding, error) { return nil, Inapplicable("no %s", "x") })
	const x = "x is , must be , 0 wants ()"
	for name, c := range map[string]struct {
		rules  []checks.Rule
		said   string
		absent bool
	}{
		"all hold":                    {[]checks.Rule{holds, holds}, "", false},
		"one does not":                {[]checks.Rule{holds, found}, x, false},
		"none applies":                {[]checks.Rule{absent, absent}, "error: no x", true},
		"one applies and holds":       {[]checks.Rule{absent, holds}, "", false},
		"one cannot be told":          {[]checks.Rule{holds, broken}, "error: cannot be read", false},
		"one is not, one is unknown":  {[]checks.Rule{found, broken}, x + "; error: cannot be read", false},
		"unknown twice, said once":    {[]checks.Rule{broken, broken}, "error: cannot be read", false},
		"one absent, one unknown":     {[]checks.Rule{absent, broken}, "error: cannot be read", false},
		"one absent, and one is not":  {[]checks.Rule{absent, found}, x, false},
		"one alone that is not there": {[]checks.Rule{absent}, "error: no x", true},
	} {
		findings, err := All(c.rules...).Judge(nil)
		if got := told(findings, err); got != c.said || errors.Is(err, facts.ErrAbsent) != c.absent {
			t.Errorf("%s: %q (absent: %v), want %q", name, got, errors.Is(err, facts.ErrAbsent), c.said)
		}
	}
}

// TestMust judges the mode of files: those that are there, each once, whatever leads to it.
func TestMust(t *testing.T) {
	denied := errors.New("/denied: permission denied")
	m := machine{engine: facts.ErrAbsent, errs: map[string]error{"/denied": denied}, files: map[string]facts.Info{
		"/bad":    {Path: "/bad", Mode: 0o666},
		"/good":   {Path: "/good", Mode: 0o600},
		"/link":   {Path: "/bad", Mode: 0o666},
		"/locked": {Path: "/locked", Mode: 0o666, Locked: "it is on a read-only file system"},
		"/acl":    {Path: "/acl", Mode: 0o600, ACL: true},
	}}
	const bad = "/bad is 0666, must be 0644 or stricter, 1 wants ()"
	for paths, want := range map[string]string{
		"/good":         "",
		"/bad":          bad,
		"/link":         "/link is 0666 (at /bad, where it leads), must be 0644 or stricter, 1 wants ()",
		"/bad /link":    bad,
		"/none":         "error: /none: none",
		"/none /bad":    bad,
		"/denied":       "error: " + denied.Error(),
		"/denied /bad":  bad + "; error: " + denied.Error(),
		"/denied /good": "error: " + denied.Error(),
		"/locked": "/locked is 0666, must be 0644 or stricter, 0 wants (/locked cannot be changed: it is on a " +
			"read-only file system)",
		"/acl": "/acl (ACL) is an access control list grants more than the mode says, must be without one, " +
			"0 wants (read it with `getfacl /acl`; `setfacl -b /acl` removes it)",
		"/none /denied":  "error: " + denied.Error(),
		"/good /denied ": "error: " + denied.Error(),
	} {
		names := func(*facts.Host) ([]facts.Place, error) { return Known(strings.Fields(paths)...), nil }
		h := facts.New(t.Context(), m, facts.Choices{})
		findings, err := Mode(names).Must(be.Within(0o644)).Judge(h)
		got := told(findings, err)
		if errors.Is(err, facts.ErrAbsent) {
			got = "error: /none: none"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", paths, got, want)
		}
	}
	lost := func(*facts.Host) ([]facts.Place, error) { return nil, denied }
	if findings, err := Mode(lost).Must(be.Within(0o644)).Judge(facts.New(t.Context(), m,
		facts.Choices{})); err != denied {
		t.Errorf("places that cannot be told: %v, %v", findings, err)
	}
	choose := be.Cond[fs.FileMode]{Text: "chosen", Holds: func(fs.FileMode) bool { return false },
		Nearest: func(fs.FileMode) (fs.FileMode, bool) { return 0, false }}
	names := func(*facts.Host) ([]facts.Place, error) { return Known("/bad"), nil }
	findings, err := Mode(names).Must(choose).Judge(facts.New(t.Context(), m, facts.Choices{}))
	if got := told(findings, err); got != "/bad is 0666, must be chosen, 0 wants ()" {
		t.Errorf("a mode that a person chooses: %q", got)
	}
}

func TestHere(t *testing.T) {
	for _, c := range []struct {
		engine error
		said   string
	}{
		{fmt.Errorf("%w: tcp://x", facts.ErrElsewhere), "applies not: " + facts.ErrElsewhere.Error() + ": tcp://x"},
		{errors.New("it does not answer"), ""},
		{fs.ErrPermission, ""},
	} {
		err := Here(facts.New(t.Context(), machine{engine: c.engine}, facts.Choices{}))
		got := ""
		if err != nil {
			got = "applies not: " + err.Error()
		}
		if got != c.said || (err != nil) != errors.Is(err, facts.ErrAbsent) {
			t.Errorf("%v: %q, want %q", c.engine, got, c.said)
		}
	}
}

type flagged string

func (f *flagged) FromFlags(values []string) error {
	*f = flagged(strings.Join(values, "+"))
	return nil
}

// TestParse reads flags as dockerd does: the last counts, and what is none of its kinds is an error.
func TestParse(t *testing.T) {
	read := func(v any, values ...string) string {
		err := ParseFlag(values, v)
		switch v := v.(type) {
		case *bool:
			return fmt.Sprintf("%v %v", *v, err != nil)
		case *string:
			return fmt.Sprintf("%v %v", *v, err != nil)
		case *[]string:
			return fmt.Sprintf("%v %v", *v, err != nil)
		case *flagged:
			return fmt.Sprintf("%v %v", *v, err != nil)
		}
		return fmt.Sprint(err)
	}
	got := []string{read(new(bool), "false", "true"), read(new(bool), "true", "x"), read(new(bool)),
		read(new(string), "a", "b"), read(new(string)),
		read(new([]string), "a", "b"), read(new(flagged), "a", "b"), read(new(float64), "1")}
	want := []string{"true false", "false true", "false true", "b false", " false", "[a b] false", "a+b false",
		"no flag is a *float64"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	said := []string{text([]string{}), text([]string{"a", "b"}), text(""), text("x"), text(7),
		spell(map[string]any{"b": 1, "a": []string{"x"}}), spell(map[string]any{"f": func() {}})[:5]}
	if diff := cmp.Diff([]string{"unset", "a, b", "unset", "x", "7", `"a":["x"],"b":1`, "map[f"}, said); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestBlocked names the key that keeps dockerd from coming back: one that a flag sets too, and that dockerd does not
// merge.
func TestBlocked(t *testing.T) {
	keys := func(names ...string) *docker.Keys {
		k := &docker.Keys{Order: names, Values: map[string]json.RawMessage{}}
		for _, n := range names {
			k.Values[n] = json.RawMessage(`false`)
		}
		return k
	}
	flag := func(name string) facts.Flags {
		return facts.Flags{name: facts.Flag{Name: name, Values: []string{"false"}, Origin: "docker.service"}}
	}
	const first = "first repair icc, which is set by --icc in docker.service and in /d.json: dockerd refuses to start"
	for name, c := range map[string]struct {
		keys *docker.Keys
		next facts.Flags
		want string
	}{
		"no file":                {nil, flag("icc"), ""},
		"a key and another flag": {keys("icc"), flag("debug"), ""},
		"a key and its flag":     {keys("debug", "icc"), flag("icc"), first},
		"what dockerd merges":    {keys("runtimes"), flag("runtimes"), ""},
	} {
		if got := blocked(&docker.Daemon{File: "/d.json", Keys: c.keys, Next: c.next}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestNext reads what is configured, and says where it is that cannot be read.
func TestNext(t *testing.T) {
	icc := Daemon("icc", true)
	for name, c := range map[string]struct {
		file, flag string
		err        error
		value      bool
		said, fail string
	}{
		"nothing": {"", "", nil, true, "unset, so true", ""},
		"a key":   {"false", "", nil, false, "false in /d.json", ""},
		"a flag":  {"", "false", nil, false, "false by --icc in docker.service", ""},
		"both":    {"true", "false", nil, false, "set twice, by --icc in docker.service and in /d.json", ""},
		"a wrong key": {`"no"`, "", nil, true, "",
			"/d.json: icc: json: cannot unmarshal string into Go value of type bool"},
		"a wrong flag": {"", "no", nil, false, "",
			`--icc in docker.service: strconv.ParseBool: parsing "no": invalid syntax`},
		"no such file": {"", "", fs.ErrPermission, true, "", "permission denied"},
		"an empty flag": {"", " ", nil, false, "",
			`--icc in docker.service: strconv.ParseBool: parsing " ": invalid syntax`},
	} {
		d := &docker.Daemon{File: "/d.json", KeysErr: c.err}
		if c.file != "" {
			d.Keys = &docker.Keys{Order: []string{"icc"},
				Values: map[string]json.RawMessage{"icc": json.RawMessage(c.file)}}
		}
		if c.flag != "" {
			d.Next = facts.Flags{"icc": facts.Flag{Name: "icc", Values: []string{c.flag}, Origin: "docker.service"}}
		}
		r, err := icc.Next(d)
		fail, said := "", ""
		if err != nil {
			fail = err.Error()
		} else {
			said = r.String()
		}
		if r.Value != c.value || said != c.said || fail != c.fail {
			t.Errorf("%s: %v, %q, %q; want %v, %q, %q", name, r.Value, said, fail, c.value, c.said, c.fail)
		}
	}
}

// TestTakeUp says what takes up what is configured already, by how dockerd was started.
func TestTakeUp(t *testing.T) {
	type taken struct {
		how, why string
		wants    int
	}
	look := func(name string, d docker.Daemon, inFile bool) taken {
		if inFile {
			d.Keys = &docker.Keys{Order: []string{name},
				Values: map[string]json.RawMessage{name: json.RawMessage("true")}}
		}
		wants, why, how := dockerd[bool]{Key: Daemon(name, true), daemon: &d}.TakeUp(be.False)
		return taken{how, why, len(wants)}
	}
	rootless := docker.Daemon{Flavour: "rootless", Unit: "docker.service", File: "/d.json",
		UID: 1000, Process: &facts.Process{UID: 1000}}
	unit := docker.Daemon{Flavour: "package", Unit: "docker.service", File: "/d.json"}
	byHand := docker.Daemon{Flavour: "package", File: "/d.json", Process: &facts.Process{PID: 7}}
	for name, c := range map[string]struct{ got, want taken }{
		"rootless": {look("icc", rootless, true), taken{"pending restart",
			"run `systemctl --user restart docker` as uid 1000", 0}},
		"a restart": {look("icc", unit, true), taken{"pending restart", "", 1}},
		"a reload":  {look("live-restore", unit, true), taken{"pending reload", "", 1}},
		"a key that is gone": {look("live-restore", unit, false),
			taken{"a reload does not reset omitted keys", "", 1}},
		"by hand": {look("icc", byHand, true), taken{"pending restart",
			"restart dockerd (process 7) the way it was started: no service does", 0}},
	} {
		if c.got != c.want {
			t.Errorf("%s: %+v, want %+v", name, c.got, c.want)
		}
	}
}
