package guide

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
)

// A State is what an Engine answers and what its files show, before anything is changed.
type State struct {
	Host       string // where the Engine is reached
	Info       system.Info
	Images     []image.Summary
	Layers     int64             // bytes of all layers, each counted once
	Containers []json.RawMessage // each as `docker inspect --size` has it
	Networks   []network.Inspect
	Volumes    []volume.Volume
	Trees      map[string]Tree // of the volumes that are copied, by name
	TreeErrs   map[string]error
	Binds      map[string]BindInfo // by path on the host
	Free       int64               // bytes of the file system of the data root
	Moved      []string            // data roots of user namespaces that are there already
	Mapping    *Mapping            // nil where the user of the mapping does not exist yet
	Pull       bool                // pull again what has a digest
}

// Remapped reports whether an Engine runs with userns-remap, rootless included.
func Remapped(info system.Info) bool {
	_, rootless := docker.SecurityOption(info.SecurityOptions, "rootless", "")
	return rootless || docker.Remapped(info.SecurityOptions)
}

// moveID names a move by when it was planned. What it keeps aside stands under that name, so two moves must not share
// one, however soon the second follows.
func moveID(now time.Time) string {
	return strings.Replace(now.UTC().Format("20060102T150405.000000000Z"), ".", "", 1)
}

// Plan says what there is to move, in which order, and what does not come along. It changes nothing.
func Plan(s *State, now time.Time) (*Move, error) {
	m := &Move{ID: moveID(now), Made: now.UTC(), Engine: s.Host, From: s.Info.DockerRootDir}
	p := &planner{State: s, Move: m}
	for _, raw := range s.Containers {
		i, err := inspect(raw)
		if err != nil {
			return nil, err
		}
		p.inspected = append(p.inspected, i)
	}
	if err := p.containers(); err != nil {
		return nil, err
	}
	p.images()
	p.networks()
	p.volumes()
	p.binds()
	p.user()
	p.refusals()
	m.Space.Free = s.Free
	if !m.Space.Room() {
		p.refuse("not enough room at %s: %s needed, %s free; free some space, or use --pull for images that are in a "+
			"registry",
			m.From, Size(m.Space.Need()), Size(m.Space.Free))
	}
	return m, nil
}

type planner struct {
	*State
	*Move
	inspected []*inspected
	host      map[string]bool // containers of the host's user namespace, by name
}

func (p *planner) refuse(format string, args ...any) {
	p.Refusals = append(p.Refusals, fmt.Sprintf(format, args...))
}

func (p *planner) leave(what, format string, args ...any) {
	p.Left = append(p.Left, Left{what, fmt.Sprintf(format, args...)})
}

// user tells whom dockerd makes, which no way back takes away.
func (p *planner) user() {
	if p.Mapping == nil {
		p.leave("user "+made, "it does not exist yet: dockerd makes it and its group, with IDs in /etc/subuid and "+
			"/etc/subgid; all of them stay when you go back")
	}
}

func (p *planner) lookup() lookup {
	by := lookup{names: map[string]string{}, volumes: map[string][]string{}, networks: map[string]string{},
		images: map[string]string{}}
	for _, c := range p.inspected {
		by.names[c.ID] = c.ShortName()
		for _, m := range c.Mounts {
			if m.Type == "volume" {
				by.volumes[c.ShortName()] = append(by.volumes[c.ShortName()], m.Name)
			}
		}
	}
	for _, n := range p.State.Networks {
		by.networks[n.ID] = n.Name
	}
	for _, i := range p.State.Images {
		names := i.RepoTags
		if p.Pull { // no archive holds them
			names = slices.Concat(names, i.RepoDigests)
		}
		for _, name := range names {
			by.images[name] = i.ID
		}
	}
	return by
}

