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
		ID: sourceID(Directory, batch.Name), Kind: Directory, Name: batch.Name, Origin: clean(batch.Origin), URL: address(batch.Name, ""),
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
	if len(pageURL) > maxAddress {
		return Source{}, Change{}, problem.Invalid("url", "must have at most %d bytes.", maxAddress)
	}
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
	made := entryOf(line(title), text)
	made.Path, made.URL, made.Digest = clean(pageURL), clean(final), digest(final+"\n"+title+"\n"+text)
	in := intake{project: project, documents: []Entry{made}, source: Source{ID: sourceID(PageKind, pageURL), Kind: PageKind, Name: made.Path, URL: made.URL}}
	err = x.store(ctx, &in)
	return in.source, in.change, err
}

// intake is what one transaction brings, and what came of it.
type intake struct {
	project   string
	source    Source
	documents []Entry
	gone      []string // paths
	change    Change
}

// entryOf makes a document of its title and text.
func entryOf(title, text string) Entry {
	return Entry{Title: strings.ReplaceAll(clean(title), Seam, ""), Text: strings.ReplaceAll(clean(text), Seam, ""), Bytes: int64(len(text))}
}

// clean is a text as every backing can hold it: UTF-8 without zeros.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// read makes a document of a file, or says why it can't.
func read(name string, file File) (Entry, string) {
	tidied := path.Clean(file.Path)
	at := address(name, file.Path)
	switch {
	case file.Path == "" || tidied != file.Path || path.IsAbs(tidied) || tidied == "." || tidied == ".." || strings.HasPrefix(tidied, "../"):
		return Entry{}, "the path must be relative, without . and .. in it"
	case !utf8.ValidString(file.Path) || strings.ContainsFunc(file.Path, hidden):
		return Entry{}, "the path has characters that can't be seen"
	case len(at) > maxAddress:
		return Entry{}, "the path is too long"
	case len(file.Content) > MaxContent:
		return Entry{}, fmt.Sprintf("it has more than %d MiB", MaxContent>>20)
	case !readable(file.Path):
		return Entry{}, fmt.Sprintf("%s files are not read: text, Markdown and HTML are", kindOf(file.Path))
	case strings.ContainsRune(file.Content, 0):
		return Entry{}, "it is not text"
	case len(file.Digest) > maxDigest:
		return Entry{}, fmt.Sprintf("its digest has more than %d bytes", maxDigest)
	case len(file.Modified) > len(time.DateOnly):
		return Entry{}, "modified must be a day such as 2026-01-31"
	}
	title, body := textOf(file.Path, file.Content)
	made := entryOf(line(title), body)
	made.Path, made.URL, made.Digest, made.Modified = file.Path, at, clean(file.Digest), clean(file.Modified)
	if made.Title == "" {
		made.Title = path.Base(file.Path)
	}
	if made.Digest == "" {
		made.Digest = digest(file.Content)
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
	now := x.cfg.Now()
	in.source.Created, in.source.Updated = now, now
	refused := in.change
	return x.keep.Write(ctx, in.project, func(ctx context.Context, tx Tx) error {
		in.change = refused // a transaction may be begun again
		before, err := x.text(ctx, tx)
		if err != nil {
			return err
		}
		if err := tx.Keep(ctx, &in.source); err != nil {
			return err
		}
		if in.change.Removed, err = tx.Remove(ctx, in.source.ID, in.gone); err != nil {
			return err
		}
		fresh, err := in.fresh(ctx, tx)
		if err != nil {
			return err
		}
		if err := tx.Put(ctx, in.source.ID, fresh); err != nil {
			return err
		}
		if err := x.fits(ctx, tx, before); err != nil {
			return err
		}
		in.source, err = tx.Read(ctx, in.source.ID)
		return err
	})
}

// fresh counts what the documents are to those that are there, and returns those to
// be written: one for each path, the last.
func (in *intake) fresh(ctx context.Context, tx Tx) ([]Entry, error) {
	paths := make([]string, len(in.documents))
	for i := range in.documents {
		paths[i] = in.documents[i].Path
	}
	known, err := tx.Digests(ctx, in.source.ID, paths)
	if err != nil {
		return nil, err
	}
	var fresh []Entry
	at := map[string]int{}
	for _, d := range in.documents {
		was, there := known[d.Path]
		switch {
		case !there:
			in.change.Added++
		case was == d.Digest:
			in.change.Unchanged++
			continue
		default:
			in.change.Changed++
		}
		known[d.Path] = d.Digest
		if i, again := at[d.Path]; again {
			fresh[i] = d
			continue
		}
		at[d.Path] = len(fresh)
		fresh = append(fresh, d)
	}
	return fresh, nil
}

// text is how many bytes of text a project has, where that matters.
func (x *Index) text(ctx context.Context, tx Tx) (int64, error) {
	if x.cfg.Most == 0 {
		return 0, nil
	}
	return tx.Bytes(ctx)
}

// fits refuses what has made a project larger than it may be.
func (x *Index) fits(ctx context.Context, tx Tx, before int64) error {
	after, err := x.text(ctx, tx)
	if err != nil || after <= x.cfg.Most || after <= before {
		return err
	}
	return problem.New(problem.QuotaExceeded, "The index was not changed: this project has %.1f MB of text in it, would have %.1f MB, and may have %.1f MB. "+
		"Remove a source (DELETE /v1/index/{id}), or let the operator raise ERRAND_INDEX_MB.", float64(before)/1e6, float64(after)/1e6, float64(x.cfg.Most)/1e6)
}
