package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// module is a Go module of which the program links at least one package.
type module struct {
	path, version string
	dir           string
	packages      []string // folders of the packages that are linked
	needs         []string // paths of the modules that these import, itself excepted
}

// standard is the name under which scanners know Go's library and runtime.
const standard = "std"

// standardTitle is what people call it.
const standardTitle = "Go's standard library and runtime"

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir string
	Imports         []string
	Standard        bool
	Module          *struct {
		Path, Version, Dir string
		Main               bool
		Replace            *struct{ Path string }
	}
}

// linked returns the modules that the program has on a platform, by path: those whose
// packages are compiled, not those that go.mod names for tests and tools. The
// program's own module is among them, under its name.
func linked(root string, t target) (map[string]*module, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Imports,Standard,Module", ".")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+t.os, "GOARCH="+t.arch, "CGO_ENABLED=0")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the packages for %s/%s: %w\n%s", t.os, t.arch, err, said.String())
	}
	var packages []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("reading what go list says: %w", err)
		}
		packages = append(packages, p)
	}
	return modules(packages)
}

// modules gathers packages by their module, and what one module needs of others.
func modules(packages []listed) (map[string]*module, error) {
	found, owner := map[string]*module{}, map[string]string{}
	for _, p := range packages {
		m := module{path: standard}
		switch {
		case p.Module != nil && p.Module.Replace != nil:
			return nil, fmt.Errorf("%s is replaced: a release is built of what go.sum holds", p.Module.Path)
		case p.Module != nil:
			m = module{path: p.Module.Path, version: p.Module.Version, dir: p.Module.Dir}
		case !p.Standard:
			return nil, fmt.Errorf("%s belongs to no module", p.ImportPath)
		}
		owner[p.ImportPath] = m.path
		if found[m.path] == nil {
			found[m.path] = &m
		}
		if m.path != standard {
			found[m.path].packages = append(found[m.path].packages, p.Dir)
		}
	}
	for _, p := range packages {
		m := found[owner[p.ImportPath]]
		for _, imported := range p.Imports {
			if to := owner[imported]; to != "" && to != m.path && !slices.Contains(m.needs, to) {
				m.needs = append(m.needs, to)
			}
		}
	}
	return found, nil
}

// everywhere returns the modules of all platforms together, by path.
func everywhere(of map[target]map[string]*module) []*module {
	found := map[string]*module{}
	for _, t := range targets() {
		for path, m := range of[t] {
			if found[path] == nil {
				found[path] = &module{path: m.path, version: m.version, dir: m.dir}
			}
			for _, dir := range m.packages {
				if !slices.Contains(found[path].packages, dir) {
					found[path].packages = append(found[path].packages, dir)
				}
			}
		}
	}
	var all []*module
	for _, path := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[path])
	}
	return all
}

// folders are those in which a licence of the linked packages may stand: theirs, and
// all above them up to the module's.
func (m *module) folders() []string {
	var all []string
	for _, dir := range append([]string{m.dir}, m.packages...) {
		for ; len(dir) >= len(m.dir) && !slices.Contains(all, dir); dir = filepath.Dir(dir) {
			all = append(all, dir)
		}
	}
	slices.Sort(all)
	return all
}
