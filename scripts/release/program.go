package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"
)

// own is the path of the program's module.
const own = "errand"

// program is an executable, and what the Go tool has written into it.
type program struct {
	bytes    []byte
	info     *buildinfo.BuildInfo
	settings map[string]string
	version  string    // without the v: 1.2.3
	at       time.Time // of its commit
}

// open reads a program, or the one in an archive of a release.
func open(file string) (*program, error) {
	body, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(file, ".tar.gz") {
		entries, err := unpack(body)
		if err != nil {
			return nil, err
		}
		if body, err = only(entries, own); err != nil {
			return nil, err
		}
	}
	return parse(body)
}

// parse reads what the Go tool says of a program.
func parse(body []byte) (*program, error) {
	info, err := buildinfo.Read(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("this is no program of Go's: %w", err)
	}
	p := &program{bytes: body, info: info, settings: map[string]string{}, version: strings.TrimPrefix(info.Main.Version, "v")}
	for _, s := range info.Settings {
		p.settings[s.Key] = s.Value
	}
	if p.at, err = time.Parse(time.RFC3339, p.settings["vcs.time"]); err != nil {
		return nil, errors.New("the program does not know its commit: build it in a clone, with -buildvcs=true")
	}
	return p, nil
}

func (p *program) target() target { return target{p.settings["GOOS"], p.settings["GOARCH"]} }

// entry is a file of an archive.
type entry struct {
	head *tar.Header
	body []byte
}

// unpack reads an archive, compressed or not, into memory: they are small.
func unpack(archive []byte) ([]entry, error) {
	var source io.Reader = bytes.NewReader(archive)
	if zipped, err := gzip.NewReader(source); err == nil {
		source = zipped
	} else {
		source = bytes.NewReader(archive)
	}
	var all []entry
	for r := tar.NewReader(source); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading an archive: %w", err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("reading %s in an archive: %w", head.Name, err)
		}
		all = append(all, entry{head, body})
	}
}

// only returns the one file of this name, in whichever folder it lies.
func only(entries []entry, name string) ([]byte, error) {
	var found []byte
	for _, e := range entries {
		if e.head.Typeflag != tar.TypeReg || path.Base(e.head.Name) != name {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("the archive has more than one file %s", name)
		}
		found = e.body
	}
	if found == nil {
		return nil, fmt.Errorf("the archive has no file %s", name)
	}
	return found, nil
}
