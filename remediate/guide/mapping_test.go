package guide

import (
	"strings"
	"testing"
)

func TestMappingByTheFilesOfSubordinateIDs(t *testing.T) {
	const subuid = "other:100000:65536\ndockremap:231072:65536\n\n# a comment\n998:400000:10\n"
	m, err := ParseMapping([]byte(subuid), []byte("dockremap:300000:65536\n"), "dockremap", 998)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		in, uid, gid uint32
		uok, gok     bool
	}{
		{0, 231072, 300000, true, true}, {1000, 232072, 301000, true, true}, {65535, 296607, 365535, true, true},
		{65536, 400000, 0, true, false}, {65545, 400009, 0, true, false}, {65546, 0, 0, false, false},
		{1<<32 - 1, 0, 0, false, false},
	} {
		uid, uok := m.UID(tt.in)
		gid, gok := m.GID(tt.in)
		if uid != tt.uid || uok != tt.uok || gid != tt.gid || gok != tt.gok {
			t.Errorf("%d: uid %d %v, gid %d %v", tt.in, uid, uok, gid, gok)
		}
	}
	if id, ok := (*Mapping)(nil).UID(70000); id != 70000 || !ok {
		t.Errorf("without a mapping: %d, %v", id, ok)
	}
	for _, tt := range []struct{ file, want string }{
		{"other:1:2\n", "no range for user dockremap; add one"},
		{"dockremap:5:x\n", "line 1: not a range"},
		{"dockremap:0:65536\n", "line 1: not a range"}, // root of the host
		{"\ndockremap:4294967290:65536\n", "line 2: not a range"},
		{"dockremap:1:4294967290\ndockremap:5:4294967000\n", "line 2: not a range"},
		{"dockremap:231072:10\ndockremap:100000:10\n", "ascending order"},
	} {
		if _, err := ParseMapping([]byte(tt.file), []byte(tt.file), "dockremap",
			998); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v; want %q", tt.file, err, tt.want)
		}
	}
}
