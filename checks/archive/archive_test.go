package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/archive"
)

type file struct {
	name, data string
	mode       int64
	kind       byte
	link       string
}

func tarball(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data)), Typeflag: f.kind, Linkname: f.link}
		if f.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func packed(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// image is a saved image of these layers, the manifest at the end as the Engine writes it.
func image(t testing.TB, blobs ...[]byte) []byte {
	t.Helper()
	files := []file{{name: "blobs/sha256/c0ff", data: `{"config": {}}`}}
	var names []string
	for i, b := range blobs {
		name := fmt.Sprintf("blobs/sha256/%064d", i)
		names = append(names, name)
		files = append(files, file{name: name, data: string(b)})
	}
	manifest, err := json.Marshal([]map[string]any{{"Layers": names}})
	if err != nil {
		t.Fatal(err)
	}
	return tarball(t, append(files, file{name: "manifest.json", data: string(manifest)})...)
}

var key = "-----BEGIN OPENSSH PRIVATE " + "KEY-----\n" + strings.Repeat("b3BlbnNzaC1rZXktdjEAAAAA\n", 4) +
	"-----END OPENSSH PRIVATE " + "KEY-----\n"

func TestScan(t *testing.T) {
	base := tarball(t,
		file{name: "./bin/su", data: "x", mode: 0o4755}, file{name: "bin/wall", data: "x", mode: 0o2755},
		file{name: "bin/ls", data: "x", mode: 0o755},
		file{name: "bin/mount", data: "x", mode: 0o4755}, file{name: "usr/lib/a/helper", data: "x", mode: 0o4755},
		file{name: "bin/su2", kind: tar.TypeLink, link: "bin/su", mode: 0o4755},
		file{name: "tmp", kind: tar.TypeDir, mode: 0o1777}, file{name: "srv", kind: tar.TypeDir, mode: 0o2775},
		file{name: "bin/sh", kind: tar.TypeSymlink, link: "../../etc/shadow", mode: 0o4777},
		file{name: "etc/passwd", data: "root:x:0:0::/:/bin/sh\n", mode: 0o644},
		file{name: "root/.ssh/id", data: key, mode: 0o600},
		file{name: "etc/cert.pem", data: strings.ReplaceAll(key, "PRIVATE "+"KEY", "CERTIFICATE"), mode: 0o644},
		file{name: "var/lib/apt/lists/x", data: strings.Repeat("p", 5000), mode: 0o644})
	top := tarball(t,
		file{name: "bin/.wh.mount"}, file{name: "usr/lib/a/.wh..wh..opq"}, file{name: "bin/wall", data: "y", mode: 0o755},
		file{name: "root/.wh..ssh"},
		file{name: "etc/passwd", data: "toor:x:0:0::/:/bin/sh\n", mode: 0o644},
		file{name: "usr/lib/a/new", data: "x", mode: 0o6755})
	want := &archive.Contents{Cache: 5000, Passwd: []byte("toor:x:0:0::/:/bin/sh\n"),
		SetID: []archive.File{{Path: "bin/su", Mode: 0o4755}, {Path: "bin/su2", Mode: 0o4755},
			{Path: "usr/lib/a/new", Mode: 0o6755}},
		Keys: []archive.File{{Path: "root/.ssh/id", Mode: 0o600, Hidden: true}}}
	for name, save := range map[string][]byte{"plain": image(t, base, top),
		"packed": image(t, packed(t, base), packed(t, top)),
		"of old": tarball(t, file{name: "a/layer.tar", data: string(base)}, file{name: "a/json", data: "{}"},
			file{name: "b/layer.tar", data: string(top)},
			file{name: "manifest.json", data: `[{"Layers": ["a/layer.tar", "b/layer.tar"]}]`})} {
		got, err := archive.Scan(bytes.NewReader(save), nil)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
}

// TestHostile holds the scanner to ending with an error, within its bounds, on what no engine saves.
func TestHostile(t *testing.T) {
	many := make([]file, 20_100)
	for i := range many {
		many[i] = file{name: fmt.Sprintf("bin/%d", i), mode: 0o4755}
	}
	var links []file // of layers that are the same as others
	for i := range 4_500 {
		links = append(links, file{name: fmt.Sprintf("%s%d/layer.tar", strings.Repeat("d/", 1_000), i), kind: tar.TypeSymlink,
			link: "../" + strings.Repeat("e/", 1_000) + "layer.tar"})
	}
	var passwds [][]byte
	for range 20 {
		passwds = append(passwds, packed(t, tarball(t, file{name: "etc/passwd", data: strings.Repeat("x", 1<<20)})))
	}
	long := make([]file, 5_000)
	for i := range long {
		long[i] = file{name: fmt.Sprintf("%s%d", strings.Repeat("l/", 2_000), i), mode: 0o4755}
	}
	bomb := packed(t, tarball(t, file{name: "zero", data: strings.Repeat("\x00", 256<<20)}))
	for name, test := range map[string]struct {
		save  []byte
		bound bool
	}{
		"out of the image":      {image(t, tarball(t, file{name: "../../etc/passwd", data: "x"})), true},
		"far out of it":         {image(t, tarball(t, file{name: "a/b/../../../etc/passwd", data: "x"})), true},
		"a long name":           {image(t, tarball(t, file{name: strings.Repeat("a/", 3000) + "x"})), true},
		"many of note":          {image(t, tarball(t, many...)), true},
		"a bomb":                {image(t, bomb), true},
		"many links":            {tarball(t, links...), true},
		"many passwds":          {image(t, passwds...), true},
		"many long names":       {image(t, tarball(t, long...)), true},
		"a passwd of 2 MiB":     {image(t, tarball(t, file{name: "etc/passwd", data: strings.Repeat("x", 2<<20)})), true},
		"a manifest of 2 MiB":   {tarball(t, file{name: "manifest.json", data: strings.Repeat(" ", 2<<20)}), true},
		"a layer cut short":     {image(t, tarball(t, file{name: "a", data: strings.Repeat("x", 4096)})[:2048]), false},
		"gzip cut short":        {image(t, packed(t, tarball(t, file{name: "a", data: "x"}))[:20]), false},
		"no manifest":           {tarball(t, file{name: "a/layer.tar", data: string(tarball(t))}), false},
		"a layer that is not":   {tarball(t, file{name: "manifest.json", data: `[{"Layers": ["x"]}]`}), false},
		"a manifest of numbers": {tarball(t, file{name: "manifest.json", data: `[1]`}), false},
		"zstd":                  {image(t, append([]byte{0x28, 0xb5, 0x2f, 0xfd}, make([]byte, 600)...)), false},
		"cut short":             {image(t, tarball(t, file{name: "a"}))[:700], false},
		"not an archive":        {[]byte(strings.Repeat("nothing", 500)), false},
		"nothing":               {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c, err := archive.Scan(bytes.NewReader(test.save), nil)
			runtime.ReadMemStats(&after)
			if size := after.TotalAlloc - before.TotalAlloc; size > 256<<20 {
				t.Errorf("it allocated %d MiB", size>>20)
			}
			if err == nil || c != nil || errors.Is(err, archive.ErrBound) != test.bound {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}

func FuzzScan(f *testing.F) {
	f.Add(image(f, tarball(f, file{name: "bin/su", data: "x", mode: 0o4755})))
	f.Add(image(f, packed(f, tarball(f, file{name: "etc/.wh.passwd"}))))
	f.Fuzz(func(t *testing.T, save []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := archive.Scan(bytes.NewReader(save), nil)
		runtime.ReadMemStats(&after)
		if size := after.TotalAlloc - before.TotalAlloc; (c == nil) != (err != nil) || size > 256<<20 {
			t.Fatalf("%v, %v, %d MiB", c, err, size>>20)
		}
	})
}
