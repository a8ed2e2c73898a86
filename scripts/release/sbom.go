package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
)

// bom is the part of CycloneDX 1.6 that a list of a program's parts needs.
type bom struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Serial       string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     bomMetadata  `json:"metadata"`
	Components   []bomPart    `json:"components"`
	Dependencies []bomNeeds   `json:"dependencies"`
	Compositions []bomClosure `json:"compositions"`
}

type bomMetadata struct {
	Timestamp string  `json:"timestamp"`
	Component bomPart `json:"component"`
}

type bomPart struct {
	Type       string        `json:"type"`
	Ref        string        `json:"bom-ref"`
	Name       string        `json:"name"`
	Version    string        `json:"version"`
	Hashes     []bomHash     `json:"hashes,omitempty"`
	Licences   []bomLicence  `json:"licenses"`
	Purl       string        `json:"purl"`
	Properties []bomProperty `json:"properties,omitempty"`
}

type bomHash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type bomLicence struct {
	Expression string `json:"expression"`
}

type bomProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type bomNeeds struct {
	Ref   string   `json:"ref"`
	Needs []string `json:"dependsOn,omitempty"`
}

// bomClosure says that a list is all there is.
type bomClosure struct {
	Aggregate  string   `json:"aggregate"`
	Assemblies []string `json:"assemblies"`
}

// sbom lists what a program has in it: each module that the Go tool has written into
// it, the standard library, and what the page under /ui/ has of others. What the
// program says is held against what the repository would link.
func sbom(inv *inventory, p *program) ([]byte, error) {
	modules := inv.of[p.target()]
	licenceOf := map[string]string{}
	for _, c := range inv.others {
		licenceOf[c.name] = c.licence
	}
	licenceOf[standard] = licenceOf[standardTitle]
	parts, err := goParts(p, modules, licenceOf)
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for _, part := range parts {
		refs[part.Name] = part.Ref
	}
	ours := needs(refs[own], modules[own], refs)
	for _, l := range inv.page {
		part := npmPart(l)
		parts, ours.Needs = append(parts, part), append(ours.Needs, part.Ref)
	}
	made := bom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Serial:       serial(p.bytes),
		Metadata:     bomMetadata{p.at.UTC().Format("2006-01-02T15:04:05Z"), parts[0]},
		Components:   parts[1:],
		Dependencies: []bomNeeds{ours},
		Compositions: []bomClosure{{"complete", []string{refs[own]}}},
	}
	for _, part := range made.Components {
		if m := modules[part.Name]; m != nil {
			made.Dependencies = append(made.Dependencies, needs(part.Ref, m, refs))
		}
	}
	out, err := json.MarshalIndent(made, "", "  ")
	return append(out, '\n'), err
}

// goParts are the program itself, and the modules that it says it has.
func goParts(p *program, modules map[string]*module, licenceOf map[string]string) ([]bomPart, error) {
	sum := sha256.Sum256(p.bytes)
	ours := bomPart{
		Type: "application", Name: own, Version: p.info.Main.Version, Purl: "pkg:golang/" + own + "@" + p.info.Main.Version,
		Hashes: []bomHash{{"SHA-256", hex.EncodeToString(sum[:])}}, Licences: []bomLicence{{"Apache-2.0"}},
	}
	for _, s := range p.info.Settings {
		if s.Key != "DefaultGODEBUG" && s.Key != "-ldflags" {
			ours.Properties = append(ours.Properties, bomProperty{"errand:build:" + s.Key, s.Value})
		}
	}
	parts := []bomPart{ours}
	version := strings.TrimPrefix(strings.Fields(p.info.GoVersion)[0], "go")
	for _, dep := range append([]*debug.Module{{Path: standard, Version: version}}, p.info.Deps...) {
		m := modules[dep.Path]
		if m == nil || m.path != standard && m.version != dep.Version {
			return nil, fmt.Errorf("the program has %s %s, which this repository does not link: is it of another commit?", dep.Path, dep.Version)
		}
		part := bomPart{
			Type: "library", Name: dep.Path, Version: dep.Version,
			Purl: "pkg:golang/" + dep.Path + "@" + dep.Version, Licences: []bomLicence{{licenceOf[dep.Path]}},
		}
		if dep.Sum != "" {
			part.Properties = []bomProperty{{"errand:go.sum", dep.Sum}}
		}
		parts = append(parts, part)
	}
	if len(parts) != len(modules) {
		return nil, fmt.Errorf("the program has %d modules, and this repository links %d: is it of another commit?", len(parts), len(modules))
	}
	for i := range parts {
		parts[i].Ref = parts[i].Purl
	}
	return parts, nil
}

func npmPart(l library) bomPart {
	purl := "pkg:npm/" + strings.Replace(l.name, "@", url.QueryEscape("@"), 1) + "@" + l.version
	return bomPart{Type: "library", Ref: purl, Name: l.name, Version: l.version, Purl: purl, Licences: []bomLicence{{l.licence}}}
}

// needs are the edges from a module to those that its linked packages import.
func needs(ref string, m *module, refs map[string]string) bomNeeds {
	n := bomNeeds{Ref: ref}
	for _, path := range m.needs {
		n.Needs = append(n.Needs, refs[path])
	}
	slices.Sort(n.Needs)
	return n
}

// serial is a UUID (version 8, made of what one likes) that is another one for other
// bytes, and the same one whenever the same program is listed.
func serial(program []byte) string {
	sum := sha256.Sum256(append([]byte("errand sbom\n"), program...))
	id := sum[:16]
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
