package vm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/vm"
)

// stock is what the guided move has to take along beside two containers and a Compose project: a volume with owners,
// links, attributes and a hole, a network of root's, a container in it that is at work, one that is not, and one that
// can only be in the host's user namespace.
const stock = shop + `
	docker network create --subnet 10.9.0.0/24 shelf >/dev/null
	docker run -d --name store --network shelf --ip 10.9.0.7 --restart always -v goods:/goods --memory 64m \
		sleeper /bin/busybox sleep 1000000 >/dev/null
	docker create --name idle -v goods:/goods:ro sleeper /bin/busybox true >/dev/null
	docker run -d --name admin --network host --pid host sleeper /bin/busybox sleep 1000000 >/dev/null
	cd $(docker volume inspect -f '{{.Mountpoint}}' goods)
	echo bread >bread && chown 33:33 bread && chmod 4750 bread
	ln bread loaf && ln -s /etc/shadow link && mkfifo pipe && mkdir -m 1777 shelf
	setfattr -n user.price -v 3 bread && truncate -s 64M hole
`

// goods is all that the volume holds, as its containers see it.
const goods = `
	for c in $(docker ps -q -f name=store); do
		docker exec $c /bin/busybox find /goods -exec /bin/busybox stat -c '%n %F %a %u:%g %h %s' {} \; | sort
		docker exec $c /bin/busybox cat /goods/bread
	done
`

// stood is what must be there again on the way back: containers by their IDs, images, networks, and the volume with all
// that a file has. When something was started, which address it got and the ID of the default bridge are others each
// time, and the Engine has more than one word for what was not given.
func stood(m *vm.Machine) string {
	return m.OK(`
		docker inspect $(docker ps -aq) | jq -S 'sort_by(.Name)[] |
			{Name, Id, Image, Path, Args, Config, Mounts, Run: .State.Running,
			HostConfig: (.HostConfig | map_values(select(. != null and . != []))),
			Networks: (.NetworkSettings.Networks | del(.bridge.NetworkID) | map_values({IPAMConfig, NetworkID}))}'
		docker images --no-trunc -a --format '{{.Repository}} {{.ID}}' | sort
		docker network ls --no-trunc --format '{{.Name}} {{.ID}}' -f type=custom | sort
		cd /var/lib/docker/volumes/goods/_data
		find . -printf '%p %y %m %U:%G %n %s %b %T@ %l\n' | sort
		find . -type f -print0 | sort -z | xargs -0 sha256sum
		getfattr -R -P -d -m - -e hex .`)
}

// inside gives what each container that runs is mapped to: the kernel's line of its process.
func inside(m *vm.Machine) string {
	return m.OK(`docker inspect -f '{{.Name}} {{.State.Pid}}' $(docker ps -q) | sort |
		while read name pid; do echo $name $(cat /proc/$pid/uid_map); done`)
}

// users are the files that dockerd writes when it makes the user of the mapping.
var users = []string{"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid"}

// settled is a portrait without what dockerd makes when it makes a user, of which those files hold nothing else.
func settled(m *vm.Machine) string {
	var all []string
	for l := range strings.Lines(portrait(m)) {
		made := false
		for _, u := range users {
			made = made || strings.Contains(l, " "+u+" ") || strings.Contains(l, " "+u+"- ") ||
				strings.HasSuffix(l, " "+u+"\n") || strings.HasSuffix(l, " "+u+"-\n")
		}
		if !made {
			all = append(all, l)
		}
	}
	return strings.Join(all, "") + m.OK("for f in "+strings.Join(users, " ")+
		"; do stat -c '%n %a %u:%g' $f; grep -v ^dockremap: $f; done; true")
}

