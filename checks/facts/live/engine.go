//go:build linux && !portable

package live

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"
)

// DockerOptions say which Docker Engine to ask.
type DockerOptions struct {
	Host string // of --docker-host; empty for DOCKER_HOST and its TLS variables, else the default socket
	From string // who says Host, "--docker-host" when empty
}

// How long the engine may take to be reached, and for one answer.
const (
	dialTimeout   = 5 * time.Second
	answerTimeout = 30 * time.Second
)

// Engine connects to the Docker Engine the first time it is asked, and remembers how that went: after a restart ask a
// new Source.
func (s *Source) Engine(context.Context) (facts.API, facts.Endpoint, error) {
	if err := s.running(); err != nil && s.options.Host == "" {
		return nil, facts.Endpoint{}, err
	}
	e, err := s.engine()
	if err != nil {
		return nil, e.endpoint, err
	}
	return e, e.endpoint, nil
}

// choose says where the engine is to be reached, and who says so.
func (s *Source) choose() (facts.Endpoint, error) {
	if s.options.Host != "" {
		return facts.Endpoint{Host: s.options.Host, From: cmp.Or(s.options.From, "--docker-host")}, nil
	}
	if host := os.Getenv(client.EnvOverrideHost); host != "" {
		return facts.Endpoint{Host: host, From: client.EnvOverrideHost}, nil
	}
	const standard = "/var/run/docker.sock"
	sockets := []string{standard}
	if uid := os.Getuid(); uid != 0 {
		sockets = append([]string{fmt.Sprintf("/run/user/%d/docker.sock", uid)}, sockets...)
	}
	for _, socket := range sockets {
		if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) && !s.deserted(socket) {
			return facts.Endpoint{Host: "unix://" + socket, From: docker.Default}, nil
		}
	}
	if e, ok := s.listening(); ok {
		return e, nil
	}
	if _, err := os.Stat(standard); err == nil {
		return facts.Endpoint{Host: "unix://" + standard, From: docker.Default}, nil
	}
	// What a user's own engine says is not to steer root unless root asks for it: the user may be lying.
	if others, _ := filepath.Glob("/run/user/*/docker.sock"); len(others) > 0 {
		return facts.Endpoint{}, fmt.Errorf("no engine of the system, but a user's: --docker-host unix://%s audits it",
			others[0])
	}
	return facts.Endpoint{}, fmt.Errorf("%s: %w", standard, facts.ErrAbsent)
}

// connect returns the engine with its endpoint even where there is an error to tell of it.
func (s *Source) connect() (*engine, error) {
	endpoint, err := s.choose()
	e := &engine{endpoint: endpoint}
	if err == nil {
		err = s.reach(e)
	}
	if err != nil && endpoint.Host != "" {
		err = fmt.Errorf("docker engine at %s: %w", endpoint.Host, err)
	}
	return e, err
}

func (s *Source) reach(e *engine) error {
	host, err := client.ParseHostURL(e.endpoint.Host)
	if err != nil {
		return err
	}
	options := []client.Opt{client.WithAPIVersionNegotiation()}
	if s.root != "/" { // whoever named both has said that they belong together; its processes are not looked at
		if host.Scheme != "unix" {
			return errors.New("with --root, only the socket of that host's Engine can be asked; use unix://PATH")
		}
		e.endpoint.Local = true
		return e.connect(host, options)
	}
	switch host.Scheme {
	case "unix":
		if s.asleep(host.Host + host.Path) {
			e.endpoint.Asleep = true
			return errors.New("not running: systemd holds its socket and would start it for the first question")
		}
		e.endpoint.Local, e.endpoint.PID, err = s.dialSocket(host.Host + host.Path)
	case "tcp", "http", "https":
		options = append(options, client.WithTLSClientConfigFromEnv())
		e.endpoint.PID, err = s.ours(host.Host)
		e.endpoint.Local = e.endpoint.PID != 0
	case "ssh":
		err = errors.New("engines over ssh are not supported: run harden on that machine")
	default:
		err = fmt.Errorf("scheme %q is not supported; valid: unix, tcp", host.Scheme)
	}
	if err != nil {
		return err
	}
	return e.connect(host, options)
}

// connect makes the clients. They share connections, as many as there are questions at once.
func (e *engine) connect(host *url.URL, options []client.Opt) (err error) {
	transport := &http.Transport{MaxIdleConnsPerHost: questions, IdleConnTimeout: answerTimeout, ReadBufferSize: 16 << 10}
	// The client puts tracing around the transport that it is given; one look at each of ten thousand needs none.
	e.http = &http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}
	options = append([]client.Opt{client.WithHTTPClient(&http.Client{Transport: transport,
		CheckRedirect: client.CheckRedirect})}, options...)
	e.client, err = client.NewClientWithOpts(append(options, client.WithHost(e.endpoint.Host))...)
	switch {
	case host.Scheme == "unix":
		e.base = "http://" + client.DummyHost
	case transport.TLSClientConfig != nil || host.Scheme == "https":
		e.base = "https://" + host.Host
	default:
		e.base = "http://" + host.Host
	}
	return err
}

// asleep reports whether systemd listens on a socket for a dockerd that does not run. Looking must not start one.
// Another dockerd may run meanwhile; the one that systemd has handed the socket to holds it too.
func (s *Source) asleep(socket string) bool {
	ps, err := s.trusted()
	return err == nil && s.holds(1, socket) &&
		!slices.ContainsFunc(ps, func(p facts.Process) bool { return s.holds(p.PID, socket) })
}

