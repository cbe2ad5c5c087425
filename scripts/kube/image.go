package kube

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"testing"

	"example.com/harden/scripts/built"
)

// Images gives, by reference, the images that kubeadm's manifests name and the one that holds a pod's namespaces, each
// as an archive for "ctr images import": FROM scratch, with one program in /usr/bin.
func Images(t testing.TB, b Binaries) map[string][]byte {
	t.Helper()
	list, err := built.Output(b.Path("kubeadm"), "config", "images", "list", "--kubernetes-version", Release)
	if err != nil {
		t.Fatal(err)
	}
	images := map[string][]byte{}
	for _, ref := range strings.Fields(list) {
		program, _, _ := strings.Cut(path.Base(ref), ":")
		if programs[program] == "" {
			continue // an add-on, which no test runs
		}
		text, err := os.ReadFile(b.Path(program))
		if err != nil {
			t.Fatal(err)
		}
		if images[ref], err = image(ref, program, text); err != nil {
			t.Fatalf("%s: %v", ref, err)
		}
	}
	return images
}

// image makes an archive as docker save writes it.
func image(ref, program string, text []byte) ([]byte, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, dir := range []string{"tmp/", "usr/", "usr/bin/"} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	if err := put(w, "usr/bin/"+program, 0o755, text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	digest := func(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:]) }
	config, err := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux",
		"config": map[string]any{"Env": []string{"PATH=/usr/bin"}, "Entrypoint": []string{"/usr/bin/" + program}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer.Bytes())}},
	})
	if err != nil {
		return nil, err
	}
	names := struct{ config, layer string }{digest(config) + ".json", "layer.tar"}
	manifest, err := json.Marshal([]map[string]any{{"Config": names.config, "RepoTags": []string{ref},
		"Layers": []string{names.layer}}})
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w = tar.NewWriter(&archive)
	for _, f := range []struct {
		name string
		text []byte
	}{{names.config, config}, {names.layer, layer.Bytes()}, {"manifest.json", manifest}} {
		if err := put(w, f.name, 0o644, f.text); err != nil {
			return nil, err
		}
	}
	return archive.Bytes(), w.Close()
}

func put(w *tar.Writer, name string, mode int64, text []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(text))}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err := io.Copy(w, bytes.NewReader(text))
	return err
}
