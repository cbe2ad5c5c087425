package guide

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
)

// An object is a JSON object whose other members stay byte for byte: an Engine newer than this program may say more
// of a container than it knows, and that is to come along too.
type object map[string]json.RawMessage

func parseObject(raw json.RawMessage) (o object, err error) {
	if err = json.Unmarshal(raw, &o); err == nil && o == nil {
		o = object{}
	}
	return o, err
}

// get decodes a member; what is missing or null is the zero value.
func get[T any](o object, name string) (v T) {
	_ = json.Unmarshal(o[name], &v)
	return v
}

func (o object) set(name string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings, lists and maps of them
	}
	o[name] = data
}

// A lookup knows the containers and networks of an Engine by their IDs.
type lookup struct {
	names    map[string]string   // of containers
	volumes  map[string][]string // of a container, by its name
	networks map[string]string
	images   map[string]string // the ID that a name of an image stands for
}

// recreation is what one container's inspection comes to.
type recreation struct {
	Container
	needs []string // names of containers that must be there first
	left  []Left
}

// inspected is what is read of `docker inspect`; docker.Container has the names.
type inspected struct {
	docker.Container
	SizeRw     int64
	HostConfig json.RawMessage
	Config     json.RawMessage
	Networks   map[string]json.RawMessage
}

func inspect(raw json.RawMessage) (*inspected, error) {
	var rest struct {
		SizeRw             int64
		HostConfig, Config json.RawMessage
		NetworkSettings    struct{ Networks map[string]json.RawMessage }
	}
	i := &inspected{}
	if err := json.Unmarshal(raw, &i.Container); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &rest); err != nil {
		return nil, err
	}
	i.SizeRw, i.HostConfig, i.Config, i.Networks = rest.SizeRw, rest.HostConfig, rest.Config,
		rest.NetworkSettings.Networks
	return i, nil
}

// recreate turns what an Engine says of a container into the request that makes the same container again.
func recreate(i *inspected, by lookup) (*recreation, error) {
	config, err := parseObject(i.Config)
	if err != nil {
		return nil, err
	}
	host, err := parseObject(i.HostConfig)
	if err != nil {
		return nil, err
	}
	r := &recreation{Container: Container{ID: i.ID, Name: i.ShortName(), Running: i.State.Running, Own: i.SizeRw}}
	hc := i.Container.HostConfig
	r.Host = docker.NeedsHostUsers(&i.Container) || hc.UsernsMode.IsHost()
	r.image(i, config, by)
	r.joined(host, by)
	r.volumes(i, host, by)
	hostname := get[string](config, "Hostname")
	if strings.HasPrefix(i.ID, hostname) || hc.NetworkMode.IsContainer() || hc.UTSMode.IsHost() {
		delete(config, "Hostname") // the Engine's own choice, and refused with the names of another
	}
	if hc.NetworkMode.IsContainer() {
		delete(config, "ExposedPorts") // the image's, and refused in a request
		delete(config, "Domainname")
	}
	if r.Host {
		host.set("UsernsMode", "host")
	}
	endpoints := endpointsOf(i)
	config.set("HostConfig", host)
	network := networkOf(i, by)
	if first, ok := endpoints[network]; ok {
		config.set("NetworkingConfig", map[string]any{"EndpointsConfig": map[string]json.RawMessage{network: first}})
		delete(endpoints, network)
	}
	if len(endpoints) > 0 {
		r.Created.Networks = endpoints
	}
	r.Created.Body, err = json.Marshal(config)
	return r, err
}

// image names the image so that the name finds the same one, by its ID where it is now of another.
func (r *recreation) image(i *inspected, config object, by lookup) {
	name := i.Container.Config.Image
	if name == i.Image || by.images[name] == i.Image || !strings.ContainsAny(name,
		":@/") && by.images[name+":latest"] == i.Image {
		return
	}
	config.set("Image", i.Image)
	switch {
	case strings.HasPrefix(name, "sha256:"):
	case strings.Contains(name, "@"):
		r.tell("its image was named by a digest, which an archive does not hold: it is created from the same image, by ID")
	default:
		r.tell("its image's name %s now stands for another image: it is created from its current image, by ID",
			facts.Clip(name))
	}
}

