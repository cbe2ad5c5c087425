package facts

import "testing"

// FuzzDockerfile holds any file to be read or refused, and each stage to what is asked of it.
func FuzzDockerfile(f *testing.F) {
	f.Add("ARG A=b\nFROM ${A:-x} AS y\nONBUILD ADD a b\nUSER $A\nFROM y\nCOPY <<E /x\nz\nE\n")
	f.Add("# escape=`\nFROM a\nRUN b `\n c\nHEALTHCHECK NONE\n")
	f.Fuzz(func(t *testing.T, text string) {
		d := parseDockerfile(&SourceFile{As: "Dockerfile", Data: []byte(text)})
		if d.Err == nil && d.Final() == nil || d.Err != nil && d.Final() != nil {
			t.Fatalf("%v, %v", d.Final(), d.Err)
		}
		if s := d.Final(); s != nil {
			d.Expand(s, s.Image)
			s.From()
		}
	})
}

// FuzzCompose does so with Compose files.
func FuzzCompose(f *testing.F) {
	f.Add("x: &a {b: [c]}\nservices:\n  d: {<<: *a, extends: e}\n  e: *a\n  g: {extends: {service: d}, environment: [A=$B]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		top, err := parseCompose(&SourceFile{As: "compose.yaml", Data: []byte(text)})
		if (top == nil) != (err != nil) {
			t.Fatalf("%v, %v", top, err)
		}
		if err != nil {
			return
		}
		c := &Compose{SourceFile: SourceFile{As: "compose.yaml"}, top: top}
		services := field(top, "services")
		for i := 0; services != nil && i+1 < len(services.Content); i += 2 {
			s := &Service{Name: services.Content[i].Value, File: c}
			s.gather(c, s.Name, true, 0)
			c.sharedWith(s.Name)
			for _, key := range []string{"environment", "ports", "privileged"} {
				for _, v := range s.All(key) {
					v.Items()
					for range v.Assignments() {
					}
				}
			}
		}
		c.Unset()
	})
}
