package docker

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/go-units"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A Container is what the Docker Engine tells of one container, as far as anything here asks: of ten thousand of them
// the rest would fill the memory. Names are the Engine's own.
type Container struct {
	ID              string `json:"Id"`
	Name            string // with the Engine's leading slash
	Created         string // RFC 3339
	Image           string // the ID of its image, "sha256:…"
	AppArmorProfile string // empty until it first starts
	ProcessLabel    string // SELinux's; empty until it first starts
	ExecIDs         []string
	State           ContainerState
	Config          ContainerConfig
	HostConfig      HostConfig
	Mounts          []Mount
	NetworkSettings struct {
		Ports    Ports
		Networks map[string]*Attachment
	}
}

// A ContainerState is what a container does.
type ContainerState struct {
	Status  string // "created", "running", "exited" …
	Running bool
	Pid     int
	Health  *struct{ Status string } // nil without a health check
}

// An Attachment is a container on a network.
type Attachment struct{ NetworkID string }

// A ContainerConfig is what containers and images have in common.
type ContainerConfig struct {
	Image       string // as whoever made the container named it
	User        string
	Env         []string
	Labels      map[string]string
	Healthcheck *struct{ Test []string }
}

// A HostConfig is how a container is bound to the host.
type HostConfig struct {
	NetworkMode       container.NetworkMode
	PidMode           container.PidMode
	IpcMode           container.IpcMode
	UTSMode           container.UTSMode
	UsernsMode        container.UsernsMode
	Privileged        bool
	ReadonlyRootfs    bool
	AutoRemove        bool
	PublishAllPorts   bool
	CapAdd, CapDrop   []string
	SecurityOpt       []string
	CgroupParent      string
	Links             []string
	RestartPolicy     RestartPolicy
	PortBindings      Ports
	Memory            int64
	MemorySwap        int64
	CPUShares         int64  `json:"CpuShares"`
	NanoCPUs          int64  `json:"NanoCpus"`
	CPUQuota          int64  `json:"CpuQuota"`
	CPUSetCPUs        string `json:"CpusetCpus"`
	PidsLimit         *int64
	Ulimits           []Ulimit
	Devices           []struct{ PathOnHost string }
	DeviceCgroupRules []string
	DeviceRequests    []struct{ Driver string }
}

// A RestartPolicy says when the Engine starts a container again.
type RestartPolicy struct {
	Name              container.RestartPolicyMode
	MaximumRetryCount int
}

// String spells the policy as `docker run --restart` takes it.
func (p RestartPolicy) String() string {
	switch {
	case p.Name == "":
		return "no"
	case p.Name == container.RestartPolicyOnFailure && p.MaximumRetryCount > 0:
		return fmt.Sprintf("%s:%d", p.Name, p.MaximumRetryCount)
	}
	return string(p.Name)
}

// An Ulimit is a limit of a container's own; -1 is none.
type Ulimit struct {
	Name       string
	Soft, Hard int64
}

// A Mount is one place in a container that comes from elsewhere.
type Mount struct {
	Type        string // "bind", "volume", "tmpfs"
	Name        string // of the volume
	Source      string
	Destination string
	RW          bool
	Propagation string
}

// Ports are a container's published ports: by "80/tcp", where on the host.
type Ports map[string][]PortBinding

// A PortBinding is one address and port of the host.
type PortBinding struct {
	HostIP   string `json:"HostIp"` // "", "0.0.0.0" and "::" are every interface
	HostPort string // empty where the Engine is to choose
}

// Published gives where a container's ports are, or will be once it runs. With the host's network, another container's
// or none, the Engine keeps what was asked for and publishes nothing.
func (c *Container) Published() Ports {
	mode := c.HostConfig.NetworkMode
	switch {
	case c.State.Running && len(c.NetworkSettings.Ports) > 0:
		return c.NetworkSettings.Ports
	case mode.IsHost(), mode.IsNone(), mode.IsContainer():
		return nil
	}
	return c.HostConfig.PortBindings
}

// ShortName is the name without its slash, or the beginning of the ID.
func (c *Container) ShortName() string {
	if n := strings.TrimPrefix(c.Name, "/"); n != "" {
		return n
	}
	return ShortID(c.ID)
}

// Labels that say who makes a container again when it is gone.
const (
	LabelComposeProject = "com.docker.compose.project"
	LabelComposeService = "com.docker.compose.service"
	LabelSwarmService   = "com.docker.swarm.service.id"
	LabelSwarmName      = "com.docker.swarm.service.name"
)

// Limits gives the container's present ones, spelled so that the Engine can be asked for them, but for a memory limit
// that is not set: that stays 0. Where it was given no share of the processors, it has those of Shares.
func (c *Container) Limits(shares int64) want.Limits {
	l := want.Limits{Memory: c.HostConfig.Memory, MemorySwap: c.HostConfig.MemorySwap, CPUShares: c.HostConfig.CPUShares,
		PIDs:    -1,
		Restart: c.HostConfig.RestartPolicy.String()}
	if l.MemorySwap == 0 {
		l.MemorySwap = -1
	}
	if l.CPUShares == 0 {
		l.CPUShares = shares
	}
	if p := c.HostConfig.PidsLimit; p != nil && *p > 0 {
		l.PIDs = *p
	}
	return l
}

