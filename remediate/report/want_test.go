package report_test

import (
	"testing"

	"example.com/harden/checks/want"
	"example.com/harden/remediate/report"
)

func TestDescribe(t *testing.T) {
	for _, test := range []struct {
		want want.Want
		text string
	}{
		{want.Key{File: "/d.json", Key: []string{"a", "b"}, Value: []string{"x"}}, `set a.b to ["x"] in /d.json`},
		{want.Key{File: "/d.json", Key: []string{"tls"}}, "take tls out of /d.json"},
		{want.Flag{Unit: "docker.service", Name: "icc", Value: "false"}, "start docker.service with --icc=false"},
		{want.Flag{Unit: "kubelet.service", Name: "read-only-port", Gone: true},
			"start kubelet.service without --read-only-port"},
		{want.Field{File: "/k.yaml", Field: []string{"a", "b"}, Value: false}, "set a.b to false in /k.yaml"},
		{want.Field{File: "/k.yaml", Field: []string{"a"}}, "take a out of /k.yaml"},
		{want.PodFlag{Container: "etcd", Name: "x", Value: "y"}, "etcd: start it with --x=y"},
		{want.PodFlag{Container: "etcd", Name: "x", Gone: true}, "etcd: start it without --x"},
		{want.PodFlag{Container: "c", Name: "x", Add: []string{"a", "b"}, Drop: []string{"d"},
			Mounts: []want.Mount{{Path: "/e"}}}, "c: add a,b to --x, take d out of --x, show it /e"},
		{want.Content{File: "/p.yaml", Data: "secret"}, "make /p.yaml"},
		{want.Setting{Unit: "docker.socket", Section: "Socket", Key: "SocketMode", Value: "0660"},
			"set SocketMode=0660 in [Socket] of docker.socket"},
		{want.Mode{File: "/a", Mode: 0o644}, "set the mode of /a to 0644"},
		{want.Owner{File: "/a", Owner: "root:docker"}, "give /a to root:docker"},
		{want.AuditRule{Path: "/a"}, "record changes of /a"},
		{want.AuditRule{Path: "/a", Dir: true}, "record changes of /a and all below it"},
		{want.Env{File: "/etc/environment", Name: "A", Value: "1"}, "set A=1 in /etc/environment"},
		{want.Container{ID: "c", Name: "web\x1b", Limits: want.Limits{Memory: 5, MemorySwap: -1, CPUShares: 7, PIDs: 100,
			Restart: "on-failure:5"}},
			`update --memory=5, --memory-swap=-1, --cpu-shares=7, --pids-limit=100, --restart=on-failure:5 of the container ` +
				`"web\x1b" in place`},
		{want.Container{Name: "web", Limits: want.Limits{PIDs: -1}}, "update --pids-limit=-1 of the container web in place"},
		{want.Compose{File: "/c.yaml", Service: "web", Key: []string{"a", "b"}, Value: true},
			"set a.b to true for service web in /c.yaml"},
		{want.Compose{File: "/c.yaml", Service: "web", Key: []string{"a"}}, "take a out of service web in /c.yaml"},
		{want.Compose{File: "/c.yaml", Service: "web", Project: "p"},
			"recreate the containers of service web of p from /c.yaml"},
		{want.Instruction{File: "Dockerfile", Line: 3, From: "ADD", To: "COPY"},
			"make COPY of the ADD in line 3 of Dockerfile"},
		{want.Key{File: "/d.json", Key: []string{"a"}, Value: func() {}}, "set a in /d.json"},
		{want.Field{File: "/k.yaml", Field: []string{"a"}, Value: func() {}}, "set a in /k.yaml"},
		{want.Service{Unit: "docker.service", Reload: true}, "reload docker.service"},
		{want.Service{Unit: "docker.service"}, "restart docker.service"},
	} {
		if got := report.Describe(test.want); got != test.text {
			t.Errorf("%#v is %q, want %q", test.want, got, test.text)
		}
	}
}
