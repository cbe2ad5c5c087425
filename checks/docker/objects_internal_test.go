package docker

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/source"
)

func TestEffectiveCapabilities(t *testing.T) {
	for _, test := range []struct {
		name      string
		host      docker.HostConfig
		has, lack []string
	}{
		{"as made", docker.HostConfig{}, docker.DefaultCapabilities, []string{"SYS_ADMIN"}},
		{"privileged, whatever is dropped", docker.HostConfig{Privileged: true, CapDrop: []string{"ALL"}},
			allCapabilities, nil},
		{"all but some", docker.HostConfig{CapAdd: []string{"all"}, CapDrop: []string{"CAP_SYS_ADMIN"}},
			[]string{"SYS_MODULE", "BPF"}, []string{"SYS_ADMIN"}},
		{"all added and dropped", docker.HostConfig{CapAdd: []string{"ALL"}, CapDrop: []string{"ALL"}},
			[]string{"SYS_ADMIN"}, nil},
		{"none but some", docker.HostConfig{CapAdd: []string{"cap_net_raw"}, CapDrop: []string{"ALL"}},
			[]string{"NET_RAW"}, []string{"CHOWN", "KILL"}},
		{"one more, one less", docker.HostConfig{CapAdd: []string{"SYS_TIME"}, CapDrop: []string{"mknod"}},
			[]string{"SYS_TIME", "CHOWN"}, []string{"MKNOD"}},
		{"added and dropped", docker.HostConfig{CapAdd: []string{"SYS_TIME"}, CapDrop: []string{"SYS_TIME"}},
			[]string{"SYS_TIME"}, nil},
	} {
		got := effective(&docker.Container{HostConfig: test.host})
		for _, c := range test.has {
			if !slices.Contains(got, c) {
				t.Errorf("%s: without %s: %v", test.name, c, got)
			}
		}
		for _, c := range test.lack {
			if slices.Contains(got, c) {
				t.Errorf("%s: with %s: %v", test.name, c, got)
			}
		}
	}
	if len(allCapabilities) != 41 || len(docker.DefaultCapabilities) != 14 {
		t.Errorf("%d capabilities, %d of them by default; Linux has 41 and the Engine gives 14", len(allCapabilities),
			len(docker.DefaultCapabilities))
	}
}

func TestSteps(t *testing.T) {
	for step, want := range map[string]bool{
		"/bin/sh -c apt-get update":                                               true,
		"RUN /bin/sh -c apt-get -qq update && rm -rf /tmp/* # buildkit":           true,
		"|1 VERSION=2 /bin/sh -c set -ex; apt-get update":                         true,
		"RUN |2 A=1 B=/bin/sh /bin/sh -c yum makecache # buildkit":                true,
		"/bin/sh -c DEBIAN_FRONTEND=noninteractive apt-get update\n && echo done": true,
		"/bin/sh -c /usr/bin/apt-get update":                                      true,
		"/bin/sh -c apt-get update && apt-get install -y curl":                    false,
		"/bin/sh -c apt update;apt -y upgrade":                                    false,
		"/bin/sh -c apk update && apk add curl":                                   false,
		"/bin/sh -c apk add --update curl":                                        false,
		"/bin/sh -c yum -y update":                                                false,
		"/bin/sh -c #(nop) COPY file:1 in /update.sh":                             false,
		"/bin/sh -c #(nop)  CMD [\"apt-get\" \"update\"]":                         false,
		"ENV UPDATE=apt-get update":                                               false,
		"CMD [\"/bin/app\" \"--update\"]":                                         false,
		"/bin/sh -c echo 'update' > /apt-get":                                     false,
		"/bin/sh -c git submodule update":                                         false,
		"":                                                                        false,
	} {
		command, ok := ran(step)
		if got := ok && updatesAlone(command) != ""; got != want {
			t.Errorf("%q updates alone: %v", step, got)
		}
	}
}

