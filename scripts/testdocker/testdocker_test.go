package testdocker_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"

	"example.com/harden/scripts/testdocker"
)

func TestEngineIsRealAndPrivate(t *testing.T) {
	ctx := context.Background()
	var first int
	var dir string
	t.Run("engine", func(t *testing.T) {
		d := testdocker.Start(t)
		first, dir = d.PID, d.DataRoot
		info, err := d.Client.Info(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if info.DockerRootDir != d.DataRoot {
			t.Errorf("data root %s, want %s", info.DockerRootDir, d.DataRoot)
		}
		id := d.Run("sleeps", nil)
		if err := os.WriteFile(d.ConfigFile, []byte(`{"live-restore": true}`), 0o644); err != nil {
			t.Fatal(err)
		}
		d.Restart("--label=again=1")
		if d.PID == first {
			t.Error("the same process after a restart")
		}
		if info, err = d.Client.Info(ctx); err != nil || !info.LiveRestoreEnabled || len(info.Labels) != 1 {
			t.Errorf("live-restore %v, labels %v, error %v after a restart with both", info.LiveRestoreEnabled, info.Labels, err)
		}
		if c, err := d.Client.ContainerInspect(ctx, id); err != nil || c.State.Running {
			t.Errorf("without live-restore in memory, a restart ends containers: %v", err)
		}
		pid, err := os.ReadFile(d.PIDFile)
		if err != nil || strings.TrimSpace(string(pid)) != strconv.Itoa(d.PID) {
			t.Errorf("pid file holds %q, error %v, want %d", pid, err, d.PID)
		}
	})
	if dir == "" {
		t.Skip("the engine could not run here") // as its own test says
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}