// holds reports whether a process listens on a socket, whatever path leads there.
func (s *Source) holds(pid int, socket string) bool {
	ls, err := s.Listeners(context.Background(), pid)
	if i, statErr := s.stat(socket); statErr == nil {
		socket = i.Path
	}
	return err == nil && slices.ContainsFunc(ls, func(l facts.Listener) bool {
		i, err := s.stat(l.Address)
		return l.Network == "unix" && (l.Address == socket || err == nil && i.Path == socket)
	})
}

// dialSocket looks whether somebody answers on a socket and whether that is a dockerd of this machine, or systemd on
// its behalf. Whoever else listens may be passing on to anywhere: ssh -L, or the other side of a container's mount,
// whose process our namespace does not have.
func (s *Source) dialSocket(path string) (local bool, pid int, err error) {
	conn, err := net.DialTimeout("unix", path, dialTimeout)
	switch {
	case errors.Is(err, fs.ErrNotExist): // somebody has named it: a mistake, and not a host without Docker
		return false, 0, errors.New("there is no such socket")
	case errors.Is(err, unix.ECONNREFUSED):
		return false, 0, fmt.Errorf("not running: %w", err)
	case err != nil:
		return false, 0, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return false, 0, err
	}
	var peer *unix.Ucred
	if ctlErr := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); ctlErr != nil || err != nil {
		return false, 0, cmp.Or(err, ctlErr)
	}
	if peer.Pid == 1 {
		return true, 1, nil
	}
	// the name that the kernel keeps is the program's own to choose
	ps, err := s.Processes(context.Background(), "dockerd")
	local = slices.ContainsFunc(ps, func(p facts.Process) bool { return p.PID == int(peer.Pid) && !p.Contained })
	return local, int(peer.Pid), err
}

// ours returns the dockerd that listens at a TCP address, where that is one of this machine's own, else 0.
func (s *Source) ours(address string) (int, error) {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return 0, err
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return 0, err
	}
	mine := func(ip netip.Addr) bool {
		return ip.IsLoopback() || slices.ContainsFunc(own, func(a net.Addr) bool {
			n, ok := a.(*net.IPNet)
			return ok && n.IP.Equal(ip.AsSlice())
		})
	}
	if !slices.ContainsFunc(ips, mine) {
		return 0, nil
	}
	ps, err := s.Processes(ctx, "dockerd")
	ps = slices.DeleteFunc(ps, func(p facts.Process) bool { return p.Contained })
	if err != nil {
		return 0, err
	}
	for _, p := range ps {
		ls, err := s.Listeners(ctx, p.PID)
		if err != nil && !gone(err) {
			return 0, err
		}
		for _, l := range ls {
			if l.Network != "unix" && strings.HasSuffix(l.Address, ":"+port) {
				return p.PID, nil
			}
		}
	}
	return 0, nil // some tunnel
}

// An engine asks one Docker Engine.
type engine struct {
	client    *client.Client
	http      *http.Client
	base      string // "http://api.moby.localhost": what paths are put behind
	endpoint  facts.Endpoint
	negotiate sync.Once
	patience  time.Duration // for one answer; answerTimeout when zero
	hung      atomic.Bool   // it has left a question without an answer: no more are asked
}

// call makes one request, within answerTimeout, and names the engine in its error. An engine that hangs is waited for
// once, and not once for each of its containers.
func call[T any](ctx context.Context, e *engine, f func(context.Context) (T, error)) (v T, err error) {
	if e.hung.Load() {
		return v, fmt.Errorf("docker engine at %s: not asked again: an earlier request got %w", e.endpoint.Host,
			facts.ErrSilent)
	}
	patience := cmp.Or(e.patience, answerTimeout)
	timeout := fmt.Errorf("%w within %s", facts.ErrSilent, patience)
	ctx, cancel := context.WithTimeoutCause(ctx, patience, timeout)
	defer cancel()
	v, err = f(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
			if cause == timeout {
				e.hung.Store(true)
			}
		}
		err = fmt.Errorf("docker engine at %s: %w", e.endpoint.Host, err)
	}
	return v, err
}

// Info asks the engine about itself.
func (e *engine) Info(ctx context.Context) (system.Info, error) { return call(ctx, e, e.client.Info) }

// Network asks about one network.
func (e *engine) Network(ctx context.Context, name string) (network.Inspect, error) {
	return call(ctx, e, func(ctx context.Context) (network.Inspect, error) {
		n, err := e.client.NetworkInspect(ctx, name, network.InspectOptions{})
		if errdefs.IsNotFound(err) {
			err = fmt.Errorf("network %s: %w", name, facts.ErrAbsent)
		}
		return n, err
	})
}

// Get hands read the answer to GET path. The client's own calls decode far more of an object than is kept.
func (e *engine) Get(ctx context.Context, path string, read func(io.Reader) error) error {
	_, err := call(ctx, e, func(ctx context.Context) (struct{}, error) {
		e.negotiate.Do(func() { e.client.NegotiateAPIVersion(ctx) })
		return struct{}{}, e.get(ctx, "/v"+e.client.ClientVersion()+path, read)
	})
	return err
}

func (e *engine) get(ctx context.Context, path string, read func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.base+path, nil)
	if err != nil {
		return err
	}
	answer, err := e.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		if err := read(answer.Body); err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<10)) // to its end, so that the connection serves again
		return err
	}
	var said struct{ Message string }
	if json.NewDecoder(io.LimitReader(answer.Body, 1<<16)).Decode(&said) != nil || said.Message == "" {
		said.Message = answer.Status
	}
	if answer.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: %s", facts.ErrAbsent, said.Message)
	}
	return errors.New(said.Message)
}