// containers finds how each is made again, in an order in which each finds those that it needs.
func (p *planner) containers() error {
	by := p.lookup()
	found := map[string]*recreation{}
	for _, i := range p.inspected {
		r, err := recreate(i, by)
		if err != nil {
			return err
		}
		p.judge(i)
		found[r.Name] = r
	}
	done := map[string]bool{}
	var visit func(r *recreation, above []string)
	visit = func(r *recreation, above []string) {
		if done[r.Name] {
			return
		}
		for _, name := range r.needs {
			switch need := found[name]; {
			case need == nil:
				p.refuse("container %s: it needs container %s, which is not there; remove it, or recreate it "+
					"without", show(r.Name), show(name))
			case slices.Contains(above, name):
				p.refuse("container %s: it needs container %s, which needs it; remove one of them", show(r.Name),
					show(name))
			default:
				visit(need, append(above, r.Name))
			}
		}
		done[r.Name] = true
		p.add(r)
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		visit(found[name], nil)
	}
	return nil
}

// judge refuses what can't be stopped and started again.
func (p *planner) judge(i *inspected) {
	name := show(i.ShortName())
	switch {
	case i.Container.Config.Labels[docker.LabelSwarmService] != "":
		p.refuse("container %s belongs to a Swarm service; leave the swarm first", name)
	case i.State.Status == "paused":
		p.refuse("container %s is paused; unpause it, or stop it", name)
	case i.State.Running && i.Container.HostConfig.AutoRemove:
		p.refuse("container %s was started with --rm: stopping it removes it for good; stop it yourself", name)
	case i.State.Status == "removing" || i.State.Status == "dead":
		p.refuse("container %s is %s; remove it", name, i.State.Status)
	}
}

// add takes a container up, after those that it needs. Who shares the namespace of one that stays with the host's users
// stays with it.
func (p *planner) add(r *recreation) {
	c := r.Container
	host, _ := parseObject(c.Created.Body)
	asked, _ := parseObject(host["HostConfig"])
	for _, key := range []string{"NetworkMode", "PidMode", "IpcMode"} {
		if name, ok := strings.CutPrefix(get[string](asked, key), "container:"); ok && p.host[name] && !c.Host {
			c.Host = true
			asked.set("UsernsMode", "host")
			host.set("HostConfig", asked)
			c.Created.Body, _ = json.Marshal(host)
		}
	}
	what := "container " + show(c.Name)
	if c.Host {
		if p.host == nil {
			p.host = map[string]bool{}
		}
		p.host[c.Name] = true
		p.leave(what, "it is privileged or shares a namespace of the host, so it stays in the host's user "+
			"namespace (--userns=host): "+
			"its root stays root on the host, and set-user-ID programs of its image, which belong to an ordinary "+
			"user now, give no root")
	} else {
		p.caps(what, asked)
	}
	if c.Own > 0 {
		p.leave(what, "%s that it has written into its own layer stay behind in the old data root; `docker diff` "+
			"lists them", Size(c.Own))
	}
	p.Left = append(p.Left, r.left...)
	p.Move.Containers = append(p.Move.Containers, c)
}

// caps tells what root of a user namespace can't do whatever capabilities it has.
func (p *planner) caps(what string, asked object) {
	var host []string
	for _, c := range get[[]string](asked, "CapAdd") {
		switch strings.TrimPrefix(strings.ToUpper(c), "CAP_") {
		case "ALL", "SYS_MODULE", "SYS_RAWIO", "SYS_TIME", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_ADMIN",
			"SYSLOG", "MAC_ADMIN", "BPF", "PERFMON", "WAKE_ALARM", "MKNOD":
			host = append(host, c)
		}
	}
	if len(host) > 0 {
		p.leave(what, "the capabilities %s count inside its user namespace only, and not for the host's kernel",
			facts.Clip(strings.Join(host, ", ")))
	}
	var devices []string
	for _, d := range get[[]object](asked, "Devices") {
		devices = append(devices, show(get[string](d, "PathOnHost")))
	}
	if len(devices) > 0 {
		p.leave(what, "its devices belong to root of the host: it can use them only as every user can: %s",
			strings.Join(devices, ", "))
	}
}

