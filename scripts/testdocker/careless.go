package testdocker

import (
	"bytes"
	"context"
	"net"
	"path/filepath"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/go-connections/nat"
)

// Careless configures, by their names, containers that each break one rule of the benchmark; "web" breaks only those
// that everybody breaks and "good" next to none. socket is the engine's, as a path, which "panel" gets at.
func Careless(socket string) map[string]func(*container.Config, *container.HostConfig) {
	host := func(f func(*container.HostConfig)) func(*container.Config, *container.HostConfig) {
		return func(_ *container.Config, h *container.HostConfig) { f(h) }
	}
	return map[string]func(*container.Config, *container.HostConfig){
		"web":     nil,
		"forever": host(func(h *container.HostConfig) { h.RestartPolicy.Name = "always" }),
		// its name hides it from docker-bench-security
		"vanilla": host(func(h *container.HostConfig) { h.Privileged = true }),
		"agent": host(func(h *container.HostConfig) {
			h.NetworkMode, h.PidMode, h.IpcMode, h.UTSMode = "host", "host", "host", "host"
		}),
		"admin":  host(func(h *container.HostConfig) { h.CapAdd = []string{"ALL"}; h.CapDrop = []string{"SYS_MODULE"} }),
		"tracer": host(func(h *container.HostConfig) { h.CapAdd = []string{"sys_ptrace"}; h.CapDrop = []string{"NET_RAW"} }),
		"editor": host(func(h *container.HostConfig) { h.Binds = []string{"/etc:/x", "/usr:/y:ro"} }),
		"panel":  host(func(h *container.HostConfig) { h.Binds = []string{filepath.Dir(socket) + ":/x:ro"} }),
		"shared": host(func(h *container.HostConfig) {
			h.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: "/srv", Target: "/x",
				BindOptions: &mount.BindOptions{Propagation: mount.PropagationRShared}}}
		}),
		// never to be started, since there is no such network: without one no port is published
		"open": host(func(h *container.HostConfig) {
			h.NetworkMode = "front"
			h.PortBindings = nat.PortMap{"80/tcp": {{HostPort: "80"}}, "81/tcp": {{HostIP: "::1", HostPort: "8081"}}}
		}),
		"disk": host(func(h *container.HostConfig) { h.DeviceCgroupRules = []string{"c 1:3 r"} }),
		"loose": host(func(h *container.HostConfig) {
			h.SecurityOpt = []string{"seccomp=unconfined", "no-new-privileges=false"}
			h.CgroupParent = "/elsewhere"
		}),
		"plenty": host(func(h *container.HostConfig) {
			h.Ulimits = []*container.Ulimit{{Name: "core", Soft: -1, Hard: -1}}
		}),
		"spelled": func(c *container.Config, _ *container.HostConfig) { c.User = "0:1000" },
		"good": func(c *container.Config, h *container.HostConfig) {
			c.User, c.Healthcheck = "1000:1000", &container.HealthConfig{Test: []string{"CMD", "/sleeper"}}
			h.ReadonlyRootfs, h.SecurityOpt, h.CapDrop = true, []string{"no-new-privileges"}, []string{"ALL"}
			pids := int64(100)
			h.PidsLimit, h.Memory, h.CPUShares, h.RestartPolicy = &pids, 64<<20, 512,
				container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 5}
		},
	}
}

// CarefulImage adds an image with a user and a health check beside Image, which has neither.
func (d *Daemon) CarefulImage() {
	d.t.Helper()
	var empty bytes.Buffer
	empty.Write(make([]byte, 1024)) // the end of a tar archive
	progress, err := d.Client.ImageImport(context.Background(), image.ImportSource{Source: &empty, SourceName: "-"},
		"careful:1",
		image.ImportOptions{Changes: []string{"USER 1000:1000", `HEALTHCHECK CMD ["/probe"]`}})
	if err != nil {
		d.t.Fatal(err)
	}
	progress.Close()
}

// Swarm makes a swarm of one node, which listens at a port of the loopback address, with an overlay network that is
// encrypted and one that is not.
func (d *Daemon) Swarm() (port string) {
	d.t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(l.Addr().String())
	l.Close()
	if _, err := d.Client.SwarmInit(context.Background(),
		swarm.InitRequest{ListenAddr: "127.0.0.1:" + port, AdvertiseAddr: "127.0.0.1"}); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { d.Client.SwarmLeave(context.Background(), true) })
	for name, options := range map[string]map[string]string{"plain": nil, "secret": {"encrypted": "true"}} {
		if _, err := d.Client.NetworkCreate(context.Background(), name,
			network.CreateOptions{Driver: "overlay", Options: options}); err != nil {
			d.t.Fatal(err)
		}
	}
	return port
}

// Sessions begins two exec sessions in a container, of which one is privileged and one root's.
func (d *Daemon) Sessions(id string) {
	d.t.Helper()
	for _, o := range []container.ExecOptions{{Privileged: true, Cmd: []string{"/sleeper"}},
		{User: "0:0", Cmd: []string{"/sleeper"}}} {
		if _, err := d.Client.ContainerExecCreate(context.Background(), id, o); err != nil {
			d.t.Fatal(err)
		}
	}
}