// Shares is what a container has of the processors that was given no share, in the words of `docker run --cpu-shares`.
// There is no way to ask an Engine for that again but by a number. Control groups of version 2 have weights instead, of
// which each group has 100 by itself; runc before 1.3.2 made 39 of the 1,024 shares that version 1 gives.
func Shares(info system.Info) int64 {
	var major, minor, patch int
	n, _ := fmt.Sscanf(strings.TrimPrefix(info.RuncCommit.ID, "v"), "%d.%d.%d", &major, &minor, &patch)
	weighs := info.CgroupVersion == "2" && slices.Contains([]string{"runc", "io.containerd.runc.v2"}, info.DefaultRuntime)
	if weighs && n == 3 && slices.Compare([]int{major, minor, patch}, []int{1, 3, 2}) < 0 {
		return 2598 // 1 + (2598-2)*9999/262142 is 100
	}
	return 1024
}

// ParseRestart reads a policy as `docker run --restart` takes it.
func ParseRestart(s string) (RestartPolicy, error) {
	name, count, counted := strings.Cut(s, ":")
	p := RestartPolicy{Name: container.RestartPolicyMode(name)}
	if counted {
		var err error
		if p.MaximumRetryCount, err = strconv.Atoi(count); err != nil || p.MaximumRetryCount < 1 ||
			p.Name != container.RestartPolicyOnFailure {
			return p, fmt.Errorf("%q is not a restart policy", s)
		}
	}
	switch p.Name {
	case container.RestartPolicyDisabled, container.RestartPolicyAlways, container.RestartPolicyUnlessStopped,
		container.RestartPolicyOnFailure:
		return p, nil
	}
	return p, fmt.Errorf("%q is not a restart policy; valid: no, always, unless-stopped, on-failure, on-failure:N", s)
}

// updated is c with other limits; c itself, which others share, stays as it is.
func updated(c Container, l want.Limits) Container {
	if l.Memory != 0 {
		c.HostConfig.Memory = l.Memory
	}
	if l.MemorySwap != 0 {
		c.HostConfig.MemorySwap = l.MemorySwap
	}
	if l.CPUShares != 0 {
		c.HostConfig.CPUShares = l.CPUShares
	}
	if l.PIDs != 0 {
		c.HostConfig.PidsLimit = &l.PIDs
	}
	if p, err := ParseRestart(l.Restart); err == nil {
		c.HostConfig.RestartPolicy = p
	}
	return c
}

// afterUpdates is the fate of the containers: they are as the Engine has told of them, but for what a plan would have
// updated in place.
func afterUpdates(before, _ func() ([]Container, error), plan facts.Overlay) ([]Container, error) {
	cs, err := before()
	if len(plan.Updated) == 0 {
		return cs, err
	}
	cs = slices.Clone(cs)
	for i, c := range cs {
		if l, ok := plan.Updated[c.ID]; ok {
			cs[i] = updated(c, l)
		}
	}
	return cs, err
}

// An Image is what the Docker Engine tells of one image.
type Image struct {
	ID          string `json:"Id"`
	RepoTags    []string
	RepoDigests []string
	Created     string // RFC 3339; empty, or of long ago, where it is not told
	Config      ContainerConfig
	RootFS      struct{ Layers []string }
	History     []Layer // the newest first, as the Engine tells them
}

// A Layer is one step of how an image was made.
type Layer struct {
	CreatedBy string
	Size      int64
}

// Built is when the image was made; zero where that is not told. Builds that are to be the same each time say a time
// of long ago.
func (i *Image) Built() time.Time {
	t, err := time.Parse(time.RFC3339Nano, i.Created)
	if err != nil || t.Year() < 2013 { // before there was Docker
		return time.Time{}
	}
	return t
}

// ShortName is the first tag or digest that an image has, or the beginning of its ID.
func (i *Image) ShortName() string {
	for _, n := range slices.Concat(i.RepoTags, i.RepoDigests) {
		if !strings.HasPrefix(n, "<none>") {
			return n
		}
	}
	return ShortID(i.ID)
}

// CheckChoice says what is wrong with a choice.
func CheckChoice(k facts.ContainerChoice) error {
	for _, glob := range []string{k.Name, k.Label} {
		if _, err := path.Match(glob, ""); err != nil {
			return fmt.Errorf("%q is not a glob", glob)
		}
	}
	if n, err := units.RAMInBytes(k.Memory); k.Memory != "" && k.Memory != Auto && (err != nil || n < LeastMemory) {
		return fmt.Errorf("memory: invalid size %q; minimum 6m, or auto", k.Memory)
	}
	for key, v := range map[string]string{"cpu-shares": k.CPUShares, "pids-limit": k.PIDs} {
		if n, err := strconv.ParseInt(v, 10, 64); v != "" && v != Auto && (err != nil || n < 2) {
			return fmt.Errorf("%s: invalid number %q; minimum 2, or auto", key, v)
		}
	}
	if k.Restart != "" {
		if _, err := ParseRestart(k.Restart); err != nil {
			return fmt.Errorf("restart: %w", err)
		}
	}
	return nil
}

// Auto leaves a value to harden, which takes it from what the container has used.
const Auto = "auto"

// LeastMemory is the lowest limit that the Engine takes, in bytes.
const LeastMemory = 6 << 20
