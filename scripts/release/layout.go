package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// layer is one layer of an image, as a tar, and how it came to be.
type layer struct {
	tar  []byte
	made string
}

// descriptor says where a part of an image is, by its digest.
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
}

// manifest is an image, or the index of a layout.
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        *descriptor       `json:"config,omitempty"`
	Layers        []descriptor      `json:"layers,omitempty"`
	Manifests     []descriptor      `json:"manifests,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// settings are how a container of the image is started.
type settings struct {
	User         string
	ExposedPorts map[string]struct{}
	Env          []string
	Entrypoint   []string
	Cmd          []string
	Volumes      map[string]struct{}
	WorkingDir   string
	Labels       map[string]string
	StopSignal   string
}

type history struct {
	Created   string `json:"created"`
	CreatedBy string `json:"created_by"`
}

type rootfs struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type configuration struct {
	Created string `json:"created"`
	platform
	Config  settings  `json:"config"`
	RootFS  rootfs    `json:"rootfs"`
	History []history `json:"history"`
}

// dockerImage is what docker reads beside: versions before 25 know no other layout.
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// layout packs an image as a tar that is an OCI layout and what docker load reads.
func layout(p *program, layers []layer) ([]byte, error) {
	created := p.at.UTC().Format(time.RFC3339)
	tag := "errand:" + strings.ReplaceAll(p.version, "+", "_")
	blobs := newBlobs(p.at)
	made := manifest{SchemaVersion: 2, MediaType: typeManifest, Annotations: labels(p)}
	config := configuration{Created: created, platform: platform{p.target().arch, p.target().os}, Config: started(p), RootFS: rootfs{Type: "layers"}}
	docker := dockerImage{RepoTags: []string{tag}}
	for _, l := range layers {
		var zipped bytes.Buffer
		z, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression) // the level is a good one
		_, _ = z.Write(l.tar)                                      // into memory
		_ = z.Close()
		d := blobs.put(typeLayer, zipped.Bytes())
		made.Layers = append(made.Layers, d)
		docker.Layers = append(docker.Layers, blob(d.Digest))
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest(l.tar))
		config.History = append(config.History, history{created, "scripts/release: " + l.made})
	}
	d := blobs.json(typeConfig, config)
	made.Config, docker.Config = &d, blob(d.Digest)
	d = blobs.json(typeManifest, made)
	d.Platform = &config.platform
	d.Annotations = map[string]string{"org.opencontainers.image.ref.name": tag}
	for name, value := range map[string]any{
		"index.json":    manifest{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{d}},
		"manifest.json": []dockerImage{docker},
		"oci-layout":    map[string]string{"imageLayoutVersion": "1.0.0"},
	} {
		blobs.extra[name] = encoded(value)
	}
	return blobs.end()
}

// started is how the server runs if nothing else is said: for all addresses of its
// container, which it refuses without a key (ERRAND_ADMIN_KEY).
func started(p *program) settings {
	return settings{
		User: fmt.Sprintf("%d:%d", nonroot, nonroot), WorkingDir: "/" + state, StopSignal: "SIGTERM",
		Env:        []string{"PATH=/usr/local/bin", "HOME=/" + state, "ERRAND_ADDR=0.0.0.0:8420", "ERRAND_DATA=/" + state + "/data"},
		Entrypoint: []string{"/" + executable}, Cmd: []string{"serve"},
		ExposedPorts: map[string]struct{}{"8420/tcp": {}}, Volumes: map[string]struct{}{"/" + state: {}}, Labels: labels(p),
	}
}

// labels are the names that the OCI has given to what people ask of an image.
func labels(p *program) map[string]string {
	const name = "org.opencontainers.image."
	return map[string]string{
		name + "title": "errand", name + "description": "Runs AI agents durably", name + "licenses": "Apache-2.0",
		name + "version": p.version, name + "revision": p.settings["vcs.revision"], name + "created": p.at.UTC().Format(time.RFC3339),
	}
}

// blobs are the files of a layout, in the order in which they were put.
type blobs struct {
	w     *tarball
	there map[string]bool
	extra map[string][]byte
}

func newBlobs(at time.Time) *blobs {
	b := &blobs{w: newTar(at), there: map[string]bool{}, extra: map[string][]byte{}}
	b.w.dir("blobs", 0o755, 0)
	b.w.dir("blobs/sha256", 0o755, 0)
	return b
}

func (b *blobs) put(kind string, body []byte) descriptor {
	d := descriptor{MediaType: kind, Digest: digest(body), Size: len(body)}
	if !b.there[d.Digest] {
		b.there[d.Digest] = true
		b.w.file(blob(d.Digest), 0o644, body)
	}
	return d
}

func (b *blobs) json(kind string, value any) descriptor { return b.put(kind, encoded(value)) }

func (b *blobs) end() ([]byte, error) {
	for _, name := range []string{"index.json", "manifest.json", "oci-layout"} {
		b.w.file(name, 0o644, b.extra[name])
	}
	return b.w.end()
}

func encoded(value any) []byte {
	out, _ := json.Marshal(value) // plain structs
	return out
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func blob(digest string) string { return "blobs/" + strings.Replace(digest, ":", "/", 1) }
