// Package kube gives tests the real parts of Kubernetes: the programs of one release, built from its Go module, and a
// node made of namespaces on which they run from the very files that kubeadm writes.
package kube

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Release is the release of Kubernetes that build/go.mod names.
const Release = "v1.35.4"

// programs are the packages that are built, by the name of the program.
var programs = map[string]string{
	"etcd":                    "go.etcd.io/etcd/server/v3",
	"kube-apiserver":          "k8s.io/kubernetes/cmd/kube-apiserver",
	"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
	"kube-scheduler":          "k8s.io/kubernetes/cmd/kube-scheduler",
	"kubeadm":                 "k8s.io/kubernetes/cmd/kubeadm",
	"kubectl":                 "k8s.io/kubernetes/cmd/kubectl",
	"kubelet":                 "k8s.io/kubernetes/cmd/kubelet",
	"pause":                   "./pause",
}

// Binaries is a folder of static programs, each by its usual name: etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler, kubeadm, kubectl, kubelet, and pause.
type Binaries struct{ Dir, Key string }

// Path gives where a program is.
func (b Binaries) Path(program string) string { return filepath.Join(b.Dir, program) }

// Build gives the programs of Release. The first call on a machine compiles them, which takes two processors about ten
// minutes and 3 GB of memory, and keeps them in the user's cache.
func Build(t testing.TB) Binaries {
	t.Helper()
	b, err := build()
	if err != nil {
		t.Fatalf("the programs of Kubernetes: %v", err)
	}
	return b
}

func build() (Binaries, error) {
	module, err := output("go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return Binaries{}, err
	}
	source := filepath.Join(strings.TrimSpace(module), "scripts", "kube", "build")
	key, err := key(source)
	if err != nil {
		return Binaries{}, err
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return Binaries{}, err
	}
	cache := filepath.Join(user, "harden", "kube")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Binaries{}, err
	}
	lock, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return Binaries{}, err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return Binaries{}, err
	}
	b := Binaries{Dir: filepath.Join(cache, key), Key: key}
	if _, err := os.Stat(b.Dir); !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	old, err := filepath.Glob(filepath.Join(cache, "*-*")) // those of other keys, and what a killed build left
	if err != nil {
		return Binaries{}, err
	}
	for _, o := range old {
		if err := os.RemoveAll(o); err != nil {
			return Binaries{}, err
		}
	}
	tmp := b.Dir + ".new"
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return Binaries{}, err
	}
	if err := compile(source, tmp); err != nil {
		return Binaries{}, err
	}
	return b, os.Rename(tmp, b.Dir)
}

// key names a build by the release and by all that decides about the outcome.
func key(source string) (string, error) {
	version, err := output("go", "version")
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s%q", version, arguments(""))
	for _, name := range []string{"go.mod", "go.sum", "pause/main.go"} {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
	}
	return Release + "-" + hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// arguments are those of the one run of go build, which compiles what the programs share only once.
func arguments(out string) []string {
	flags := "-s -w"
	// a program that is not told its release takes itself for v0.0.0, and kubeadm then refuses the release of the others
	for _, p := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags += fmt.Sprintf(" -X %s.gitVersion=%s -X %[1]s.gitMajor=1 -X %[1]s.gitMinor=35 -X "+
			"%[1]s.gitTreeState=clean", p, Release)
	}
	return []string{"build", "-trimpath", "-ldflags", flags, "-o", out + "/"}
}

func compile(source, out string) error {
	args := arguments(out)
	for _, pkg := range programs {
		args = append(args, pkg)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = source, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	return os.Rename(filepath.Join(out, "server"), filepath.Join(out, "etcd")) // go build names it by its package's folder
}

// output runs a program to its end. Its error carries what the program said.
func output(name string, args ...string) (string, error) {
	var said, out strings.Builder
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, said.String())
	}
	return out.String(), nil
}
