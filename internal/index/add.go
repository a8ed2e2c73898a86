package index

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"zombiezen.com/go/sqlite"

	"errand/internal/problem"
)

// Limits of what is taken.
const (
	// MaxContent is the most bytes of one file: more than a long book has.
	MaxContent = 4 << 20
	// maxAddress is the most bytes of a document's address: what cites it has no
	// room for more.
	maxAddress = 1900
	maxOrigin  = 1000
	maxDigest  = 128 // SHA-512 in hex
)

// File is a file to be added.
type File struct {
	Path     string // relative, with slashes
	Content  string
	Digest   string // of the file as it was, so that it is known again; empty = of Content
	Modified string // a day, or empty
}

// Batch changes a directory's documents: files that are new or have changed, and
// the paths of those that are gone.
type Batch struct {
	Name   string // of the directory: lower case letters, digits, dots and dashes
	Origin string // where the files are, for people
	Files  []File
	Gone   []string
}

// Change says what came of a batch.
type Change struct {
	Added, Changed, Unchanged, Removed int
	Refused                            []Refusal
}

// Refusal is a file that was not taken.
type Refusal struct{ Path, Why string }

// Name is what a directory can be called.
var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Put adds files to a directory, and removes others. All of it is done, or
// nothing; files that can't be taken are named and left out.
func (x *Index) Put(ctx context.Context, project string, batch Batch) (Source, Change, error) {
	if !namePattern.MatchString(batch.Name) {
		return Source{}, Change{}, problem.Invalid("name", "must be 1 to 63 lower case letters, digits, dots, dashes or underscores, and begin with a letter or a digit.")
	}
	if len(batch.Origin) > maxOrigin {
		return Source{}, Change{}, problem.Invalid("origin", "must have at most %d bytes.", maxOrigin)
	}
	in := intake{project: project, gone: batch.Gone, source: Source{
		ID: sourceID(Directory, batch.Name), Kind: Directory, Name: batch.Name, Origin: batch.Origin, URL: address(batch.Name, ""),
	}}
	for _, file := range batch.Files {
		made, why := read(batch.Name, file)
		if why != "" {
			in.change.Refused = append(in.change.Refused, Refusal{file.Path, why})
			continue
		}
		in.documents = append(in.documents, made)
	}
	err := x.store(ctx, &in)
	return in.source, in.change, err
}

// Add reads a page of the web and adds it, or brings it up to date.
func (x *Index) Add(ctx context.Context, project, pageURL string) (Source, Change, error) {
	if x.cfg.Pages == nil {
		return Source{}, Change{}, problem.New(problem.NotAvailable, "This server reads no pages.")
	}
	pageURL, _, _ = strings.Cut(pageURL, "#")
	title, final, text, err := x.cfg.Pages.Page(ctx, pageURL)
	if err != nil {
		return Source{}, Change{}, err
	}
	if len(final) > maxAddress {
		return Source{}, Change{}, problem.Invalid("url", "leads to an address of more than %d bytes.", maxAddress)
	}
	if title == "" {
		title = final
	}
	made := entry{path: pageURL, url: final, title: line(title), body: text, digest: digest(final + "\n" + title + "\n" + text)}
	in := intake{project: project, documents: []entry{made}, source: Source{ID: sourceID(PageKind, pageURL), Kind: PageKind, Name: pageURL, URL: final}}
	err = x.store(ctx, &in)
	return in.source, in.change, err
}

// intake is what one transaction brings, and what came of it.
type intake struct {
	project   string
	source    Source
	documents []entry
	gone      []string // paths
	change    Change
}

// entry is a document on its way in.
type entry struct {
	path, url, title, body, digest, modified string
}

