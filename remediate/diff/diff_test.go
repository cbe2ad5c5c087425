package diff

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aymanbagabas/go-udiff"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/secret"
	"example.com/harden/remediate"
)

func file(mode uint32, uid uint32, owner, data string) facts.File {
	user, group, _ := strings.Cut(owner, ":")
	i := facts.Info{UID: uid, GID: uid, User: user, Group: group}
	i.Mode = 0o7777 & os.FileMode(mode)
	return facts.File{Info: i, Data: []byte(data)}
}

// patch is the change whole, as patch(1) takes it: it makes the bytes of c.After.Data of those of c.Before.Data, but
// for a new file of no bytes, which a unified diff has no way to say.
func patch(c remediate.Change) string {
	changed := hunks(c, udiff.DefaultContextLines)
	return head(c, changed != "") + changed
}

func TestPatch(t *testing.T) {
	root := func(data string) facts.File { return file(0o644, 0, "root:root", data) }
	attributes := func(f facts.File) facts.File { f.Data = nil; return f }
	for _, tt := range []struct {
		name string
		c    remediate.Change
		want string
	}{
		{"content and attributes", remediate.Change{Path: "/etc/docker/daemon.json",
			Before: file(0o664, 1000, "deploy:docker", "{\n  \"icc\": true\n}"), After: root("{\n  \"icc\": false\n}")},
			`# /etc/docker/daemon.json
# sha256 74b1a543c500b2b3b8a308a7881d1f27adfe8bda8b0bcb6e7ea342047a1fcb03 -> 4e7aa2c585a1b686698de978c7d332a4143581e093914d32b624717db59f25d4
# mode 0664 -> 0644
# owner deploy:docker -> root:root
--- /etc/docker/daemon.json
+++ /etc/docker/daemon.json
@@ -1,3 +1,3 @@
 {
-  "icc": true
+  "icc": false
 }
\ No newline at end of file
`},
		{"two edits in one hunk, and another",
			remediate.Change{Path: "/x", Before: root("a\nb\nc\nd\n1\n2\n3\n4\n5\n6\n7\ne\n"),
				After: root("A\na\nb\nC\nc\nd\n1\n2\n3\n4\n5\n6\n7\nE\n")},
			`# /x
# sha256 4d2ed035b82727c8795a0c6312791b03dfbe6d158ae1622c5d596de532d0f0c6 -> d4e82327effa32b4e570c860843eb8a621cf33c382f48f21fb4fea66a6074bf9
--- /x
+++ /x
@@ -1,5 +1,7 @@
+A
 a
 b
+C
 c
 d
 1
@@ -9,4 +11,4 @@
 5
 6
 7
-e
+E
`},
		{"created", remediate.Change{Path: "/etc/x", Created: true, After: root("a\n")},
			"# /etc/x\n# sha256 none -> 87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7\n# mode none -> " +
				"0644\n# owner none -> root:root\n--- /dev/null\n+++ /etc/x\n@@ -0,0 +1 @@\n+a\n"},
		{"created empty", remediate.Change{Path: "/etc/x", Created: true, After: root("")},
			"# /etc/x\n# sha256 none -> e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n# mode none -> " +
				"0644\n# owner none -> root:root\n"},
		{"removed", remediate.Change{Path: "/etc/x", Removed: true, Before: root("a\n")},
			"# /etc/x\n# sha256 87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7 -> none\n# mode 0644 -> " +
				"none\n# owner root:root -> none\n--- /etc/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"},
		{"attributes alone", remediate.Change{Path: "/etc/x", Before: attributes(file(0o4777, 0, "root:root", "")),
			After: attributes(root(""))},
			"# /etc/x\n# mode 4777 -> 0644\n"},
		{"owners of one name", remediate.Change{Path: "/etc/x", Before: attributes(file(0o644, 1, "root:root", "")),
			After: attributes(root(""))},
			"# /etc/x\n# owner 1:1 -> 0:0\n"},
		{"a path is data", remediate.Change{Path: "/a\n--- \"b\x1b\u202e\xff", Before: root("x\n"), After: root("y\n")},
			"# /a\\x0a--- \"b\\x1b\\u202e\\xff\n# sha256 73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac -> " +
				"3bb2abb69ebb27fbfe63c7639624c6ec5e331b841a5bc8c3ebc10b9285e90877\n" +
				"--- \"/a\\012---\\040\\\"b\\033\\342\\200\\256\\377\"\n+++ " +
				"\"/a\\012---\\040\\\"b\\033\\342\\200\\256\\377\"\n@@ -1 +1 @@\n-x\n+y\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, patch(tt.c)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(patch(tt.c), Unified(tt.c, NewRedactor([]byte("k")))); diff != "" {
				t.Errorf("with nothing to hide, Unified (-patch +unified)\n%s", diff)
			}
		})
	}
}

