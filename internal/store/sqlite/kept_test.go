package sqlite

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store"
)

// holds reports whether a row is kept, and fails if the books of kept disagree.
func (k *kept) holds(t *testing.T, id string) bool {
	t.Helper()
	bytes, names := 0, 0
	for _, row := range k.rows {
		bytes += rowSize(&row)
		if row.Name != "" && k.names[nameKey{row.Kind, row.Project, row.Name}] == row.ID {
			names++
		}
	}
	if bytes != k.bytes || names != len(k.names) {
		t.Errorf("kept counts %d bytes of %d, and has %d names of %d", k.bytes, bytes, len(k.names), names)
	}
	_, _, ok := k.byID(rowKey{kind: "tool", id: id})
	return ok
}

func write(t *testing.T, s *Store, rows ...run.RowWrite) {
	t.Helper()
	if err := s.Append(t.Context(), run.Commit{Rows: rows}); err != nil {
		t.Fatal(err)
	}
}

// see reads a row by id and by name and returns the versions, 0 = not there.
func see(t *testing.T, s *Store, id, name string) (versions [2]int64) {
	t.Helper()
	for i, get := range []func() (run.Row, error){
		func() (run.Row, error) { return s.Row(t.Context(), "tool", "", id) },
		func() (run.Row, error) { return s.RowByName(t.Context(), "tool", "", name) },
	} {
		row, err := get()
		if err != nil && !problem.Is(err, problem.NotFound) {
			t.Fatal(err)
		}
		if err == nil && i == 1 && row.ID != id {
			t.Errorf("the name %s has %s, not %s", name, row.ID, id)
		}
		versions[i] = row.Version
	}
	return versions
}

// TestKeptFollowsWrites: whatever a commit does to a row that is kept, the next
// read has it.
func TestKeptFollowsWrites(t *testing.T) {
	s := open(t, Config{})
	expect := func(id, name string, want [2]int64) {
		t.Helper()
		for range 2 { // from the file, then from memory
			if got := see(t, s, id, name); got != want {
				t.Errorf("%s %s is at %v, want %v", id, name, got, want)
			}
		}
		if there := want[0] > 0; s.kept.holds(t, id) != there {
			t.Errorf("%s is kept: %v, want %v", id, !there, there)
		}
	}
	remove := func(id string) run.RowWrite {
		row := put(id, "", run.AnyVersion)
		row.Delete = true
		return row
	}
	expect("1", "a", [2]int64{})
	write(t, s, put("1", "a", 0))
	expect("1", "a", [2]int64{1, 1})
	write(t, s, put("1", "a", 1))
	expect("1", "a", [2]int64{2, 2})
	write(t, s, put("1", "b", 2))
	expect("1", "a", [2]int64{3, 0})
	expect("1", "b", [2]int64{3, 3})
	write(t, s, put("2", "a", 0))
	expect("2", "a", [2]int64{1, 1})
	write(t, s, remove("1"), put("2", "b", 1))
	expect("1", "a", [2]int64{})
	expect("2", "b", [2]int64{2, 2})
	write(t, s, remove("2"))
	expect("2", "b", [2]int64{})

	check := put("3", "c", 1)
	check.Check = true
	write(t, s, put("3", "c", 0))
	expect("3", "c", [2]int64{1, 1})
	write(t, s, check)
	if !s.kept.holds(t, "3") {
		t.Error("a row was forgotten because it was checked")
	}
}

// TestKeptIsTheCallersOwn: what a caller does with a row's bytes is its affair.
func TestKeptIsTheCallersOwn(t *testing.T) {
	s := open(t, Config{})
	row := put("1", "a", 0)
	row.Data = []byte("as it is")
	write(t, s, row)
	for range 3 {
		read, err := s.RowByName(t.Context(), "tool", "", "a")
		if err != nil || string(read.Data) != "as it is" {
			t.Errorf("%q, %v", read.Data, err)
		}
		clear(read.Data)
	}
}

// TestKeptBounds: what is large, expires or comes on top is read from the file.
func TestKeptBounds(t *testing.T) {
	s := open(t, Config{Now: func() time.Time { return moment }})
	large, brief := put("large", "", 0), put("brief", "", 0)
	large.Data = make([]byte, keptRow)
	brief.Expires = moment.Add(time.Hour)
	write(t, s, large, brief)
	for _, id := range []string{"large", "brief"} {
		if _, err := s.Row(t.Context(), "tool", "", id); err != nil || s.kept.holds(t, id) {
			t.Errorf("%s is kept; error %v", id, err)
		}
	}
	for n := range 2 * keptRows {
		s.kept.keep(run.Row{Kind: "tool", ID: fmt.Sprint(n), Name: fmt.Sprint(n), Version: 1}, 0)
	}
	if age := s.kept.age; age == 0 || len(s.kept.rows) != 0 {
		t.Fatalf("rows of an earlier age are kept: %d at age %d", len(s.kept.rows), age)
	}
	for n := range 2 * keptRows {
		s.kept.keep(run.Row{Kind: "tool", ID: fmt.Sprint(n), Name: fmt.Sprint(n), Data: make([]byte, 1<<10)}, s.kept.age)
	}
	if s.kept.holds(t, "0"); len(s.kept.rows) > keptRows || s.kept.bytes > keptBytes || s.kept.bytes < keptBytes/2 {
		t.Errorf("%d rows are kept in %d bytes", len(s.kept.rows), s.kept.bytes)
	}
}

