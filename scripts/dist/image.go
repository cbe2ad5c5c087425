package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// An image is what the container image contains for one architecture.
type image struct {
	arch  string
	files []file
}

// A descriptor names a blob of an OCI image layout.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant,omitempty"`
}

// A manifest is an image's, or with Manifests an index of several.
type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        *descriptor  `json:"config,omitempty"`
	Layers        []descriptor `json:"layers,omitempty"`
	Manifests     []descriptor `json:"manifests,omitempty"`
}

// A config says how a container of the image starts.
type config struct {
	platform
	Created time.Time `json:"created"`
	Config  struct {
		Entrypoint []string
		Env        []string
		Labels     map[string]string
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// A loadable is an image as `docker load` finds it.
type loadable struct {
	Config   string
	RepoTags []string
	Layers   []string
}

const (
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociConfig   = "application/vnd.oci.image.config.v1+json"
	ociLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// A layout is an OCI image layout that is being written.
type layout struct{ files []file }

// images writes one OCI image layout of all architectures, as a tar archive. It also has the manifest.json that `docker
// load` of any age reads: a dockerd without containerd's image store knows no layouts.
func (r *release) images(images []image) error {
	l := new(layout)
	tag := strings.ReplaceAll(r.bare(), "+", "-") // a tag has no +
	var platforms []descriptor
	var loadables []loadable
	for _, i := range images {
		d, load, err := l.image(r, i)
		if err != nil {
			return err
		}
		load.RepoTags = []string{"harden:" + tag + "-" + i.arch}
		platforms, loadables = append(platforms, d), append(loadables, load)
	}
	all, err := l.document(ociIndex, manifest{SchemaVersion: 2, MediaType: ociIndex, Manifests: platforms})
	if err != nil {
		return err
	}
	all.Annotations = map[string]string{"org.opencontainers.image.ref.name": tag,
		"io.containerd.image.name": "docker.io/library/harden:" + tag}
	for name, v := range map[string]any{
		"oci-layout":    map[string]string{"imageLayoutVersion": "1.0.0"},
		"index.json":    manifest{SchemaVersion: 2, MediaType: ociIndex, Manifests: []descriptor{all}},
		"manifest.json": loadables,
	} {
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		l.files = append(l.files, file{name, 0o644, data})
	}
	data, err := tarball(l.files, r.time)
	if err != nil {
		return err
	}
	return r.write("harden-"+r.bare()+"-oci.tar", data)
}

// image adds the image of one architecture: a layer, and how to start what is in it.
func (l *layout) image(r *release, i image) (descriptor, loadable, error) {
	bare, err := tarball(i.files, r.time)
	if err != nil {
		return descriptor{}, loadable{}, err
	}
	c := config{platform: platform{Architecture: i.arch, OS: "linux"}, Created: r.time}
	if i.arch == "arm64" {
		c.Variant = "v8"
	}
	c.Config.Entrypoint = []string{"/usr/bin/harden"}
	c.Config.Env = []string{"PATH=/usr/bin"}
	c.Config.Labels = map[string]string{"org.opencontainers.image.title": "harden",
		"org.opencontainers.image.version":     r.bare(),
		"org.opencontainers.image.description": "audits Docker hosts and Kubernetes nodes"}
	c.RootFS.Type, c.RootFS.DiffIDs = "layers", []string{digest(bare)}
	settings, err := l.document(ociConfig, c)
	if err != nil {
		return descriptor{}, loadable{}, err
	}
	layer := l.blob(ociLayer, zipped(bare))
	d, err := l.document(ociManifest, manifest{SchemaVersion: 2, MediaType: ociManifest, Config: &settings,
		Layers: []descriptor{layer}})
	d.Platform = &c.platform
	return d, loadable{Config: blobPath(settings), Layers: []string{blobPath(layer)}}, err
}

func (l *layout) document(mediaType string, v any) (descriptor, error) {
	data, err := json.Marshal(v)
	return l.blob(mediaType, data), err
}

func (l *layout) blob(mediaType string, data []byte) descriptor {
	d := descriptor{MediaType: mediaType, Digest: digest(data), Size: len(data)}
	l.files = append(l.files, file{blobPath(d), 0o644, data})
	return d
}

func blobPath(d descriptor) string { return "blobs/" + strings.Replace(d.Digest, ":", "/", 1) }

func digest(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }
