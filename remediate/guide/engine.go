package guide

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts/docker"
)

// An engine is the Docker Engine of this machine, asked over its own socket.
type engine struct{ *client.Client }

func dial(host string) (*engine, error) {
	if !strings.HasPrefix(host, "unix://") {
		return nil, fmt.Errorf("%s: not a socket of this machine; run harden on the machine of the Engine", host)
	}
	c, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	return &engine{c}, err
}

// Look asks an Engine for all that it has and looks at its volumes. It changes nothing. mapping is nil where the user
// of the mapping does not exist yet.
func Look(ctx context.Context, host string, mapping *Mapping, pull bool) (*State, error) {
	e, err := dial(host)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	s := &State{Host: host, Mapping: mapping, Pull: pull, Trees: map[string]Tree{}, TreeErrs: map[string]error{},
		Binds: map[string]BindInfo{}}
	if s.Info, err = e.Info(ctx); err != nil || Remapped(s.Info) {
		return s, err
	}
	if s.Images, err = e.ImageList(ctx, image.ListOptions{}); err != nil {
		return nil, err
	}
	used, err := e.DiskUsage(ctx, types.DiskUsageOptions{Types: []types.DiskUsageObject{types.ImageObject}})
	if err != nil {
		return nil, err
	}
	s.Layers = used.LayersSize
	if err := e.containers(ctx, s); err != nil {
		return nil, err
	}
	networks, err := e.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, err
	}
	s.Networks = networks
	volumes, err := e.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, v := range volumes.Volumes {
		s.Volumes = append(s.Volumes, *v)
	}
	if err := s.measure(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// containers inspects each, and looks at what it has of the host.
func (e *engine) containers(ctx context.Context, s *State) error {
	list, err := e.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return err
	}
	for _, c := range list {
		_, raw, err := e.ContainerInspectWithRaw(ctx, c.ID, true)
		if errdefs.IsNotFound(err) {
			continue // removed since
		}
		if err != nil {
			return err
		}
		s.Containers = append(s.Containers, raw)
		i, err := inspect(raw)
		if err != nil {
			return err
		}
		for _, m := range i.Mounts {
			if m.Type == "bind" {
				s.Binds[m.Source] = ownerOf(m.Source)
			}
		}
	}
	return nil
}

// ownerOf looks at a path of the host, which somebody else may have named.
func ownerOf(name string) BindInfo {
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		return BindInfo{Unknown: err.Error()}
	}
	return BindInfo{UID: st.Uid, GID: st.Gid, Mode: uint32(st.Mode & 0o7777)}
}

// remappedDir is the name of a data root of userns-remap, by user and group.
var remappedDir = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)

// measure looks at the file system of the data root: the room, the volumes, what earlier moves have left.
func (s *State) measure(ctx context.Context) error {
	root := s.Info.DockerRootDir
	var err error
	if s.Free, err = free(root); err != nil {
		return err
	}
	names, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, n := range names {
		dir := filepath.Join(root, n.Name())
		if inside, err := os.ReadDir(dir); remappedDir.MatchString(n.Name()) && (err != nil || len(inside) > 0) {
			s.Moved = append(s.Moved, dir)
		}
	}
	by := s.Mapping
	if by == nil {
		by = Expected()
	}
	for _, v := range s.Volumes {
		if v.Driver != "local" || len(v.Options) > 0 {
			continue
		}
		if !volumeName.MatchString(v.Name) || v.Mountpoint != filepath.Join(root, "volumes", v.Name, "_data") {
			s.TreeErrs[v.Name] = fmt.Errorf("it is at %s, and not in the data root", show(v.Mountpoint))
			continue
		}
		s.Trees[v.Name], err = Measure(ctx, root, path.Join("volumes", v.Name, "_data"), by)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.TreeErrs[v.Name] = err
		}
	}
	return nil
}

// volumeName is a name as the Engine takes it. Source: moby daemon/names.
var volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// free is how many bytes of a file system root may still write.
func free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(min(st.Bavail*uint64(st.Bsize), 1<<62)), nil
}

// save writes an archive of images, by their names or, without one, their IDs.
func (e *engine) save(ctx context.Context, refs []string, file string) (err error) {
	stream, err := e.ImageSave(ctx, refs)
	if err != nil {
		return err
	}
	defer stream.Close()
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, stream); err != nil {
		return err
	}
	return f.Sync()
}

func (e *engine) load(ctx context.Context, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	answer, err := e.ImageLoad(ctx, f, client.ImageLoadWithQuiet(true))
	if err != nil {
		return err
	}
	return progress(answer.Body)
}

// pull pulls an image by its digest and gives it its names.
func (e *engine) pull(ctx context.Context, i Image) error {
	answer, err := e.ImagePull(ctx, i.Pull, image.PullOptions{})
	if err != nil {
		return err
	}
	if err := progress(answer); err != nil {
		return fmt.Errorf("image %s: %w", show(i.Pull), err)
	}
	for _, name := range i.Names {
		if err := e.ImageTag(ctx, i.Pull, name); err != nil {
			return err
		}
	}
	return nil
}

// progress reads what the Engine says while it works, to the end: a failure is in its midst.
func progress(body io.ReadCloser) error {
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var said struct{ Error string }
		if json.Unmarshal(lines.Bytes(), &said) == nil && said.Error != "" {
			return errors.New(said.Error)
		}
	}
	return lines.Err()
}

// post sends a request that keeps what this program does not know of, which the client's own types would drop.
func (e *engine) post(ctx context.Context, path string, query url.Values, body []byte) error {
	e.NegotiateAPIVersion(ctx)
	at := "http://" + client.DummyHost + "/v" + e.ClientVersion() + path + "?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := e.HTTPClient().Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode < 300 {
		return nil
	}
	var said struct{ Message string }
	if json.NewDecoder(io.LimitReader(answer.Body, 1<<16)).Decode(&said) != nil || said.Message == "" {
		said.Message = answer.Status
	}
	return errors.New(said.Message)
}

// create makes a container and connects it to its further networks.
func (e *engine) create(ctx context.Context, c *Container) error {
	if err := e.post(ctx, "/containers/create", url.Values{"name": {c.Name}}, c.Created.Body); err != nil {
		return err
	}
	for name, endpoint := range c.Created.Networks {
		body, err := json.Marshal(map[string]any{"Container": c.Name, "EndpointConfig": endpoint})
		if err != nil {
			return err
		}
		if err := e.post(ctx, "/networks/"+url.PathEscape(name)+"/connect", nil, body); err != nil {
			return fmt.Errorf("network %s: %w", show(name), err)
		}
	}
	return nil
}

// running lists the containers that run, by ID, with their names.
func (e *engine) running(ctx context.Context) (map[string]string, error) {
	list, err := e.ContainerList(ctx, container.ListOptions{})
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, c := range list {
		found[c.ID] = docker.ShortID(c.ID)
		if len(c.Names) > 0 {
			found[c.ID] = strings.TrimPrefix(c.Names[0], "/")
		}
	}
	return found, nil
}
