package edit_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"example.com/harden/remediate/edit"
)

// TestCost edits files as large as any that are judged, laid out so that a careless editor looks at all of them again
// for each line, element or word. It is held to what it allocates, which grows with the work.
func TestCost(t *testing.T) {
	list := make([]string, 13_000)
	for i := range list {
		list[i] = fmt.Sprint("w", i)
	}
	yaml := func(text, path string, value any) func() error {
		return func() error { _, err := edit.YAML([]byte(text), strings.Split(path, "."), value); return err }
	}
	rep := strings.Repeat
	for name, do := range map[string]func() error{
		"a flow list":      yaml("x: ["+rep("\u00e9, ", 25_000)+"b]\n", "x.-", "c"),
		"a plain scalar":   yaml("x: a\n"+rep("  b\n", 200_000), "x", "c"),
		"a block scalar":   yaml("x: |\n"+rep("  b\n", 200_000)+"y: z\n", "y", "c"),
		"a list as a list": yaml("x:\n"+rep("  - v\n", 13_000), "x", list),
		"a unit's lines": func() error {
			_, err := edit.Unit([]byte("[Service]\nA=\\\n"+rep("b \\\n", 200_000)+"c\n"), "Service", "B", "c")
			return err
		},
		"a flag again and again": func() error {
			_, err := edit.Flag("/usr/bin/d "+rep("--a=b ", 50_000), "a", "c")
			return err
		},
		"JSON": func() error {
			_, err := edit.JSON([]byte(`{"a":[`+rep("0,", 25_000)+"0]}"), []string{"b"}, 1)
			return err
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := do()
		runtime.ReadMemStats(&after)
		if err != nil && !strings.Contains(err.Error(), "limit") {
			t.Errorf("%s: %v", name, err)
		}
		if size := after.TotalAlloc - before.TotalAlloc; size > 200<<20 {
			t.Errorf("%s: %d MiB", name, size>>20)
		}
	}
}
