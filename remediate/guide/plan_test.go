package guide

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/go-cmp/cmp"
)

const (
	webID = "aaaaaaaaaaaa1111111111111111111111111111111111111111111111111111"
	dbID  = "bbbbbbbbbbbb1111111111111111111111111111111111111111111111111111"
	netID = "cccccccccccc1111111111111111111111111111111111111111111111111111"
)

// inspection is what `docker inspect` has of a container, as far as a test says.
func inspection(id, name, config, host, rest string) json.RawMessage {
	if rest != "" {
		rest = "," + rest
	}
	return json.RawMessage(fmt.Sprintf(`{"Id":%q,"Name":"/%s","Image":"sha256:1","State":{"Status":"exited"},`+
		`"Config":%s,"HostConfig":%s%s}`,
		id, name, config, host, rest))
}

// TestRecreate: the request holds what the container was made with, whatever newer Engines call it, and nothing that
// the Engine chose for the one that there was.
func TestRecreate(t *testing.T) {
	by := lookup{names: map[string]string{webID: "web", dbID: "db"}, networks: map[string]string{netID: "shop"},
		images:  map[string]string{"web:1": "sha256:1", "moved:1": "sha256:2"},
		volumes: map[string][]string{"db": {"rows"}}}
	for _, tt := range []struct {
		name, config, host, rest string
		want                     string
		networks                 string
		needs                    []string
		left                     string
	}{
		{"as it was",
			`{"Image":"web:1","Hostname":"aaaaaaaaaaaa","Env":["PASSWORD=hunter2"],"Cmd":["a","b"],"Newer":{"x":[1.50]}}`,
			`{"NetworkMode":"default","Memory":5,"NewerToo":9007199254740993}`, "",
			`{"Cmd":["a","b"],"Env":["PASSWORD=hunter2"],"HostConfig":{"Memory":5,"NetworkMode":"default",` +
				`"NewerToo":9007199254740993},"Image":"web:1","Newer":{"x":[1.50]}}`,
			"", nil, ""},
		{"a name of its own", `{"Image":"web:1","Hostname":"shop"}`, `{}`, "",
			`{"Hostname":"shop","HostConfig":{},"Image":"web:1"}`, "",
			nil, ""},
		{"a tag that moved",
			`{"Image":"moved:1","Hostname":"h"}`, `{}`, "", `{"Hostname":"h","HostConfig":{},"Image":"sha256:1"}`, "",
			nil, "stands for another image"},
		{"a digest", `{"Image":"web@sha256:9","Hostname":"h"}`, `{}`, "",
			`{"Hostname":"h","HostConfig":{},"Image":"sha256:1"}`, "", nil,
			"which an archive does not hold"},
		{"namespaces of others", `{"Image":"web:1","Hostname":"x","ExposedPorts":{"80/tcp":{}}}`,
			`{"NetworkMode":"container:` + dbID + `","PidMode":"container:db","VolumesFrom":["` + dbID + `:ro"]}`,
			`"Mounts":[{"Type":"volume","Name":"rows","Destination":"/rows","RW":false}]`,
			`{"HostConfig":{"NetworkMode":"container:db","PidMode":"container:db","VolumesFrom":["db:ro"]},"Image":"web:1"}`, "",
			[]string{"db", "db", "db"}, ""},
		{"links", `{"Image":"web:1","Hostname":"h"}`, `{"Links":["/db:/web/sql"]}`, "",
			`{"Hostname":"h","HostConfig":{"Links":["db:sql"]},"Image":"web:1"}`, "", []string{"db"}, ""},
		{"volumes without a name", `{"Image":"web:1","Hostname":"h","Volumes":{"/a":{}}}`,
			`{"Binds":["data:/data:ro"],"Mounts":[{"Type":"volume","Target":"/m"}]}`,
			`"Mounts":[{"Type":"volume","Name":"v1","Destination":"/a","RW":true},{"Type":"volume","Name":"data",` +
				`"Destination":"/data"},` +
				`{"Type":"volume","Name":"v2","Destination":"/m","RW":true},{"Type":"bind","Source":"/etc","Destination":"/etc"}]`,
			`{"Hostname":"h","HostConfig":{"Binds":["data:/data:ro","v1:/a"],"Mounts":[{"Source":"v2","Target":"/m",` +
				`"Type":"volume"}]},` +
				`"Image":"web:1","Volumes":{"/a":{}}}`, "", nil, ""},
		{"networks", `{"Image":"web:1","Hostname":"h"}`, `{"NetworkMode":"` + netID + `"}`,
			`"NetworkSettings":{"Networks":{"shop":{"IPAMConfig":{"IPv4Address":"10.0.0.9"},"Aliases":["www","aaaaaaaaaaaa"],` +
				`"IPAddress":"10.0.0.9",` +
				`"MacAddress":"02:42:0a:00:00:09","EndpointID":"x"},"back":{"IPAMConfig":null,"Aliases":null,` +
				`"IPAddress":"10.1.0.3"}}}`,
			`{"HostConfig":{"NetworkMode":"shop"},"Hostname":"h","Image":"web:1",` +
				`"NetworkingConfig":{"EndpointsConfig":{"shop":` +
				`{"Aliases":["www"],"IPAMConfig":{"IPv4Address":"10.0.0.9"}}}}}`, `{"back":{}}`, nil, ""},
		{"privileged", `{"Image":"web:1","Hostname":"h"}`, `{"Privileged":true}`, "",
			`{"Hostname":"h","HostConfig":{"Privileged":true,"UsernsMode":"host"},"Image":"web:1"}`, "", nil, ""},
	} {
		i, err := inspect(inspection(webID, "web", tt.config, tt.host, tt.rest))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		r, err := recreate(i, by)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if d := cmp.Diff(sorted(t, tt.want), sorted(t, string(r.Created.Body))); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		if networks, err := json.Marshal(r.Created.Networks); err != nil || tt.networks != "" &&
			string(networks) != tt.networks {
			t.Errorf("%s: networks %s, %v", tt.name, networks, err)
		}
		if !slices.Equal(r.needs, tt.needs) {
			t.Errorf("%s: needs %v", tt.name, r.needs)
		}
		if text := fmt.Sprint(r.left); !strings.Contains(text, tt.left) || tt.left == "" && len(r.left) > 0 {
			t.Errorf("%s: left %s", tt.name, text)
		}
	}
}

