package docker

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/system"
)

// TestDaemonKeys reads odd daemon.json files as each Engine does; 20.10 was asked itself, which ends with "EOF" and
// "invalid character 'ï'".
func TestDaemonKeys(t *testing.T) {
	const utf16 = "\xff\xfe{\x00}\x00"
	for _, test := range []struct{ name, data, version, want string }{
		{"empty", "", "20.10.24", "it is empty, with which dockerd 20.10.24 does not start"},
		{"empty", "", "22.06.0", "it is empty, with which"},
		{"empty", "", "23.0.0", ""},
		{"blank", " \n", "28.5.2", ""},
		{"blank", " \n", "", "it is empty, which dockerd takes from 23.0 on only"},
		{"BOM", "\xef\xbb\xbf{\"icc\": false}", "20.10.24+dfsg1", "it begins with a byte order mark, with which dockerd"},
		{"BOM", "\xef\xbb\xbf{\"icc\": false}", "29.0.0", ""},
		{"BOM alone", "\xef\xbb\xbf", "29.0.0", ""},
		{"BOM and no JSON", "\xef\xbb\xbfx", "29.0.0", "line 1, column 1"},
		{"UTF-16", utf16, "29.0.0", ""},
		{"UTF-16", utf16, "20.10.24", "it is in UTF-16"},
		{"plain", "{\"icc\": false}", "20.10.24", ""},
		{"development", "", "dev", "it is empty"},
	} {
		var e *EngineFacts
		if test.version != "" {
			e = &EngineFacts{Info: system.Info{ServerVersion: test.version}}
		}
		keys, err := parseDaemonKeys([]byte(test.data), e)
		switch {
		case test.want == "" && (err != nil || strings.Contains(test.data, "icc") != (len(keys.Order) == 1)):
			t.Errorf("%s, %s: %+v, %v", test.name, test.version, keys, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s, %s: %v, want %s", test.name, test.version, err, test.want)
		}
	}
}
