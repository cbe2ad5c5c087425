package edit

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnit(t *testing.T) {
	for _, tt := range []struct {
		name, in, section, key string
		values                 []string
		want                   string
	}{
		{"append to a section", "[Service]\nA=1\n", "Service", "B", []string{"2"}, "[Service]\nA=1\nB=2\n"},
		{"append to the last of that name", "[Service]\nA=1\n\n[Unit]\nX=1\n\n[Service]\n\n# end\n", "Service", "B",
			[]string{"2"},
			"[Service]\nA=1\n\n[Unit]\nX=1\n\n[Service]\nB=2\n\n# end\n"},
		{"append without final newline", "[Service]\r\nA=1", "Service", "B", []string{"2"}, "[Service]\r\nA=1\r\nB=2"},
		{"new section", "[Unit]\nA=1\n", "Service", "B", []string{"2"}, "[Unit]\nA=1\n\n[Service]\nB=2\n"},
		{"new section without final newline", "[Unit]\nA=1", "Service", "B", []string{"2"}, "[Unit]\nA=1\n\n[Service]\nB=2"},
		{"comments alone", "# x\n", "Service", "B", []string{"2"}, "# x\n[Service]\nB=2\n"},
		{"list", "[Service]\n", "Service", "ExecStart", []string{"/d -D"}, "[Service]\nExecStart=\nExecStart=/d -D\n"},
		{"list replaced", "[Service]\n# c\nExecStart=\nExecStart=/d \\\n  # in between\n  -D\nA=1\n", "Service", "ExecStart",
			[]string{"/d -E"},
			"[Service]\n# c\nExecStart=\nExecStart=/d -E\nA=1\n"},
		{"several", "[Socket]\n", "Socket", "ListenStream", []string{"/a", "/b"},
			"[Socket]\nListenStream=\nListenStream=/a\nListenStream=/b\n"},
		{"replace, odd spacing", "[Socket]\n ; c\n\tSocketMode = 0666 \nX=1", "Socket", "SocketMode", []string{"0660"},
			"[Socket]\n ; c\nSocketMode=0660\nX=1"},
		{"replace the last line", "[S]\r\nA=1\r\nB=0", "S", "B", []string{"1"}, "[S]\r\nA=1\r\nB=1"},
		{"the same key elsewhere", "[Unit]\nA=1\n[Service]\nA=1\n", "Service", "A", []string{"2"},
			"[Unit]\nA=1\n[Service]\nA=2\n"},
		{"set twice", "[S]\nA=1\nB=1\nA=2\n", "S", "A", []string{"2"}, "[S]\nA=2\nB=1\n"},
		{"reset", "[S]\nA=1\n", "S", "ExecStart", []string{""}, "[S]\nA=1\nExecStart=\n"},
		{"remove", "[S]\nExecStart=\nB=1\nExecStart=x\n", "S", "ExecStart", nil, "[S]\nB=1\n"},
		{"remove what is not there", "[S]", "S", "A", nil, "[S]"},
		{"same", "[S]\n\tA = 1\t\n", "S", "A", []string{"1"}, "[S]\n\tA = 1\t\n"},
		{"same list", "[Service]\nExecStart=\nExecStart=/d \\\n-D\n", "Service", "ExecStart", []string{"/d  -D"},
			"[Service]\nExecStart=\nExecStart=/d \\\n-D\n"},
		{"a value with an equals sign", "[S]\n", "S", "A", []string{"x=[y] # z"}, "[S]\nA=x=[y] # z\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Unit([]byte(tt.in), tt.section, tt.key, tt.values...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if again, err := Unit(got, tt.section, tt.key, tt.values...); err != nil || &again[0] != &got[0] {
				t.Errorf("the second edit gave %q, %v; want the very bytes of the first", again, err)
			}
		})
	}
}