// sorted is JSON with its numbers as they were written, and members in order.
func sorted(t *testing.T, text string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	must(t, d.Decode(&v))
	out, err := json.MarshalIndent(v, "", " ")
	must(t, err)
	return string(out)
}

// state is what an Engine of two containers answers.
func state() *State {
	s := &State{Host: "unix:///run/docker.sock", Free: 1 << 40, Layers: 3 << 30,
		Trees: map[string]Tree{"data": {Entries: 3, Bytes: 1 << 20}},
		Binds: map[string]BindInfo{"/srv/own": {Mode: 0o755}, "/srv/all": {Mode: 0o777}, "/srv/mapped": {UID: 200000,
			Mode: 0o700}, "/gone": {Unknown: "no such file"}}}
	s.Info.DockerRootDir = "/var/lib/docker"
	s.Images = []image.Summary{{ID: "sha256:1", RepoTags: []string{"web:1"}, RepoDigests: []string{"web@sha256:9"},
		Size: 2 << 30},
		{ID: "sha256:2", RepoTags: []string{"<none>:<none>"}, RepoDigests: []string{"<none>@<none>"}}}
	s.Volumes = []volume.Volume{{Name: "data", Driver: "local"}, {Name: "share", Driver: "local",
		Options: map[string]string{"type": "nfs"}}}
	s.Networks = []network.Inspect{{Name: "bridge", ID: "0"}, {Name: "shop", ID: netID, Driver: "bridge",
		Scope: "local"}}
	s.Containers = []json.RawMessage{
		inspection(webID, "a-web", `{"Image":"web:1","Hostname":"h"}`, `{"NetworkMode":"container:`+dbID+`"}`,
			`"SizeRw":5000,"Mounts":[{"Type":"volume","Name":"data","Destination":"/d"},{"Type":"bind","Source":"/srv/own",`+
				`"RW":true},`+
				`{"Type":"bind","Source":"/srv/all","RW":true},{"Type":"bind","Source":"/srv/mapped","RW":true},{"Type":"bind",`+
				`"Source":"/gone","RW":true}]`),
		inspection(dbID, "b-db", `{"Image":"web:1","Hostname":"h"}`,
			`{"NetworkMode":"bridge","CapAdd":["SYS_TIME"],"Devices":[{"PathOnHost":"/dev/kvm"}]}`, ""),
	}
	return s
}

