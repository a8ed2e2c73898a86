package file

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"errand/internal/problem"
	"errand/internal/run"
)

// usageID is the id of the one row that a project has of usageKind.
const usageID = "bytes"

// usage is how many bytes the files of a project have. Each file counts in full,
// also where its bytes are on disk already: what others have must not show.
type usage struct {
	Bytes int64 `json:"bytes"`
}

// holder lets one at a time change a project's files in this process, so that what
// looked for room finds it.
type holder struct {
	sync.Mutex
	waiting int
}

// hold takes a project until the result is called.
func (s *Store) hold(project string) (release func()) {
	s.mu.Lock()
	h := s.projects[project]
	if h == nil {
		h = &holder{}
		s.projects[project] = h
	}
	h.waiting++
	s.mu.Unlock()
	h.Lock()
	return func() {
		h.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		if h.waiting--; h.waiting == 0 {
			delete(s.projects, project)
		}
	}
}

// used is what writes how many bytes the project has after a change.
func (s *Store) used(ctx context.Context, by change) (run.RowWrite, error) {
	bytes, version, err := s.usage(ctx, by.project)
	if err != nil {
		return run.RowWrite{}, err
	}
	data, err := json.Marshal(usage{Bytes: max(0, bytes+by.bytes)})
	row := run.Row{Kind: usageKind, Project: by.project, ID: usageID, Created: s.cfg.Now(), Data: data}
	return run.RowWrite{Row: row, Expect: version}, err
}

// usage is how many bytes a project has, and the version of that row. Where there
// is none yet, as in a store that an earlier version made, the files are counted.
func (s *Store) usage(ctx context.Context, project string) (bytes, version int64, err error) {
	row, err := s.cfg.Rows.Row(ctx, usageKind, project, usageID)
	if problem.Is(err, problem.NotFound) {
		err = s.each(ctx, project, func(f *File) bool {
			bytes += f.Size
			return true
		})
		return bytes, run.MustNotExist, err
	}
	if err != nil {
		return 0, 0, err
	}
	var known usage
	if err := json.Unmarshal(row.Data, &known); err != nil {
		return 0, 0, fmt.Errorf("reading how much project %s has: %w", project, err)
	}
	return known.Bytes, row.Version, nil
}

// pageSize is how many rows are read at once.
const pageSize = 200

// each calls do for a project's files, the oldest first, until it returns false.
func (s *Store) each(ctx context.Context, project string, do func(*File) bool) error {
	for after := ""; ; {
		rows, err := s.cfg.Rows.Rows(ctx, run.RowQuery{Kind: fileKind, Project: project, After: after, Limit: pageSize})
		if err != nil {
			return fmt.Errorf("reading the files of project %s: %w", project, err)
		}
		for i := range rows {
			f, err := s.read(&rows[i])
			if err != nil {
				return err
			}
			if !do(&f) {
				return nil
			}
		}
		if len(rows) < pageSize {
			return nil
		}
		after = rows[len(rows)-1].ID
	}
}

// makeRoom lets files go before their time, the oldest first, until a new one fits;
// or none of them, when all of them would not do. The caller holds the project.
func (s *Store) makeRoom(ctx context.Context, project string, size int64) error {
	if s.cfg.Most == 0 {
		return nil
	}
	bytes, _, err := s.usage(ctx, project)
	if err != nil {
		return err
	}
	missing := bytes + size - s.cfg.Most
	if missing <= 0 {
		return nil
	}
	var going []File
	err = s.each(ctx, project, func(f *File) bool {
		if !f.Expires.IsZero() {
			going = append(going, *f)
			missing -= f.Size
		}
		return missing > 0
	})
	if err != nil {
		return err
	}
	if missing > 0 {
		return problem.New(problem.QuotaExceeded, "The file was not stored: it has %s, and the files of this project, of which there are %s, may have %s in all. "+
			"Delete some (DELETE /v1/files/{id}), or let the operator raise ERRAND_FILES_MB.", amount(size), amount(bytes), amount(s.cfg.Most))
	}
	for i := range going {
		// One that is gone meanwhile has made its room.
		if err := s.remove(ctx, project, &going[i]); err != nil && !problem.Is(err, problem.NotFound) {
			return fmt.Errorf("making room for a file: %w", err)
		}
	}
	return nil
}

// amount is a number of bytes for people.
func amount(bytes int64) string {
	if bytes < 100_000 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}