func TestUnified(t *testing.T) {
	c := remediate.Change{
		Path: "/etc/docker/daemon.json",
		Before: file(0o644, 0, "root:root",
			"{\n  \"log-opts\": {\"splunk-token\": \"hunter2-hunter2\"},\n  \"x\": \"\x7f\u202eé\",\r\n"+
				"  \"registry-mirrors\": [\"https://me:pa%40ss@mirror.example\"]\n}\n"),
		After: file(0o644, 0, "root:root",
			"{\n  \"log-opts\": {\"splunk-token\": \"hunter2-hunter2\"},\n  \"x\": \"\x7f\u202eé\",\r\n"+
				"  \"registry-mirrors\": [\"https://me:pa%40sS@mirror.example\"],\n  \"icc\": false\n}\n"),
	}
	got := Unified(c, NewRedactor([]byte("k")))
	_, got, _ = strings.Cut(got, "@@\n")
	want := ` {
   "log-opts": {"splunk-token": "‹redacted 15 bytes, A›"},
   "x": "\x7f\u202eé",` + "\r" + `
-  "registry-mirrors": ["https://‹redacted 10 bytes, B›@mirror.example"]
+  "registry-mirrors": ["https://‹redacted 10 bytes, C›@mirror.example"],
+  "icc": false
 }
`
	for i, m := range secret.Marked().FindAllString(got, -1) {
		tag := m[strings.Index(m, ", ")+2:]
		got = strings.Replace(got, tag, string(rune('A'+i))+"›", 1)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSides(t *testing.T) {
	root := func(data string) facts.File { return file(0o644, 0, "root:root", data) }
	attributes := func(f facts.File) facts.File { f.Data = nil; return f }
	for _, tt := range []struct {
		name          string
		c             remediate.Change
		before, after string
	}{
		{"content", remediate.Change{Path: "/etc/docker/daemon.json", Before: root("{\n\t\"a\": 1\n}"),
			After: root("{\n\t\"a\": 2\n}\n")},
			"{\n\t\"a\": 1\n}", "{\n\t\"a\": 2\n}\n"},
		{"content and attributes", remediate.Change{Path: "/x", Before: file(0o666, 1000, "alice:alice", "a\n"),
			After: root("b\n")},
			"# mode 0666\n# owner alice:alice\na\n", "# mode 0644\n# owner root:root\nb\n"},
		{"created", remediate.Change{Path: "/x", Created: true, After: root("a\n")}, "",
			"# mode 0644\n# owner root:root\na\n"},
		{"created empty", remediate.Change{Path: "/x", Created: true, After: root("")}, "",
			"# mode 0644\n# owner root:root\n"},
		{"removed", remediate.Change{Path: "/x", Removed: true, Before: root("a\n")}, "# mode 0644\n# owner root:root\na\n",
			""},
		{"attributes alone", remediate.Change{Path: "/x", Before: attributes(file(0o4777, 0, "root:root", "")),
			After: attributes(root(""))},
			"# mode 4777\n", "# mode 0644\n"},
		{"far apart", remediate.Change{Path: "/x", Before: root(strings.Repeat("a\n", 100)),
			After: root("b\n" + strings.Repeat("a\n", 99) + "c")},
			strings.Repeat("a\n", 100), "b\n" + strings.Repeat("a\n", 99) + "c"},
		{"a terminal's", remediate.Change{Path: "/x", Before: root("\x1b[2J\n"), After: root("x\n")},
			"# sha256 " + hash([]byte("\x1b[2J\n")) + "\n\\x1b[2J\n", "# sha256 " + hash([]byte("x\n")) + "\nx\n"},
	} {
		before, after := Sides(tt.c, NewRedactor([]byte("k")))
		if diff := cmp.Diff([]string{tt.before, tt.after}, []string{before, after}); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}

	one := file(0o644, 0, "root:root", "{\n  \"log-opts\": {\"splunk-token\": \"hunter2-hunter2\"}\n}\n")
	two := file(0o644, 0, "root:root", "{\n  \"log-opts\": {\"splunk-token\": \"hunter3-hunter3\"}\n}\n")
	before, after := Sides(remediate.Change{Path: "/etc/docker/daemon.json", Before: one, After: two},
		NewRedactor([]byte("k")))
	if strings.Contains(before+after, "hunter") || before == after || !strings.Contains(before, hash(one.Data)) ||
		!strings.Contains(after, hash(two.Data)) {
		t.Errorf("a secret changed:\n%s\n%s", before, after)
	}
}

// The diff equals the change: patch(1) makes the bytes after out of the bytes before, whatever they are.
func TestPatchApplies(t *testing.T) {
	program, err := exec.LookPath("patch")
	if err != nil {
		t.Skip("patch(1) is not installed, and its own reading of the diff is what this is about")
	}
	long := strings.Repeat("one\ntwo\r\n\nthree ☃\n", 20000)
	pairs := [][2]string{
		{"", "a\n"}, {"", "a"}, {"a\n", ""}, {"a", ""}, {"a", "a\n"}, {"a\n", "a"}, {"a\r\nb\r\n", "a\r\nB\r\n"},
		{"a\r\nb", "a\r\nb\r\n"},
		{"a\r\n", "a\n"}, {"☃\nü\n", "☃\nö\n"}, {"\xff\xfe\n", "\xff\x00\n"}, {long, long[:99999] + "new\n" + long[100000:]},
		{"--- a\n+++ b\n@@ -1 +1 @@\n", "--- a\n+++ c\n@@ -1 +1 @@\n"}, {"-- a\n", "++ a\n"},
		{"\\ No newline at end of file", "\\ x"},
		{"\n\n\n", "\n\n\n\n"}, {"\r\r\n", "\r"}, {"a\nb\n\x00", "a\n\x00"},
		{"*** x\n1,2c\nIndex: y\nPrereq: z\n", "Prereq: z\n"},
	}
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a\n", "b\n", "a\n", "\n", "x\r\n", "\r", "ü☃", "\t c\n", "-d\n", "+e\n", " f\n", "\\g\n",
		"@@ -1 +1 @@\n", "# h\n", "\xff"}
	some := func(n int) string {
		var b strings.Builder
		for range random.IntN(n) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		return b.String()
	}
	for range 60 {
		head, tail := some(12), some(12)
		pairs = append(pairs, [2]string{head + some(4) + tail, head + some(4) + tail})
	}
	for i, p := range pairs {
		before, after := p[0], p[1]
		if before == after {
			continue
		}
		for _, c := range []remediate.Change{
			{Before: file(0o644, 0, "root:root", before), After: file(0o600, 1, "a:b", after)},
			{Created: true, After: file(0o644, 0, "root:root", after)},
			{Removed: true, Before: file(0o644, 0, "root:root", before)},
		} {
			if c.Created && after == "" || c.Removed && before == "" {
				continue // a unified diff cannot say it; TestPatch has what is said instead
			}
			c.Path = "/etc/a dir/näme.conf"
			if i%2 == 0 {
				c.Path = "/etc/daemon.json"
			}
			how := "-p1"
			if i%3 == 0 {
				how = "FILE"
			}
			applies(t, program, c, patch(c), how)
		}
	}
}

// applies runs patch on a copy of the file in a directory that stands for /.
func applies(t *testing.T, program string, c remediate.Change, text, how string) {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, c.Path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if !c.Created {
		if err := os.WriteFile(name, c.Before.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"-d", dir, "-p1"}
	if how == "FILE" {
		args = []string{name}
	}
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"LC_ALL=C"}
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("patch %q: %v\n%s\n%q", args, err, out, text)
	}
	got, err := os.ReadFile(name)
	if c.Removed {
		if !os.IsNotExist(err) {
			t.Fatalf("patch %q left %q, %v; want no file\n%s", args, got, err, out)
		}
		return
	}
	if err != nil || !bytes.Equal(got, c.After.Data) {
		t.Fatalf("patch %q made %q, %v of %q; want %q\n%s\n%q", args, got, err, c.Before.Data, c.After.Data, out, text)
	}
}