func TestUnitNewFile(t *testing.T) {
	got, err := Unit(nil, "Service", "ExecStart", "/usr/bin/dockerd --icc=false")
	want := header + "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --icc=false\n"
	if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if got, err := Unit(nil, "Service", "ExecStart"); got != nil || err != nil {
		t.Errorf("removing from no file: %q, %v; want no file", got, err)
	}
}

func TestUnitRefuses(t *testing.T) {
	for _, tt := range []struct{ in, section, key, value, want string }{
		{"[S]\nx\n", "S", "A", "1", "line 2, column 1: neither a section nor an assignment"},
		{"[S]\n=x\n", "S", "A", "1", "line 2, column 1: neither a section nor an assignment"},
		{"# c\nA=1\n", "S", "A", "1", "line 2, column 1: an assignment before any section"},
		{"[S]\nA=1\\\n", "S", "A", "1", "line 2, column 1: the line is continued by a backslash, and nothing follows"},
		{"", "S]", "A", "1", "[S]] A= is not a setting of a unit"},
		{"", "S", "A=", "1", "[S] A== is not a setting of a unit"},
		{"", "S", "A", "1\n[X]", `A= holds '\n', which cannot be written there safely`},
		{"", "S", "A", "1\\", "A= cannot begin or end in a blank, nor end in a backslash"},
	} {
		if got, err := Unit([]byte(tt.in), tt.section, tt.key, tt.value); got != nil || err == nil || err.Error() != tt.want {
			t.Errorf("Unit(%q, %q, %q, %q) = %q, %v; want %s", tt.in, tt.section, tt.key, tt.value, got, err, tt.want)
		}
	}
}

func TestUnitValue(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"[Service]\nExecStart=/a\nExecStart=/b \\\r\n# c\n  -x\n", "/b    -x"},
		{"[Service]\nExecStart=/a\nExecStart=\n", ""},
		{"[Unit]\nExecStart=/a\n", ""},
		{"[Service]\nExecStart=/a \\\\\n", `/a \\`},
	} {
		if got, err := UnitValue([]byte(tt.in), "Service", "ExecStart"); err != nil || got != tt.want {
			t.Errorf("UnitValue(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
	if got, err := UnitValue([]byte("x"), "Service", "ExecStart"); err == nil {
		t.Errorf("what is no unit gave %q", got)
	}
}

// FuzzUnit: an edit that is not refused is read back, can be repeated to no effect, and keeps whether the file ends
// in a newline.
func FuzzUnit(f *testing.F) {
	for _, s := range []string{"", "[Service]\nExecStart=/d \\\n -x\n", "[A]\r\n[Service]\r\n;c\r\nX=1",
		"[Service]\nX=1\nExecStart=\\\\\nX=2"} {
		f.Add([]byte(s), "ExecStart", "/d", "")
		f.Add([]byte(s), "X", "1", "2")
	}
	f.Fuzz(func(t *testing.T, data []byte, key, first, second string) {
		if data == nil {
			data = []byte{}
		}
		values := []string{first}
		if second != "" {
			values = append(values, second)
		}
		after, err := Unit(data, "Service", key, values...)
		if refused(t, err) {
			return
		}
		if got, err := UnitValue(after, "Service", key); err != nil || got != values[len(values)-1] {
			t.Fatalf("%q became %q, which has %q, %v", data, after, got, err)
		}
		if again, err := Unit(after, "Service", key, values...); err != nil || !bytes.Equal(again, after) {
			t.Fatalf("%q, edited again, became %q, %v", after, again, err)
		}
		if len(data) > 0 && bytes.HasSuffix(data, []byte("\n")) != bytes.HasSuffix(after, []byte("\n")) {
			t.Fatalf("%q became %q: the final newline", data, after)
		}
		if gone, err := Unit(after, "Service", key); err != nil ||
			slices.ContainsFunc(mustLines(t, gone), func(l unitLine) bool {
				return l.section == "Service" && l.key == key
			}) {
			t.Fatalf("%q, with %s taken out, became %q, %v", after, key, gone, err)
		}
	})
}

func mustLines(t *testing.T, data []byte) []unitLine {
	lines, err := unitLines(data)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}
