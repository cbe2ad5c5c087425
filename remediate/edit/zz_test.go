package edit
import ("testing";"strings";"fmt";"time";"runtime")
func TestZZ(t *testing.T) {
	var keys, dashes strings.Builder
	for i := range 13000 { fmt.Fprintf(&keys, "  k%d: v # c\n", i); fmt.Fprintf(&dashes, "  - v%d\n", i) }
	long := []string{}
	for i := range 13000 { long = append(long, fmt.Sprint("w", i)) }
	type c struct { text string; path []string; value any }
	for name, x := range map[string]c{
		"flow": {"x: [" + strings.Repeat("a, ", 25000) + "b]\n", []string{"x","-"}, "c"},
		"flow-utf": {"x: [" + strings.Repeat("é, ", 25000) + "b]\n", []string{"x","-"}, "c"},
		"flow-del": {"x: [" + strings.Repeat("é, ", 25000) + "b]\n", []string{"x","24000"}, nil},
		"flowmap": {"x: {" + strings.Repeat("é: b, ", 1) + "b: c}\n", []string{"x","b"}, "c"},
		"keys": {"x:\n"+keys.String(), []string{"x", "z"}, "c"},
		"keysnew": {"x:\n"+keys.String(), []string{"x", "k12000", "a"}, "c"},
		"dashes": {"x:\n"+dashes.String(), []string{"x", "-"}, "c"},
		"dashes-set": {"x:\n"+dashes.String(), []string{"x"}, long},
		"plain": {"x: a\n"+strings.Repeat("  b\n", 500000), []string{"x"}, "c"},
		"block": {"x: |\n"+strings.Repeat("  b\n", 500000)+"y: z\n", []string{"y"}, "c"},
		"quoted": {"x: \""+strings.Repeat("b\n\n  ", 500000)+"\"\ny: z\n", []string{"x"}, "c"},
	} {
		var a, b runtime.MemStats
		runtime.ReadMemStats(&a)
		began := time.Now()
		_, err := YAML([]byte(x.text), x.path, x.value)
		took := time.Since(began)
		runtime.ReadMemStats(&b)
		fmt.Println(name, took, (b.TotalAlloc-a.TotalAlloc)>>20, "MiB", err)
	}
	began := time.Now()
	_, err := JSON([]byte(`{"a":[`+strings.Repeat("0,", 28000)+"0]}"), []string{"b"}, 1)
	fmt.Println("json", time.Since(began), err)
	began = time.Now()
	_, err = Unit([]byte("[Service]\nA=\\\n"+strings.Repeat("b \\\n", 500000)+"c\n"), "Service", "B", "c")
	fmt.Println("unit", time.Since(began), err)
	began = time.Now()
	_, err = Flag("/usr/bin/d "+strings.Repeat("--a=b ", 100000), "a", "c")
	fmt.Println("flag", time.Since(began), err)
}
