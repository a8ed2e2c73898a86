package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// hold looks at a finished release as a reader of it would, and says all that is wrong.
func hold(root, dist string) error {
	sums, err := checksums(dist)
	if err != nil {
		return err
	}
	notice, err := os.ReadFile(filepath.Join(root, noticeFile))
	if err != nil {
		return err
	}
	version, err := compiler(root)
	if err != nil {
		return err
	}
	var faults []error
	for _, t := range targets() {
		archives, err := filepath.Glob(filepath.Join(dist, "errand_*_"+t.os+"_"+t.arch+".tar.gz"))
		if err != nil || len(archives) != 1 {
			faults = append(faults, fmt.Errorf("there are %d archives for %s/%s, not one", len(archives), t.os, t.arch))
			continue
		}
		r := release{notice: notice, compiler: version, target: t, sums: sums, stem: strings.TrimSuffix(archives[0], ".tar.gz")}
		if err := r.hold(); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", filepath.Base(r.stem), err))
		}
	}
	if len(faults) == 0 {
		fmt.Printf("release: %d files are as they should be\n", len(sums))
	}
	return errors.Join(faults...)
}

// checksums reads checksums.txt, holds each file to its line, and each file of the
// release to having one.
func checksums(dist string) (map[string]bool, error) {
	list, err := os.ReadFile(filepath.Join(dist, "checksums.txt"))
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok || name != filepath.Base(name) {
			return nil, fmt.Errorf("checksums.txt has the line %q", line)
		}
		body, err := os.ReadFile(filepath.Join(dist, name))
		if err != nil {
			return nil, err
		}
		if got := sha256.Sum256(body); hex.EncodeToString(got[:]) != sum {
			return nil, fmt.Errorf("%s is not the file that checksums.txt has a sum of", name)
		}
		named[name] = true
	}
	files, err := os.ReadDir(dist)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if strings.HasPrefix(file.Name(), "errand_") && !file.IsDir() && !named[file.Name()] {
			return nil, fmt.Errorf("%s has no line in checksums.txt", file.Name())
		}
	}
	return named, nil
}

// release is what there is for one platform: files with one stem.
type release struct {
	notice   []byte
	compiler string
	target   target
	sums     map[string]bool
	stem     string
}

func (r release) hold() error {
	archive, err := os.ReadFile(r.stem + ".tar.gz")
	if err != nil {
		return err
	}
	entries, err := unpack(archive)
	if err != nil {
		return err
	}
	p, err := r.program(entries)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.head.ModTime.Equal(p.at) || e.head.Uid != 0 || e.head.Gid != 0 {
			return fmt.Errorf("%s is of %s and of user %d, not of the commit's time and of root", e.head.Name, e.head.ModTime, e.head.Uid)
		}
	}
	if err := r.sbom(p); err != nil {
		return fmt.Errorf("its SBOM: %w", err)
	}
	if r.target.os != "linux" {
		return nil
	}
	image, err := os.ReadFile(r.stem + ".image.tar")
	if err != nil {
		return err
	}
	if !r.sums[filepath.Base(r.stem)+".image.tar"] {
		return errors.New("its image has no line in checksums.txt")
	}
	if err := contained(image, p); err != nil {
		return fmt.Errorf("its image: %w", err)
	}
	return nil
}

// program is the one in the archive, built as releases are, with what comes along.
func (r release) program(entries []entry) (*program, error) {
	body, err := only(entries, own)
	if err != nil {
		return nil, err
	}
	p, err := parse(body)
	if err != nil {
		return nil, err
	}
	if err := asAgreed(p, r.target, r.compiler); err != nil {
		return nil, err
	}
	for _, name := range []string{"LICENSE", noticeFile, "README.md", "CHANGELOG.md"} {
		body, err := only(entries, name)
		if err != nil {
			return nil, err
		}
		if name == noticeFile && !bytes.Equal(body, r.notice) {
			return nil, errors.New(noticeFile + " is another one")
		}
	}
	return p, nil
}

// asAgreed holds a program to the settings with which anybody builds the same bytes.
// Some of them a builder may have for builds of their own, without remembering it.
func asAgreed(p *program, on target, compiler string) error {
	if p.info.GoVersion != compiler {
		return fmt.Errorf("the program was built with %s, not %s", p.info.GoVersion, compiler)
	}
	wanted := map[string]string{
		"CGO_ENABLED": "0", "-trimpath": "true", "vcs.modified": "false", "GOOS": on.os, "GOARCH": on.arch,
		"-tags": "", "GOEXPERIMENT": "", "GOFIPS140": "", "GOAMD64": "", "GOARM64": "",
	}
	switch on.arch {
	case "amd64":
		wanted["GOAMD64"] = "v1"
	case "arm64":
		wanted["GOARM64"] = "v8.0"
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if got, want := p.settings[name], wanted[name]; got != want {
			return fmt.Errorf("the program was built with %s=%q, not %q", name, got, want)
		}
	}
	return nil
}

// fixed is where the version of Go is written down that releases are built with.
var fixed = regexp.MustCompile(`(?m)^  - GOTOOLCHAIN=(go1\.\d+\.\d+)$`)

