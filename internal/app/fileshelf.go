package app

import (
	"context"
	"io"

	"errand/internal/api/native"
	"errand/internal/file"
	"errand/internal/run"
	"errand/internal/store/postgres"
)

// openFiles opens the files beside the store, or in it, where several nodes have it.
func (a *assembly) openFiles(ctx context.Context) (err error) {
	cfg := file.Config{Dir: a.cfg.Data, Rows: a.store, Now: a.now, Most: megabytes(a.cfg.Limits.FilesMB)}
	if shared, ok := a.store.keeper.(*postgres.Store); ok {
		cfg.Blobs = shared.Blobs(file.ContentKind)
	}
	a.files, err = file.Open(ctx, cfg)
	return err
}

// megabytes are as many bytes.
func megabytes(n int) int64 { return int64(n) * 1_000_000 }

// fileShelf shows the files to the API.
type fileShelf struct{ files *file.Store }

// List returns files newest first.
func (s fileShelf) List(ctx context.Context, project, purpose, after string, limit int) ([]native.File, error) {
	found, err := s.files.List(ctx, project, purpose, after, limit)
	shown := make([]native.File, len(found))
	for i := range found {
		shown[i] = native.File(found[i])
	}
	return shown, err
}

// Get returns one.
func (s fileShelf) Get(ctx context.Context, project, id string) (native.File, error) {
	found, err := s.files.Get(ctx, project, id)
	return native.File(found), err
}

// Open returns one with its bytes.
func (s fileShelf) Open(ctx context.Context, project, id string) (native.File, io.ReadSeekCloser, error) {
	found, content, err := s.files.Open(ctx, project, id)
	return native.File(found), content, err
}

// Delete removes one.
func (s fileShelf) Delete(ctx context.Context, project, id string) error {
	return s.files.Delete(ctx, project, id)
}

// Stage reads a file to its end.
func (s fileShelf) Stage(from io.Reader) (native.StagedFile, error) {
	staged, err := s.files.Stage(from)
	if err != nil {
		return nil, err
	}
	return stagedFile{s.files, staged}, nil
}

// stagedFile is a file that was read and that nobody has yet.
type stagedFile struct {
	files *file.Store
	*file.Staged
}

// Keep makes it a project's file.
func (s stagedFile) Keep(ctx context.Context, project string, n native.NewFile, more func(*native.File) ([]run.RowWrite, error)) (native.File, error) {
	info := file.Info{Project: project, Name: n.Name, Purpose: n.Purpose, Metadata: n.Metadata}
	made, err := s.files.Keep(ctx, info, s.Staged, func(f *file.File) ([]run.RowWrite, error) {
		shown := native.File(*f)
		return more(&shown)
	})
	return native.File(made), err
}
