package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// MaxSize bounds one file in bytes: the native API document's 100 MB, as powers of
// two, so that nobody's idea of a megabyte is too large.
const MaxSize = 100 << 20

// What a file is for. The last is this server's own word.
const (
	Context    = "context"
	Attachment = "attachment"
	Screenshot = "screenshot"
)

// Purposes are those that an upload can name.
func Purposes() []string { return []string{Context, Attachment} }

// Kinds of rows and jobs.
const (
	fileKind    = "file"
	usageKind   = "file_usage" // how many bytes a project has
	contentKind = ContentKind
	// ContentKind are rows that say how many files have some bytes, whose digest is their
	// id: the server's.
	ContentKind = "file_content"
	// ExpireJob removes a file at the end of its retention.
	ExpireJob = "file.expire"
)

// Rows keeps what is known of files. A store has these methods.
type Rows interface {
	// Row returns one row, or a not_found problem.
	Row(ctx context.Context, kind, project, id string) (run.Row, error)
	// Rows lists rows of one kind and project in order of id.
	Rows(ctx context.Context, q run.RowQuery) ([]run.Row, error)
	// Append writes the commit and returns when it is on disk.
	Append(ctx context.Context, commit run.Commit) error
}

// File is what is known of a file.
type File struct {
	ID       string            `json:"-"`
	Created  time.Time         `json:"-"`
	Name     string            `json:"name"`
	Type     string            `json:"type"` // media type
	Size     int64             `json:"size"`
	Digest   string            `json:"digest"` // SHA-256 in hex
	Purpose  string            `json:"purpose"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Expires  time.Time         `json:"expires,omitzero"` // zero = never
}

// Info is what a new file's maker says of it.
type Info struct {
	Project  string
	Name     string
	Type     string // empty = one of the accepted types, read from the bytes
	Purpose  string
	Metadata map[string]string
	Keep     time.Duration // how long; 0 = until it is deleted
}

// Config is what a Store needs. Dir, Rows and Now must be set.
type Config struct {
	Dir  string // the data directory
	Rows Rows
	Now  func() time.Time
	Most int64 // bytes that the files of one project may have; 0 = any number
	// Blobs keep the bytes when several nodes have the same files; nil = they are in Dir.
	Blobs Blobs
}

// Blobs keep bytes where every node finds them.
type Blobs interface {
	// Put keeps bytes under their digest, and claims them until Release.
	Put(ctx context.Context, digest, claim string, from io.Reader) error
	// Release ends a claim, which need not be there, and takes the bytes away that no row
	// of the kind ContentKind counts and nobody claims.
	Release(ctx context.Context, digest, claim string) error
	// Get returns bytes; fs.ErrNotExist when there are none.
	Get(ctx context.Context, digest string) (io.ReadSeekCloser, error)
}

// Store keeps files. Make one with Open.
type Store struct {
	cfg Config
	// locks are one for each first digit pair of a digest: whoever counts who has
	// some bytes holds one until the disk is as the count says.
	locks [256]sync.Mutex

	mu       sync.Mutex // guards what follows
	projects map[string]*holder
}

// Open returns the store of a data directory, and mends what a crash has left half
// done.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s := &Store{cfg: cfg, projects: map[string]*holder{}}
	if err := os.MkdirAll(s.temporary(), 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of files: %w", err)
	}
	return s, s.mend(ctx)
}

func (s *Store) root() string      { return filepath.Join(s.cfg.Dir, "files") }
func (s *Store) temporary() string { return filepath.Join(s.root(), "new") }

// path is where some bytes are: two digits name a directory, so that none gets too
// many entries.
func (s *Store) path(digest string) string { return filepath.Join(s.root(), digest[:2], digest[2:]) }

// Put stores a file. Errors: invalid_request about the field file, too_large,
// quota_exceeded, storage_full.
func (s *Store) Put(ctx context.Context, info Info, from io.Reader) (File, error) {
	staged, err := s.Stage(from)
	if err != nil {
		return File{}, err
	}
	defer staged.Discard()
	return s.Keep(ctx, info, staged, nil)
}

// Get returns what is known of a file, or not_found.
func (s *Store) Get(ctx context.Context, project, id string) (File, error) {
	row, err := s.cfg.Rows.Row(ctx, fileKind, project, id)
	if err != nil {
		return File{}, err
	}
	f, err := s.read(&row)
	if err == nil && s.over(&f) {
		err = problem.New(problem.NotFound, "There is no file %q any more: its time is over.", id)
	}
	return f, err
}

// Open returns a file and its bytes, for the caller to close.
func (s *Store) Open(ctx context.Context, project, id string) (File, io.ReadSeekCloser, error) {
	f, err := s.Get(ctx, project, id)
	if err != nil {
		return f, nil, err
	}
	content, err := s.bytes(ctx, f.Digest)
	if errors.Is(err, os.ErrNotExist) { // it was deleted this moment
		return f, nil, problem.New(problem.NotFound, "There is no file %q.", id).Because(err)
	}
	if err != nil {
		return f, nil, fmt.Errorf("opening file %s: %w", id, err)
	}
	return f, content, nil
}

func (s *Store) bytes(ctx context.Context, digest string) (io.ReadSeekCloser, error) {
	if s.cfg.Blobs != nil {
		return s.cfg.Blobs.Get(ctx, digest)
	}
	return os.Open(s.path(digest))
}

// List returns a project's files, newest first, below the id after; of one purpose
// or, without it, of all.
func (s *Store) List(ctx context.Context, project, purpose, after string, limit int) ([]File, error) {
	var found []File
	for {
		rows, err := s.cfg.Rows.Rows(ctx, run.RowQuery{Kind: fileKind, Project: project, After: after, Newest: true, Limit: limit})
		if err != nil {
			return nil, err
		}
		for i := range rows {
			f, err := s.read(&rows[i])
			if err != nil {
				return nil, err
			}
			if (purpose == "" || f.Purpose == purpose) && !s.over(&f) && len(found) < limit {
				found = append(found, f)
			}
		}
		if len(rows) < limit || len(found) == limit {
			return found, nil
		}
		after = rows[len(rows)-1].ID
	}
}

func (s *Store) over(f *File) bool { return !f.Expires.IsZero() && !s.cfg.Now().Before(f.Expires) }

func (s *Store) read(row *run.Row) (File, error) {
	f := File{ID: row.ID, Created: row.Created}
	if err := json.Unmarshal(row.Data, &f); err != nil {
		return f, fmt.Errorf("reading file %s: %w", row.ID, err)
	}
	return f, nil
}

// maxName is what most systems take for a file's name, in bytes.
const maxName = 255

// clean is a name as it may be stored and sent back: the last part of a path,
// without control characters.
func clean(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 { // and what turns the order of letters
			return -1
		}
		return r
	}, name), "")
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "")
	}
	if strings.Trim(name, ". ") == "" {
		return "file"
	}
	return name
}

// Contents returns the digests of all bytes that some file has, for checks.
func Contents(ctx context.Context, rows interface {
	Rows(ctx context.Context, q run.RowQuery) ([]run.Row, error)
}) ([]string, error) {
	known, err := rows.Rows(ctx, run.RowQuery{Kind: contentKind})
	if err != nil {
		return nil, err
	}
	digests := make([]string, len(known))
	for i := range known {
		digests[i] = known[i].ID
	}
	return digests, nil
}
