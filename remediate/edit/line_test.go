package edit_test

import (
	"testing"

	"example.com/harden/remediate/edit"
)

func TestLine(t *testing.T) {
	const header = "# Written by harden; \"harden rollback\" rolls it back.\n"
	tests := []struct{ name, data, line, want string }{
		{"a new file", "", "d /run/a 0755 root root -", header + "d /run/a 0755 root root -\n"},
		{"another line", header + "d /run/a 0755 root root -\n", "d /run/b 0700 root root -",
			header + "d /run/a 0755 root root -\nd /run/b 0700 root root -\n"},
		{"there already", "d /run/a 0755 root root -\r\n", "d /run/a 0755 root root -", "d /run/a 0755 root root -\r\n"},
		{"no newline at the end", "d /run/a 0755 root root -", "x", "d /run/a 0755 root root -\nx"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var data []byte
			if tt.data != "" {
				data = []byte(tt.data)
			}
			got, err := edit.Line(data, tt.line)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	if _, err := edit.Line(nil, "two\nlines"); err == nil {
		t.Error("two lines are taken for one")
	}
}
