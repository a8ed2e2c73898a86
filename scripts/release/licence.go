package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// text is a file that a licence asks to be kept.
type text struct {
	name string // of the file, from its module's folder
	body string
}

// component is something of others in the program.
type component struct {
	name, version string
	licence       string // an SPDX expression
	texts         []text
}

// kept are names of files that a licence asks to be kept, or may be one.
var kept = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|copyright|third[-_]?party)([-_.][^.]*)?(\.(md|txt))?$`)

// grants are kept, and are not the licence of their module: what comes with one, and
// what its authors gathered of others, compiled or not.
var grants = regexp.MustCompile(`(?i)^(notice|patents|licen[cs]e-3rd-party)\b`)

// besides are files that look like a licence and are none of what is linked.
var besides = map[string]string{
	"modernc.org/memory LICENSE-LOGO": "of a picture in its repository",
}

// sentences are what a licence is recognised by, in lower case with single spaces. A
// licence that is not here is not linked before somebody has read it: all of these
// allow to hand on a program under terms of one's own, if their texts come along.
var sentences = []struct{ id, says, unless string }{
	{"Apache-2.0", "apache license version 2.0", ""},
	{"MPL-2.0", "mozilla public license version 2.0", ""},
	{"MPL-2.0", "mozilla public license, version 2.0", ""},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files", ""},
	{"BSD-3-Clause", "may be used to endorse or promote products derived from", ""},
	{"BSD-2-Clause", "redistributions of source code must retain the above copyright notice", "endorse or promote"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee", ""},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose with or without fee", ""},
	{"OFL-1.1", "sil open font license version 1.1", ""},
	{"blessing", "all of the code and documentation in sqlite has been dedicated to the public domain", ""},
	{"Unlicense", "this is free and unencumbered software released into the public domain", ""},
	{"CC0-1.0", "cc0 1.0 universal", ""},
}

// read returns a module with the texts of its licences. The standard library's are
// those of the Go that runs this, which are the same in every version of it.
func read(m *module, goroot string) (component, error) {
	c := component{name: m.path, version: m.version}
	folders, base := m.folders(), m.dir
	if m.path == standard {
		c.name, base = standardTitle, goroot
		folders = []string{goroot}
	}
	var ids []string
	for _, folder := range folders {
		files, err := os.ReadDir(folder)
		if err != nil {
			return c, fmt.Errorf("looking for licences: %w", err)
		}
		for _, file := range files {
			name, err := filepath.Rel(base, filepath.Join(folder, file.Name()))
			if err != nil || file.IsDir() || !kept.MatchString(file.Name()) || besides[m.path+" "+name] != "" {
				continue
			}
			body, err := os.ReadFile(filepath.Join(folder, file.Name()))
			if err != nil {
				return c, err
			}
			c.texts = append(c.texts, text{filepath.ToSlash(name), tidy(body)})
			if grants.MatchString(file.Name()) {
				continue
			}
			found := recognise(body)
			if len(found) == 0 {
				return c, fmt.Errorf("%s %s: no licence is recognised in %s: read it, and add it to sentences in scripts/release/licence.go if it may be linked", m.path, m.version, name)
			}
			ids = append(ids, found...)
		}
	}
	if len(ids) == 0 {
		return c, fmt.Errorf("%s %s has no licence: nobody may hand it on", m.path, m.version)
	}
	slices.Sort(ids)
	c.licence = strings.Join(slices.Compact(ids), " AND ")
	return c, nil
}

// recognise returns the licences that a text holds.
func recognise(body []byte) []string {
	plain := strings.Join(strings.Fields(strings.ToLower(string(body))), " ")
	plain = strings.NewReplacer("’", "'", "version 2.0,", "version 2.0", " license, version 2.0", " license version 2.0", "* ", "").Replace(plain)
	var ids []string
	for _, s := range sentences {
		if strings.Contains(plain, s.says) && (s.unless == "" || !strings.Contains(plain, s.unless)) && !slices.Contains(ids, s.id) {
			ids = append(ids, s.id)
		}
	}
	return ids
}

// tidy makes texts that differ in their line ends alone the same text.
func tidy(body []byte) string {
	lines := strings.Split(string(bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t\f")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n") + "\n"
}
