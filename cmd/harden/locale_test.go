package main

import "testing"

// TestLocale: of the three variables the first that is set decides, as for setlocale, and an empty one is not set.
func TestLocale(t *testing.T) {
	for _, test := range []struct {
		all, ctype, lang string
		want             bool
	}{
		{"", "", "", false},
		{"", "", "C", false},
		{"", "", "de_DE", false},
		{"", "", "de_DE.ISO-8859-15@euro", false},
		{"", "", "de_DE.UTF-8", true},
		{"", "", "de_DE.utf8@euro", true},
		{"", "UTF-8", "", true},
		{"", "POSIX", "en_US.UTF-8", false},
		{"C", "en_US.UTF-8", "en_US.UTF-8", false},
		{"C.UTF-8", "C", "C", true},
	} {
		env := map[string]string{"LC_ALL": test.all, "LC_CTYPE": test.ctype, "LANG": test.lang}
		if got := utf8Locale(func(name string) string { return env[name] }); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
