package docker

import "testing"

func TestOpenProfile(t *testing.T) {
	for profile, want := range map[string]bool{
		`{"defaultAction": "SCMP_ACT_ALLOW"}`:                                                                 true,
		`{"defaultAction": "SCMP_ACT_LOG", "syscalls": []}`:                                                   true,
		`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}`:  true,
		`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_ERRNO"}]}`:        true,
		`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}]}`: false,
		`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "mount", "action": "SCMP_ACT_KILL"}]}`:     false,
		`{"defaultAction": "SCMP_ACT_ERRNO"}`:                                                                 false,
		`unconfined`:                                                                                          false,
		``:                                                                                                    false,
	} {
		if got := open([]byte(profile)); got != want {
			t.Errorf("%s: %v", profile, got)
		}
	}
}