// TestGuide moves real hosts to userns-remap by the guide, reboots them there, and goes back: what was is there again
// to the byte.
func TestGuide(t *testing.T) {
	eachHost(t, nil, func(t *testing.T, m *vm.Machine) {
		m.OK(stock)
		before, was, held := settled(m), stood(m), m.OK(goods)
		serves(t, m)
		planned, code := m.Run("harden guide userns-remap --dry-run 2>&1")
		if m.OK("docker info -f '{{.Driver}}'") == "overlayfs\n" {
			refused(t, m, planned)
			return
		}
		if code != 2 || !strings.Contains(planned, "user dockremap: it does not exist yet") {
			t.Errorf("the plan, exit %d:\n%s", code, planned)
		}
		if diff := lines(before+was, settled(m)+stood(m)); diff != "" {
			t.Fatalf("a dry run changed something:\n%s", diff)
		}

		t.Log("harden guide userns-remap --yes")
		m.OK("harden guide userns-remap --yes 2>&1")
		moved(t, m, held)
		if again := m.OK("harden guide userns-remap --yes 2>&1"); !strings.Contains(again, "is done") {
			t.Errorf("a second call:\n%s", again)
		}

		t.Log("a reboot")
		if failed := m.Reboot(); failed != "" {
			t.Errorf("after a reboot these did not start: %s", failed)
		}
		m.OK("docker start early web admin")
		moved(t, m, held)
		m.OK("docker exec store /bin/busybox sh -c 'echo cheese >/goods/cheese'")

		t.Log("harden guide userns-remap --back")
		m.OK("harden guide userns-remap --back --yes 2>&1")
		if diff := lines(was, stood(m)); diff != "" {
			t.Errorf("what dockerd has on the way back (-want +got):\n%s", diff)
		}
		if diff := lines(before, settled(m)); diff != "" {
			t.Errorf("the host's files on the way back (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(held, m.OK(goods)); diff != "" {
			t.Errorf("the volume on the way back (-want +got):\n%s", diff)
		}
		for l := range strings.Lines(inside(m)) {
			if !strings.HasSuffix(l, " 0 0 4294967295\n") {
				t.Errorf("a container is still mapped: %s", l)
			}
		}
		serves(t, m)
		if kept := m.OK("cat /var/lib/docker/harden-guide-*-left/*/volumes/goods/_data/cheese"); kept != "cheese\n" {
			t.Errorf("what was written after the move: %q", kept)
		}
	})
}

// moved looks at a host that was moved: through harden, and past it.
func moved(t *testing.T, m *vm.Machine, held string) {
	t.Helper()
	if r := harden(t, m, "check --only docker/userns-remap", 0); r.Summary.States["pass"] != 1 {
		t.Errorf("userns-remap: %v", r.Summary.States)
	}
	root := strings.TrimSpace(m.OK("awk -F: '$1 == \"dockremap\" {print $2}' /etc/subuid"))
	got := inside(m)
	var want strings.Builder
	for _, c := range []string{"admin 0 0 4294967295", "early 0 " + root + " 65536", "shop_shop_1 0 " + root + " 65536",
		"store 0 " + root + " 65536", "web 0 " + root + " 65536"} {
		want.WriteString("/" + c + "\n")
	}
	if diff := cmp.Diff(want.String(), strings.ReplaceAll(got, "/shop-shop-1 ", "/shop_shop_1 ")); diff != "" {
		t.Errorf("whom the containers' users are (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(held, m.OK(goods)); diff != "" {
		t.Errorf("the volume as its containers see it (-want +got):\n%s", diff)
	}
	address := m.OK("docker inspect -f '{{(index .NetworkSettings.Networks \"shelf\").IPAddress}} " +
		"{{.HostConfig.Memory}} " +
		"{{.HostConfig.RestartPolicy.Name}}' store")
	if address != "10.9.0.7 67108864 always\n" {
		t.Errorf("the container of the network: %s", address)
	}
	if idle := m.OK("docker inspect -f '{{.State.Status}}' idle"); idle != "created\n" {
		t.Errorf("the container that never ran: %s", idle)
	}
	serves(t, m)
	ids := m.OK("docker ps -aq --no-trunc | sort")
	m.OK("docker-compose -f /srv/shop/compose.yaml up -d 2>&1")
	if again := m.OK("docker ps -aq --no-trunc | sort"); again != ids {
		t.Errorf("Compose makes its container again")
	}
}

// serves asks what the host publishes of its containers.
func serves(t *testing.T, m *vm.Machine) {
	t.Helper()
	for name, port := range map[string]string{"web": "8080", "shop": "8090"} {
		if out, code := m.Run("busybox wget -qO /dev/null http://127.0.0.1:" + port + "/busybox"); code != 0 {
			t.Errorf("%s is not reached: %s%s", name, out, m.OK("docker ps -a; docker logs $(docker ps -aq -f name="+name+
				") 2>&1; docker inspect $(docker ps -aq -f name="+name+"); pgrep -a docker-proxy; ip -4 address; ip route; true"))
		}
	}
}

// refused wants the guide to change nothing where images are in containerd, which does not go with the remap.
func refused(t *testing.T, m *vm.Machine, planned string) {
	t.Helper()
	const why = "the Engine uses the containerd image store"
	said, code := m.Run("harden guide userns-remap --yes 2>&1")
	if code != 1 || !strings.Contains(said, why) || !strings.Contains(planned, why) {
		t.Errorf("with the containerd image store, exit %d:\n%s\n%s", code, said, planned)
	}
	if got := m.OK("docker info -f '{{.SecurityOptions}}'"); strings.Contains(got, "userns") {
		t.Errorf("it was moved nevertheless: %s", got)
	}
}
