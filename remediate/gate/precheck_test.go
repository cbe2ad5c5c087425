package gate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

func TestPrecheck(t *testing.T) {
	stopped := func(c *docker.Container) { c.State = docker.ContainerState{Status: "exited"} }
	task := func(c *docker.Container) { c.Config.Labels = map[string]string{docker.LabelSwarmService: "s1"} }
	policy := func(name container.RestartPolicyMode) func(*docker.Container) {
		return func(c *docker.Container) { c.HostConfig.RestartPolicy.Name = name }
	}
	publishes := func(c *docker.Container) { c.HostConfig.PortBindings = docker.Ports{"80/tcp": nil} }
	links := func(c *docker.Container) { c.HostConfig.Links = []string{"/db:/web/db"} }
	own := func(c *docker.Container) {
		c.HostConfig.NetworkMode = "shop"
		c.NetworkSettings.Networks = nil
	}
	privileged := func(c *docker.Container) { c.HostConfig.Privileged = true }
	hostUsers := func(c *docker.Container) { c.HostConfig.UsernsMode = "host" }
	icc, live := wants("icc", keyWant("icc", false)), wants("live", keyWant("live-restore", true))
	remap := wants("remap", keyWant("userns-remap", "default"))
	tests := []struct {
		name    string
		machine machine
		checks  []*checks.Check
		restart bool
		want    []string // "warn ID: …" and "refuse ID: …", each a part of the text
	}{
		{name: "icc, containers on the default bridge", checks: []*checks.Check{icc, wants("nnp",
			keyWant("no-new-privileges", true))},
			machine: machine{containers: []docker.Container{workloadOf("web", publishes), workloadOf("db"),
				workloadOf("app", links),
				workloadOf("old", stopped), workloadOf("shop", own)}},
			want: []string{"warn icc: these containers share the default bridge and can no longer reach each other: web " +
				"(publishes ports: " +
				"others on the bridge no longer reach it directly), db, app (links to others: only the ports that those expose " +
				"stay open to it)"}},
		{name: "icc, one lonely container", checks: []*checks.Check{icc},
			machine: machine{containers: []docker.Container{workloadOf("db")}}},
		{name: "icc, Docker 28 without br_netfilter", checks: []*checks.Check{icc},
			machine: machine{info: system.Info{ServerVersion: "28.5.2"}},
			want:    []string{"warn icc: Docker 28.5.2 creates no bridge network"}},
		{name: "icc, Docker 28 with br_netfilter", checks: []*checks.Check{icc},
			machine: machine{info: system.Info{ServerVersion: "28.5.2"},
				files: map[string]string{"/proc/sys/net/bridge/bridge-nf-call-iptables": "1\n"}}},
		{name: "icc, Docker 27 without br_netfilter", checks: []*checks.Check{icc},
			machine: machine{info: system.Info{ServerVersion: "27.5.1"}}},
		{name: "icc turned on is nobody's trouble", checks: []*checks.Check{wants("icc", keyWant("icc", true))},
			machine: machine{containers: []docker.Container{workloadOf("web"), workloadOf("db")}}},

		{name: "restart without live-restore", checks: []*checks.Check{wants("nnp", keyWant("no-new-privileges", true))},
			restart: true,
			machine: machine{containers: []docker.Container{workloadOf("web", policy("always")), workloadOf("job"),
				workloadOf("try", policy("on-failure")),
				workloadOf("old", stopped)}},
			want: []string{"warn nnp: the restart stops these containers, and no restart policy restarts them: job, try",
				"warn nnp: the restart interrupts these containers: web"}},
		{name: "restart in a Swarm", checks: []*checks.Check{wants("nnp", keyWant("no-new-privileges", true))},
			restart: true,
			machine: machine{info: system.Info{Swarm: swarm.Info{LocalNodeState: swarm.LocalNodeStateActive}},
				containers: []docker.Container{workloadOf("job"), workloadOf("mill.1", task)}},
			want: []string{"warn nnp: the restart stops these containers, and no restart policy restarts them: job",
				"warn nnp: the restart ends these tasks, and the swarm replaces them: mill.1"}},
		{name: "restart with a task's label and no Swarm",
			checks: []*checks.Check{wants("nnp", keyWant("no-new-privileges", true))}, restart: true,
			machine: machine{containers: []docker.Container{workloadOf("mill.1", task)}},
			want:    []string{"warn nnp: the restart stops these containers, and no restart policy restarts them: mill.1"}},
		{name: "restart with live-restore in the plan", checks: []*checks.Check{live}, restart: true,
			machine: machine{containers: []docker.Container{workloadOf("job")}}},
		{name: "restart with live-restore in the plan, by OpenRC", checks: []*checks.Check{live}, restart: true,
			machine: machine{files: map[string]string{"/etc/init.d/docker": rcScript},
				containers: []docker.Container{workloadOf("job"), workloadOf("old", stopped)}},
			want: []string{"warn live: rolling this back restarts dockerd without live-restore, and OpenRC cannot " +
				"keep it on for one restart: these containers stop: job"}},
		{name: "restart with live-restore in the plan, by OpenRC, with no container", checks: []*checks.Check{live},
			restart: true,
			machine: machine{files: map[string]string{"/etc/init.d/docker": rcScript}}},
		{name: "restart with live-restore in force, by OpenRC", checks: []*checks.Check{wants("nnp",
			keyWant("no-new-privileges", true))}, restart: true,
			machine: machine{info: system.Info{LiveRestoreEnabled: true}, containers: []docker.Container{workloadOf("job")},
				files: map[string]string{"/etc/init.d/docker": rcScript, daemonJSON: `{"live-restore":true}`}}},
		{name: "restart with live-restore in force and configured",
			checks: []*checks.Check{wants("nnp", keyWant("no-new-privileges", true))}, restart: true,
			machine: machine{info: system.Info{LiveRestoreEnabled: true},
				files:      map[string]string{daemonJSON: `{"live-restore":true}`},
				containers: []docker.Container{workloadOf("job")}}},
		{name: "restart with live-restore as a flag", checks: []*checks.Check{wants("nnp",
			keyWant("no-new-privileges", true))}, restart: true,
			machine: machine{info: system.Info{LiveRestoreEnabled: true}, args: []string{"--live-restore"},
				containers: []docker.Container{workloadOf("job")}}},
		{name: "restart with live-restore in the file alone", checks: []*checks.Check{wants("nnp",
			keyWant("no-new-privileges", true))}, restart: true,
			machine: machine{files: map[string]string{daemonJSON: `{"live-restore":true}`},
				containers: []docker.Container{workloadOf("job")}},
			want: []string{"warn nnp: the restart stops these containers"}},
		{name: "restart with live-restore in memory alone", checks: []*checks.Check{wants("nnp",
			keyWant("no-new-privileges", true))}, restart: true,
			machine: machine{info: system.Info{LiveRestoreEnabled: true}, containers: []docker.Container{workloadOf("job")}},
			want:    []string{"warn nnp: the restart stops these containers"}},
		{name: "restart while the Engine is silent", checks: []*checks.Check{wants("nnp",
			keyWant("no-new-privileges", true))}, restart: true,
			machine: machine{silent: errors.New("permission denied")},
			want:    []string{"warn nnp: the restart stops every container, and harden cannot list them: permission denied"}},
		{name: "a daemon that does not run disturbs nothing", checks: []*checks.Check{remap, icc, live}, restart: true,
			machine: machine{stopped: true, files: map[string]string{"/usr/sbin/dockerd": ""}}},

		{name: "userns-remap under running containers", checks: []*checks.Check{remap},
			machine: machine{containers: []docker.Container{workloadOf("web")}},
			want:    []string{"refuse remap: these running containers would continue unmanaged, invisible to the daemon: web"}},
		{name: "userns-remap with a stopped privileged container", checks: []*checks.Check{remap},
			machine: machine{containers: []docker.Container{workloadOf("agent", stopped, privileged),
				workloadOf("fine", stopped, privileged, hostUsers)}},
			want: []string{"refuse remap: these containers are privileged or share the host's namespaces, which needs " +
				"--userns=host with userns-remap: agent"}},
		{name: "userns-remap hides images", checks: []*checks.Check{remap},
			machine: machine{info: system.Info{Images: 3, Containers: 1, DockerRootDir: "/var/lib/docker"},
				containers: []docker.Container{workloadOf("old", stopped)}},
			want: []string{"warn remap: until userns-remap is rolled back the daemon no longer sees 3 images, all volumes " +
				"and 1 stopped container: old"}},
		{name: "userns-remap, rootless", checks: []*checks.Check{remap},
			machine: machine{uid: 1000, files: map[string]string{"/etc/passwd": "me:x:1000:1000::/home/me:/bin/sh\n",
				"/home/me/.config/docker/daemon.json": "{}"}}},
		{name: "userns-remap while the Engine is silent", checks: []*checks.Check{remap},
			machine: machine{silent: errors.New("permission denied")},
			want:    []string{"refuse remap: running containers would continue unmanaged, and harden cannot list them"}},
		{name: "a log driver that nobody has", checks: []*checks.Check{wants("log", keyWant("log-driver", "kafka"))},
			want: []string{`refuse log: unknown log driver "kafka"`}},
		{name: "a log driver that is a plugin", checks: []*checks.Check{wants("log", keyWant("log-driver", "loki"))},
			machine: machine{info: system.Info{Plugins: system.PluginsInfo{Log: []string{"json-file", "loki:latest"}}}}},
		{name: "TLS files", checks: []*checks.Check{wants("tls", keyWant("tlscacert", "/etc/docker/ca.pem"),
			keyWant("tlskey", "/etc/docker/key.pem"))},
			machine: machine{files: map[string]string{"/etc/docker/ca.pem": ""}},
			want: []string{"refuse tls: dockerd would not start without its TLS file: stat /etc/docker/key.pem: file does " +
				"not exist"}},
		{name: "a seccomp profile that is not JSON", checks: []*checks.Check{wants("seccomp",
			keyWant("seccomp-profile", "/etc/docker/seccomp.json"))},
			machine: machine{files: map[string]string{"/etc/docker/seccomp.json": "{"}},
			want: []string{"refuse seccomp: dockerd would not start without its seccomp profile: /etc/docker/seccomp.json " +
				"is not JSON"}},
		{name: "a key of another file", checks: []*checks.Check{wants("other", want.Key{Warrant: want.Mine,
			File: "/etc/other.json", Key: []string{"log-driver"}, Value: "kafka"})}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := tt.machine.host(t)
			plan := planOf(t, h, tt.checks...)
			if tt.restart {
				plan.Activations = append(plan.Activations, remediate.Activation{Kind: remediate.Restart, Checks: tt.checks})
			}
			warnings, refusals := Precheck(t.Context(), plan, h)
			var got []string
			for _, id := range slices.Sorted(maps.Keys(refusals)) {
				got = append(got, fmt.Sprintf("refuse %s: %s", id, refusals[id]))
			}
			for _, id := range slices.Sorted(maps.Keys(warnings)) {
				for _, w := range warnings[id] {
					got = append(got, fmt.Sprintf("warn %s: %s", id, w))
				}
			}
			same := slices.EqualFunc(tt.want, got, func(want, got string) bool { return strings.HasPrefix(got, want) })
			if !same {
				t.Errorf("precheck (-want +got):\n%s", cmp.Diff(tt.want, got))
			}
		})
	}
}

// Rootless is a flavour of its own: its file is its user's.
func TestPrecheckRootless(t *testing.T) {
	m := machine{uid: 1000, files: map[string]string{"/etc/passwd": "me:x:1000:1000::/home/me:/bin/sh\n"}}
	h := m.host(t)
	c := wants("remap", want.Key{Warrant: want.Mine, File: "/home/me/.config/docker/daemon.json",
		Key: []string{"userns-remap"}, Value: "default"})
	_, refusals := Precheck(t.Context(), planOf(t, h, c), h)
	want := map[string]string{"remap": "a rootless dockerd already maps its users"}
	if diff := cmp.Diff(want, refusals); diff != "" {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
}
