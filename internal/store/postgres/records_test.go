//go:build unix

package postgres

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store"
	"errand/internal/store/postgres/pgtest"
	"errand/internal/store/sqlite"
	"errand/internal/store/storetest"
)

// stocked is a store of SQLite's with something of everything.
func stocked(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for n := range uint64(6000) { // more than one COPY takes
		life := storetest.Life(n + 1)
		c := run.Commit{Runs: life[:1]}
		if n%1000 == 0 {
			c.Runs = life[:]
			c.Rows = []run.RowWrite{{Row: run.Row{Kind: "tool", Project: "p", ID: fmt.Sprint(n), Name: fmt.Sprint("n", n), Created: start, Expires: start.AddDate(100, 0, 0), Data: []byte("\x00\xff")}}, {Row: run.Row{Kind: "empty", ID: fmt.Sprint(n)}}}
			c.Jobs = []run.Job{{Kind: "k", Due: start, Data: []byte("{}")}, {Kind: "of a run", Run: life[0].ID, Due: start}}
			c.Spend = []run.Spend{{Account: run.Account{Project: "p", Day: "2026-03-01", Key: fmt.Sprint(n)}, Runs: 1, Usage: run.Usage{Input: 5, Cost: 7, Unpriced: true, Estimated: true}}}
			c.Audit = []run.Audit{{At: start, Project: "p", Action: "a", Data: []byte(`{"x":1}`)}, {At: start, Action: "b"}}
		}
		if n == 2 { // an event that has no body
			started := life[1]
			started.Summary.Seq, started.Events = 2, []run.Event{{Type: run.RunStarted, Seq: 2, ID: 1, At: start}}
			c.Runs = []run.Append{life[0], started}
		}
		s.Submit(c, func(err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := s.Append(t.Context(), run.Commit{}); err != nil { // all before it are written
		t.Fatal(err)
	}
	return s
}

func all(t *testing.T, records iter.Seq2[store.Record, error]) (found []store.Record) {
	t.Helper()
	for record, err := range records {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, record)
	}
	return found
}

// same compares thousands of records, which takes cmp too long where they are equal.
func same(t *testing.T, want, got []store.Record) {
	t.Helper()
	if reflect.DeepEqual(want, got) {
		return
	}
	for i := range min(len(want), len(got)) {
		if diff := cmp.Diff(want[i], got[i]); diff != "" {
			t.Errorf("record %d of %d and %d (-want +got):\n%s", i, len(want), len(got), diff)
			return
		}
	}
	t.Errorf("%d records, want %d", len(got), len(want))
}

// TestImport puts all of another store into an empty database, or nothing.
func TestImport(t *testing.T) {
	from := stocked(t)
	dsn := pgtest.Database(t)
	s := open(t, Config{DSN: dsn})
	wrong := errors.New("not as it should be")
	refuse := func(pgx.Tx, iter.Seq2[store.Record, error]) error { return wrong }
	if err := s.Import(t.Context(), from.Records(t.Context()), refuse); !errors.Is(err, wrong) {
		t.Errorf("a copy that is not right: %v", err)
	}
	broken := func(yield func(store.Record, error) bool) {
		n := 0
		for record, err := range from.Records(t.Context()) {
			if n++; n == 7000 {
				yield(store.Record{}, wrong)
				return
			}
			if !yield(record, err) {
				return
			}
		}
	}
	if err := s.Import(t.Context(), broken, nil); !errors.Is(err, wrong) {
		t.Errorf("a source that breaks: %v", err)
	}
	want := all(t, from.Records(t.Context()))
	accept := func(_ pgx.Tx, arrived iter.Seq2[store.Record, error]) error {
		same(t, want, all(t, arrived))
		return nil
	}
	if err := s.Import(t.Context(), from.Records(t.Context()), accept); err != nil {
		t.Fatal(err)
	}
	same(t, want, all(t, s.Records(t.Context())))
	if err := s.Import(t.Context(), from.Records(t.Context()), accept); !problem.Is(err, problem.Conflict) {
		t.Errorf("into a database that is not empty: %v", err)
	}
	goesOn(t, s)
}

// goesOn appends where the copied store has ended.
func goesOn(t *testing.T, s *Store) {
	t.Helper()
	life := storetest.Life(2)
	commit(t, s, run.Commit{Runs: life[1:2], Jobs: []run.Job{{Kind: "new", Due: start}}, Audit: []run.Audit{{At: start, Action: "c"}},
		Spend: []run.Spend{{Account: run.Account{Project: "p", Day: "2026-03-01", Key: "0"}, Runs: 1}}})
	lines, err := s.Audits(t.Context(), "", 0, 0)
	if err != nil || len(lines) != 13 {
		t.Fatalf("%d audit lines, error %v", len(lines), err)
	}
	var before [32]byte
	for i := range lines {
		if lines[i].Hash != store.Chain(before, &lines[i]) {
			t.Fatalf("line %d breaks the chain", i+1)
		}
		before = lines[i].Hash
	}
	if spent, err := s.Spent(t.Context(), "p", "2026-03-01", "2026-03-01"); err != nil || len(spent) != 6 || spent[0].Runs != 2 {
		t.Errorf("spent %+v, error %v", spent, err)
	}
}
