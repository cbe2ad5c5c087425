package activate

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Waits are how long a roll-out takes its time. The zero value stands for what each comment says.
type Waits struct {
	Appear time.Duration // until a process with the new arguments is there: 3 minutes, for the old one may end slowly
	// until it answers the kubelet's probes: 5 minutes, or what the startup probe gives it if that is more
	Ready  time.Duration
	Stable time.Duration // for which it must then go on doing so: 1 minute
	Settle time.Duration // after which a process from before, with the right arguments, is believed to stay: 1 minute
	Poll   time.Duration // between two looks: 1 second
}

func (w Waits) defaults() Waits {
	w.Appear = cmp.Or(w.Appear, 3*time.Minute)
	w.Ready = cmp.Or(w.Ready, 5*time.Minute)
	w.Stable = cmp.Or(w.Stable, time.Minute)
	w.Settle = cmp.Or(w.Settle, time.Minute)
	w.Poll = cmp.Or(w.Poll, time.Second)
	return w
}

// readyRollOut asks whether a static pod is well, by itself and as the kubelet sees it, before its manifest is
// touched: a node that is ill already is not experimented with.
func (s *Services) readyRollOut(ctx context.Context, path string) error {
	m, err := readManifest(path)
	if err != nil {
		return err
	}
	if err := m.alone(); err != nil {
		return err
	}
	if err := s.kubeletHealthy(ctx); err != nil {
		return fmt.Errorf("the kubelet is not healthy, so it would not load the manifest: %w", err)
	}
	for _, c := range m.Spec.Containers {
		running, err := c.runs()
		if err != nil {
			return err
		}
		if len(running) == 0 {
			return fmt.Errorf("%s does not run with the arguments of its manifest; it must be healthy before it is "+
				"changed", c.Name)
		}
		for _, q := range m.questions(c) {
			if err := q.ask(ctx); err != nil {
				return fmt.Errorf("%s is not healthy; it must be healthy before it is changed: %w", c.Name, err)
			}
		}
		if c.Name == "etcd" {
			if err := etcdReady(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// rollOut waits until the kubelet has started what a manifest says, and it is known to be well: a new process with
// these arguments, which answers the kubelet's own probes, and goes on doing so. It does not need the API.
func (s *Services) rollOut(ctx context.Context, path string) error {
	m, err := readManifest(path)
	if err != nil {
		return err
	}
	for _, c := range m.Spec.Containers {
		r := &roll{Services: s, manifest: m, container: c, waits: s.opts.RollOut.defaults(), began: time.Now()}
		if s.opts.RollOut.Ready == 0 {
			r.waits.Ready = max(r.waits.Ready, c.patience())
		}
		if err := r.appear(ctx); err != nil {
			return err
		}
		if err := r.ready(ctx); err != nil {
			return err
		}
		if err := r.stable(ctx); err != nil {
			return err
		}
	}
	return nil
}

// A roll is the roll-out of one container.
type roll struct {
	*Services
	manifest  *manifest
	container podContainer
	waits     Waits
	began     time.Time

	now  process   // what runs
	ends []process // what ran since the manifest was written, and has ended
}

// look finds the container's process. Fresh tells that it was started since the manifest was written.
func (r *roll) look() (fresh bool, err error) {
	running, err := r.container.runs()
	if err != nil {
		return false, err
	}
	if r.now.PID != 0 && !slices.Contains(running, r.now) && !slices.Contains(r.ends, r.now) && r.fresh(r.now) {
		r.ends = append(r.ends, r.now)
	}
	r.now = process{}
	for _, p := range running {
		if r.now.PID == 0 || p.Start > r.now.Start {
			r.now = p
		}
	}
	if len(r.ends) > 1 { // one may be for something that was not there yet
		return false, fmt.Errorf("%s does not stay up with its new arguments: it has ended %d times%s", r.container.Name,
			len(r.ends), r.logs())
	}
	return r.fresh(r.now), nil
}

func (r *roll) fresh(p process) bool {
	if p.PID == 0 {
		return false
	}
	began, err := p.began()
	return err == nil && began.After(r.manifest.written.Add(-50*time.Millisecond)) // the kernel counts in ticks
}

// logs says what the container said last. That is told now: the kubelet removes the log together with the pod, as soon
// as the manifest is put back.
func (r *roll) logs() string {
	namespace := cmp.Or(r.manifest.Metadata.Namespace, "default")
	path, words := lastWords(filepath.Join(podLogs, namespace+"_"+r.manifest.Metadata.Name+"-*", r.container.Name,
		"*.log"))
	if words == "" {
		return ""
	}
	return fmt.Sprintf("; the last in %s is %q", path, words)
}

func (r *roll) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(r.waits.Poll):
		return nil
	}
}

// appear waits for the process. One from before the manifest was written is taken when it stays: the manifest may be
// back to what it was before the kubelet has seen the other.
func (r *roll) appear(ctx context.Context) error {
	r.opts.Progress(fmt.Sprintf("waiting until the kubelet has started %s", r.container.Name))
	for {
		fresh, err := r.look()
		since := time.Since(r.began)
		switch {
		case err != nil:
			return err
		case fresh, r.now.PID != 0 && since > r.waits.Settle:
			return nil
		case since > r.waits.Appear:
			return fmt.Errorf("the kubelet has not started %s with its new arguments within %v%s", r.container.Name,
				r.waits.Appear, r.logs())
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
}

// ready waits until the probes are answered, three times in a row.
func (r *roll) ready(ctx context.Context) error {
	r.opts.Progress(fmt.Sprintf("waiting until %s is ready", r.container.Name))
	began := time.Now()
	refused := 0
	for good := 0; good < 3; {
		if _, err := r.look(); err != nil {
			return err
		}
		err := r.ask(ctx)
		var refusal refusedError
		switch {
		case err == nil:
			good++
			refused = 0
		case errors.As(err, &refusal):
			good = 0
			if refused++; refused == 5 {
				return fmt.Errorf("%s refuses the kubelet's own probe, so the kubelet would restart it in a loop: %w",
					r.container.Name, err)
			}
		default:
			good, refused = 0, 0
		}
		if time.Since(began) > r.waits.Ready {
			return fmt.Errorf("%s is not ready within %v: %w%s", r.container.Name, r.waits.Ready, err, r.logs())
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stable watches the process for a while.
func (r *roll) stable(ctx context.Context) error {
	is := r.now
	r.opts.Progress(fmt.Sprintf("watching %s (PID %d) for %v", r.container.Name, is.PID, r.waits.Stable))
	bad := 0
	for began := time.Now(); time.Since(began) < r.waits.Stable; {
		if _, err := r.look(); err != nil {
			return err
		}
		if r.now != is {
			return fmt.Errorf("%s (PID %d) did not stay up for %v%s", r.container.Name, is.PID, r.waits.Stable, r.logs())
		}
		err := r.ask(ctx)
		if bad++; err == nil {
			bad = 0
		}
		if bad == 3 {
			return fmt.Errorf("%s is no longer ready: %w", r.container.Name, err)
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ask puts all the kubelet's questions.
func (r *roll) ask(ctx context.Context) error {
	if r.now.PID == 0 {
		return errors.New("it does not run")
	}
	for _, q := range r.manifest.questions(r.container) {
		if err := q.ask(ctx); err != nil {
			return err
		}
	}
	return nil
}

// A refusedError is an answer that says who may not ask.
type refusedError struct{ url, status string }

func (e refusedError) Error() string { return e.url + " answers " + e.status }

// prober asks as the kubelet does: without credentials, and without asking whose certificate it is. It is not sent
// anything.
var prober = &http.Client{
	Timeout:       10 * time.Second,
	Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (q question) ask(ctx context.Context) error {
	_, err := q.get(ctx)
	return err
}

func (q question) get(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.url, nil)
	if err != nil {
		return "", err
	}
	for _, h := range q.headers {
		req.Header.Set(h[0], h[1])
	}
	resp, err := prober.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	switch {
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		return "", refusedError{q.url, resp.Status}
	case resp.StatusCode < 200 || resp.StatusCode >= 400:
		return "", fmt.Errorf("%s answers %s", q.url, resp.Status)
	}
	return string(body), err
}

// etcdReady asks an etcd, by its metrics, whether the cluster outlives that one member restarts. A member that is alone
// takes the API with it for as long as it does, which the change's class says.
func etcdReady(ctx context.Context, c podContainer) error {
	at := ""
	for _, word := range c.argv() {
		if v, ok := strings.CutPrefix(word, "--listen-metrics-urls="); ok {
			at, _, _ = strings.Cut(v, ",")
		}
	}
	if !strings.HasPrefix(at, "http://") {
		return errors.New("etcd's metrics are not available, so the number of members is unknown; change it yourself")
	}
	text, err := question{url: at + "/metrics"}.get(ctx)
	if err != nil {
		return fmt.Errorf("etcd's metrics: %w", err)
	}
	leader, peers := false, 0
	for line := range strings.Lines(text) {
		name, value := strings.TrimSpace(line), ""
		if i := strings.LastIndexByte(name, ' '); i >= 0 {
			name, value = name[:i], name[i+1:]
		}
		switch {
		case name == "etcd_server_has_leader":
			leader = value == "1"
		case strings.HasPrefix(name, "etcd_network_active_peers{") && value != "0":
			peers++
		}
	}
	switch {
	case !leader:
		return errors.New("etcd has no leader; it must be healthy before it is changed")
	case peers == 1:
		return errors.New("etcd has two healthy members: it stops if one fails; a third member must be healthy first")
	}
	return nil
}
