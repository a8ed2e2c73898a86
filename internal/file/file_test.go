package file_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"errand/internal/file"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/memory"
)

type desk struct {
	*file.Store
	t    *testing.T
	dir  string
	rows *memory.Store
	now  time.Time
	most int64
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, dir: t.TempDir(), now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	d.rows = memory.New(memory.Config{Now: func() time.Time { return d.now }})
	d.open()
	return d
}

func (d *desk) open() {
	d.t.Helper()
	var err error
	if d.Store, err = file.Open(d.t.Context(), file.Config{Dir: d.dir, Rows: d.rows, Now: func() time.Time { return d.now }, Most: d.most}); err != nil {
		d.t.Fatal(err)
	}
}

// contents is how many files are on disk, whatever they are.
func (d *desk) contents() int {
	n := 0
	err := filepath.WalkDir(filepath.Join(d.dir, "files"), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

func (d *desk) put(project, name, text string) file.File {
	d.t.Helper()
	f, err := d.Put(d.t.Context(), file.Info{Project: project, Name: name, Purpose: file.Context}, strings.NewReader(text))
	if err != nil {
		d.t.Fatal(err)
	}
	return f
}

func (d *desk) text(project, id string) (string, error) {
	_, content, err := d.Open(d.t.Context(), project, id)
	if err != nil {
		return "", err
	}
	defer content.Close()
	text, err := io.ReadAll(content)
	return string(text), err
}

func TestBytesAreKeptOnceAndGoWithTheLast(t *testing.T) {
	d := newDesk(t)
	a, b, c := d.put("p", "a.txt", "same"), d.put("q", "b.txt", "same"), d.put("p", "c.txt", "other")
	if got := d.contents(); got != 2 {
		t.Errorf("%d contents on disk, want 2", got)
	}
	if _, err := d.text("q", a.ID); !problem.Is(err, problem.NotFound) {
		t.Errorf("another project's file: %v", err)
	}
	if err := d.Delete(t.Context(), "p", a.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := d.text("q", b.ID); got != "same" || err != nil {
		t.Errorf("the other file with these bytes: %q, %v", got, err)
	}
	if err := d.Delete(t.Context(), "p", a.ID); !problem.Is(err, problem.NotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if err := errors.Join(d.Delete(t.Context(), "q", b.ID), d.Delete(t.Context(), "p", c.ID)); err != nil {
		t.Fatal(err)
	}
	if got := d.contents(); got != 0 {
		t.Errorf("%d contents are left", got)
	}
}

func TestTypesAreReadFromTheBytes(t *testing.T) {
	d := newDesk(t)
	long := strings.Repeat("ä", 40_000)
	for text, want := range map[string]string{
		"%PDF-1.7\n": file.PDF, "\x89PNG\r\n\x1a\n....": file.PNG, "\xff\xd8\xff\xe0x": file.JPEG, "RIFF\x10\x00\x00\x00WAVEfmt ": file.WAV,
		"\x00\x00\x00\x20ftypM4A \x00": file.M4A, "plain": file.Text, long: file.Text, "<html><script>": file.Text,
		"MZ\x00\x01": "", "\xff\xfe\x00": "", "a\x00b": "", long + "\xc3": "", "RIFF\x10\x00\x00\x00AVI ": "", "\x7fELF\x02": "",
	} {
		f, err := d.Put(t.Context(), file.Info{Project: "p", Name: "x.png"}, iotest.HalfReader(strings.NewReader(text)))
		if want == "" {
			if problem.From(err) == nil || problem.From(err).Fields["file"] == "" {
				t.Errorf("%.20q: %v, want a refusal", text, err)
			}
		} else if err != nil || f.Type != want {
			t.Errorf("%.20q: %s, %v, want %s", text, f.Type, err, want)
		}
	}
	if n, files := d.contents(), list(d, "p"); n != len(files) {
		t.Errorf("%d contents for %d files: what was refused stays", n, len(files))
	}
}

func list(d *desk, project string) []file.File {
	d.t.Helper()
	found, err := d.List(d.t.Context(), project, "", "", 100)
	if err != nil {
		d.t.Fatal(err)
	}
	return found
}

func TestListPages(t *testing.T) {
	d := newDesk(t)
	var want []string
	for _, name := range []string{"1", "2", "3", "4", "5"} {
		d.now = d.now.Add(time.Millisecond)
		want = append([]string{d.put("p", name, name).ID}, want...)
	}
	if _, err := d.Put(t.Context(), file.Info{Project: "p", Name: "s", Purpose: file.Screenshot}, strings.NewReader("s")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for after := ""; ; {
		page, err := d.List(t.Context(), "p", file.Context, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page {
			got = append(got, f.ID)
		}
		if len(page) < 2 {
			break
		}
		after = page[1].ID
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRetention(t *testing.T) {
	d := newDesk(t)
	f, err := d.Put(t.Context(), file.Info{Project: "p", Name: "s.png", Type: "image/png", Purpose: file.Screenshot, Keep: time.Hour}, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(time.Hour)
	if _, err := d.text("p", f.ID); !problem.Is(err, problem.NotFound) || len(list(d, "p")) != 0 {
		t.Errorf("after its time: %v", err)
	}
	jobs, err := d.rows.Jobs(t.Context(), 0)
	if err != nil || len(jobs) != 1 || !jobs[0].Due.Equal(f.Expires) {
		t.Fatalf("jobs %v, %v", jobs, err)
	}
	for range 2 { // a job may run twice
		if err := d.Expire(t.Context(), jobs[0]); err != nil || d.contents() != 0 {
			t.Errorf("%v, %d contents are left", err, d.contents())
		}
	}
}

func TestACrashLeavesNothingThatNobodyHas(t *testing.T) {
	d := newDesk(t)
	kept := d.put("p", "kept", "kept")
	gone, err := d.Stage(strings.NewReader("cut off")) // an upload that is never kept
	if err != nil {
		t.Fatal(err)
	}
	// Bytes whose commit never came, and bytes whose removal never came, look alike:
	// on disk, marked, and counted by nobody.
	place := filepath.Join(d.dir, "files", gone.Digest[:2])
	if err := errors.Join(os.MkdirAll(place, 0o700), os.WriteFile(filepath.Join(place, gone.Digest[2:]), []byte("cut off"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, digest := range []string{gone.Digest, kept.Digest} {
		if err := os.WriteFile(filepath.Join(d.dir, "files", "new", digest+"-1"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.open()
	if got := d.contents(); got != 1 {
		t.Errorf("%d files on disk, want the one that is kept", got)
	}
	if text, err := d.text("p", kept.ID); text != "kept" || err != nil {
		t.Errorf("the kept one: %q, %v", text, err)
	}
}

func TestALostCommitLeavesNothing(t *testing.T) {
	d := newDesk(t)
	full := problem.New(problem.StorageFull, "full")
	rows := memory.New(memory.Config{Now: time.Now, Refuse: func(*run.Commit) error { return full }})
	s, err := file.Open(t.Context(), file.Config{Dir: d.dir, Rows: rows, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), file.Info{Project: "p"}, strings.NewReader("x")); !problem.Is(err, problem.StorageFull) {
		t.Errorf("got %v", err)
	}
	if got := d.contents(); got != 0 {
		t.Errorf("%d files are left", got)
	}
}

func TestUploadsThatFail(t *testing.T) {
	d := newDesk(t)
	cut := problem.New(problem.InvalidRequest, "cut")
	if _, err := d.Stage(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(cut))); !errors.Is(err, cut) {
		t.Errorf("cut off: %v", err)
	}
	if _, err := d.Stage(io.LimitReader(zeros{}, file.MaxSize+1)); !problem.Is(err, problem.TooLarge) {
		t.Errorf("too large: %v", err)
	}
	if _, err := d.Stage(bytes.NewReader(nil)); problem.From(err) == nil {
		t.Errorf("empty: %v", err)
	}
	if got := d.contents(); got != 0 {
		t.Errorf("%d files are left", got)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestManyAtOnce(t *testing.T) {
	d := newDesk(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10 {
				f, err := d.Put(context.Background(), file.Info{Project: "p", Name: "n"}, strings.NewReader("the same"))
				if err != nil {
					t.Error(err)
					return
				}
				if text, err := d.text("p", f.ID); text != "the same" || err != nil {
					t.Errorf("%q, %v", text, err)
				}
				if err := d.Delete(context.Background(), "p", f.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := d.contents(); got != 0 {
		t.Errorf("%d files are left", got)
	}
}

func TestNames(t *testing.T) {
	d := newDesk(t)
	for name, want := range map[string]string{
		"../../etc/passwd": "passwd", `C:\temp\a.txt`: "a.txt", "a\r\nb": "ab", "": "file", "..": "file", "x\u202egnp.exe": "xgnp.exe", strings.Repeat("ä", 200): strings.Repeat("ä", 127),
	} {
		if got := d.put("p", name, "x").Name; got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
}

func TestClear(t *testing.T) {
	d := newDesk(t)
	d.put("p", "a.txt", "one")
	d.put("p", "b.txt", "two")
	shared := d.put("q", "c.txt", "two")
	if _, err := d.Put(t.Context(), file.Info{Project: "p", Purpose: file.Context, Keep: time.Hour}, strings.NewReader("short")); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(2 * time.Hour) // the time of the last one is over
	for _, want := range []int{2, 1, 0} {
		if n, err := d.Clear(t.Context(), "p", 2); err != nil || n != want {
			t.Fatalf("%d files went, want %d (%v)", n, want, err)
		}
	}
	if got, err := d.text("q", shared.ID); got != "two" || err != nil || d.contents() != 1 {
		t.Errorf("another project has %q (%v), and %d contents are on disk", got, err, d.contents())
	}
}
