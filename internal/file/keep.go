package file

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"errand/internal/problem"
	"errand/internal/run"
)

// tries bounds how often a commit is made anew after a conflict. The locks leave
// none to expect but those of rows that others put into it.
const tries = 5

// content is how many files have some bytes.
type content struct {
	Files int `json:"files"`
}

// Keep makes a file of staged bytes. More, if not nil, returns what else belongs
// into the commit.
func (s *Store) Keep(ctx context.Context, info Info, staged *Staged, more func(*File) ([]run.RowWrite, error)) (File, error) {
	f := File{
		ID: s.newID(), Created: s.cfg.Now(), Name: clean(info.Name), Type: info.Type, Size: staged.Size,
		Digest: staged.Digest, Purpose: info.Purpose, Metadata: info.Metadata,
	}
	if f.Type == "" {
		f.Type = staged.Type
	}
	if f.Type == "" {
		return f, problem.Invalid("file", "is of a type that is not accepted, by what is in it: send %s.", accepted)
	}
	var c run.Commit
	if info.Keep > 0 {
		f.Expires = f.Created.Add(info.Keep)
		data, err := json.Marshal(expiry{Project: info.Project, ID: f.ID})
		if err != nil {
			return f, err
		}
		c.Jobs = []run.Job{{Kind: ExpireJob, Due: f.Expires, Data: data}}
	}
	data, err := json.Marshal(f)
	if err != nil {
		return f, err
	}
	c.Rows = []run.RowWrite{{Row: run.Row{Kind: fileKind, Project: info.Project, ID: f.ID, Created: f.Created, Data: data}}}
	unlock := s.hold(info.Project)
	defer unlock()
	if err := s.makeRoom(ctx, info.Project, f.Size); err != nil {
		return f, err
	}
	if more != nil {
		extra, err := more(&f)
		if err != nil {
			return f, err
		}
		c.Rows = append(c.Rows, extra...)
	}
	return f, s.count(ctx, change{project: info.Project, digest: f.Digest, files: 1, bytes: f.Size}, c, func(mark string) error { return s.place(ctx, staged, mark) })
}

// place puts staged bytes where they belong. Bytes that are there already are the
// same.
func (s *Store) place(ctx context.Context, staged *Staged, mark string) error {
	if s.cfg.Blobs != nil {
		part, err := os.Open(staged.path)
		if err != nil {
			return fmt.Errorf("reading what was sent: %w", err)
		}
		defer part.Close()
		return s.cfg.Blobs.Put(ctx, staged.Digest, filepath.Base(mark), part)
	}
	to := s.path(staged.Digest)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return diskFault("making a directory of files", err)
	}
	if err := os.Rename(staged.path, to); err != nil {
		return diskFault("storing a file", err)
	}
	if err := errors.Join(syncDir(filepath.Dir(to)), syncDir(s.root())); err != nil {
		return fmt.Errorf("storing a file: %w", err)
	}
	return nil
}

// Delete removes a file, and its bytes when no other file has them.
func (s *Store) Delete(ctx context.Context, project, id string) error {
	f, err := s.Get(ctx, project, id)
	if err != nil {
		return err
	}
	unlock := s.hold(project)
	defer unlock()
	return s.remove(ctx, project, &f)
}

// Clear removes up to limit files of a project, also those whose time is over, and
// returns how many there were.
func (s *Store) Clear(ctx context.Context, project string, limit int) (count int, err error) {
	unlock := s.hold(project)
	defer unlock()
	rows, err := s.cfg.Rows.Rows(ctx, run.RowQuery{Kind: fileKind, Project: project, Limit: limit})
	if err != nil {
		return 0, fmt.Errorf("reading the files of project %s: %w", project, err)
	}
	for i := range rows {
		f, err := s.read(&rows[i])
		if err != nil {
			return count, err
		}
		if err := s.remove(ctx, project, &f); err != nil && !problem.Is(err, problem.NotFound) {
			return count, err
		}
		count++
	}
	return count, nil
}

// remove does what Delete says, for one who holds the project.
func (s *Store) remove(ctx context.Context, project string, f *File) error {
	c := run.Commit{Rows: []run.RowWrite{{Row: run.Row{Kind: fileKind, Project: project, ID: f.ID}, Expect: 1, Delete: true}}}
	err := s.count(ctx, change{project: project, digest: f.Digest, files: -1, bytes: -f.Size}, c, func(string) error { return nil })
	var conflict *run.RowConflict
	if errors.As(err, &conflict) && conflict.Kind == fileKind {
		return problem.New(problem.NotFound, "There is no file %q.", f.ID).Because(err) // another one was quicker
	}
	return err
}

// change is what a commit does to the numbers that are kept: of files that have
// some bytes, and of bytes that a project has.
type change struct {
	project, digest string
	files           int
	bytes           int64
}