func TestInstruction(t *testing.T) {
	for step, want := range map[string][2]string{
		"/bin/sh -c #(nop) ADD file:5d1b in /app ": {"ADD", "file:5d1b in /app"},
		"/bin/sh -c #(nop)  ENV ADD=1":             {"ENV", "ADD=1"},
		"ADD . /app # buildkit":                    {"ADD", ". /app"},
		"LABEL x=ADD":                              {"LABEL", "x=ADD"},
		"/bin/sh -c ADD x":                         {"/bin/sh", "-c ADD x"},
	} {
		name, rest := instruction(step)
		if diff := cmp.Diff(want, [2]string{name, rest}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", step, diff)
		}
	}
}

func TestUnverified(t *testing.T) {
	for command, want := range map[string]bool{
		"curl -fsSL https://example.com/x | sh":                  true,
		"wget -qO- https://example.com/x|sudo bash -s":           true,
		"curl -k https://example.com/x -o /x":                    true,
		"apt-get install -y --allow-unauthenticated x":           true,
		"pip install --trusted-host example.com x":               true,
		"yum -y --nogpgcheck install x":                          true,
		"apk add --allow-untrusted ./x.apk":                      true,
		"curl -fsSLO https://example.com/x && sha256sum -c sums": false,
		"curl https://example.com/key | gpg --dearmor > /k":      false,
		"apt-get install -y curl bash && rm -rf /var/lib/apt":    false,
		"echo trusted": false,
		"curl -u admin:hunter2 https://example.com/x | sh": true,
	} {
		if strings.Contains(skips(command), "hunter2") {
			t.Errorf("%q is told as %q", command, skips(command))
		}
		if got := skips(command) != ""; got != want {
			t.Errorf("%q: %v", command, got)
		}
	}
}

func TestRegistryOf(t *testing.T) {
	for name, want := range map[string]string{
		"nginx": "docker.io/library", "nginx:1.29": "docker.io/library", "grafana/grafana:1": "docker.io/grafana",
		"registry.example:5000/web:1":         "registry.example:5000",
		"registry.example/shop/web@sha256:0a": "registry.example/shop",
		"localhost/web":                       "localhost", "ghcr.io/a/b/c:1": "ghcr.io/a/b",
	} {
		if got := source.RegistryOf(name); got != want {
			t.Errorf("%s is from %s, want %s", name, got, want)
		}
	}
}

func TestHeadRoom(t *testing.T) {
	for used, want := range map[int64]int64{0: 0, 1: 64 << 20, 40 << 20: 64 << 20, 43 << 20: 96 << 20,
		1 << 30: 1536 << 20} {
		if got, _ := memoryLimit.observed(nil, docker.Usage{Memory: used}); got != want {
			t.Errorf("over %d bytes: %d, want %d", used, got, want)
		}
	}
	for used, want := range map[int64]int64{0: 2048, 1: 2048, 512: 2048, 513: 2176, 1000: 4096} {
		if got, _ := pidsLimit.observed(nil, docker.Usage{PIDs: used}); got != want {
			t.Errorf("over %d processes: %d, want %d", used, got, want)
		}
	}
	for text, want := range map[string]int64{"512m": 512 << 20, "1g": 1 << 30, "6291456": 6 << 20, "5m": 0, "much": 0,
		"-1": 0} {
		got, err := memoryLimit.parse(text)
		if (err == nil) != (want != 0) || err == nil && got != want {
			t.Errorf("%q is %d, %v", text, got, err)
		}
	}
}

func TestChoice(t *testing.T) {
	c := &docker.Container{Name: "/web-1"}
	c.Config.Labels = map[string]string{"tier": "front"}
	for _, test := range []struct {
		choice facts.ContainerChoice
		want   bool
	}{
		{facts.ContainerChoice{}, true}, {facts.ContainerChoice{Name: "web-*"}, true},
		{facts.ContainerChoice{Name: "web"}, false},
		{facts.ContainerChoice{Label: "tier"}, true}, {facts.ContainerChoice{Label: "tier=f*"}, true},
		{facts.ContainerChoice{Label: "tier=back"}, false},
		{facts.ContainerChoice{Name: "db", Label: "tier"}, false},
	} {
		if got := matches(test.choice, c); got != test.want {
			t.Errorf("%+v: %v", test.choice, got)
		}
	}
}
