package compare

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/scripts/child"
	"example.com/harden/scripts/testdocker"
	"example.com/harden/scripts/vm"
)

// objectRecorded holds what docker-bench-security says of a private engine's objects, by sections 4 to 7 and C.5.3:
// state of the engine, number, verdict, the containers that it names for it.
//
//go:embed object-recorded.tsv
var objectRecorded string

// objectDifferences holds the verdicts on objects that are not the same, as differences does.
//
//go:embed object-differences.tsv
var objectDifferences string

// A judgement is one item's: the verdict, and the containers that it was reached for, sorted.
type judgement struct {
	Verdict    string
	Containers []string
}

// judgements are by "state number".
type judgements map[string]judgement

// modest is runc without a capability that root of a build machine may lack, so that privileged containers start there
// too. What is compared are the engine's answers, which do not tell of it.
const modest = `#!/bin/sh
for a; do
	[ "$before" = --bundle ] && sed -i 's/"CAP_SYS_RESOURCE",//g' "$a/config.json"
	before=$a
done
exec runc "$@"
`

// TestObjects compares what both say of one engine: while it has nothing, then only a container that is as it should
// be, then a swarm and containers of which most were never started, and at last with all of them running but "open",
// which cannot. There each container is compared too.
func TestObjects(t *testing.T) {
	runtime := filepath.Join(t.TempDir(), "modest")
	if err := os.WriteFile(runtime, []byte(modest), 0o755); err != nil {
		t.Fatal(err)
	}
	d := testdocker.Start(t, "--add-runtime", "modest="+runtime, "--default-runtime", "modest")
	program := filepath.Join(t.TempDir(), "harden")
	if err := vm.Compile(program, "example.com/harden/cmd/harden"); err != nil {
		t.Fatal(err)
	}
	bench := os.Getenv("DOCKER_BENCH_DIR")
	theirs, ours := judgements{}, judgements{}
	look := func(state string) {
		hardenObjects(t, program, d, state, ours)
		if bench != "" {
			dockerBenchObjects(t, bench, d, state, theirs)
		}
	}
	look("empty")
	configured := testdocker.Careless(d.Socket)
	// one that docker-bench-security does not leave out for its name
	configured["appliance"] = func(_ *container.Config, h *container.HostConfig) { h.Privileged = true }
	configured["shared"] = func(_ *container.Config, h *container.HostConfig) {
		h.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: sharedMount(t), Target: "/x",
			BindOptions: &mount.BindOptions{Propagation: mount.PropagationRShared}}}
	}
	ids := map[string]string{"good": d.Run("good", configured["good"])}
	look("good")
	for name, configure := range configured {
		if name != "good" {
			ids[name] = d.Create(name, configure)
		}
	}
	start := func(id string) {
		if err := d.Client.ContainerStart(t.Context(), id, container.StartOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	start(ids["web"])
	d.CarefulImage()
	d.Swarm()
	d.Sessions(ids["web"])
	look("created")
	for name, id := range ids {
		if name != "good" && name != "web" && name != "open" {
			start(id)
		}
	}
	look("running")

	switch {
	case bench == "":
		theirs = parseJudgements()
	case *update:
		recordJudgements(t, theirs)
	default:
		if diff := cmp.Diff(parseJudgements(), theirs); diff != "" {
			t.Errorf("docker-bench-security's verdicts are not as recorded (-recorded +now; -update records them):\n%s", diff)
		}
	}
	differ(t, "docker-bench-security", objectDifferences, alike, byContainer(theirs, theirs, ids),
		byContainer(ours, theirs, ids))
}

// sharedMount gives a folder that a container can share, as /srv is where the host's root is shared and not elsewhere.
func sharedMount(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, "")
	if err == nil {
		err = unix.Mount("", dir, "", unix.MS_SHARED, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// byContainer gives an engine's verdicts, and those on each container where docker-bench-security has one: an item that
// names no container it passes them all by, or judges none.
func byContainer(all, theirs judgements, ids map[string]string) verdicts {
	v := verdicts{}
	for at, j := range all {
		v[at] = j.Verdict
		their, ok := theirs[at]
		state, number, _ := strings.Cut(at, " ")
		perContainer := number == "4.1" || strings.HasPrefix(number, "C.") || strings.HasPrefix(number, "5.") &&
			number != "5.1"
		if !ok || state != "running" || !perContainer || their.Verdict != "PASS" && their.Containers == nil {
			continue
		}
		for name := range ids {
			if strings.Contains(name, "nil") ||
				name == "open" { // it knows nothing of a name like this, nor of one that does not run
				continue
			}
			of := j.Verdict
			if !slices.Contains(j.Containers, name) && !slices.Contains(j.Containers, everyContainer) {
				of = map[string]string{"fail": "pass", "WARN": "PASS", "INFO": "PASS"}[of]
				if of == "" {
					of = j.Verdict
				}
			}
			v["running/"+name+" "+number] = of
		}
	}
	return v
}

// everyContainer is what harden calls a finding that is about all of them.
const everyContainer = "containers"

// hardenObjects adds what harden says of every item.
func hardenObjects(t *testing.T, program string, d *testdocker.Daemon, state string, to judgements) {
	t.Helper()
	cmd := exec.Command(program, "check", "--format", "json", "--only", "docker/*", "--benchmark", edition,
		"--docker-host", d.Host, "--config", "none")
	var said bytes.Buffer
	cmd.Env, cmd.Stderr = child.Environ(), &said
	out, _ := cmd.Output()
	var report struct {
		Results []struct {
			Number, Status string
			Findings       []struct{ Subject string }
		}
	}
	if err := json.Unmarshal(out, &report); err != nil || cmd.ProcessState.ExitCode() != 2 {
		t.Fatalf("harden check exited %d: %v\n%s\n%s", cmd.ProcessState.ExitCode(), err, said.String(), out)
	}
	for _, r := range report.Results {
		j := judgement{Verdict: r.Status}
		for _, f := range r.Findings {
			name := strings.TrimPrefix(f.Subject, "container ")
			name, _, _ = strings.Cut(name, " (")
			j.Containers = append(j.Containers, name)
		}
		to[state+" "+r.Number] = j
	}
}

// dockerBenchObjects adds what docker-bench-security says, by bash, of the items that harden has; but for 4.5, which is
// about the host.
func dockerBenchObjects(t *testing.T, dir string, d *testdocker.Daemon, state string, to judgements) {
	t.Helper()
	cmd := exec.Command("bash", "docker-bench-security.sh", "-b", "-l", "log/report", "-c",
		"container_images,container_runtime,docker_security_operations,docker_swarm_configuration,community_checks")
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "DOCKER_HOST="+d.Host)
	if err := os.CopyFS(cmd.Dir, os.DirFS(dir)); err != nil { // it writes beside itself
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("docker-bench-security: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(cmd.Dir, "log", "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Tests []struct {
			Results []struct {
				ID, Result string
				Items      []string
			}
		}
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatalf("docker-bench-security's report: %v\n%s", err, text)
	}
	for _, section := range report.Tests {
		for _, r := range section.Results {
			if number, _, _ := strings.Cut(r.ID, " "); number != "4.5" &&
				(!strings.HasPrefix(number, "C.") || strings.HasPrefix(number, "C.5.3.")) {
				j := judgement{Verdict: r.Result}
				if number == "4.1" || !strings.HasPrefix(number, "4.") &&
					!strings.HasPrefix(number, "7.") { // theirs are images and networks
					for _, item := range r.Items {
						name, _, _ := strings.Cut(item, ":") // which is followed by a port or a folder
						j.Containers = append(j.Containers, name)
					}
				}
				slices.Sort(j.Containers)
				j.Containers = slices.Compact(j.Containers)
				to[state+" "+number] = j
			}
		}
	}
}

func parseJudgements() judgements {
	all := judgements{}
	for _, row := range rows(objectRecorded, 4) {
		j := judgement{Verdict: row[2]}
		if row[3] != "" {
			j.Containers = strings.Fields(row[3])
		}
		all[row[0]+" "+row[1]] = j
	}
	return all
}

func recordJudgements(t *testing.T, all judgements) {
	t.Helper()
	var b strings.Builder
	for _, at := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s\t%s\t%s\n", strings.ReplaceAll(at, " ", "\t"), all[at].Verdict,
			strings.Join(all[at].Containers, " "))
	}
	if err := os.WriteFile("object-recorded.tsv", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
