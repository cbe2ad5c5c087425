//go:build linux && !portable

package live

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
)

// A crowd is an engine with many containers, which notes how it is asked.
type crowd struct {
	count  int
	answer func(w http.ResponseWriter, r *http.Request, nth int) bool // false where the crowd is to answer as it does

	mu          sync.Mutex
	asked, most int
	at          int
}

func (c *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Api-Version", "1.41")
	switch {
	case r.URL.Path == "/_ping":
	case strings.HasSuffix(r.URL.Path, "/containers/json"):
		fmt.Fprint(w, "[")
		for i := range c.count {
			fmt.Fprintf(w, `%s{"Id":"%04d","Names":["/x"],"Labels":{"Id":"other"}}`, strings.Repeat(",", min(i, 1)), c.count-i)
		}
		fmt.Fprint(w, "]")
	default:
		c.mu.Lock()
		c.asked++
		c.at++
		nth := c.asked
		c.most = max(c.most, c.at)
		c.mu.Unlock()
		defer func() { c.mu.Lock(); c.at--; c.mu.Unlock() }()
		if c.answer != nil && c.answer(w, r, nth) {
			return
		}
		id := strings.Split(r.URL.Path, "/")[3]
		fmt.Fprintf(w, `{"Id":%q,"Name":"/c%s","HostConfig":{"PidsLimit":null,"Memory":5}}`, id, id)
	}
}

// reach serves the crowd and connects to it.
func (c *crowd) reach(t *testing.T) *engine {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: c}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	e, err := New("/", DockerOptions{Host: "unix://" + l.Addr().String()}).connect()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestCrowd(t *testing.T) {
	c := &crowd{count: 2000}
	all, err := c.reach(t).Containers(t.Context())
	if err != nil || len(all) != c.count || c.asked != c.count {
		t.Fatalf("%d containers by %d questions, %v; want %d", len(all), c.asked, err, c.count)
	}
	if c.most > questions {
		t.Errorf("%d questions at once, and %d were to be the most", c.most, questions)
	}
	if !slices.IsSortedFunc(all, func(a, b docker.Container) int { return strings.Compare(a.ID, b.ID) }) ||
		all[0].ID != "0001" || all[0].HostConfig.Memory != 5 {
		t.Errorf("not by ID: %+v", all[0])
	}
}

// TestCrowdThins: what goes between the list and the look is left out; what cannot be looked at is told, with the rest.
func TestCrowdThins(t *testing.T) {
	c := &crowd{count: 50, answer: func(w http.ResponseWriter, r *http.Request, _ int) bool {
		switch {
		case strings.Contains(r.URL.Path, "/0007/"):
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"message":"No such container: 0007"}`)
		case strings.Contains(r.URL.Path, "/0008/"):
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, `{"message":"layer does not exist"}`)
		case strings.Contains(r.URL.Path, "/0009/"):
			fmt.Fprint(w, `{"Id":`)
		default:
			return false
		}
		return true
	}}
	all, err := c.reach(t).Containers(t.Context())
	if len(all) != 47 || err == nil || !strings.Contains(err.Error(), "2 of 50 could not be read") {
		t.Errorf("%d containers, %v", len(all), err)
	}
}

// TestCrowdFallsSilent: an engine that hangs is waited for once, and what it has told by then is kept.
func TestCrowdFallsSilent(t *testing.T) {
	done := make(chan struct{})
	defer close(done)
	c := &crowd{count: 5000, answer: func(_ http.ResponseWriter, r *http.Request, nth int) bool {
		if nth > 100 {
			select {
			case <-done:
			case <-r.Context().Done():
			}
		}
		return nth > 100
	}}
	e := c.reach(t)
	e.patience = 500 * time.Millisecond
	all, err := e.Containers(t.Context())
	if len(all) < 100-questions || len(all) > 100 || err == nil ||
		!strings.Contains(err.Error(), "could not be read") || !errors.Is(err, facts.ErrSilent) {
		t.Errorf("%d containers, %v", len(all), err)
	}
	c.mu.Lock()
	asked := c.asked
	c.mu.Unlock()
	if asked > 100+questions {
		t.Errorf("%d questions, though it had fallen silent after 100", asked)
	}
	_, err = e.Images(t.Context())
	if !errors.Is(err, facts.ErrSilent) || !strings.Contains(err.Error(), "not asked again") {
		t.Errorf("the next question: %v", err)
	}
}