// count writes the commit with the number of files that have the bytes. A mark
// beside them says, to whoever starts after a crash, that the bytes have to be
// held against that number.
func (s *Store) count(ctx context.Context, by change, c run.Commit, before func(mark string) error) error {
	lock := s.lock(by.digest)
	lock.Lock()
	defer lock.Unlock()
	mark, err := os.CreateTemp(s.temporary(), by.digest+"-*")
	if err != nil {
		return diskFault("marking a file", err)
	}
	if err := errors.Join(mark.Close(), syncDir(s.temporary())); err != nil {
		return fmt.Errorf("marking a file: %w", err)
	}
	if err := before(mark.Name()); err != nil {
		return errors.Join(err, s.settle(ctx, by.digest, mark.Name()))
	}
	// Half of this must not be left to chance because a client has gone.
	ctx = context.WithoutCancel(ctx)
	for range tries {
		if err = s.tally(ctx, by, c); err == nil || !isNumber(err) {
			break
		}
	}
	return errors.Join(err, s.settle(ctx, by.digest, mark.Name()))
}

// isNumber reports a conflict about one of the numbers, which another process has
// changed.
func isNumber(err error) bool {
	var conflict *run.RowConflict
	return errors.As(err, &conflict) && (conflict.Kind == contentKind || conflict.Kind == usageKind)
}

func (s *Store) tally(ctx context.Context, by change, c run.Commit) error {
	had, version, err := s.files(ctx, by.digest)
	if err != nil {
		return err
	}
	data, err := json.Marshal(content{Files: had + by.files})
	if err != nil {
		return err
	}
	known := run.RowWrite{Row: run.Row{Kind: contentKind, ID: by.digest, Created: s.cfg.Now(), Data: data}, Expect: version, Delete: had+by.files <= 0}
	used, err := s.used(ctx, by)
	if err != nil {
		return err
	}
	c.Rows = append(c.Rows[:len(c.Rows):len(c.Rows)], known, used)
	return s.cfg.Rows.Append(ctx, c)
}

// files is how many files have the bytes, and the version of that row.
func (s *Store) files(ctx context.Context, digest string) (n int, version int64, err error) {
	row, err := s.cfg.Rows.Row(ctx, contentKind, "", digest)
	if problem.Is(err, problem.NotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	var known content
	err = json.Unmarshal(row.Data, &known)
	return known.Files, row.Version, err
}

// settle removes the bytes that no file has, and the mark. When that can't be
// known, both stay until the next start.
func (s *Store) settle(ctx context.Context, digest, mark string) error {
	if s.cfg.Blobs != nil {
		// The mark's name is the claim's, so that a start after a crash ends it.
		if err := s.cfg.Blobs.Release(ctx, digest, filepath.Base(mark)); err != nil {
			return err
		}
		return os.Remove(mark)
	}
	n, _, err := s.files(ctx, digest)
	if err == nil && n == 0 {
		if err = os.Remove(s.path(digest)); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("removing what no file has: %w", err)
	}
	return os.Remove(mark)
}

// mend finishes what a crash has interrupted.
func (s *Store) mend(ctx context.Context) error {
	left, err := os.ReadDir(s.temporary())
	if err != nil {
		return fmt.Errorf("reading the directory of files: %w", err)
	}
	for _, entry := range left {
		path := filepath.Join(s.temporary(), entry.Name())
		digest, _, _ := strings.Cut(entry.Name(), "-")
		if len(digest) != 64 { // an upload that has not come whole
			err = errors.Join(err, os.Remove(path))
			continue
		}
		err = errors.Join(err, s.settle(ctx, digest, path))
	}
	return err
}

func (s *Store) lock(digest string) *sync.Mutex {
	n, _ := strconv.ParseUint(digest[:2], 16, 8) // a digest is hexadecimal
	return &s.locks[n]
}

// newID makes an id that sorts by time, to the millisecond.
func (s *Store) newID() string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails: the process ends instead
	return fmt.Sprintf("file_%012x%s", s.cfg.Now().UnixMilli(), hex.EncodeToString(random[:]))
}

func syncDir(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// expiry is the data of an ExpireJob.
type expiry struct {
	Project string `json:"project"`
	ID      string `json:"id"`
}

// Expire does an ExpireJob.
func (s *Store) Expire(ctx context.Context, job run.Job) error {
	var e expiry
	if err := json.Unmarshal(job.Data, &e); err != nil {
		return fmt.Errorf("reading which file's time is over: %w", err)
	}
	row, err := s.cfg.Rows.Row(ctx, fileKind, e.Project, e.ID)
	if err == nil {
		var f File
		if f, err = s.read(&row); err == nil {
			unlock := s.hold(e.Project)
			defer unlock()
			err = s.remove(ctx, e.Project, &f)
		}
	}
	if problem.Is(err, problem.NotFound) {
		return nil
	}
	return err
}
