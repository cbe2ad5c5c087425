package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An author fills in the literal of a new check: all that is written by hand.
type author struct{ id, kind, literal, title, why, threat, severity, reason string }

var authors = []author{
	{"docker/ip6tables", "", "checks/docker/daemon.go", "dockerd manages the packet filter for IPv6",
		"published and unpublished ports are otherwise open to every IPv6 neighbour", "DockerNetworkTampering",
		"High", "whoever is in the same network reaches every container"},
	{"docker/publish-all-ports", "container", "checks/docker/running.go", "no container publishes all of its ports",
		"whatever the image declares can be reached from outside, at ports that nobody chose", "DockerNetworkTampering",
		"Medium", "more can be reached than anybody meant"},
	{"kubernetes/kubelet-serialize-image-pulls", "", "checks/kubernetes/kubelet.go",
		"the kubelet pulls one image after another",
		"many pulls at once use up the disk and the network of the node", "KubernetesNodeDenial",
		"Low", "pods start later; nobody gains by it"},
}

// TestNewChecks adds a check of a daemon, of containers and of a kubelet, and a kind of want, in a copy of the tree.
// The author of a check edits its literal alone, that of a kind writes two files; -update writes what is generated; no
// test is edited, and all that look at the whole catalogue pass.
func TestNewChecks(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the tests of a copy of the tree, which takes minutes")
	}
	dir := copied(t)
	before := read(t, dir)
	for _, a := range authors {
		run(t, dir, "make", "check-new", "ID="+a.id, "KIND="+a.kind)
	}
	if out, err := command(dir, "go", "test", "./fixtures", "-run", "TestCatalogue").CombinedOutput(); err == nil ||
		!strings.Contains(string(out), authors[0].id+": no title") {
		t.Fatalf("a check without a title passes, or fails otherwise: %v\n%s", err, out)
	}
	var want []string // the files that may differ
	for _, a := range authors {
		byHand(t, filepath.Join(dir, a.literal), a.id, map[string]string{
			`Title:( +)""`: `Title:${1}"` + a.title + `"`, `Why:( +)""`: `Why:${1}"` + a.why + `"`,
			`Threats:( +)nil`: `Threats:${1}[]stride.ID{stride.` + a.threat + `}`,
		})
		platform, _, _ := strings.Cut(a.id, "/")
		table := "checks/severity/" + platform + ".go"
		byHand(t, filepath.Join(dir, table), a.id, map[string]string{
			`^:( +)\{None, ""\}`: `:${1}{` + a.severity + `, "` + a.reason + `"}`,
		})
		recording := "fixtures/" + a.id
		want = append(want, a.literal, table, recording+".txtar", recording+"-passes.txtar")
	}
	newKind(t, dir)
	written := read(t, dir)
	run(t, dir, "go", "test", "-timeout", "30m", "./fixtures", "-run", "TestRecordings|TestPlans", "-update")
	run(t, dir, "go", "test", "-timeout", "30m", "./cmd/harden", "-run", "TestCatalogue|TestGolden", "-update")
	run(t, dir, "go", "test", "-timeout", "30m", "./fixtures", "./checks/...", "./remediate", "./remediate/report")
	run(t, dir, "go", "test", "-timeout", "30m", "./cmd/harden", "-run",
		"TestCatalogue|TestGolden|TestNode|TestPlain|TestRecordings")

	for name, is := range read(t, dir) {
		was, old := before[name]
		switch {
		case !old && kindFiles[name] == string(is):
		case slices.Contains(want, name):
			if !strings.HasSuffix(name, ".go") && !bytes.Equal(written[name], is) {
				t.Errorf("%s: -update wrote another outcome than the generator:\n%s", name, is)
			}
		case old && bytes.Equal(was, is), name == "checks/CATALOGUE.md",
			name == "checks/mapping/mappings.tsv", path.Ext(name) == ".golden":
		case old && strings.HasPrefix(name, "fixtures/") && onlyTells(was, is):
		default:
			t.Errorf("%s: it had to change too", name)
		}
	}
}

// onlyTells reports whether all that a recording has more is about the new checks.
func onlyTells(was, is []byte) bool {
	old := bytes.Split(was, []byte("\n"))
	about := false
	for _, line := range bytes.Split(is, []byte("\n")) {
		switch {
		case len(old) > 0 && bytes.Equal(old[0], line):
			old, about = old[1:], false
		case bytes.HasPrefix(line, []byte("\t")) && about: // more of the line above
		default:
			if about = slices.ContainsFunc(authors, func(a author) bool {
				_, short, _ := strings.Cut(a.id, "/")
				return bytes.Contains(line, []byte(" "+short+":"))
			}); !about {
				return false
			}
		}
	}
	return len(old) == 0
}

// byHand edits what follows a check's ID in a file.
func byHand(t *testing.T, file, id string, edits map[string]string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), `"`+id+`"`)
	for pattern, by := range edits {
		re := regexp.MustCompile(pattern)
		ok = ok && len(re.FindAllString(rest, -1)) == 1
		rest = re.ReplaceAllString(rest, by)
	}
	if !ok {
		t.Fatalf("%s: the literal of %s is not one to be filled in:\n%s", file, id, rest)
	}
	if err := os.WriteFile(file, []byte(head+`"`+id+`"`+rest), 0o644); err != nil {
		t.Fatal(err)
	}
}

func command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	return cmd
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	if out, err := command(dir, name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// copied is a copy of the files of this tree that git knows, or would add.
func copied(t *testing.T) string {
	t.Helper()
	const root = "../.."
	out, err := command(root, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		from, to := filepath.Join(root, name), filepath.Join(dir, name)
		info, err := os.Lstat(from)
		if os.IsNotExist(err) { // deleted, but not yet for git
			continue
		}
		if err == nil && !info.Mode().IsRegular() {
			t.Fatalf("%s: it is not a regular file", name)
		}
		data, errRead := os.ReadFile(from)
		errDir := os.MkdirAll(filepath.Dir(to), 0o755)
		if err != nil || errRead != nil || errDir != nil {
			t.Fatal(err, errRead, errDir)
		}
		if err := os.WriteFile(to, data, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// read reads every file below a directory.
func read(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir+"/")] = data
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return files
}

// TestRefuses holds the generator to writing nothing where it cannot write all of it.
func TestRefuses(t *testing.T) {
	t.Chdir("../..")
	for _, test := range []struct{ id, kind, file, want string }{
		{"", "", "", "it must be docker/WORDS"},
		{"docker/Ip6", "", "", "it must be docker/WORDS"},
		{"podman/x", "", "", "it must be docker/WORDS"},
		{"docker/x", "kubelet", "", "docker has no such checks"},
		{"kubernetes/x", "container", "", "kubernetes has no such checks"},
		{"docker/icc", "", "", "has this check already"},
		{"docker/loose", "", "", "it exists already"},
		{"docker/x", "", "checks/docker/engine.go", "it has no list of checks"},
	} {
		written, err := add(test.id, test.kind, test.file)
		if err == nil || !strings.Contains(err.Error(), test.want) || len(written) > 0 {
			t.Errorf("%+v: %v, written: %v", test, err, written)
		}
	}
}