// joined replaces the IDs of other containers by their names, which they keep.
func (r *recreation) joined(host object, by lookup) {
	for _, key := range []string{"NetworkMode", "PidMode", "IpcMode"} {
		id, ok := strings.CutPrefix(get[string](host, key), "container:")
		if !ok {
			continue
		}
		name := by.container(id)
		r.needs = append(r.needs, name)
		host.set(key, "container:"+name)
	}
	var from []string
	for _, v := range get[[]string](host, "VolumesFrom") {
		id, mode, _ := strings.Cut(v, ":")
		name := by.container(id)
		r.needs = append(r.needs, name)
		if mode != "" {
			mode = ":" + mode
		}
		from = append(from, name+mode)
	}
	if from != nil {
		host.set("VolumesFrom", from)
	}
	var links []string
	for _, l := range get[[]string](host, "Links") { // "/db:/web/alias"
		source, target, _ := strings.Cut(l, ":")
		source = strings.TrimPrefix(source, "/")
		r.needs = append(r.needs, source)
		links = append(links, source+":"+target[strings.LastIndex(target, "/")+1:])
	}
	if links != nil {
		host.set("Links", links)
	}
	if name, ok := by.networks[get[string](host, "NetworkMode")]; ok {
		host.set("NetworkMode", name)
	}
}

func (by lookup) container(idOrName string) string {
	if name, ok := by.names[idOrName]; ok {
		return name
	}
	return strings.TrimPrefix(idOrName, "/")
}

// volumes names the volumes that the Engine made for the container without being given a name: they are copied too.
func (r *recreation) volumes(i *inspected, host object, by lookup) {
	binds := get[[]string](host, "Binds")
	taken := map[string]bool{}
	for _, b := range binds {
		if f := strings.Split(b, ":"); len(f) > 1 {
			taken[f[1]] = true
		}
	}
	mounts := get[[]object](host, "Mounts")
	for _, m := range mounts {
		target := get[string](m, "Target")
		taken[target] = get[string](m, "Source") != "" || get[string](m, "Type") != "volume"
	}
	for n, m := range mounts { // --mount type=volume without a source
		for _, have := range i.Mounts {
			if have.Type == "volume" && have.Destination == get[string](m, "Target") && !taken[have.Destination] {
				mounts[n].set("Source", have.Name)
				taken[have.Destination] = true
			}
		}
	}
	if mounts != nil {
		host.set("Mounts", mounts)
	}
	var inherited []string
	for _, v := range get[[]string](host, "VolumesFrom") {
		name, _, _ := strings.Cut(v, ":")
		inherited = append(inherited, by.volumes[name]...)
	}
	for _, have := range i.Mounts {
		if have.Type != "volume" || taken[have.Destination] || slices.Contains(inherited, have.Name) {
			continue
		}
		bind := have.Name + ":" + have.Destination
		if !have.RW {
			bind += ":ro"
		}
		binds = append(binds, bind)
	}
	if binds != nil {
		host.set("Binds", binds)
	}
}

// networkOf is the name of the network that a container is made on; the others are connected afterwards.
func networkOf(i *inspected, by lookup) string {
	mode := string(i.Container.HostConfig.NetworkMode)
	if name, ok := by.networks[mode]; ok {
		return name
	}
	return mode
}

// endpointsOf are what the container asked for on its networks: addresses, aliases, links. What the Engine chose is not
// asked for again.
func endpointsOf(i *inspected) map[string]json.RawMessage {
	found := map[string]json.RawMessage{}
	for _, name := range slices.Sorted(maps.Keys(i.Networks)) {
		if name == "bridge" || name == "host" || name == "none" {
			continue
		}
		have, err := parseObject(i.Networks[name])
		if err != nil {
			continue
		}
		asked := object{}
		for _, key := range []string{"IPAMConfig", "Links", "DriverOpts", "GwPriority"} {
			if v, ok := have[key]; ok && string(v) != "null" {
				asked[key] = v
			}
		}
		aliases := slices.DeleteFunc(get[[]string](have, "Aliases"),
			func(a string) bool { return a == docker.ShortID(i.ID) })
		if len(aliases) > 0 {
			asked.set("Aliases", aliases)
		}
		data, err := json.Marshal(asked)
		if err != nil {
			continue
		}
		found[name] = data
	}
	return found
}

func (r *recreation) tell(format string, args ...any) {
	r.left = append(r.left, Left{"container " + facts.Clip(r.Name), fmt.Sprintf(format, args...)})
}