// read makes a document of a file, or says why it can't.
func read(name string, file File) (entry, string) {
	clean := path.Clean(file.Path)
	at := address(name, file.Path)
	switch {
	case file.Path == "" || clean != file.Path || path.IsAbs(clean) || clean == "." || clean == ".." || strings.HasPrefix(clean, "../"):
		return entry{}, "the path must be relative, without . and .. in it"
	case !utf8.ValidString(file.Path) || strings.ContainsFunc(file.Path, hidden):
		return entry{}, "the path has characters that can't be seen"
	case len(at) > maxAddress:
		return entry{}, "the path is too long"
	case len(file.Content) > MaxContent:
		return entry{}, fmt.Sprintf("it has more than %d MiB", MaxContent>>20)
	case !readable(file.Path):
		return entry{}, fmt.Sprintf("%s files are not read: text, Markdown and HTML are", kindOf(file.Path))
	case strings.ContainsRune(file.Content, 0):
		return entry{}, "it is not text"
	case len(file.Digest) > maxDigest:
		return entry{}, fmt.Sprintf("its digest has more than %d bytes", maxDigest)
	case len(file.Modified) > len(time.DateOnly):
		return entry{}, "modified must be a day such as 2026-01-31"
	}
	title, body := textOf(file.Path, file.Content)
	made := entry{path: file.Path, url: at, title: line(title), body: body, digest: file.Digest, modified: file.Modified}
	if made.title == "" {
		made.title = path.Base(file.Path)
	}
	if made.digest == "" {
		made.digest = digest(file.Content)
	}
	return made, ""
}

// address is the URL of a document. Every character that means something in a
// link is escaped.
func address(name, file string) string {
	return (&url.URL{Scheme: "index", Host: name, Path: "/" + file}).String()
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// store writes the source, drops what is gone, and keeps the documents.
func (x *Index) store(ctx context.Context, in *intake) error {
	now := x.cfg.Now().UnixMilli()
	s := &in.source
	return x.write(ctx, func(conn *sqlite.Conn) error {
		before, err := x.text(conn, in.project)
		if err != nil {
			return err
		}
		const keep = `INSERT INTO sources (project, id, kind, name, url, origin, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (project, id) DO UPDATE SET url = excluded.url, origin = excluded.origin, updated = excluded.updated`
		if err := exec(conn, keep, in.project, s.ID, s.Kind, s.Name, s.URL, s.Origin, now, now); err != nil {
			return err
		}
		for _, gone := range in.gone {
			if err := exec(conn, "DELETE FROM documents WHERE project = ? AND source = ? AND path = ?", in.project, s.ID, gone); err != nil {
				return err
			}
			in.change.Removed += conn.Changes()
		}
		for i := range in.documents {
			if err := in.keep(conn, &in.documents[i]); err != nil {
				return err
			}
		}
		if err := x.fits(conn, in.project, before); err != nil {
			return err
		}
		return one(conn, in.project, s.ID, s)
	})
}

// text is how many bytes of text a project has, where that matters.
func (x *Index) text(conn *sqlite.Conn, project string) (bytes int64, err error) {
	if x.cfg.Most == 0 {
		return 0, nil
	}
	err = query(conn, "SELECT coalesce(sum(bytes), 0) FROM documents WHERE project = ?", func(stmt *sqlite.Stmt) error {
		bytes = stmt.ColumnInt64(0)
		return nil
	}, project)
	return bytes, err
}

// fits refuses what has made a project larger than it may be.
func (x *Index) fits(conn *sqlite.Conn, project string, before int64) error {
	after, err := x.text(conn, project)
	if err != nil || after <= x.cfg.Most || after <= before {
		return err
	}
	return problem.New(problem.QuotaExceeded, "The index was not changed: this project has %.1f MB of text in it, would have %.1f MB, and may have %.1f MB. "+
		"Remove a source (DELETE /v1/index/{id}), or let the operator raise ERRAND_INDEX_MB.", float64(before)/1e6, float64(after)/1e6, float64(x.cfg.Most)/1e6)
}

// keep writes a document unless it is there as it is.
func (in *intake) keep(conn *sqlite.Conn, d *entry) error {
	known := ""
	err := query(conn, "SELECT digest FROM documents WHERE project = ? AND source = ? AND path = ?", func(stmt *sqlite.Stmt) error {
		known = stmt.ColumnText(0)
		return nil
	}, in.project, in.source.ID, d.path)
	switch {
	case err != nil:
		return err
	case known == d.digest:
		in.change.Unchanged++
		return nil
	case known != "":
		in.change.Changed++
		return exec(conn, "UPDATE documents SET url = ?, digest = ?, bytes = ?, modified = ?, title = ?, body = ? WHERE project = ? AND source = ? AND path = ?",
			d.url, d.digest, len(d.body), d.modified, apart(d.title), apart(d.body), in.project, in.source.ID, d.path)
	}
	in.change.Added++
	return exec(conn, "INSERT INTO documents (project, source, path, url, digest, bytes, modified, title, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		in.project, in.source.ID, d.path, d.url, d.digest, len(d.body), d.modified, apart(d.title), apart(d.body))
}
