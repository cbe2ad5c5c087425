package main

import (
	"strings"
	"testing"
)

// TestProcHere says what to do where proc is not mounted, as in a root that was just made.
func TestProcHere(t *testing.T) {
	if err := procHere("/proc"); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := procHere(dir); err == nil || !strings.HasSuffix(err.Error(), "use `mount -t proc proc "+dir+"`") {
		t.Error(err)
	}
}
