// Package activate makes running programs take up what has been written, and tells whether they are healthy
// afterwards. It knows these ways: audit rules into the kernel, a reload of dockerd in place, its restart by
// systemd or OpenRC, the kubelet's by systemd, the roll-out of a static pod by the kubelet, and harden's own timers.
// Where none of them fits, an activation stays pending: harden never starts dockerd by itself, because nobody would
// start it again after the next crash or boot.
package activate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"github.com/docker/docker/client"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/remediate"
)

// Options say what is to be activated and how it is reached. The zero Options are right for a usual Docker host.
type Options struct {
	DockerHost string // where the Engine API answers; "" is the socket that dockerd makes by default
	Unit       string // the service of dockerd where an activation names none; "" is docker.service
	// Alone tells that no service starts the dockerd behind DockerHost, whatever Unit is.
	Alone bool
	// PID returns the dockerd behind DockerHost. Nil asks systemd for the unit's main process, and else the kernel
	// for who made the socket.
	PID func(context.Context) (int, error)
	// Audit returns the state of the kernel's audit system. Nil does without: rules that are locked are then met
	// while loading, and not before.
	Audit func(context.Context) (facts.AuditState, error)
	// Watch is for how long Healthy looks on before it believes: 20 seconds when zero.
	Watch      time.Duration
	RollOut    Waits  // for static pods
	Kubeconfig string // of an administrator, for what the cluster is to keep; "" where there is none
	// KubeletHealth is the URL at which the kubelet answers for its health. Empty asks the kubelet's own configuration.
	KubeletHealth string
	// RestartTimeout is how long a service may take to stop, start and answer. Zero goes by the service's own unit.
	RestartTimeout time.Duration
	Progress       func(string) // told in words what is waited for, and what was noticed; may be nil

	bus    func(context.Context) (*dbus.Conn, error) // what tests replace; nil is this machine's systemd
	openrc []string                                  // OpenRC's own program to control services; what tests replace
	initd  string                                    // where its scripts are
	// event is within which a reload must be announced: 20 seconds. Most take an instant; but a daemon that is to end
	// over an authorization plugin first looks for it for 16 seconds, and then it is better to know how that ends.
	event time.Duration
}

// Services activates on this machine. It remembers what it has done, so one run uses one Services.
type Services struct {
	opts Options

	mu        sync.Mutex
	asked     bool // the daemon was reloaded or restarted
	restarts  int
	first     time.Time         // when the first of these restarts began
	spared    bool              // live-restore was in force at each of these restarts, before and after
	survivors bool              // containers went on as the last daemon stopped
	recreated map[string]bool   // services of Compose projects that were made again, as "project/service"
	putback   map[string]string // such services of which Compose has failed and all is as it was: what that was
}

// New returns the services of this machine.
func New(opts Options) *Services {
	opts.DockerHost = cmp.Or(opts.DockerHost, client.DefaultDockerHost)
	opts.Unit = cmp.Or(opts.Unit, "docker.service")
	opts.Watch = cmp.Or(opts.Watch, 20*time.Second)
	opts.event = cmp.Or(opts.event, 20*time.Second)
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	if opts.bus == nil {
		opts.bus = connect
	}
	opts.initd = cmp.Or(opts.initd, "/etc/init.d")
	if opts.openrc == nil {
		opts.openrc = []string{"/sbin/rc-service", "/usr/sbin/rc-service"}
	}
	return &Services{opts: opts, spared: true, recreated: map[string]bool{}, putback: map[string]string{}}
}

// Ready returns nil when the activation can be done here, and else why it has to stay pending. It changes nothing.
func (s *Services) Ready(ctx context.Context, a remediate.Activation) error {
	switch a.Kind {
	case remediate.LoadAudit:
		return s.readyAudit(ctx)
	case remediate.ReloadManager, remediate.SetTimer:
		return s.withBus(ctx, func(*dbus.Conn) error { return nil })
	case remediate.Reload:
		if err := s.local(); err != nil {
			return err
		}
		_, err := s.daemon(ctx, a.Unit)
		return err
	case remediate.Restart:
		if remediate.Kubelet(a.Unit) {
			return s.readyKubelet(ctx, a.Unit)
		}
		if unit := cmp.Or(a.Unit, s.opts.Unit); docker.OpenRC(unit) {
			return s.readyOpenRC(ctx, unit)
		}
		return s.readyRestart(ctx, cmp.Or(a.Unit, s.opts.Unit))
	case remediate.RollOut:
		return s.readyRollOut(ctx, a.Unit)
	case remediate.RecordInCluster:
		return s.readyRecord(ctx, a.Record)
	case remediate.ComposeUp:
		return s.readyCompose(ctx, a)
	}
	return fmt.Errorf("%q is not a kind of activation", a.Kind)
}

// Activate does the activation and returns when the program has answered to it: the kernel has taken the rules,
// dockerd has announced the reload, the restarted dockerd is a new process and its API answers.
func (s *Services) Activate(ctx context.Context, a remediate.Activation) error {
	unit := cmp.Or(a.Unit, s.opts.Unit)
	switch a.Kind {
	case remediate.LoadAudit:
		return loadAudit(ctx)
	case remediate.ReloadManager:
		return s.withBus(ctx, func(c *dbus.Conn) error { return c.ReloadContext(ctx) })
	case remediate.SetTimer:
		return s.setTimer(ctx, a.Unit)
	case remediate.Reload:
		return s.reload(ctx, unit)
	case remediate.Restart:
		if remediate.Kubelet(unit) {
			return s.restartKubelet(ctx, unit)
		}
		if docker.OpenRC(unit) {
			return s.restartOpenRC(ctx, unit)
		}
		return s.restart(ctx, unit)
	case remediate.RollOut:
		return s.rollOut(ctx, a.Unit)
	case remediate.RecordInCluster:
		return s.record(ctx, a.Record)
	case remediate.ComposeUp:
		return s.composeUp(ctx, a)
	}
	return fmt.Errorf("%q is not a kind of activation", a.Kind)
}

// local refuses an Engine whose process cannot be known to be on this machine: it is signalled by its number here.
func (s *Services) local() error {
	if !strings.HasPrefix(s.opts.DockerHost, "unix://") {
		return fmt.Errorf("the Docker Engine at %s may be on another machine", s.opts.DockerHost)
	}
	return nil
}

// engine returns a client of the Engine API. Nothing of the environment counts but what DockerHost was made from.
func (s *Services) engine() (*client.Client, error) {
	return client.NewClientWithOpts(client.WithHost(s.opts.DockerHost), client.WithAPIVersionNegotiation())
}

// errAsleep means that there is no dockerd.
var errAsleep = errors.New("no dockerd runs")
