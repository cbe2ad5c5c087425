package apply

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A disk is a machine's two file systems, so that nothing orders the journal against the files but flushes.
type disk struct {
	dir string
	world
}

func (d disk) images() [2]string {
	return [2]string{filepath.Join(d.dir, "host.img"), filepath.Join(d.dir, "state.img")}
}

func (d disk) mounts() [2]string { return [2]string{d.root, filepath.Dir(d.state)} }

// newDisk makes the file systems, with the host furnished and everything on the disk.
func newDisk(t *testing.T) disk {
	t.Helper()
	dir := t.TempDir()
	d := disk{dir, world{filepath.Join(dir, "host"), filepath.Join(dir, "var", "state")}}
	for i, image := range d.images() {
		ext4(t, image, d.mounts()[i])
	}
	t.Cleanup(func() { d.unmount(t) })
	d.furnish(t)
	command(t, "sync", "-f", d.root)
	command(t, "sync", "-f", filepath.Dir(d.state))
	return d
}

func (d disk) unmount(t *testing.T) {
	t.Helper()
	for _, at := range d.mounts() {
		command(t, "umount", at)
	}
}

// keep copies what is on the disk at this moment, and swap puts copies in the disk's place: what was in memory only
// is lost, as when the power goes.
func (d disk) keep(t *testing.T, name string) {
	t.Helper()
	for _, image := range d.images() {
		command(t, "cp", "--sparse=always", image, image+name)
	}
}

func (d disk) swap(t *testing.T, name string) {
	t.Helper()
	d.unmount(t)
	for i, image := range d.images() {
		command(t, "cp", "--sparse=always", image+name, image)
		mount(t, image, d.mounts()[i])
	}
}

// A cut is one way of losing power: at p while s.does, where p.call is empty when it had ended well.
func (s sweep) cut(t *testing.T, d disk, p point, old, new map[string]string) string {
	t.Helper()
	d.swap(t, ".start")
	c := helper(d.world, s.does, s.env...)
	done := true
	if p.call == "" {
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", s.does, err, out)
		}
	} else {
		done = !killed(t, c, p)
	}
	d.keep(t, ".cut")
	d.swap(t, ".cut")
	return s.afterwards(t, d.world, old, new, done)
}

// start brings the disk to where the sweep starts from, keeps that, and tells what old and new look like.
func (s sweep) start(t *testing.T, d disk) (old, new map[string]string) {
	t.Helper()
	old = d.look(t)
	d.keep(t, ".start")
	_, err := Apply(t.Context(), d.plan(t), d.options())
	must(t, err)
	new = d.look(t)
	if s.first == "apply" {
		command(t, "sync", "-f", d.root)
		command(t, "sync", "-f", filepath.Dir(d.state))
		d.keep(t, ".start")
	}
	return old, new
}

func TestTorturePowerLoss(t *testing.T) {
	for _, tool := range []string{"strace", "mkfs.ext4"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs " + tool)
		}
	}
	if !inside(t) {
		return
	}
	for _, s := range []sweep{
		{"", "apply", "rollback", nil, 5},
		{"", "apply", "resume", nil, 5},
		{"apply", "rollback", "rollback", nil, 3},
		{"apply", "rollback", "resume", nil, 3},
	} {
		d := newDisk(t)
		old, new := s.start(t, d)
		d.swap(t, ".start")
		ps := append(sample(writes(points(t, d.world, s.does, s.env...)), s.sample), point{})
		for _, p := range ps {
			if wrong := s.cut(t, d, p, old, new); wrong != "" {
				t.Errorf("%s, power lost at %q %d, then %s: %s", s.does, p.call, p.nth, s.then, wrong)
			}
		}
		t.Logf("%s then %s: %d power losses", s.does, s.then, len(ps))
	}
}

// TestTorturePowerLossControl leaves flushes out. What the torture above calls right must then be called wrong, or
// it proves nothing.
func TestTorturePowerLossControl(t *testing.T) {
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		t.Skip("needs mkfs.ext4")
	}
	if !inside(t) {
		return
	}
	for _, what := range []string{"dirs", "all"} {
		s := sweep{"", "apply", "rollback", []string{dropEnv + "=" + what}, 0}
		d := newDisk(t)
		old, new := s.start(t, d)
		if cmp.Equal(old, new) {
			t.Fatal("the apply changes nothing")
		}
		ps := []point{{}}
		if full() {
			d.swap(t, ".start")
			ps = append(writes(points(t, d.world, s.does, s.env...)), point{})
		}
		wrong := 0
		for _, p := range ps {
			if s.cut(t, d, p, old, new) != "" {
				wrong++
			}
		}
		if wrong == 0 {
			t.Errorf("without flushing %s, none of %d power losses did harm", what, len(ps))
		}
		t.Logf("without flushing %s, %d of %d power losses did harm", what, wrong, len(ps))
	}
}
