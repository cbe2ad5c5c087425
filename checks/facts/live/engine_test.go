//go:build linux && !portable

package live_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/live"
	"example.com/harden/scripts/testdocker"
	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"
)

// at is this machine with the engine at a host.
func at(host string) *live.Source { return live.New("/", live.DockerOptions{Host: host}) }

func TestEngine(t *testing.T) {
	port := freePort(t)
	d := testdocker.Start(t, "-H", "tcp://127.0.0.1:"+port)
	running := d.Run("running", nil)
	created := d.Create("created", func(_ *container.Config, h *container.HostConfig) { h.Privileged = true })

	t.Run("by its socket", func(t *testing.T) { testEngine(t, d, d.Host, []string{running, created}) })
	t.Run("by its port", func(t *testing.T) { testEngine(t, d, "tcp://127.0.0.1:"+port, []string{running, created}) })
	t.Run("through a tunnel", func(t *testing.T) { testTunnel(t, d) })
	t.Run("while a container goes away", func(t *testing.T) { testVanishing(t, d, running) })
	t.Run("as the host's daemon", func(t *testing.T) { testDaemon(t, d) })
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	return port
}

func engineAt(t *testing.T, host string) (docker.Engine, facts.Endpoint, error) {
	api, endpoint, err := at(host).Engine(t.Context())
	engine, _ := api.(docker.Engine)
	return engine, endpoint, err
}

func testEngine(t *testing.T, d *testdocker.Daemon, host string, ids []string) {
	engine, endpoint, err := engineAt(t, host)
	must(t, err)
	if want := (facts.Endpoint{Host: host, From: "--docker-host", Local: true, PID: d.PID}); endpoint != want {
		t.Errorf("reached at %+v, want %+v", endpoint, want)
	}
	info, err := engine.Info(t.Context())
	if err != nil || info.DockerRootDir != d.DataRoot {
		t.Errorf("data root is %s, %v; want %s", info.DockerRootDir, err, d.DataRoot)
	}
	cs, err := engine.Containers(t.Context())
	must(t, err)
	var got []string
	for _, c := range cs {
		got = append(got, c.ID)
		if privileged := c.Name == "/created"; c.HostConfig.Privileged != privileged {
			t.Errorf("%s is privileged: %v", c.Name, c.HostConfig.Privileged)
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(ids)), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if n, err := engine.Network(t.Context(), "none"); err != nil || n.Driver != "null" {
		t.Errorf("network none is %+v, %v", n, err)
	}
	if n, err := engine.Network(t.Context(), "gone"); !errors.Is(err, facts.ErrAbsent) {
		t.Errorf("a network that is not there is %+v, %v", n, err)
	}
}

// testTunnel reaches the engine through another process's socket and port, as ssh -L has it: who knows where it is.
func testTunnel(t *testing.T, d *testdocker.Daemon) {
	socket, err := net.Listen("unix", filepath.Join(filepath.Dir(d.Socket), "tunnel"))
	must(t, err)
	port, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	for _, l := range []net.Listener{socket, port} {
		defer l.Close()
		go func() {
			for {
				client, err := l.Accept()
				if err != nil {
					return
				}
				server, err := net.Dial("unix", d.Socket)
				if err != nil {
					client.Close()
					return
				}
				go func() { io.Copy(server, client); server.Close() }()
				go func() { io.Copy(client, server); client.Close() }()
			}
		}()
	}
	for _, host := range []string{"unix://" + socket.Addr().String(), "tcp://" + port.Addr().String()} {
		h := facts.New(t.Context(), at(host), facts.Choices{})
		engine, err := docker.EngineSays(h)
		must(t, err)
		if engine.Local || engine.DockerRootDir != d.DataRoot {
			t.Errorf("%s: local %v, data root %s", host, engine.Local, engine.DockerRootDir)
		}
		if _, err := docker.DaemonOf(h); !errors.Is(err, facts.ErrElsewhere) {
			t.Errorf("%s: the daemon is %v", host, err)
		}
	}
}

// testVanishing removes a container between the engine's list and the look at it.
func testVanishing(t *testing.T, d *testdocker.Daemon, stays string) {
	goes := d.Create("goes", nil)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine" },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", d.Socket)
		}},
		ModifyResponse: func(r *http.Response) error {
			if !strings.HasSuffix(r.Request.URL.Path, "/containers/json") {
				return nil
			}
			body, err := io.ReadAll(r.Body) // the whole list, before anything goes
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			return errors.Join(err, d.Client.ContainerRemove(r.Request.Context(), goes, container.RemoveOptions{Force: true}))
		},
	}
	l, err := net.Listen("unix", filepath.Join(filepath.Dir(d.Socket), "proxy"))
	must(t, err)
	server := &http.Server{Handler: proxy}
	go server.Serve(l)
	defer server.Close()
	engine, _, err := engineAt(t, "unix://"+l.Addr().String())
	must(t, err)
	cs, err := engine.Containers(t.Context())
	must(t, err)
	has := func(id string) bool {
		return slices.ContainsFunc(cs, func(c docker.Container) bool { return c.ID == id })
	}
	if has(goes) || !has(stays) {
		t.Errorf("%d containers, the removed one %v, the other %v", len(cs), has(goes), has(stays))
	}
}

