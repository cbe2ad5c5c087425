package attack

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An answers is what an Engine says, by the path that it is asked for.
type answers map[string]any

// lie starts a user's program that answers as a Docker Engine, and returns its address.
func (w *World) lie(uid int, program string, said answers) string {
	w.t.Helper()
	data, err := json.Marshal(said)
	if err != nil {
		w.t.Fatal(err)
	}
	const file = "/tmp/answers"
	if err := os.WriteFile(file, data, 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.Shell(uid, "mkdir -p "+filepath.Dir(program)+"; cp "+Liar+" "+program)
	cmd := w.Command(uid, program)
	socket := filepath.Join(cmd.Dir, "engine")
	cmd.Args = append(cmd.Args, socket, file)
	w.Start(cmd)
	for w.t.Context().Err() == nil {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return "unix://" + socket
}

// TestEngineOfUser has root ask a user's own Engine, which says that root's Compose file is what its container was made
// from. harden changed the file, and handed that Engine what it and the files beside it hold.
func TestEngineOfUser(t *testing.T) {
	const id = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
	labels := claim{"shop", "web", "/srv/shop/compose.yaml", "/srv/shop"}.labels()
	In(t, func(w *World) {
		w.Shell(0, "mkdir -p /srv/shop; printf 'services:\n  web:\n    image: web:1\n    pid: host\n    env_file: "+
			"secret\n' >/srv/shop/compose.yaml; "+
			"echo PASSWORD=of-roots >/srv/shop/secret; chmod 600 /srv/shop/*")
		host := w.lie(1001, "/home/user1/bin/dockerd", answers{
			"/info": answers{"ID": "x", "DockerRootDir": "/home/user1/docker", "Containers": 1,
				"ServerVersion": "27.0.1"},
			"/containers/json": []answers{{"Id": id}},
			"/containers/" + id + "/json": answers{"Id": id, "Name": "/web", "Image": "sha256:1",
				"State":  answers{"Running": true, "Pid": 1},
				"Config": answers{"Labels": labels, "Image": "web:1"}, "HostConfig": answers{"PidMode": "host"}},
			"/images/json": []answers{{"Id": "sha256:1"}}, "/images/sha256:1/json": answers{"Id": "sha256:1"},
			"/images/sha256:1/history": []answers{}, "/volumes": answers{}, "/networks": []answers{},
		})
		const look = "cat /srv/shop/compose.yaml"
		before := w.Shell(0, look)
		plan, _ := w.Harden("--dry-run", "--allow", "all", "--only", "docker/host-pid", "--docker-host", host)
		if strings.Contains(plan, "Then compose up") {
			t.Error("root's file is to be changed, and handed to the user's Engine")
		}
		out, _ := w.Harden("--yes", "--allow", "all", "--only", "docker/host-pid", "--docker-host", host)
		if after := w.Shell(0, look); after != before {
			t.Errorf("it was changed: %q was %q", after, before)
		}
		told(t, out, "it runs as uid 1001, not as root")
	})
}
