package vm_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/vm"
)

// swarm makes the host the one manager of a swarm, with a service of one task. A restart stops the containers there. On
// a slow machine that takes longer than the 15 s that dockerd gives them. containerd 2.1 then keeps a shim without a
// task, so that nobody can start the container any more ("task … already exists"): dockerd is given the time it needs.
const swarm = `
	more=$(jq '."shutdown-timeout" = 60' /etc/docker/daemon.json) && echo "$more" >/etc/docker/daemon.json
	systemctl reload docker
	docker swarm init --advertise-addr 127.0.0.1 >/dev/null
	docker service create --detach --no-resolve-image --name mill sleeper /bin/busybox sleep 1000000 >/dev/null
	` + milling

// milling waits until the swarm has its task at work.
const milling = `
	timeout 240 sh -c 'until docker service ls --format "{{.Replicas}}" 2>/dev/null | grep -qx 1/1; do sleep 1; done'
`

// TestSwarm takes real hosts that manage a swarm through the runs. With live-restore dockerd would not start there: a
// restart stops the containers, which the plan says.
func TestSwarm(t *testing.T) {
	eachHost(t, []string{"debian12", "debian13"}, func(t *testing.T, m *vm.Machine) {
		m.OK(swarm)
		before, had, ran := portrait(m), limits(m, "early", "web"), pids(m)

		if r := harden(t, m, "check --only docker/live-restore", 0); r.Summary.States["n/a"] != 1 {
			t.Errorf("live-restore beside a swarm: %v", r.Summary.States)
		}
		plan, _ := m.Run("harden --dry-run --allow restart")
		for _, said := range []string{
			"the restart stops these containers, and no restart policy restarts them: (early, web|web, early) ",
			"the restart ends these tasks, and the swarm replaces them: mill[.]1[.]",
		} {
			if !regexp.MustCompile(said).MatchString(strings.Join(strings.Fields(plan), " ")) {
				t.Errorf("the plan does not say that %s:\n%s", said, plan)
			}
		}

		apply(t, m, "")
		if diff := cmp.Diff(ran, pids(m)); diff != "" {
			t.Errorf("the containers that ran before (-want +got):\n%s", diff)
		}
		for _, allow := range []string{" --allow restart", " --allow all"} {
			if r := harden(t, m, "--yes"+allow, 0); r.Run == nil || r.Run.Outcome != "applied" {
				t.Fatalf("the run: %+v", r.Run)
			}
			m.OK(milling + "docker start early web")
			apply(t, m, allow) // the task that the swarm has started since is another container, without a limit
		}
		const settings = "docker/live-restore,docker/icc,docker/no-new-privileges,docker/userland-proxy"
		if r := harden(t, m, "check --only "+settings, 0); r.Summary.States["pass"] != 3 {
			t.Errorf("the settings after all runs: %v", r.Summary.States)
		}

		for range 5 { // each restarts dockerd, for which a slow machine takes minutes
			m.OK("harden rollback --yes")
		}
		m.OK(milling + "docker start early web")
		if diff := lines(before, portrait(m)); diff != "" {
			t.Errorf("after taking all runs back (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(had, limits(m, "early", "web")); diff != "" {
			t.Errorf("the containers' limits after taking all runs back (-want +got):\n%s", diff)
		}
		got := m.OK("docker info -f '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}} {{.SecurityOptions}}'")
		if !strings.HasPrefix(got, "active true ") || strings.Contains(got, "no-new-privileges") {
			t.Errorf("the daemon after taking all runs back: %s", got)
		}
	})
}
