package edit

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnv(t *testing.T) {
	for _, tt := range []struct{ name, in, value, want string }{
		{"empty file", "", "1", "V=1\n"},
		{"append", "PATH=\"/bin\"\n", "1", "PATH=\"/bin\"\nV=1\n"},
		{"append without final newline", "A=b", "1", "A=b\nV=1"},
		{"replace", "V=0\nA=b\n", "1", "V=1\nA=b\n"},
		{"replace without final newline", "A=b\nV=0", "1", "A=b\nV=1"},
		{"same", "V=1\n\n", "1", "V=1\n\n"},
		{"same, quoted", "V=\"1\"\n", "1", "V=\"1\"\n"},
		{"double quotes stay", "V=\"0\"\n", "1", "V=\"1\"\n"},
		{"single quotes stay", "V='0'\n", "1", "V='1'\n"},
		{"quotes for a blank", "V=0\n", "a b", "V=\"a b\"\n"},
		{"export and indentation", "\t export V=0\n", "1", "\t export V=1\n"},
		{"the last wins", "V=1\nV=0\nA=b\n", "1", "V=1\nV=1\nA=b\n"},
		{"a comment is no assignment", "#V=0\n  # V=2\n", "1", "#V=0\n  # V=2\nV=1\n"},
		{"blanks before a comment are value to pam_env", "V=0 # off\n", "1", "V=1# off\n"},
		{"blanks after the value", "V=1 \n", "1", "V=1\n"},
		{"a hash ends even what is quoted", "V=\"a#b\"\n", "1", "V=\"1\"#b\"\n"},
		{"a carriage return is value to pam_env", "A=b\r\nV=1\r\n", "1", "A=b\r\nV=1\n"},
		{"appended to CRLF", "A=b\r\n", "1", "A=b\r\nV=1\n"},
		{"other names", "AV=0\nV2=0\nV =0\n", "1", "AV=0\nV2=0\nV =0\nV=1\n"},
		{"value gone", "V=0\n", "", "V=\n"},
		{"unicode", "É=1\nA=ü\n", "☃", "É=1\nA=ü\nV=☃\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Env([]byte(tt.in), "V", tt.value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if again, err := Env(got, "V", tt.value); err != nil || &again[0] != &got[0] {
				t.Errorf("the second edit gave %q, %v; want the very bytes of the first", again, err)
			}
		})
	}
}

func TestEnvRefuses(t *testing.T) {
	for _, tt := range []struct{ in, name, value, want string }{
		{"A=1\nB=x\\\ny\n", "V", "1", "line 2, column 4: a backslash at the end of the line, which not every pam_env " +
			"takes alike"},
		{"É=1\x00\n", "V", "1", "line 1, column 4: a zero byte"},
		{"", "V-W", "1", `"V-W" is not the name of an environment variable`},
		{"", "", "1", `"" is not the name of an environment variable`},
		{"", "V", "a#b", `the value of V holds '#', which cannot be written there safely`},
		{"", "V", "a\nB=c", `the value of V holds '\n', which cannot be written there safely`},
		{"", "V", "\u202e", `the value of V holds '\u202e', which cannot be written there safely`},
		{"", "V", "\xff", `the value of V is not valid UTF-8`},
		{"", "V", " 1", `the value of V begins or ends in a blank, which pam_env does not keep`},
	} {
		if got, err := Env([]byte(tt.in), tt.name, tt.value); got != nil || err == nil || err.Error() != tt.want {
			t.Errorf("Env(%q, %q, %q) = %q, %v; want %s", tt.in, tt.name, tt.value, got, err, tt.want)
		}
	}
}

func TestEnvNewFile(t *testing.T) {
	if got, err := Env(nil, "DOCKER_CONTENT_TRUST", "1"); err != nil || string(got) != "DOCKER_CONTENT_TRUST=1\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

// FuzzEnv: an edit that is not refused leaves every line but one alone, and is not made twice.
func FuzzEnv(f *testing.F) {
	for _, s := range []string{"", "V=0", "export V=\"0\" # x\nA=b\r\n", "V='\n", "V=\"0\"\"\n\n", "=\nV\n"} {
		f.Add([]byte(s), "V", "1")
		f.Add([]byte(s), "W", "a b")
	}
	f.Fuzz(func(t *testing.T, data []byte, name, value string) {
		after, err := Env(data, name, value)
		if refused(t, err) {
			return
		}
		if again, err := Env(after, name, value); err != nil || !bytes.Equal(again, after) {
			t.Fatalf("%q, edited again, became %q, %v", after, again, err)
		}
		oneLineChanged(t, data, after)
	})
}

// refused reports whether an editor refused, and fails when that was because it went wrong.
func refused(t *testing.T, err error) bool {
	t.Helper()
	if errors.Is(err, errProof) {
		t.Fatal(err)
	}
	return err != nil
}

// oneLineChanged fails unless after is before with something added at the end, or with one line replaced or added.
func oneLineChanged(t *testing.T, before, after []byte) {
	t.Helper()
	if bytes.HasPrefix(after, before) {
		return
	}
	a, b := strings.Split(string(before), "\n"), strings.Split(string(after), "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a) > 1 || len(b) > 1 {
		t.Fatalf("%q became %q: more than one line differs", before, after)
	}
}
