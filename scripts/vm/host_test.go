package vm_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/vm"
)

// hosts are the real hosts that harden is taken through: each Engine that Debian has, each place for its images.
// `make matrix`, which sets HARDEN_MATRIX=full, takes all of them; `make test` those that a test names.
var hosts = []struct {
	name    string
	host    vm.Host
	release string // how the Engine's version begins
	driver  string // how the Engine says where it keeps images
}{
	{"debian12", vm.Debian12, "20.10.", "overlay2"},
	{"debian13", vm.Debian13, "26.1.", "overlay2"},
	{"debian13-containerd", vm.Debian13.Store("containerd"), "26.1.", "overlayfs"},
	{"unstable", vm.Unstable, "", "overlay2"},
	{"unstable-containerd", vm.Unstable.Store("containerd"), "", "overlayfs"},
	{"engine29", vm.Unstable.Engine29().Store("overlay2"), "29.", "overlay2"},
	{"engine29-containerd", vm.Unstable.Engine29().Store("containerd"), "29.", "overlayfs"},
}

// eachHost runs a test on each host at once, as far as machines may run at once; in `make test` on these alone.
func eachHost(t *testing.T, always []string, test func(t *testing.T, m *vm.Machine)) {
	needsVM(t)
	for _, h := range hosts {
		t.Run(h.name, func(t *testing.T) {
			if !slices.Contains(always, h.name) && os.Getenv("HARDEN_MATRIX") != "full" {
				t.Skip("`make matrix` takes this host too")
			}
			m := carelessOf(t, h.host)
			engine := m.OK("docker version -f '{{.Server.Version}}'; docker info -f '{{.Driver}} {{.CgroupVersion}}'")
			if !strings.HasPrefix(engine, h.release) || !strings.HasSuffix(engine, "\n"+h.driver+" 2\n") {
				t.Fatalf("the Engine is %q, want %s… with images in %s", engine, h.release, h.driver)
			}
			test(t, m)
		})
	}
}

// excused are all that a hardened host does not pass, by check, with a text that harden's reason must hold: what a
// person must do, decide or judge.
var excused = map[string]string{
	// named, and never part of --allow all
	"docker/userns-remap": "",
	// a person must do it, or choose a value that harden cannot know
	"docker/data-partition":       "make a file system",
	"docker/default-ulimits":      "choose the limits",
	"docker/authorization-plugin": "choose a plugin",
	"docker/log-driver":           "choose a driver",
	"docker/memory":               "choose a limit", // of a Compose project's containers
	"docker/cpu":                  "choose its shares",
	// a person must judge it
	"docker/host-hardened":  "run the benchmark of Debian GNU/Linux ",
	"docker/engine-version": "a distribution's own build",
	"docker/rootless":       "dockerd runs as root",
	"docker/trusted-images": "name those you trust", "docker/needed-packages": "see what the images hold",
	"docker/image-age": "no image is older", "docker/image-setuid": "--deep", "docker/verified-packages": "history",
	"docker/signed-artifacts": "pin them by digest", "docker/needed-ports": "web 127.0.0.1:8080",
	"docker/image-current": "not pinned by digest",
	// the containers have to be made again, or from another image
	"docker/user": "--user", "docker/image-healthcheck": "HEALTHCHECK",
	"docker/capabilities": "--cap-drop", "docker/read-only": "--read-only",
	"docker/container-no-new-privileges": "no-new-privileges", "docker/container-healthcheck": "--health-cmd",
	"docker/default-bridge": "--network", "docker/host-userns": "userns-remap",
}

// held are those that are not passed either until --allow all: people will notice, or containers are made again.
var held = map[string]string{
	"docker/icc": "", "docker/content-trust": "", "docker/memory": "", "docker/cpu": "",
	"docker/pids": "", "docker/restart-policy": "",
}

// shop is a Compose project of root's, which says itself that it is to be started again for ever.
const shop = `
	mkdir /srv/shop
	cat >/srv/shop/compose.yaml <<'C'
services:
  # sells by day
  shop:
    image: sleeper
    command: /bin/busybox httpd -f -h /bin
    restart: always
    ports: ["127.0.0.1:8090:80"]
C
	docker-compose -f /srv/shop/compose.yaml up -d 2>&1
`

