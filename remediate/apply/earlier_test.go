package apply

import (
	"path/filepath"
	"testing"
	"time"
)

func TestEarlier(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	const config, created = "/etc/docker/daemon.json", "/etc/systemd/system/docker.service.d/empty.conf"
	if none, err := Earlier(o, config); err != nil || len(none) != 0 {
		t.Errorf("before any run: %v, %v", none, err)
	}
	plan := w.plan(t)
	began := time.Now()
	run, err := Apply(t.Context(), plan, o)
	must(t, err)
	versions, err := Earlier(o, config)
	must(t, err)
	if len(versions) != 1 || string(versions[0].Data) != "{\n  \"debug\": true\n}\n" ||
		versions[0].Replaced.Before(began) {
		t.Errorf("a file that was replaced: %+v", versions)
	}
	versions, err = Earlier(o, created)
	must(t, err)
	if len(versions) != 1 || versions[0].Data != nil || !versions[0].Modified.IsZero() {
		t.Errorf("a file that was made: %+v", versions)
	}
	if none, err := Earlier(o, "/etc/docker"); err != nil || len(none) != 0 {
		t.Errorf("a directory whose mode changed: %v, %v", none, err)
	}
	_, err = Rollback(t.Context(), "", o)
	must(t, err)
	if versions, err = Earlier(o, config); err != nil || len(versions) != 1 {
		t.Errorf("once taken back: %+v, %v", versions, err)
	}
	flip(t, filepath.Join(w.state, "runs", run.ID, "before.2"), 0)
	if versions, err = Earlier(o, config); err != nil || len(versions) != 0 {
		t.Errorf("damaged since: %+v, %v", versions, err)
	}
}