// TestKeptRefusesTheLate: a reader that was overtaken by a commit keeps nothing,
// and the commit has dropped what was kept before anyone hears of it.
func TestKeptRefusesTheLate(t *testing.T) {
	s := open(t, Config{})
	write(t, s, put("1", "a", 0))
	_, age, _ := s.kept.byID(rowKey{kind: "tool", id: "1"})
	old, err := s.Row(t.Context(), "tool", "", "1")
	if err != nil || !s.kept.holds(t, "1") {
		t.Fatalf("not kept; error %v", err)
	}
	held := make(chan bool, 1)
	s.Submit(run.Commit{Rows: []run.RowWrite{put("1", "a", 1)}}, func(error) {
		_, _, ok := s.kept.byID(rowKey{kind: "tool", id: "1"})
		held <- ok
	})
	if <-held {
		t.Error("the old row was kept when the commit was answered")
	}
	s.kept.keep(old, age)
	if got := see(t, s, "1", "a"); got != [2]int64{2, 2} {
		t.Errorf("read after the commit: %v", got)
	}
}

// TestKeptAfterAStrangersHand: whoever edits the file under a running server breaks
// the rule that only its process writes; a commit that is refused for it finds the row
// as it is at its second try, and does not go round for ever.
func TestKeptAfterAStrangersHand(t *testing.T) {
	s := open(t, Config{})
	write(t, s, put("1", "a", 0))
	if got := see(t, s, "1", "a"); got != [2]int64{1, 1} {
		t.Fatalf("before: %v", got)
	}
	other, err := sqlite.OpenConn(s.path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlitex.ExecuteTransient(other, "UPDATE rows SET version = 7 WHERE kind = 'tool'", nil); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	check := put("1", "a", 1)
	check.Check = true
	var conflict *run.RowConflict
	if err := s.Append(t.Context(), run.Commit{Rows: []run.RowWrite{check}}); !errors.As(err, &conflict) {
		t.Fatalf("a commit on the old row: %v", err)
	}
	if got := see(t, s, "1", "a"); got != [2]int64{7, 7} {
		t.Errorf("after the refusal: %v", got)
	}
}

// TestKeptAfterFaults: when a COMMIT reports an error, the file is asked anew,
// whether it was written or not.
func TestKeptAfterFaults(t *testing.T) {
	for name, written := range map[string]bool{"written": true, "not written": false} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Config{})
			write(t, s, put("1", "a", 0))
			see(t, s, "1", "a")
			answers := inOneGroup(t, s, func(point string, do func() error) error {
				if point != "commit" {
					return do()
				}
				if written {
					if err := do(); err != nil {
						return err
					}
				}
				return errors.New("it says")
			}, run.Commit{Rows: []run.RowWrite{put("1", "a", 1)}})
			want := [2]int64{1, 1}
			if written {
				want = [2]int64{2, 2}
			}
			if got := see(t, s, "1", "a"); got != want || (answers[0] == nil) != written {
				t.Errorf("the row is at %v, want %v; the answer was %v", got, want, answers[0])
			}
		})
	}
}

func TestKeptAfterClose(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, put("1", "a", 0))
	see(t, s, "1", "a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Row(t.Context(), "tool", "", "1"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a closed store answered; error %v", err)
	}
}

// TestReadYourWrites races readers against a writer: no reader sees a row older
// than one whose commit was answered before it asked, nor a row under a name that
// it had given up by then.
func TestReadYourWrites(t *testing.T) {
	s := open(t, Config{})
	const versions, rows = 40, 3
	var acknowledged [rows]atomic.Int64
	for n := range rows {
		write(t, s, put(fmt.Sprint(n), fmt.Sprintf("%d at 1", n), 0))
		acknowledged[n].Store(1)
	}
	var readers, writers sync.WaitGroup
	stop := make(chan bool)
	for i := range 2 {
		readers.Go(func() {
			for round := i; ; round++ {
				select {
				case <-stop:
					return
				default:
				}
				n := round % rows
				asked := acknowledged[n].Load()
				row, err := s.Row(t.Context(), "tool", "", fmt.Sprint(n))
				if err != nil || row.Version < asked || row.Name != fmt.Sprintf("%d at %d", n, row.Version) {
					t.Errorf("row %d is %+v though version %d was answered; error %v", n, row, asked, err)
					return
				}
				if given := asked - 1; given > 0 {
					if row, err := s.RowByName(t.Context(), "tool", "", fmt.Sprintf("%d at %d", n, given)); !problem.Is(err, problem.NotFound) {
						t.Errorf("row %d still has the name of version %d at %d: %+v, %v", n, given, asked, row, err)
						return
					}
				}
				// The name may have gone on since, but not back.
				if row, err := s.RowByName(t.Context(), "tool", "", fmt.Sprintf("%d at %d", n, asked)); err == nil && row.Version != asked {
					t.Errorf("the name of version %d has version %d", asked, row.Version)
					return
				}
			}
		})
	}
	for n := range rows {
		writers.Go(func() {
			for version := int64(2); version <= versions; version++ {
				err := s.Append(t.Context(), run.Commit{Rows: []run.RowWrite{put(fmt.Sprint(n), fmt.Sprintf("%d at %d", n, version), version-1)}})
				if err != nil {
					t.Error(err)
					return
				}
				acknowledged[n].Store(version)
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}