func planned(t *testing.T, s *State) *Move {
	t.Helper()
	m, err := Plan(s, time.Unix(0, 0))
	must(t, err)
	return m
}

// texts are what is left and refused, one a line.
func texts(m *Move) string {
	var all []string
	for _, l := range m.Left {
		all = append(all, l.What+": "+l.Why)
	}
	return strings.Join(append(all, m.Refusals...), "\n")
}

func TestPlanSaysWhatMoves(t *testing.T) {
	s := state()
	s.Mapping = &Mapping{UIDs: []Range{{0, 200000, 65536}}, GIDs: []Range{{0, 200000, 65536}}}
	m := planned(t, s)
	if len(m.Containers) != 2 || m.Containers[0].Name != "b-db" || m.Containers[1].Name != "a-web" {
		t.Errorf("containers: %+v", m.Containers)
	}
	if len(m.Images) != 1 || len(m.Networks) != 1 || len(m.Volumes) != 2 ||
		m.Volumes[0].Source != "volumes/data/_data" || m.Volumes[1].Source != "" {
		t.Errorf("%+v\n%+v\n%+v", m.Images, m.Networks, m.Volumes)
	}
	if m.Space.Need() != 6<<30+1<<20 || !m.Space.Room() || len(m.Refusals) > 0 {
		t.Errorf("%+v %v", m.Space, m.Refusals)
	}
	if got := m.Networks[0].Bridge; got != "br-cccccccccccc" {
		t.Errorf("the network's bridge: %q", got)
	}
	got := texts(m)
	for _, want := range []string{"container a-web: 4.9 KiB that it has written into its own layer stay behind",
		"container a-web: it can't write /srv/own of the host any more: it belongs to 0:0 with mode 0755",
		"container a-web: it can write /gone of the host only where",
		"container b-db: the capabilities SYS_TIME count inside", "container b-db: its devices belong to root of " +
			"the host: it can use them only as every user can: /dev/kvm",
		"image 2: it has no name", "volume share: its options point to external content",
		"image web@sha256:9: an archive does not hold its digest"} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
	for _, never := range []string{"/srv/all", "/srv/mapped", "user dockremap"} {
		if strings.Contains(got, never) {
			t.Errorf("says something of %s:\n%s", never, got)
		}
	}
	s.Pull = true
	if m = planned(t, s); m.Images[0].Pull != "web@sha256:9" || m.Space.Archive != 1<<30 {
		t.Errorf("pull: %+v %+v", m.Images, m.Space)
	}
}

// TestPlanHost: who shares the network of a container that stays with the host's users stays too, and so do the
// owners of what they alone use.
func TestPlanHost(t *testing.T) {
	s := state()
	s.Containers[1] = inspection(dbID, "b-db", `{"Image":"web:1","Hostname":"h"}`, `{"NetworkMode":"host"}`, "")
	m := planned(t, s)
	for _, c := range m.Containers {
		if !c.Host || !strings.Contains(string(c.Created.Body), `"UsernsMode":"host"`) {
			t.Errorf("%s: %v %s", c.Name, c.Host, c.Created.Body)
		}
	}
	if !strings.Contains(texts(m), "user dockremap: it does not exist yet: dockerd makes it") {
		t.Errorf("does not say that dockerd makes a user:\n%s", texts(m))
	}
	if !m.Volumes[0].Host || strings.Contains(texts(m), "/srv/own") {
		t.Errorf("%+v\n%s", m.Volumes[0], texts(m))
	}
}

func TestPlanRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*State)
		want   string
	}{
		{"swarm", func(s *State) { s.Info.Swarm.LocalNodeState = swarm.LocalNodeStateActive }, "node of a swarm"},
		{"overlay network", func(s *State) { s.Networks[1].Scope = "swarm" }, "network shop belongs to a swarm"},
		{"containerd store", func(s *State) {
			s.Info.DriverStatus = [][2]string{{"driver-type", "io.containerd.snapshotter.v1"}}
		}, "containerd image store"},
		{"earlier move", func(s *State) { s.Moved = []string{"/var/lib/docker/1.1"} },
			"/var/lib/docker/1.1: it has data of an earlier userns-remap"},
		{"room", func(s *State) { s.Free = 6 << 30 }, "not enough room at /var/lib/docker: 6.0 GiB needed, 6.0 GiB free"},
		{"owners", func(s *State) { s.Trees["data"] = Tree{NForeign: 12, Foreign: []string{"a\x1b[31m"}} },
			`volume data: 12 files belong to users that have no place in the mapping: "a\x1b[31m" and 11 more`},
		{"volume elsewhere", func(s *State) { s.TreeErrs = map[string]error{"data": fmt.Errorf("it is at /mnt")} },
			"volume data: it is at /mnt"},
		{"paused", func(s *State) {
			s.Containers[1] = json.RawMessage(strings.Replace(string(s.Containers[1]), "exited", "paused", 1))
		}, "container b-db is paused"},
		{"--rm", func(s *State) {
			s.Containers[1] = json.RawMessage(strings.Replace(strings.Replace(string(s.Containers[1]), `"exited"`,
				`"running","Running":true`, 1),
				`"NetworkMode"`, `"AutoRemove":true,"NetworkMode"`, 1))
		}, "container b-db was started with --rm"},
		{"service", func(s *State) {
			s.Containers[1] = inspection(dbID, "b-db", `{"Image":"web:1","Labels":{"com.docker.swarm.service.id":"x"}}`, `{}`,
				"")
		}, "container b-db belongs to a Swarm service"},
		{"gone", func(s *State) { s.Containers = s.Containers[:1] }, "container a-web: it needs container " +
			dbID + ", which is not there"},
		{"a circle", func(s *State) {
			s.Containers[1] = inspection(dbID, "b-db", `{"Image":"web:1"}`, `{"NetworkMode":"container:`+webID+`"}`, "")
		}, "which needs it"},
	} {
		s := state()
		tt.change(s)
		if m := planned(t, s); !strings.Contains(strings.Join(m.Refusals, "\n"), tt.want) {
			t.Errorf("%s: %q; want %q", tt.name, m.Refusals, tt.want)
		}
	}
	if m := planned(t, state()); len(m.Refusals) > 0 {
		t.Errorf("the usual host: %q", m.Refusals)
	}
}

// TestJournal: a log whose end a crash has cut off is read up to there, and one that others could have written is not.
func TestJournal(t *testing.T) {
	dir := t.TempDir()
	j, err := begin(dir, planned(t, state()))
	must(t, err)
	must(t, j.note(entry{Step: Stop, State: begun}))
	must(t, j.note(entry{Step: Stop, State: done}))
	must(t, j.note(entry{Step: Switch, State: begun}))
	must(t, appendTo(j.dir()+"/log", []byte(`{"step":"switch","sta`)))
	read, err := Open(dir)
	must(t, err)
	if !read.Done(Stop) || read.Done(Switch) || !read.Begun(Switch) || read.Begun(Load) || read.GoingBack() {
		t.Errorf("%+v", read.log)
	}
	must(t, read.note(entry{Step: Switch, State: done}))
	if read, err = Open(dir); err != nil || !read.Done(Switch) {
		t.Errorf("after the crash: %+v, %v", read.log, err)
	}
	must(t, j.end())
	if read, err = Open(dir); read != nil || err != nil {
		t.Errorf("ended: %+v, %v", read, err)
	}
}

// TestMoveID: a move that follows another within a second keeps what it leaves under another name.
func TestMoveID(t *testing.T) {
	at := time.Date(2026, 11, 28, 16, 0, 0, 0, time.UTC)
	one, two := moveID(at), moveID(at.Add(time.Millisecond))
	if one == two || !strings.HasPrefix(one, "20261128T160000") || !strings.HasSuffix(one, "Z") {
		t.Errorf("%s and %s", one, two)
	}
}
