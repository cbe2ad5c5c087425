package attack

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// An input is a directory that somebody made to cost whoever reads it as much as it can.
type input struct {
	name string
	root bool              // it is a host's root file system, for --root; else sources, for --source
	make map[string]string // what is in it, by path
	fill func(string)
	ends string // the check that must not be told as passed: "" where the input is within every limit
}

// lines repeats a line, in which %[1]d is its number.
func lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func compose(name, text string) input {
	return input{name: "compose/" + name, make: map[string]string{"compose.yaml": text}, ends: "docker/privileged"}
}

func dockerfile(name, text string) input {
	return input{name: "dockerfile/" + name, make: map[string]string{"Dockerfile": text}, ends: "docker/user"}
}

// host is a root file system with a dockerd and a kubelet; files replaces what is in it.
func host(name, ends string, files map[string]string) input {
	all := map[string]string{
		"usr/bin/dockerd": "", "usr/bin/kubelet": "", "usr/sbin/auditctl": "", "etc/docker/daemon.json": "{}\n",
		"lib/systemd/system/docker.service": "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n",
		"lib/systemd/system/kubelet.service": "[Service]\nExecStart=/usr/bin/kubelet " +
			"--config=/var/lib/kubelet/config.yaml\n",
		"var/lib/kubelet/config.yaml": "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n" +
			"staticPodPath: /etc/kubernetes/manifests\n",
		"etc/kubernetes/manifests/apiserver.yaml": apiserver("--profiling=false"),
	}
	for file, text := range files {
		all[file] = text
	}
	return input{name: "host/" + name, root: true, make: all, ends: ends}
}

func apiserver(args string) string {
	return "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: kube-apiserver\n    command:\n" +
		"    - kube-apiserver\n    - " + args + "\n"
}

// write makes the directory.
func (in input) write(dir string) {
	for name, text := range in.make {
		put(filepath.Join(dir, name), text)
	}
	if in.fill != nil {
		in.fill(dir)
	}
}

func put(file, text string) {
	must(os.MkdirAll(filepath.Dir(file), 0o755))
	must(os.WriteFile(file, []byte(text), 0o644))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// A written is what is known of an input once it is on disk.
type written struct {
	Name, Ends string
	Root       bool
	Size       int64
}

// inputsVariable names the directory that a copy of this test writes the inputs to. A process of its own does it, since
// the kernel counts the memory of who starts a program as the program's.
const inputsVariable = "HARDEN_HOSTILE_INPUTS"

func writeInputs(dir string) {
	var index []written
	for i, in := range slices.Concat(composeInputs(), dockerfileInputs(), treeInputs(), hostInputs()) {
		w := written{Name: in.name, Ends: in.ends, Root: in.root}
		for _, text := range in.make {
			w.Size += int64(len(text))
		}
		in.write(filepath.Join(dir, strconv.Itoa(i)))
		index = append(index, w)
	}
	data, err := json.Marshal(index)
	must(err)
	must(os.WriteFile(filepath.Join(dir, "index.json"), data, 0o600))
}

// doubled is a chain of mappings of which each merges the one before twice.
func doubled(levels int) string {
	b := "x-0: &m0 {image: a}\n"
	for i := 1; i <= levels; i++ {
		b += fmt.Sprintf("x-%d: &m%d {<<: [*m%d, *m%d]}\n", i, i, i-1, i-1)
	}
	return b
}

// laughs is the billion laughs: a chain of lists of which each has the one before so many times.
func laughs(levels, times int) string {
	b := "x-0: &l0 [a, b, c, d]\n"
	for i := 1; i <= levels; i++ {
		b += fmt.Sprintf("x-%d: &l%d [%s]\n", i, i,
			strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d, ", i-1), times), ", "))
	}
	return b
}

const service = "services:\n  a:\n    image: b\n"

// within is an input that is large and honest enough to be judged.
func within(in input) input {
	in.ends = ""
	return in
}
