package guide

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/scripts/child"
	"example.com/harden/scripts/testdocker"
)

// A shop is a real Engine with what a host has: images of two names, volumes with a name and without, a network,
// containers that run and that don't. Containers really run in the user namespace.
type shop struct {
	*testdocker.Daemon
	t *testing.T
}

func newShop(t *testing.T) *shop {
	d := testdocker.Start(t)
	must(t, os.Chmod(filepath.Dir(d.Socket), 0o711)) // root in the namespace has to get at its data
	s := &shop{d, t}
	ctx := t.Context()
	_, err := d.Client.NetworkCreate(ctx, "shop", network.CreateOptions{Driver: "bridge",
		Labels: map[string]string{"of": "shop"},
		IPAM:   &network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.213.0.0/24", Gateway: "10.213.0.1"}}}})
	must(t, err)
	v, err := d.Client.VolumeCreate(ctx, volume.CreateOptions{Name: "data", Labels: map[string]string{"of": "shop"}})
	must(t, err)
	put(t, v.Mountpoint+"/rows", "one two", 999, 999, 0o640)
	put(t, v.Mountpoint+"/tool", "#!", 0, 0, 0o4755)
	must(t, os.Link(v.Mountpoint+"/rows", v.Mountpoint+"/same"))
	must(t, os.Symlink("/etc/shadow", v.Mountpoint+"/link"))
	must(t, unix.Mknod(v.Mountpoint+"/null", unix.S_IFCHR|0o666, 1<<8|3))
	web := d.Run("web", func(c *container.Config, h *container.HostConfig) {
		c.Env, c.Labels = []string{"PASSWORD=hunter2"}, map[string]string{"of": "shop"}
		c.Volumes = map[string]struct{}{"/anonymous": {}}
		h.NetworkMode, h.Binds = "shop", []string{"data:/data", "/etc:/host:ro"}
		h.RestartPolicy = container.RestartPolicy{Name: "always"}
	})
	must(t, d.Client.ImageTag(ctx, testdocker.Image, "shop/web:1"))
	d.Create("batch", func(c *container.Config, h *container.HostConfig) {
		c.Image = "shop/web:1"
		h.NetworkMode, h.VolumesFrom = container.NetworkMode("container:"+web), []string{"web:ro"}
	})
	d.Restart() // dockerd writes some of it in another way then
	for c, err := d.Client.ContainerInspect(ctx, "web"); err != nil || !c.State.Running; c,
		err = d.Client.ContainerInspect(ctx, "web") {
		must(t, ctx.Err())
	}
	return s
}

// what is what an Engine shows of itself, without what a restart changes by itself.
func (s *shop) what(ctx context.Context) map[string]any {
	s.t.Helper()
	found := map[string]any{}
	images, err := s.Client.ImageList(ctx, image.ListOptions{})
	must(s.t, err)
	for _, i := range images {
		slices.Sort(i.RepoTags)
		found["image "+i.ID] = i.RepoTags
	}
	list, err := s.Client.ContainerList(ctx, container.ListOptions{All: true})
	must(s.t, err)
	for _, c := range list {
		_, raw, err := s.Client.ContainerInspectWithRaw(ctx, c.ID, false)
		must(s.t, err)
		var all map[string]any
		must(s.t, json.Unmarshal(raw, &all))
		all["State"] = all["State"].(map[string]any)["Status"]
		for _, changing := range []string{"NetworkSettings", "ResolvConfPath", "HostnamePath", "HostsPath"} {
			delete(all, changing)
		}
		slices.SortFunc(all["Mounts"].([]any), func(a, b any) int { // come in any order
			return strings.Compare(a.(map[string]any)["Destination"].(string),
				b.(map[string]any)["Destination"].(string))
		})
		found["container "+c.Names[0]] = all
	}
	volumes, err := s.Client.VolumeList(ctx, volume.ListOptions{})
	must(s.t, err)
	root := s.DataRoot
	for _, v := range volumes.Volumes {
		tree, err := measure(&walk{ctx: ctx}, root, filepath.Join("volumes", v.Name, "_data"))
		must(s.t, err)
		found["volume "+v.Name] = []any{v.Labels, v.Options, tree}
	}
	n, err := s.Client.NetworkInspect(ctx, "shop", network.InspectOptions{})
	must(s.t, err)
	found["network"] = []any{n.ID, n.IPAM, n.Labels}
	return found
}

// TestMover is the process that TestMoveAndBack kills. It asks its parent to restart dockerd.
func TestMover(t *testing.T) {
	job := os.Getenv("HARDEN_TEST_MOVER")
	if job == "" {
		t.Skip("is a process of TestMoveAndBack")
	}
	f := strings.Split(job, "|")
	host, config, state := f[1], f[2], f[3]
	answers := bufio.NewScanner(os.Stdin)
	e, err := dial(host)
	must(t, err)
	set := func(ctx context.Context, text string, remapped bool) error {
		if info, err := e.Info(ctx); err == nil && Remapped(info) == remapped {
			return nil
		}
		must(t, os.WriteFile(config, []byte(text), 0o644))
		fmt.Println("RESTART")
		answers.Scan()
		return nil
	}
	o := Options{
		State: state, Settle: time.Millisecond, Say: func(what string) { fmt.Println(what) },
		Switch: func(ctx context.Context) (string, error) {
			return "R1", set(ctx, `{"userns-remap": "`+testdocker.Subordinate+`"}`, true)
		},
		Unswitch: func(ctx context.Context, _ string) error { return set(ctx, "{}\n", false) },
		Mapping: func(context.Context) (*Mapping, error) {
			sub, err := os.ReadFile("/etc/subuid")
			must(t, err)
			return ParseMapping(sub, sub, testdocker.Subordinate, 1)
		},
	}
	j, err := Open(state)
	must(t, err)
	if f[0] == "fail" {
		o.Mapping = func(context.Context) (*Mapping, error) { return nil, errors.New("no ranges today") }
	}
	switch {
	case f[0] == "back":
		err = Back(t.Context(), j, o)
	case j != nil:
		err = Continue(t.Context(), j, o)
	default:
		s, look := Look(t.Context(), host, nil, false)
		must(t, look)
		m, plan := Plan(s, time.Now())
		must(t, plan)
		err = Begin(t.Context(), m, o)
	}
	if f[0] == "fail" && errors.Is(err, ErrWentBack) && strings.Contains(err.Error(), "no ranges today") {
		err = nil
	}
	must(t, err)
}

// move runs TestMover, and kills it when it says something that begins like that. It returns all that was said.
func (s *shop) move(job, state, kill string) string {
	s.t.Helper()
	self, err := os.Executable()
	must(s.t, err)
	c := exec.Command(self, "-test.run=^TestMover$")
	c.Env = append(os.Environ(), "HARDEN_TEST_MOVER="+strings.Join([]string{job, s.Host, s.ConfigFile, state}, "|"))
	in, err := c.StdinPipe()
	must(s.t, err)
	r, w, err := os.Pipe()
	must(s.t, err)
	c.Stdout, c.Stderr = w, w
	ended, err := child.Start(c)
	must(s.t, err)
	w.Close()
	defer r.Close()
	var said strings.Builder
	killed := false
	for lines := bufio.NewScanner(r); lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		if kill != "" && strings.HasPrefix(lines.Text(), kill) {
			killed = true
			must(s.t, c.Process.Kill())
			break
		}
		if lines.Text() == "RESTART" {
			s.Restart()
			fmt.Fprintln(in)
		}
	}
	<-ended
	if killed != (kill != "") || !killed && !c.ProcessState.Success() {
		s.t.Fatalf("%s: %v\n%s", job, c.ProcessState, said.String())
	}
	return said.String()
}

// moved looks whether all is there under the mapping.
func (s *shop) moved(before map[string]any) {
	s.t.Helper()
	ctx := s.t.Context()
	info, err := s.Client.Info(ctx)
	must(s.t, err)
	if !Remapped(info) {
		s.t.Fatalf("userns-remap is off: %v", info.SecurityOptions)
	}
	images, err := s.Client.ImageList(ctx, image.ListOptions{})
	must(s.t, err)
	for _, i := range images {
		slices.Sort(i.RepoTags)
		if d := cmp.Diff(before["image "+i.ID], any(i.RepoTags)); d != "" {
			s.t.Errorf("image (-want +got):\n%s", d)
		}
	}
	web, err := s.Client.ContainerInspect(ctx, "web")
	must(s.t, err)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", web.State.Pid))
	if err != nil || !strings.Contains(string(status), "Uid:\t100000\t") {
		s.t.Errorf("web: %v, %.300s", err, status)
	}
	if web.Config.Env[0] != "PASSWORD=hunter2" || web.Config.Labels["of"] != "shop" || len(web.Mounts) != 3 ||
		web.NetworkSettings.Networks["shop"] == nil ||
		web.HostConfig.RestartPolicy.Name != "always" {
		s.t.Errorf("web: %+v %+v", web.Config, web.HostConfig)
	}
	data := filepath.Join(info.DockerRootDir, "volumes/data/_data")
	for name, want := range map[string]string{"rows": "100640 100999:100999", "tool": "104755 100000:100000",
		"same": "100640 100999:100999", "link": "120777 100000:100000"} {
		st := statOf(s.t, filepath.Join(data, name))
		if got := fmt.Sprintf("%o %d:%d", st.Mode, st.Uid, st.Gid); got != want {
			s.t.Errorf("%s: %s; want %s", name, got, want)
		}
	}
	if rows, err := os.ReadFile(data + "/rows"); string(rows) != "one two" {
		s.t.Errorf("rows: %q, %v", rows, err)
	}
	batch, err := s.Client.ContainerInspect(ctx, "batch")
	if err != nil || batch.State.Status != "created" ||
		string(batch.HostConfig.NetworkMode) != "container:"+web.ID || batch.Config.Image != "shop/web:1" {
		s.t.Errorf("batch: %v %+v", err, batch.HostConfig)
	}
	if left, _ := filepath.Glob(s.DataRoot + "/harden-guide-*Z"); left != nil {
		s.t.Errorf("left behind: %v", left)
	}
}

// isBack looks whether all is as it was.
func (s *shop) isBack(before map[string]any, state string) {
	s.t.Helper()
	if d := cmp.Diff(before, s.what(s.t.Context())); d != "" {
		s.t.Errorf("after going back (-want +got):\n%s", d)
	}
	if j, err := Open(state); j != nil || err != nil {
		s.t.Errorf("journal: %v, %v", j, err)
	}
	if left, _ := filepath.Glob(s.DataRoot + "/harden-guide-*Z"); left != nil {
		s.t.Errorf("left behind: %v", left)
	}
	moved, _ := filepath.Glob(s.DataRoot + "/*.*")
	if len(moved) > 0 {
		s.t.Errorf("the new data root is in the way: %v", moved)
	}
}

// TestMoveAndBack moves a real Engine into a user namespace, where its containers run, and back; killed at every
// step, the move goes on or goes back.
func TestMoveAndBack(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts a real Docker Engine many times")
	}
	if !testdocker.WithSubordinates(t) {
		return
	}
	s := newShop(t)
	before := s.what(t.Context())
	failed := t.TempDir()
	s.move("fail", failed, "") // a step that fails is rolled back by itself
	s.isBack(before, failed)
	for n, kill := range []string{"", "1/9", "stopping", "RESTART", "4/9", "5/9", "6/9", "copying volume data",
		"8/9", "9/9"} {
		state := t.TempDir()
		s.move("forward", state, kill)
		if kill != "" && n%3 == 0 { // back from here; the next goes on
			s.move("back", state, "")
			s.isBack(before, state)
			continue
		}
		if kill != "" {
			s.move("forward", state, "")
		}
		s.moved(before)
		if n%2 == 0 {
			s.move("back", state, map[bool]string{true: "RESTART", false: "rolling userns-remap back"}[n%4 == 0])
		}
		s.move("back", state, "")
		s.isBack(before, state)
	}
}
