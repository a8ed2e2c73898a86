package native

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"time"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// Files keeps the files of projects. internal/app adapts internal/file to it.
type Files interface {
	FileReader
	FileWriter
}

// FileReader shows files. One that is not there is not_found.
type FileReader interface {
	// List returns files newest first; purpose empty = any.
	List(ctx context.Context, project, purpose, after string, limit int) ([]File, error)
	// Get returns one.
	Get(ctx context.Context, project, id string) (File, error)
	// Open returns one with its bytes, which the caller closes.
	Open(ctx context.Context, project, id string) (File, io.ReadSeekCloser, error)
}

// FileWriter stores files.
type FileWriter interface {
	// Stage reads a file to its end. Errors: invalid_request about the field file,
	// too_large, storage_full.
	Stage(from io.Reader) (StagedFile, error)
	// Delete removes one.
	Delete(ctx context.Context, project, id string) error
}

// StagedFile is a file that was read and that nobody has yet.
type StagedFile interface {
	// Keep makes it a project's file, with the rows that more adds to its commit.
	// Errors: invalid_request about the field file, quota_exceeded, storage_full.
	Keep(ctx context.Context, project string, n NewFile, more func(*File) ([]run.RowWrite, error)) (File, error)
	// Discard forgets it, unless it was kept.
	Discard()
}

// File is what is known of a file.
type File struct {
	ID       string
	Created  time.Time
	Name     string
	Type     string // media type
	Size     int64
	Digest   string // SHA-256 in hex
	Purpose  string
	Metadata map[string]string
	Expires  time.Time // zero = never
}

// NewFile is what its sender says of a file.
type NewFile struct {
	Name, Purpose string
	Metadata      map[string]string
}

// filePurposes are those that a sender can name.
func filePurposes() []string { return []string{"context", "attachment"} }

type fileBody struct {
	ID        string            `json:"id"`
	Object    string            `json:"object"`
	Filename  string            `json:"filename"`
	Bytes     int64             `json:"bytes"`
	Type      string            `json:"content_type"`
	Digest    string            `json:"sha256"`
	Purpose   string            `json:"purpose"`
	Status    string            `json:"status"`
	Metadata  map[string]string `json:"metadata"`
	CreatedAt time.Time         `json:"created_at"`
	ExpiresAt *time.Time        `json:"expires_at"`
}

func showFile(f *File) fileBody {
	return fileBody{
		ID: f.ID, Object: "file", Filename: f.Name, Bytes: f.Size, Type: f.Type, Digest: f.Digest, Purpose: f.Purpose,
		Status: "processed", Metadata: mapped(f.Metadata), CreatedAt: f.Created.UTC(), ExpiresAt: moment(f.Expires),
	}
}

func (a *API) fileRoutes() []wire.Route {
	return []wire.Route{
		{Method: "POST", Path: "/v1/files", Scope: "files:write", Body: uploadBody, Raw: true, Handle: with(a.files, a.createFile)},
		{Method: "GET", Path: "/v1/files", Scope: "files:read", Query: filters("purpose"), Handle: with(a.files, a.listFiles)},
		{Method: "GET", Path: "/v1/files/{id}", Scope: "files:read", Handle: with(a.files, a.getFile)},
		{Method: "GET", Path: "/v1/files/{id}/content", Scope: "files:read", Handle: with(a.files, a.getContent)},
		{Method: "DELETE", Path: "/v1/files/{id}", Scope: "files:write", Handle: with(a.files, a.deleteFile)},
	}
}

// files returns them, or says that this server keeps none.
func (a *API) files() (Files, error) {
	if a.cfg.Files == nil {
		return nil, problem.New(problem.NotAvailable, "This server keeps no files.")
	}
	return a.cfg.Files, nil
}

func (a *API) listFiles(ctx context.Context, r *wire.Request, files Files) (wire.Response, error) {
	query := r.Query()
	purpose := query.OneOf("purpose", slices.Concat(filePurposes(), []string{"screenshot"})...)
	find := func(after string, limit int) ([]File, error) {
		return files.List(ctx, r.Caller.Project, purpose, after, limit)
	}
	return listPage(query, find, showFile, func(f *File) string { return f.ID })
}

func (a *API) getFile(ctx context.Context, r *wire.Request, files Files) (wire.Response, error) {
	found, err := files.Get(ctx, r.Caller.Project, r.Path("id"))
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(showFile(&found)), nil
}

// getContent sends a file's bytes. It is always an attachment: nothing that
// somebody has uploaded is shown as a page of this server.
func (a *API) getContent(ctx context.Context, r *wire.Request, files Files) (wire.Response, error) {
	found, content, err := files.Open(ctx, r.Caller.Project, r.Path("id"))
	if err != nil {
		return wire.Response{}, err
	}
	disposition := mime.FormatMediaType("attachment", map[string]string{"filename": found.Name})
	if disposition == "" {
		disposition = "attachment"
	}
	return wire.Response{
		File: &wire.File{ReadSeekCloser: content, Modified: found.Created},
		Header: http.Header{
			"Content-Type": {found.Type}, "Content-Disposition": {disposition}, "Etag": {fmt.Sprintf("%q", found.Digest)},
			"Content-Security-Policy": {"default-src 'none'; frame-ancestors 'none'; sandbox"},
		},
	}, nil
}

func (a *API) deleteFile(ctx context.Context, r *wire.Request, files Files) (wire.Response, error) {
	id := r.Path("id")
	if err := files.Delete(ctx, r.Caller.Project, id); err != nil {
		return wire.Response{}, err
	}
	return wire.OK(deletedBody{ID: id, Object: "file", Deleted: true}), nil
}
