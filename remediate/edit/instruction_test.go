package edit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/remediate/edit"
)

func TestInstruction(t *testing.T) {
	for name, test := range map[string]struct {
		file string
		line int
		want string
		err  string
	}{
		"plain":        {"FROM x\nADD a /b\n", 2, "FROM x\nCOPY a /b\n", ""},
		"lower case":   {"FROM x\n  add\ta /b", 2, "FROM x\n  copy\ta /b", ""},
		"CRLF":         {"FROM x\r\nADD a /b\r\n", 2, "FROM x\r\nCOPY a /b\r\n", ""},
		"over lines":   {"FROM x\nADD a \\\n # note\n  b /c\n", 2, "FROM x\nCOPY a \\\n # note\n  b /c\n", ""},
		"behind":       {"FROM x\nONBUILD ADD ADD /ADD\n", 2, "FROM x\nONBUILD COPY ADD /ADD\n", ""},
		"heredoc":      {"FROM x\nADD <<E /b\nADD\nE\n", 2, "FROM x\nCOPY <<E /b\nADD\nE\n", ""},
		"not there":    {"FROM x\nRUN ADD\n", 2, "", "line 2: no ADD begins there"},
		"in a heredoc": {"FROM x\nRUN <<E\nADD a b\nE\n", 3, "", "line 3: the file would read differently in more than that"},
		"no line":      {"FROM x\n", 7, "", "line 7: no such line"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := edit.Instruction([]byte(test.file), test.line, "ADD", "COPY")
			said := ""
			if err != nil {
				said = err.Error()
			}
			if d := cmp.Diff([2]string{test.want, test.err}, [2]string{string(got), said}); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}
