package edit

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAuditRule(t *testing.T) {
	const rule = "-w /usr/bin/dockerd -p wa -k docker"
	for _, tt := range []struct{ name, in, want string }{
		{"empty file", "", rule + "\n"},
		{"append", "-w /a -p wa\n", "-w /a -p wa\n" + rule + "\n"},
		{"append without final newline", "-w /a -p wa", "-w /a -p wa\n" + rule},
		{"there already", "# x\n  -w\t/usr/bin/dockerd  -p wa -k docker\n-w /b\n",
			"# x\n  -w\t/usr/bin/dockerd  -p wa -k docker\n-w /b\n"},
		{"in a comment it is not", "# " + rule + "\n", "# " + rule + "\n" + rule + "\n"},
		{"before the lock", "-w /a\n# lock\n -e  2\n\n", "-w /a\n# lock\n" + rule + "\n -e  2\n\n"},
		{"before a lock without newline", "-e 2", rule + "\n-e 2"},
		{"before a lock with carriage return", "-w /a\r\n-e 2\r\n", "-w /a\r\n" + rule + "\n-e 2\r\n"},
		{"-e 1 does not lock", "-e 1\n# -e 2\n", "-e 1\n# -e 2\n" + rule + "\n"},
		{"a 2 alone does not lock", "2\n-e\n", "2\n-e\n" + rule + "\n"},
		{"with a carriage return it is another", rule + "\r\n", rule + "\r\n" + rule + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := AuditRule([]byte(tt.in), rule)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if again, err := AuditRule(got, rule); err != nil || &again[0] != &got[0] {
				t.Errorf("the second edit gave %q, %v; want the very bytes of the first", again, err)
			}
			if !bytes.Equal(bytes.Replace(got, []byte(rule+"\n"), nil, 1), []byte(tt.in)) && !bytes.Equal(got, []byte(tt.in)) &&
				!bytes.Equal(got, []byte(tt.in+"\n"+rule)) && !bytes.HasPrefix([]byte(tt.in), []byte(rule)) {
				t.Errorf("other bytes than the rule's changed: %q", got)
			}
		})
	}
	if got, err := AuditRule(nil, rule); err != nil || string(got) != header+rule+"\n" {
		t.Errorf("no file: %q, %v", got, err)
	}
	for _, bad := range []string{"", " ", "-w /a\n-D", "# x", "-w /\xff", "-w /\u202e"} {
		if got, err := AuditRule(nil, bad); err == nil {
			t.Errorf("rule %q gave %q", bad, got)
		}
	}
}

// FuzzAuditRule: the rule is there afterwards, once more than before or as often, and no other line changed.
func FuzzAuditRule(f *testing.F) {
	f.Add([]byte("-w /a\n-e 2"), "-w /b")
	f.Add([]byte("-w /a\r\n"), "-w /a")
	f.Add([]byte(""), "-e 2")
	f.Fuzz(func(t *testing.T, data []byte, rule string) {
		after, err := AuditRule(data, rule)
		if refused(t, err) || data == nil {
			return
		}
		if again, err := AuditRule(after, rule); err != nil || !bytes.Equal(again, after) {
			t.Fatalf("%q, edited again, became %q, %v", after, again, err)
		}
		oneLineChanged(t, data, after)
	})
}
