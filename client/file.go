package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"
)

// File is a file of a project: one that was sent, or that a run has left.
type File struct {
	ID        string            `json:"id"`
	Name      string            `json:"filename"`
	Bytes     int64             `json:"bytes"`
	Type      string            `json:"content_type"` // as its bytes say
	Digest    string            `json:"sha256"`       // in hex
	Purpose   string            `json:"purpose"`      // context, attachment, screenshot
	Metadata  map[string]string `json:"metadata"`
	CreatedAt time.Time         `json:"created_at"`
	ExpiresAt *time.Time        `json:"expires_at"` // nil = when it is deleted

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (f *File) UnmarshalJSON(text []byte) error {
	type plain File
	if err := json.Unmarshal(text, (*plain)(f)); err != nil {
		return err
	}
	f.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// NewFile is a file to be sent.
type NewFile struct {
	Name     string
	Purpose  string // context or attachment; empty = context
	Metadata map[string]string
	// Content is read to its end, and not closed. If it is an io.Seeker too, as an
	// os.File is, a request that may have been lost is sent again from where
	// Content stood; else it is sent once.
	Content io.Reader
}

// Files are the files of the key's project.
type Files struct{ c *Client }

// Upload sends a file. It goes out as it is read, whatever its size.
func (f *Files) Upload(ctx context.Context, wanted NewFile) (file File, err error) {
	form, err := newForm(wanted)
	if err != nil {
		return file, err
	}
	err = f.c.do(ctx, call{method: http.MethodPost, path: "/v1/files", body: form, into: &file})
	return file, err
}

// Get returns what is known of a file.
func (f *Files) Get(ctx context.Context, id string) (file File, err error) {
	err = f.c.do(ctx, call{method: http.MethodGet, path: filePath(id), into: &file})
	return file, err
}

// Content returns a file's bytes, for the caller to read and close.
func (f *Files) Content(ctx context.Context, id string) (io.ReadCloser, error) {
	answer, err := f.c.send(ctx, call{method: http.MethodGet, path: filePath(id) + "/content"}, nil)
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

// List returns one page of files, newest first; of one purpose or, without it, of
// all.
func (f *Files) List(ctx context.Context, purpose, after string, limit int) (Page[File], error) {
	query := url.Values{}
	set(query, "purpose", purpose)
	return list[File](ctx, f.c, call{path: "/v1/files", query: query}, after, limit)
}

// Delete removes a file. Runs that were given it keep what they have of it.
func (f *Files) Delete(ctx context.Context, id string) error {
	return f.c.do(ctx, call{method: http.MethodDelete, path: filePath(id)})
}

func filePath(id string) string { return "/v1/files/" + url.PathEscape(id) }
