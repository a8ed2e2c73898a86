package sqlite

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store"
)

// TestLook reads beside the process that writes, and writes nothing.
func TestLook(t *testing.T) {
	dir := t.TempDir()
	if _, err := Look(Config{Dir: dir}); !problem.Is(err, problem.NotFound) {
		t.Errorf("an empty directory: %v", err)
	}
	if Holder(dir) != "" {
		t.Error("an empty directory has a holder")
	}
	writer := open(t, Config{Dir: dir})
	row := run.Row{Kind: "agent", Project: "p", ID: "a", Created: time.Unix(1, 0), Data: []byte("{}")}
	write := run.Commit{Rows: []run.RowWrite{{Row: row, Expect: run.MustNotExist}}}
	if err := writer.Append(t.Context(), write); err != nil {
		t.Fatal(err)
	}
	reader, err := Look(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if got, err := reader.Row(t.Context(), "agent", "p", "a"); err != nil || got.Version != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := reader.Append(t.Context(), write); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a write: %v", err)
	}
	if err := reader.FinishJob(t.Context(), 1); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a job: %v", err)
	}
	if has, err := reader.Stock(t.Context()); err != nil || has.Rows["agent"] != 1 || has.Orphans != 0 {
		t.Errorf("%+v, %v", has, err)
	}
	if holder := Holder(dir); !strings.Contains(holder, "pid") {
		t.Errorf("held by %q", holder)
	}
}

// TestCopy copies what is committed, into a file of its own that is sound.
func TestCopy(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), FileName)
	writer := open(t, Config{Dir: dir})
	before(t, writer)
	if err := Copy(t.Context(), filepath.Join(dir, FileName), to); err != nil {
		t.Fatal(err)
	}
	wantMode(t, to, 0o600)
	if faults, err := Faults(t.Context(), to); err != nil || faults != nil {
		t.Errorf("%v, %v", faults, err)
	}
	if err := Copy(t.Context(), filepath.Join(dir, FileName), to); err == nil {
		t.Error("a file that is there was overwritten")
	}
	copied := open(t, Config{Dir: filepath.Dir(to)})
	want, err := writer.Stock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := copied.Stock(t.Context()); err != nil || got.Events != want.Events || got.Events == 0 {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}