// images are all that have a name, and those without that a container is made from.
func (p *planner) images() {
	used := map[string]bool{}
	for _, i := range p.inspected {
		used[i.Image] = true
	}
	pulled := int64(0)
	for _, i := range p.State.Images {
		none := func(s string) bool { return strings.HasPrefix(s, "<none>") }
		image := Image{ID: i.ID, Names: slices.DeleteFunc(slices.Clone(i.RepoTags), none),
			Digests: slices.DeleteFunc(slices.Clone(i.RepoDigests), none), Bytes: i.Size}
		if len(image.Names) == 0 && len(image.Digests) == 0 && !used[i.ID] {
			p.leave("image "+docker.ShortID(i.ID), "it has no name and no container uses it")
			continue
		}
		if p.Pull && len(image.Digests) > 0 {
			image.Pull = image.Digests[0]
			pulled += i.Size
		} else if len(image.Digests) > 0 {
			p.leave("image "+show(image.Digests[0]), "an archive does not hold its digest: `docker pull` adds it again")
		}
		slices.Sort(image.Names)
		p.Move.Images = append(p.Move.Images, image)
	}
	slices.SortFunc(p.Move.Images, func(a, b Image) int {
		return cmp.Or(cmp.Compare(strings.Join(a.Names, " "), strings.Join(b.Names, " ")), strings.Compare(a.ID, b.ID))
	})
	p.Space.Images = p.Layers
	p.Space.Archive = max(0, p.Layers-pulled)
	p.leave("build cache", "`docker build` builds each step anew once")
}

// networks are those that people have made.
func (p *planner) networks() {
	for _, n := range p.State.Networks {
		if n.Name == "bridge" || n.Name == "host" || n.Name == "none" {
			continue
		}
		if n.Scope == "swarm" || n.Ingress {
			p.refuse("network %s belongs to a swarm; leave the swarm first", show(n.Name))
			continue
		}
		body, err := json.Marshal(map[string]any{"Name": n.Name, "Driver": n.Driver, "EnableIPv4": n.EnableIPv4,
			"EnableIPv6": n.EnableIPv6, "Internal": n.Internal, "Attachable": n.Attachable, "IPAM": n.IPAM,
			"Options": n.Options, "Labels": n.Labels, "ConfigOnly": n.ConfigOnly,
			"ConfigFrom": n.ConfigFrom})
		if err != nil {
			p.refuse("network %s: %v", show(n.Name), err)
			continue
		}
		made := Network{Name: n.Name, ID: n.ID, Bridge: bridge(n.ID, n.Driver, n.Options), Body: body}
		if made.Bridge != "" {
			p.leave("network "+show(n.Name), "its interface %s is switched off, and stays with its firewall rules until "+
				"the next boot", made.Bridge)
		}
		p.Move.Networks = append(p.Move.Networks, made)
	}
	only := map[string]bool{}
	for _, n := range p.State.Networks {
		only[n.Name] = n.ConfigOnly
	}
	slices.SortFunc(p.Move.Networks, func(a, b Network) int {
		if only[a.Name] != only[b.Name] { // others are made from these
			return map[bool]int{true: -1, false: 1}[only[a.Name]]
		}
		return strings.Compare(a.Name, b.Name)
	})
}

func (p *planner) refusals() {
	if s := p.Info.Swarm.LocalNodeState; s != "" && s != swarm.LocalNodeStateInactive {
		p.refuse("this Engine is a node of a swarm, and its services, secrets and keys stay with the data root: " +
			"drain the node, leave the " +
			"swarm, move, and join again (`docker node update --availability drain`, `docker swarm leave`)")
	}
	if slices.ContainsFunc(p.Info.DriverStatus, func(kv [2]string) bool {
		return strings.HasPrefix(kv[1],
			"io.containerd.snapshotter")
	}) {
		p.refuse("the Engine uses the containerd image store, which does not go with userns-remap: set features " +
			"containerd-snapshotter to false in daemon.json first, and pull the images again")
	}
	for _, dir := range p.Moved {
		p.refuse("%s: it has data of an earlier userns-remap; move it away, or remove it", dir)
	}
	if len(p.Info.Plugins.Authorization) > 0 {
		p.leave("authorization plugins", "one that was installed by `docker plugin install` stays in the old data "+
			"root, and dockerd does not start without it: install it as a service of the host first")
	}
}

// show is a name that others chose, for a line of text.
func show(s string) string { return facts.Clip(printable(s)) }