// testDaemon finds the test's own dockerd among whatever else runs here, and follows it through a change.
func testDaemon(t *testing.T, d *testdocker.Daemon) {
	daemon := func() *docker.Daemon {
		t.Helper()
		got, err := docker.DaemonOf(facts.New(t.Context(), at(d.Host), facts.Choices{}))
		must(t, err)
		must(t, got.KeysErr)
		if got.Process.PID != d.PID || got.File != d.ConfigFile || !got.Explicit || got.DataRoot != d.DataRoot ||
			got.Unit != "" || got.Flavour != "package" {
			t.Errorf("found %+v", got)
		}
		return got
	}
	first := daemon()
	if first.Stale || len(first.Keys.Order) != 0 {
		t.Errorf("just started: stale %v, keys %v", first.Stale, first.Keys)
	}
	if v, _ := first.Running.Last("iptables"); v != "false" {
		t.Errorf("iptables runs as %q", v)
	}
	must(t, os.WriteFile(d.ConfigFile, []byte(`{"no-new-privileges": true}`), 0o644))
	if second := daemon(); !second.Stale || string(second.Option("no-new-privileges").File) != "true" {
		t.Errorf("rewritten: stale %v, keys %v", second.Stale, second.Keys)
	}
	d.Restart("--live-restore")
	if third := daemon(); third.Stale || third.Option("live-restore").Running == nil ||
		third.Option("live-restore").Next == nil {
		t.Errorf("restarted: stale %v, live-restore %+v", third.Stale, third.Option("live-restore"))
	}
	ls, err := machine.Listeners(t.Context(), d.PID)
	must(t, err)
	if want := (facts.Listener{Network: "unix", Address: d.Socket}); !slices.Contains(ls, want) {
		t.Errorf("it listens on %v, not on %v", ls, want)
	}
}

func TestEngineThatDoesNotAnswer(t *testing.T) {
	dir, err := os.MkdirTemp("", "en")
	must(t, err)
	defer os.RemoveAll(dir)
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "dead"), Net: "unix"})
	must(t, err)
	dead.SetUnlinkOnClose(false) // as a killed daemon leaves it
	must(t, dead.Close())
	for host, want := range map[string]string{
		"unix://" + dir + "/dead": "not running",
		"unix://" + dir + "/gone": "no such socket",
		"ssh://root@192.0.2.1":    "run harden on that machine",
		"npipe:////./pipe/docker": `scheme "npipe" is not supported`,
		"nonsense":                "unable to parse docker host",
		"tcp://127.0.0.1":         "missing port",
	} {
		_, endpoint, err := at(host).Engine(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), host) ||
			errors.Is(err, facts.ErrAbsent) || endpoint.Host != host {
			t.Errorf("%s gives %v of %v, want %q", host, err, endpoint, want)
		}
	}
}

// An engine that accepts and then says nothing holds nobody up who has given up.
func TestEngineThatHangs(t *testing.T) {
	dir, err := os.MkdirTemp("", "en")
	must(t, err)
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "mute"))
	must(t, err)
	defer l.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				if n, _ := conn.Read(make([]byte, 1)); n > 0 { // a question, and not only the first look
					cancel(enough)
				}
			}()
		}
	}()
	engine, _, err := engineAt(t, "unix://"+l.Addr().String())
	must(t, err)
	if _, err := engine.Containers(ctx); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func TestEngineOfEnvironment(t *testing.T) {
	t.Setenv("DOCKER_HOST", "ssh://root@192.0.2.1")
	if _, endpoint, err := at("").Engine(t.Context()); err == nil || endpoint.From != "DOCKER_HOST" {
		t.Errorf("chosen by %q, %v", endpoint.From, err)
	}
	if _, endpoint, _ := at("ssh://root@192.0.2.2").Engine(t.Context()); endpoint.From != "--docker-host" ||
		endpoint.Host != "ssh://root@192.0.2.2" {
		t.Errorf("a flag against a variable: %+v", endpoint)
	}
}

func TestEngineForbidden(t *testing.T) {
	dir := os.Getenv("HARDEN_TEST_AS_NOBODY")
	if dir == "" {
		var err error
		dir, err = os.MkdirTemp("", "en")
		must(t, err)
		defer os.RemoveAll(dir)
		must(t, os.Chmod(dir, 0o755))
		l, err := net.Listen("unix", filepath.Join(dir, "closed"))
		must(t, err)
		defer l.Close()
		must(t, os.Chmod(filepath.Join(dir, "closed"), 0o660))
	}
	if !asNobody(t, dir) {
		return
	}
	if _, _, err := at("unix://" + dir + "/closed").Engine(t.Context()); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}
