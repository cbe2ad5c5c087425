package activate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRootsAlone holds root to running no Compose file that somebody else could have written.
func TestRootsAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it changes owners")
	}
	for name, test := range map[string]struct {
		dir, file os.FileMode
		uid       int
		err       string
	}{
		"root's":                  {0o755, 0o644, 0, ""},
		"its group's too":         {0o755, 0o664, 0, "not only root can write it"},
		"another's":               {0o755, 0o644, 1000, "its owner is uid 1000"},
		"in a directory of all's": {0o777, 0o644, 0, "its owner has to run `docker compose up -d`"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "compose.yaml")
			if err := os.WriteFile(file, []byte("services: {}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{os.Chmod(file, test.file), os.Chown(file, test.uid, 0), os.Chmod(dir, test.dir)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := rootsAlone(file); (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v, want %q", err, test.err)
			}
		})
	}
	if err := rootsAlone(t.TempDir() + "/none"); err == nil || !strings.Contains(err.Error(), "no longer there") {
		t.Errorf("of a file that is gone: %v", err)
	}
}
