package source_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts/source"
)

// TestDotEnv holds the reader of environment files to compose-go's own, but for variables that nothing sets.
func TestDotEnv(t *testing.T) {
	known := map[string]string{"SHELL_SAYS": "outer", "N": "known"}
	for _, text := range []string{
		"A=1\nB = two words  \n\n# a comment\n  C=3 # and why\nD=4#5\n",
		"export A=1\nexport\tB=2\nexported=3\nC: yaml\nD:e=f\n",
		"\ufeffA=1\r\nB=2\r\n",
		`A='single $N ${N} \' # x'` + "\n" + `B="double $A ${N:-y} \n \$N \\ \" \041" # c` + "\nC='two\nlines'\nD=\"#no\"\n",
		"A=a\nB=${A}b\nC=$B$B\nD=${UNSET:-${C}}\nE=${A:+alt}\nF=$$A\nG=${N}\nH=${SHELL_SAYS}\n",
		"N=file\nA=$N\nN=later\nB=$N\n",
		"SHELL_SAYS\nA=1\n",
		"A=\nB=''\nC=\"\"\nD= \n",
		"a.b-c[0]=1\nÄ=2\n",
		"A=it's\nB=\"it's\"'s\nC=3\n",
		"A=1 #\nB=#x\nC= # only\n",
		"A=\"x\"   \nB=2",
	} {
		want, err := dotenv.ParseWithLookup(strings.NewReader(text), func(name string) (string, bool) {
			v, ok := known[name]
			return v, ok
		})
		if err != nil {
			want = nil
		} else {
			delete(want, "SHELL_SAYS") // it is known anyway
		}
		got := map[string]string{}
		if errGot := source.DotEnv([]byte(text), got, known, budget.New("x", nil)); (errGot != nil) != (err != nil) {
			t.Errorf("%q: %v; compose-go says %v", text, errGot, err)
			continue
		}
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			t.Errorf("%q (-compose-go +got)\n%s", text, diff)
		}
	}
}

func TestDotEnvUnknown(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"A=1\nA=${SHELL}\nB=$A\nC=${A:-c}\n": {"C": "c"},
		"A=1\nA\nB=${C:?why}\n":              {},
	} {
		got := map[string]string{}
		err := source.DotEnv([]byte(text), got, nil, budget.New("x", nil))
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"A='secret\n", "A=1\nsecret text=2\n", "$secret=1\n"} {
		err := source.DotEnv([]byte(text), map[string]string{}, nil, budget.New("x", nil))
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
	bomb := "A0=xx\n"
	for i := range 40 {
		a, b := string(rune('A'+i%26))+string(rune('0'+i/26)), string(rune('A'+(i+1)%26))+string(rune('0'+(i+1)/26))
		bomb += b + "=$" + a + "${" + a + "}\n"
	}
	if err := source.DotEnv([]byte(bomb), map[string]string{}, nil, budget.New("x", nil)); err == nil {
		t.Error("a file that doubles its values forty times is read")
	}
}