// compiler reads it.
func compiler(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, ".goreleaser.yaml"))
	if err != nil {
		return "", err
	}
	found := fixed.FindSubmatch(text)
	if found == nil {
		return "", errors.New(".goreleaser.yaml does not fix the version of Go, so two builds may differ")
	}
	return string(found[1]), nil
}

// sbom names each module of the program, and the program by its sum.
func (r release) sbom(p *program) error {
	body, err := os.ReadFile(r.stem + ".tar.gz.cdx.json")
	if err != nil {
		return err
	}
	var listed bom
	if err := json.Unmarshal(body, &listed); err != nil {
		return err
	}
	named := map[string]bool{}
	for _, part := range listed.Components {
		named[part.Name+" "+part.Version] = true
		if part.Name != standard && !bytes.Contains(r.notice, []byte("\n  "+part.Name+" "+part.Version+": ")) {
			return fmt.Errorf("%s %s is not in %s", part.Name, part.Version, noticeFile)
		}
	}
	for _, dep := range p.info.Deps {
		if !named[dep.Path+" "+dep.Version] {
			return fmt.Errorf("it does not name %s %s", dep.Path, dep.Version)
		}
	}
	sum := sha256.Sum256(p.bytes)
	if hashes := listed.Metadata.Component.Hashes; len(hashes) != 1 || hashes[0].Content != hex.EncodeToString(sum[:]) {
		return errors.New("it is of another program")
	}
	return nil
}

// contained holds an image to its promises: each part is what its digest says, the
// program is the archive's, whoever runs it is not root, and there is nothing in it
// that could be run but the program.
func contained(image []byte, p *program) error {
	files, err := unpack(image)
	if err != nil {
		return err
	}
	blobs := map[string][]byte{}
	for _, f := range files {
		if f.head.Typeflag != tar.TypeReg {
			continue
		}
		blobs[f.head.Name] = f.body
		if strings.HasPrefix(f.head.Name, "blobs/") && f.head.Name != blob(digest(f.body)) {
			return fmt.Errorf("%s has another digest", f.head.Name)
		}
	}
	var docker []dockerImage
	var index, made manifest
	var config configuration
	if err := errors.Join(json.Unmarshal(blobs["manifest.json"], &docker), json.Unmarshal(blobs["index.json"], &index)); err != nil {
		return err
	}
	if len(docker) != 1 || len(index.Manifests) != 1 {
		return errors.New("it is not one image")
	}
	if err := json.Unmarshal(blobs[blob(index.Manifests[0].Digest)], &made); err != nil {
		return err
	}
	if made.Config == nil {
		return errors.New("its manifest has no configuration")
	}
	if err := json.Unmarshal(blobs[blob(made.Config.Digest)], &config); err != nil {
		return err
	}
	if user, _, _ := strings.Cut(config.Config.User, ":"); user == "" || user == "0" || user == "root" {
		return fmt.Errorf("it runs as user %q", config.Config.User)
	}
	if config.platform != (platform{p.target().arch, p.target().os}) {
		return fmt.Errorf("it says that it is for %s/%s", config.OS, config.Architecture)
	}
	if docker[0].Config != blob(made.Config.Digest) || len(docker[0].Layers) != len(made.Layers) || len(config.RootFS.DiffIDs) != len(made.Layers) {
		return errors.New("docker would read another image")
	}
	var inside []entry
	for i, l := range made.Layers {
		if docker[0].Layers[i] != blob(l.Digest) {
			return errors.New("docker would read other layers")
		}
		plain, err := unzip(blobs[blob(l.Digest)])
		if err != nil {
			return fmt.Errorf("layer %d: %w", i+1, err)
		}
		if config.RootFS.DiffIDs[i] != digest(plain) {
			return fmt.Errorf("layer %d is another one than its configuration names", i+1)
		}
		entries, err := unpack(plain)
		if err != nil {
			return err
		}
		inside = append(inside, entries...)
	}
	return harmless(inside, p)
}

func unzip(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// harmless looks at the files of an image.
func harmless(inside []entry, p *program) error {
	var names []string
	for _, e := range inside {
		names = append(names, e.head.Name)
		mode := e.head.FileInfo().Mode()
		runs := mode.IsRegular() && mode.Perm()&0o111 != 0
		switch {
		case !mode.IsRegular() && !mode.IsDir(), mode&(fs.ModeSetuid|fs.ModeSetgid) != 0:
			return fmt.Errorf("%s has the mode %s", e.head.Name, mode)
		case runs && (e.head.Name != executable || !bytes.Equal(e.body, p.bytes)):
			return fmt.Errorf("%s can be run and is not the archive's program", e.head.Name)
		case e.head.Uid != 0 && e.head.Name != state+"/":
			return fmt.Errorf("%s belongs to user %d", e.head.Name, e.head.Uid)
		}
	}
	for _, name := range []string{executable, state + "/", "etc/passwd", "etc/ssl/certs/ca-certificates.crt", authorities, documents + "LICENSE", documents + noticeFile} {
		if !slices.Contains(names, name) {
			return fmt.Errorf("it has no %s", name)
		}
	}
	return nil
}
