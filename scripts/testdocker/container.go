package testdocker

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
)

// Image is the image that containers run by default: one static program that sleeps, from scratch.
const Image = "sleeper:latest"

// Run creates and starts a container that sleeps, without a network unless configure, which may be nil, gives it one.
// It returns the container's ID.
func (d *Daemon) Run(name string, configure func(*container.Config, *container.HostConfig)) string {
	d.t.Helper()
	id := d.Create(name, configure)
	if err := d.Client.ContainerStart(context.Background(), id, container.StartOptions{}); err != nil {
		d.t.Fatal(err)
	}
	return id
}

// Create is Run without starting.
func (d *Daemon) Create(name string, configure func(*container.Config, *container.HostConfig)) string {
	d.t.Helper()
	d.load()
	config := &container.Config{Image: Image, Cmd: []string{"/sleeper"}}
	host := &container.HostConfig{NetworkMode: "none"}
	if configure != nil {
		configure(config, host)
	}
	c, err := d.Client.ContainerCreate(context.Background(), config, host, nil, nil, name)
	if err != nil {
		d.t.Fatal(err)
	}
	return c.ID
}

// load puts Image into the engine, once, and again where userns-remap has moved its data.
func (d *Daemon) load() {
	d.t.Helper()
	if d.image {
		if _, err := d.Client.ImageInspect(context.Background(), Image); err == nil {
			return
		}
	}
	source := image.ImportSource{Source: bytes.NewReader(d.layer()), SourceName: "-"}
	progress, err := d.Client.ImageImport(context.Background(), source, Image, image.ImportOptions{})
	if err != nil {
		d.t.Fatal(err)
	}
	defer progress.Close()
	if _, err := io.Copy(io.Discard, progress); err != nil {
		d.t.Fatal(err)
	}
	d.image = true
}

// layer builds the image's only layer.
func (d *Daemon) layer() []byte {
	d.t.Helper()
	file := filepath.Join(d.dir, "sleeper")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file,
		"example.com/harden/scripts/testdocker/sleeper")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		d.t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(file)
	if err != nil {
		d.t.Fatal(err)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "sleeper", Mode: 0o755, Size: int64(len(program))}); err != nil {
		d.t.Fatal(err)
	}
	if _, err := w.Write(program); err != nil {
		d.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		d.t.Fatal(err)
	}
	return layer.Bytes()
}

// removeContainers ends what would survive the engine. It starts a stopped engine for that: what live-restore has
// left running has no other parent.
func (d *Daemon) removeContainers() {
	if !d.image {
		return
	}
	select {
	case <-d.dockerd.done:
		os.WriteFile(d.ConfigFile, []byte("{}\n"), 0o644) // whatever the test has left there must not stop it
		d.dockerd = d.start("dockerd", d.Args()...)
		if err := d.ready(); err != nil {
			d.t.Errorf("testdocker cannot remove its containers: %v", err)
			return
		}
	default:
	}
	ctx := context.Background()
	list, err := d.Client.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		d.t.Errorf("testdocker cannot remove its containers: %v", err)
	}
	for _, c := range list {
		if err := d.Client.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true}); err != nil {
			d.t.Errorf("testdocker leaves a container behind: %v", err)
		}
	}
}