// TestHost takes real hosts through the whole of harden: plan, apply, apply again, reboot, what was held back, and all
// the way back.
func TestHost(t *testing.T) {
	eachHost(t, []string{"debian12", "debian13", "debian13-containerd"}, func(t *testing.T, m *vm.Machine) {
		m.OK(shop)
		before, had, ran := portrait(m), limits(m), pids(m)
		planned(t, m)
		if diff := lines(before, portrait(m)); diff != "" {
			t.Fatalf("a dry run changed something:\n%s", diff)
		}

		for _, allow := range []string{"", " --allow restart"} {
			t.Log("harden --yes" + allow)
			apply(t, m, allow)
			if diff := cmp.Diff(ran, pids(m)); diff != "" {
				t.Errorf("the containers that ran before (-want +got):\n%s", diff)
			}
		}
		hardened(t, m, "--allow restart", excused, held)
		r := harden(t, m, "check --only docker/icc,docker/content-trust,docker/userns-remap", 2)
		if r.Summary.States["fail"] != 3 {
			t.Errorf("what is held back as behaviour is not left as it was: %v", r.Summary.States)
		}

		t.Log("a reboot")
		if failed := m.Reboot(); failed != "" {
			t.Errorf("after a reboot these did not start: %s", failed)
		}
		m.OK("docker start early web")
		hardened(t, m, "--allow restart", excused, held)

		t.Log("what was held back")
		all(t, m)

		t.Log("all the way back")
		up := pids(m, "early", "web")
		m.OK("harden rollback --yes && harden rollback --yes && harden rollback --yes")
		if diff := cmp.Diff(up, pids(m, "early", "web")); diff != "" {
			t.Errorf("the containers on the way back (-want +got):\n%s", diff)
		}
		if diff := lines(before, portrait(m)); diff != "" {
			t.Errorf("after taking all runs back (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(had, limits(m)); diff != "" {
			t.Errorf("the containers' limits after taking all runs back (-want +got):\n%s", diff)
		}
		m.OK("docker stop -t 0 $(docker ps -q) && systemctl restart docker")
		got := m.OK("docker info -f '{{.LiveRestoreEnabled}} {{.SecurityOptions}}'")
		if !strings.HasPrefix(got, "false ") || strings.Contains(got, "no-new-privileges") {
			t.Errorf("the daemon goes on as if it were hardened: %s", got)
		}
	})
}

// planned looks at the plan of a careless host.
func planned(t *testing.T, m *vm.Machine) {
	t.Helper()
	plan := harden(t, m, "--dry-run --benchmark docker@1.6.0", 2)
	text, _ := m.Run("harden --dry-run --benchmark docker@1.6.0")
	for number, threat := range map[string]string{
		"3.17": "docker/host/tampering", "3.20": "docker/host/tampering", "4.5": "docker/registry/repudiation",
		"2.2": "", "2.14": "docker/client/elevation", "2.15": "", "2.16": "",
	} {
		r := plan.number(t, number)
		if r.Status != "fail" || !plan.planned(r.ID) {
			t.Errorf("%s, %s, is %s and %s, and not planned as a diff", number, r.ID, r.Status, r.State)
		}
		if len(r.Threats) == 0 || threat != "" && !slices.Contains(r.Threats, threat) {
			t.Errorf("%s, %s, answers %q, want %s", number, r.ID, r.Threats, threat)
		}
		if !strings.Contains(text, r.ID+":") {
			t.Errorf("the text of the plan does not name %s with %s", number, r.ID)
		}
	}
}

// apply applies what is allowed, and wants a second run to leave everything as the first left it.
func apply(t *testing.T, m *vm.Machine, allow string) {
	t.Helper()
	if r := harden(t, m, "--yes"+allow, 0); r.Run == nil || r.Run.Outcome != "applied" {
		t.Fatalf("the run: %+v", r.Run)
	}
	idle := identity(m)
	if r := harden(t, m, "--yes"+allow, 0); r.Run == nil || r.Run.Outcome != "unchanged" {
		t.Errorf("a second run: %+v", r.Run)
	}
	if diff := lines(idle, identity(m)); diff != "" {
		t.Errorf("a second run changed something:\n%s", diff)
	}
}

// all applies what was held back: the Compose project's container is made again, as the plan says, and no other. What
// is left once dockerd has been restarted is a person's.
func all(t *testing.T, m *vm.Machine) {
	t.Helper()
	plan, _ := m.Run("harden --dry-run --allow all")
	if !strings.Contains(plan, "Then compose up shop/shop") {
		t.Errorf("the plan does not say that the container of shop is recreated:\n%s", plan)
	}
	up, made := pids(m, "early", "web"), m.OK("docker ps -q --no-trunc -f name=shop")
	apply(t, m, " --allow all")
	if diff := cmp.Diff(up, pids(m, "early", "web")); diff != "" {
		t.Errorf("the containers meanwhile (-want +got):\n%s", diff)
	}
	again := m.OK("docker ps -q --no-trunc -f name=shop")
	if again == made {
		t.Error("the container of shop was not recreated")
	}
	if m.OK("docker-compose -f /srv/shop/compose.yaml up -d 2>&1"); m.OK("docker ps -q --no-trunc -f name=shop") != again {
		t.Error("Compose makes the container of shop again, though its file is as harden left it")
	}
	const waits = "check --benchmark docker@1.6.0 --only docker:2.2,docker:4.5"
	if r := harden(t, m, waits, 2); r.Summary.States["pass"] != 1 || r.Summary.States["pending-restart"] != 1 {
		t.Errorf("with containers that outlive a restart, which leaves their network as it is: %v", r.Summary.States)
	}
	m.OK(`docker stop -t 0 $(docker ps -q) && systemctl restart docker
		docker start early web $(docker ps -aq -f name=shop)`)
	if r := harden(t, m, waits, 0); r.Summary.States["pass"] != 2 {
		t.Errorf("2.2 and 4.5 once applied: %v", r.Summary.States)
	}
	if got := m.OK(`docker network inspect bridge -f '{{index .Options ` +
		`"com.docker.network.bridge.enable_icc"}}'`); got != "false\n" {
		t.Errorf("traffic between containers is allowed: %s", got)
	}
	m.OK("grep -qx 'DOCKER_CONTENT_TRUST=1' /etc/environment")
	hardened(t, m, "--allow all", excused)
}

// hardened looks at a hardened host twice: through harden, and past it.
func hardened(t *testing.T, m *vm.Machine, allow string, excuses ...map[string]string) {
	t.Helper()
	r := harden(t, m, "check", 2)
	plan := harden(t, m, "--dry-run "+allow, 2)
	reasons := map[string]string{}
	for _, l := range plan.Plan.Left {
		reasons[l.ID] += l.Reason
	}
	for _, x := range r.Results {
		if x.Status == "pass" || x.Status == "n/a" {
			continue
		}
		reason := x.Reason + reasons[x.ID]
		excuse := func(e map[string]string) bool { want, ok := e[x.ID]; return ok && strings.Contains(reason, want) }
		if !slices.ContainsFunc(excuses, excuse) {
			t.Errorf("%s %s is %s on a hardened host (%s)", x.Number, x.ID, x.Status, reason)
		}
	}
	if len(plan.Plan.Changes) > 0 {
		t.Errorf("a hardened host is to be changed again: %v", plan.Plan.Changes)
	}

	if got := m.OK("docker info -f '{{.LiveRestoreEnabled}} {{.ContainersRunning}}'"); got != "true 3\n" {
		t.Errorf("the running daemon: %s", got)
	}
	if got := m.OK("docker run --rm sleeper /bin/busybox grep NoNewPrivs /proc/self/status"); !strings.HasSuffix(got,
		"\t1\n") {
		t.Errorf("a new container: %s", got)
	}
	m.OK("docker run -d --name port -p 127.0.0.1:8081:80 sleeper /bin/busybox sleep 1000")
	if out := m.OK("pgrep -a -x docker-proxy | grep 8081; docker rm -f port >/dev/null"); out != "" {
		t.Errorf("a published port has a proxy: %s", out)
	}
	attributes := m.OK("stat -c '%n %a %U:%G' /etc/docker /etc/docker/daemon.json /etc/default/docker")
	if diff := cmp.Diff("/etc/docker 755 root:root\n/etc/docker/daemon.json 644 root:root\n/etc/default/docker 644 "+
		"root:root\n", attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	rules := m.OK("auditctl -l")
	for _, path := range []string{"/usr/sbin/dockerd", "/usr/bin/containerd", "/usr/sbin/runc", "/etc/docker",
		"/var/lib/docker", "/run/containerd"} {
		if !strings.Contains(rules, "-w "+path+" -p") && !strings.Contains(rules, "-w "+path+"/ -p") {
			t.Errorf("the kernel does not record changes of %s:\n%s", path, rules)
		}
	}
}
