package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"debug/buildinfo"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

const root = "../.."

// surveyed asks the Go tool, which takes some seconds, once for all parts of a test.
func surveyed(t *testing.T) *inventory {
	t.Helper()
	inv, err := survey(root)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// stamped is a program as the Go tool would have built it of this repository.
func stamped(inv *inventory, on target) *program {
	p := &program{
		bytes: []byte("\x7fELF and so on"), version: "1.2.3", at: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		info: &buildinfo.BuildInfo{GoVersion: "go1.26.8", Path: own, Main: debug.Module{Path: own, Version: "v1.2.3"}},
		settings: map[string]string{
			"GOOS": on.os, "GOARCH": on.arch, "CGO_ENABLED": "0", "-trimpath": "true", "vcs.modified": "false", "vcs.revision": "0123abcd",
		},
	}
	if inv != nil {
		for path, m := range inv.of[on] {
			if path != own && path != standard {
				p.info.Deps = append(p.info.Deps, &debug.Module{Path: path, Version: m.version, Sum: "h1:"})
			}
		}
	}
	slices.SortFunc(p.info.Deps, func(a, b *debug.Module) int { return strings.Compare(a.Path, b.Path) })
	return p
}

// TestLicences: THIRD_PARTY_LICENSES has what the program links and what the page has
// of others, with all their texts; an SBOM names every part of it.
func TestLicences(t *testing.T) {
	inv := surveyed(t)
	t.Run("the file is not stale", func(t *testing.T) {
		there, err := os.ReadFile(filepath.Join(root, noticeFile))
		if err != nil {
			t.Fatal(err)
		}
		if string(there) != notice(inv.others) {
			t.Errorf("%s is not what the program links: run 'go run ./scripts/release licences -write', and read what has changed", noticeFile)
		}
		for _, c := range inv.others {
			for _, text := range c.texts {
				if !strings.Contains(string(there), text.body) {
					t.Errorf("%s of %s is not in it", text.name, c.title())
				}
			}
		}
	})
	t.Run("an SBOM names every part", func(t *testing.T) {
		for _, on := range targets() {
			holdSBOM(t, inv, stamped(inv, on))
		}
	})
	t.Run("an SBOM is of this repository", func(t *testing.T) {
		older, less := stamped(inv, targets()[0]), stamped(inv, targets()[0])
		older.info.Deps[0].Version = "v0.0.1"
		less.info.Deps = less.info.Deps[1:]
		for name, p := range map[string]*program{"of another version": older, "without a module": less} {
			if _, err := sbom(inv, p); err == nil {
				t.Errorf("a program %s was listed", name)
			}
		}
	})
}

func holdSBOM(t *testing.T, inv *inventory, p *program) {
	t.Helper()
	made, err := sbom(inv, p)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := sbom(inv, p); err != nil || !bytes.Equal(made, again) {
		t.Errorf("a second SBOM is another one: %v", err)
	}
	var listed bom
	if err := json.Unmarshal(made, &listed); err != nil {
		t.Fatal(err)
	}
	refs := map[string]bool{listed.Metadata.Component.Ref: true}
	for _, part := range listed.Components {
		refs[part.Purl] = true
		if len(part.Licences) != 1 || part.Licences[0].Expression == "" {
			t.Errorf("%s has no licence", part.Purl)
		}
	}
	for _, dep := range p.info.Deps {
		if purl := "pkg:golang/" + dep.Path + "@" + dep.Version; !refs[purl] {
			t.Errorf("it lacks %s", purl)
		}
	}
	for _, purl := range []string{"pkg:golang/std@1.26.8", "pkg:npm/%40preact/signals@2.11.4"} {
		if !refs[purl] {
			t.Errorf("it lacks %s", purl)
		}
	}
	if len(listed.Dependencies) < 50 || len(listed.Dependencies[0].Needs) < 20 {
		t.Errorf("it knows of %d parts what they need", len(listed.Dependencies))
	}
	for _, d := range listed.Dependencies {
		for _, need := range append(d.Needs, d.Ref) {
			if !refs[need] {
				t.Errorf("it says that %s needs %q, which it does not have", d.Ref, need)
			}
		}
	}
}

// TestImage: an image is the same bytes each time and holds what is promised of one;
// one that does not is refused.
func TestImage(t *testing.T) {
	p := stamped(nil, target{"linux", "arm64"})
	made, err := image(root, p)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := image(root, p); err != nil || !bytes.Equal(made, again) {
		t.Errorf("a second image is another one: %v", err)
	}
	if err := contained(made, p); err != nil {
		t.Errorf("an image as it should be: %v", err)
	}
	other := stamped(nil, target{"linux", "arm64"})
	other.bytes = []byte("\x7fELF of somebody else")
	if contained(made, other) == nil {
		t.Error("an image with another program than the archive was taken")
	}
	if contained(bytes.Replace(made, []byte(`"User":"65532`), []byte(`"User":"00000`), 1), p) == nil {
		t.Error("an image was taken of which a part is not what its digest says")
	}
	if _, err := image(root, stamped(nil, target{"darwin", "arm64"})); err == nil {
		t.Error("an image was made of a program for a Mac")
	}
	authorities := 0
	for rest := roots(); ; authorities++ {
		block, after := pem.Decode(rest)
		if block == nil {
			break
		}
		if c, err := x509.ParseCertificate(block.Bytes); err != nil || !c.IsCA {
			t.Errorf("certificate %d: %v", authorities, err)
		}
		rest = after
	}
	if authorities < 80 {
		t.Errorf("an image trusts %d authorities", authorities)
	}
}

// TestWhatAnImageMayHold: nothing beside the program can be run, and all but its own
// folder is root's.
func TestWhatAnImageMayHold(t *testing.T) {
	p := stamped(nil, target{"linux", "amd64"})
	var good []entry
	for _, layer := range [][]byte{must(ground(p.at)), must(above(root, p))} {
		good = append(good, must(unpack(layer))...)
	}
	if err := harmless(good, p); err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]entry{
		"a shell":           {&tar.Header{Typeflag: tar.TypeReg, Name: "bin/sh", Mode: 0o755}, []byte("#!")},
		"a setuid file":     {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/x", Mode: 0o4644}, nil},
		"a link":            {&tar.Header{Typeflag: tar.TypeSymlink, Name: "etc/x", Linkname: "/"}, nil},
		"another program":   {&tar.Header{Typeflag: tar.TypeReg, Name: executable, Mode: 0o755}, []byte("other")},
		"what a user owns":  {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644, Uid: nonroot}, nil},
		"a device for disk": {&tar.Header{Typeflag: tar.TypeBlock, Name: "dev/sda", Mode: 0o600}, nil},
	} {
		if harmless(append(slices.Clone(good), e), p) == nil {
			t.Errorf("an image with %s was taken", name)
		}
	}
	for i := range good {
		if left := slices.Delete(slices.Clone(good), i, i+1); strings.HasPrefix(good[i].head.Name, documents) && good[i].head.Name != documents && harmless(left, p) == nil {
			t.Errorf("an image without %s was taken", good[i].head.Name)
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// TestRecognise: what is known is named, what is not known names nothing.
func TestRecognise(t *testing.T) {
	for text, want := range map[string]string{
		"Permission is hereby granted, free of\ncharge, to any person obtaining a copy of this software and associated documentation files (the":                                                      "MIT",
		"Redistributions of source code must retain the above copyright notice":                                                                                                                       "BSD-2-Clause",
		"Redistributions of source code must retain the above copyright notice … Neither the name of X nor the names of its\n// contributors may be used to endorse or promote products derived from": "BSD-3-Clause",
		"                Apache License\n          Version 2.0, January 2004":                                                                                                                         "Apache-2.0",
		"Mozilla Public License, version 2.0":         "MPL-2.0",
		"GNU AFFERO GENERAL PUBLIC LICENSE Version 3": "",
		"You may look at this.":                       "",
	} {
		if got := strings.Join(recognise([]byte(text)), " "); got != want {
			t.Errorf("%q is taken for %q, not %q", text, got, want)
		}
	}
}

// TestAModuleWithoutALicence is one that nobody may hand on.
func TestAModuleWithoutALicence(t *testing.T) {
	dir := t.TempDir()
	m := &module{path: "example.com/x", version: "v1.0.0", dir: dir, packages: []string{filepath.Join(dir, "deep", "down")}}
	if err := os.MkdirAll(m.packages[0], 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := read(m, ""); err == nil {
		t.Error("a module without any licence was taken")
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("LICENSE", "ISC: Permission to use, copy, modify, and distribute this software for any purpose with or without fee")
	write("deep/COPYING", "permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files")
	write("deep/down/license_test.go", "package down")
	if c, err := read(m, ""); err != nil || c.licence != "ISC AND MIT" || len(c.texts) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	write("deep/down/LICENSE.md", "All rights reserved.")
	if _, err := read(m, ""); err == nil || !strings.Contains(err.Error(), "deep/down/LICENSE.md") {
		t.Errorf("a licence that nobody has read was taken: %v", err)
	}
}

// TestConfiguration: goreleaser builds for the platforms that are looked at here, with
// the Go that deploy/Dockerfile has, and hands on to the SBOM's step what a build depends
// on; the chart, the Dockerfile and the image of a release agree on who runs the program.
func TestConfiguration(t *testing.T) {
	text := string(must(os.ReadFile(filepath.Join(root, ".goreleaser.yaml"))))
	var config struct {
		Builds []struct{ Goos, Goarch, Flags, Env []string }
		Sboms  []struct{ Env []string }
	}
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	var built []target
	for _, b := range config.Builds {
		for _, os := range b.Goos {
			for _, arch := range b.Goarch {
				built = append(built, target{os, arch})
			}
		}
		if !slices.Contains(b.Flags, "-trimpath") || !slices.Contains(b.Env, "CGO_ENABLED=0") {
			t.Errorf("%v is built with %v, %v", b.Goos, b.Flags, b.Env)
		}
	}
	if !slices.Equal(built, targets()) {
		t.Errorf("goreleaser builds %v, and licences are looked for on %v", built, targets())
	}
	version, err := compiler(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range config.Sboms {
		if !slices.Contains(step.Env, "GOTOOLCHAIN={{ .Env.GOTOOLCHAIN }}") {
			t.Errorf("the SBOM is made with whichever Go there is: goreleaser hands on nothing but %v", step.Env)
		}
	}
	docker := string(must(os.ReadFile(filepath.Join(root, "deploy", "Dockerfile"))))
	node := string(must(os.ReadFile(filepath.Join(root, "deploy", "helm", "errand", "templates", "_node.tpl"))))
	for _, wanted := range []string{
		"FROM golang:" + strings.TrimPrefix(version, "go") + "-", fmt.Sprintf("USER %d:%d\n", nonroot, nonroot),
	} {
		if !strings.Contains(docker, wanted) {
			t.Errorf("deploy/Dockerfile lacks %q, as releases have it", wanted)
		}
	}
	user := regexp.MustCompile(`runAsUser: (\d+)`).FindStringSubmatch(node)
	if user == nil || !strings.Contains(docker, "\nUSER "+user[1]+"\n") || !strings.Contains(docker, "--uid "+user[1]+" ") {
		t.Errorf("the chart runs user %v, whom deploy/Dockerfile does not make", user)
	}
}

// TestAsAgreed: a program that somebody built with settings of their own is found, also
// if all else is as it should be.
func TestAsAgreed(t *testing.T) {
	const version = "go1.26.8"
	for _, on := range targets() {
		level, value := "GOAMD64", "v1"
		if on.arch == "arm64" {
			level, value = "GOARM64", "v8.0"
		}
		agreed := func() *program {
			p := stamped(nil, on)
			p.settings[level] = value
			return p
		}
		if err := asAgreed(agreed(), on, version); err != nil {
			t.Errorf("a program as agreed: %v", err)
		}
		if asAgreed(agreed(), on, "go1.26.9") == nil {
			t.Error("a program of another Go was taken")
		}
		for name, other := range map[string]string{level: "v9", "GOEXPERIMENT": "nogreenteagc", "GOFIPS140": "latest", "-tags": "x", "CGO_ENABLED": "1", "vcs.modified": "true"} {
			p := agreed()
			p.settings[name] = other
			if asAgreed(p, on, version) == nil {
				t.Errorf("a program for %s with %s=%s was taken", on.os, name, other)
			}
		}
	}
}
