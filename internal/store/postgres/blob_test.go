//go:build unix

package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"testing"

	"errand/internal/run"
)

// TestBlobs keeps bytes as long as a row counts them or somebody claims them.
func TestBlobs(t *testing.T) {
	s := open(t, Config{})
	b := s.Blobs("content")
	content := bytes.Repeat([]byte("0123456789"), 250_000) // more than two parts
	put := func(claim string) {
		t.Helper()
		if err := b.Put(t.Context(), "d1", claim, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	release := func(claim string) {
		t.Helper()
		if err := b.Release(t.Context(), "d1", claim); err != nil {
			t.Fatal(err)
		}
	}
	there := func(want bool) {
		t.Helper()
		_, err := b.Get(t.Context(), "d1")
		if errors.Is(err, fs.ErrNotExist) == want || err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want them there: %v", err, want)
		}
	}
	there(false)
	put("one")
	put("two")
	checkBytes(t, b, content)
	release("one")
	there(true) // the second one has a claim
	release("two")
	there(false)

	put("one")
	row := run.RowWrite{Row: run.Row{Kind: "content", ID: "d1"}, Expect: run.AnyVersion}
	commit(t, s, run.Commit{Rows: []run.RowWrite{row}})
	release("one")
	there(true)
	row.Delete = true
	commit(t, s, run.Commit{Rows: []run.RowWrite{row}})
	put("late") // before the one who deletes comes to it
	release("gone")
	there(true)
	release("late")
	there(false)

	// A claim whose node never came back is ended by others, when its time is over.
	put("dead")
	if _, err := s.pool.Exec(t.Context(), "UPDATE blob_claims SET until = now() - interval '1 second'"); err != nil {
		t.Fatal(err)
	}
	if err := b.Release(t.Context(), "d2", "other"); err != nil {
		t.Fatal(err)
	}
	there(false)
}

func checkBytes(t *testing.T, b *Blobs, want []byte) {
	t.Helper()
	r, err := b.Get(t.Context(), "d1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, error %v", len(got), err)
	}
	for _, at := range []int64{partBytes - 3, 0, int64(len(want)) - 5} {
		some := make([]byte, 5)
		if _, err := r.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, some); err != nil || !bytes.Equal(some, want[at:at+5]) {
			t.Errorf("at %d: %q, error %v", at, some, err)
		}
	}
}

// TestBlobsAtOnce puts and releases the same bytes from many sides.
func TestBlobsAtOnce(t *testing.T) {
	s := open(t, Config{})
	b := s.Blobs("content")
	var wait sync.WaitGroup
	for n := range 6 {
		wait.Go(func() {
			for m := range 10 {
				claim := fmt.Sprint(n, "/", m)
				if err := b.Put(t.Context(), "d1", claim, bytes.NewReader([]byte("x"))); err != nil {
					t.Error(err)
				}
				if r, err := b.Get(t.Context(), "d1"); err != nil {
					t.Errorf("bytes that are claimed: %v", err)
				} else if text, err := io.ReadAll(r); err != nil || string(text) != "x" {
					t.Errorf("%q, %v", text, err)
				}
				if err := b.Release(t.Context(), "d1", claim); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if _, err := b.Get(t.Context(), "d1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nobody has the bytes, and they are there: %v", err)
	}
}
