package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/problem"
	"errand/internal/run"
)

// moment is when all of these stories happen.
var moment = time.UnixMilli(1_800_000_000_000).UTC()

// begun is the first append of run n.
func begun(n uint64) run.Append {
	id := run.NewID(moment, uint16(n), n)
	return run.Append{
		ID: id, Epoch: 1,
		Events:  []run.Event{{Seq: 1, ID: n, At: moment, Type: run.RunCreated, Created: &run.Created{}}},
		Summary: run.Summary{ID: id, Project: "p", Status: run.Running, Epoch: 1, Seq: 1, Live: true, CreatedAt: moment},
	}
}

// after appends one event to a run that stands at seq.
func after(a run.Append, seq int64, change func(*run.Summary)) run.Append {
	a.Expected, a.Summary.Seq = seq, seq+1
	a.Events = []run.Event{{Seq: seq + 1, ID: a.Events[0].ID<<32 | uint64(seq), At: moment, Type: run.MessageAdded, Message: &run.Added{Text: "x"}}}
	if change != nil {
		change(&a.Summary)
	}
	return a
}

func put(id, name string, expect int64) run.RowWrite {
	return run.RowWrite{Row: run.Row{Kind: "tool", ID: id, Name: name}, Expect: expect}
}

func job(kind string) run.Job { return run.Job{Kind: kind, Due: moment} }

// inOneGroup submits all commits so that they share a transaction, and returns
// their answers in order. The fault is in place from the group's begin on.
func inOneGroup(t *testing.T, s *Store, fault func(string, func() error) error, commits ...run.Commit) []error {
	t.Helper()
	held, release := make(chan bool), make(chan bool)
	s.writer.fault = func(point string, do func() error) error {
		if point == "begin" {
			held <- true
			<-release
			s.writer.fault = fault
		}
		return do()
	}
	answers := make([]chan error, len(commits)+1)
	for i := range answers {
		answers[i] = make(chan error, 1)
	}
	s.Submit(run.Commit{Jobs: []run.Job{job("holds the writer")}}, func(err error) { answers[len(commits)] <- err })
	<-held
	for i, c := range commits {
		s.Submit(c, func(err error) { answers[i] <- err })
	}
	// The writer's own commit ends before the fault is due.
	inner := fault
	passed := false
	fault = func(point string, do func() error) error {
		if passed && inner != nil {
			return inner(point, do)
		}
		passed = point == "commit"
		return do()
	}
	close(release)
	if err := <-answers[len(commits)]; err != nil {
		t.Fatal(err)
	}
	var errs []error
	for _, answer := range answers[:len(commits)] {
		errs = append(errs, <-answer)
	}
	s.writer.fault = nil
	return errs
}

// everything is a group with each kind of write in it.
func everything() []run.Commit {
	return []run.Commit{
		{Runs: []run.Append{begun(1), begun(2)}, Rows: []run.RowWrite{put("a", "name", 0)}, Jobs: []run.Job{job("one"), job("two")}},
		{Runs: []run.Append{after(begun(1), 1, nil)}, Spend: []run.Spend{{Account: run.Account{Project: "p", Day: "2026-01-01"}, Runs: 2}}, Audit: []run.Audit{{Action: "a"}, {Action: "b"}}},
		{Runs: []run.Append{after(begun(8), 1, nil)}}, // progress of an older run
		{Runs: []run.Append{after(begun(9), 1, func(line *run.Summary) { line.Status = run.Completed })}},
		{Runs: []run.Append{after(begun(7), 1, func(line *run.Summary) { line.Deleted = true })}},
		{Rows: []run.RowWrite{{Row: run.Row{Kind: "tool", ID: "old"}, Expect: 1, Delete: true}}},
		{Runs: []run.Append{begun(1)}}, // a conflict
	}
}

// before is what is there when the group comes.
func before(t *testing.T, s *Store) {
	t.Helper()
	err := s.Append(t.Context(), run.Commit{
		Runs: []run.Append{begun(7), begun(8), begun(9)}, Rows: []run.RowWrite{put("old", "old", 0)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// census counts what the group changes, to see all of it or nothing.
func census(t *testing.T, s *Store) string {
	t.Helper()
	counts := ""
	err := s.readers.use(t.Context(), func(conn *sqlite.Conn) error {
		for _, sql := range []string{
			"SELECT count(*) FROM events", "SELECT count(*) FROM runs", "SELECT sum(seq) FROM runs",
			"SELECT count(*) FROM runs WHERE status = 'completed' OR deleted", "SELECT count(*) FROM rows",
			"SELECT count(*) FROM jobs WHERE kind <> 'holds the writer'",
			"SELECT coalesce(sum(runs), 0) FROM spend", "SELECT count(*) + coalesce(max(seq), 0) FROM audit",
		} {
			stmt, err := conn.Prepare(sql)
			if err != nil {
				return err
			}
			n, err := sqlitex.ResultInt64(stmt)
			if err != nil {
				return err
			}
			counts += fmt.Sprint(n, " ")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

const (
	nothingDone = "3 3 3 0 1 0 0 0 "
	allDone     = "7 5 9 2 1 2 2 4 "
)

// TestEachStatementFails lets the n-th statement of a group fail, for every n:
// the whole group fails, nothing of it is there, and the next group works.
func TestEachStatementFails(t *testing.T) {
	for _, failure := range []struct {
		code sqlite.ResultCode
		want problem.Code
	}{
		{sqlite.ResultIOErrWrite, problem.Internal},
		{sqlite.ResultFull, problem.StorageFull},
		{sqlite.ResultBusy, problem.Overloaded},
	} {
		for _, runFirst := range []bool{false, true} {
			s := open(t, Config{})
			before(t, s)
			n, reached := 0, true
			for ; reached; n++ {
				reached = false
				count := 0
				errs := inOneGroup(t, s, func(point string, do func() error) error {
					if count++; count-1 != n || point == "commit" {
						return do()
					}
					reached = true
					if runFirst {
						if err := do(); err != nil {
							return err
						}
					}
					return failure.code.ToError()
				}, everything()...)
				if !reached {
					wantAnswers(t, errs)
					break
				}
				for i, err := range errs {
					if !problem.Is(err, failure.want) {
						t.Errorf("%v at statement %d: commit %d is answered with %v", failure.code, n, i, err)
					}
				}
				if got := census(t, s); got != nothingDone {
					t.Fatalf("%v at statement %d has left %s", failure.code, n, got)
				}
			}
			if got := census(t, s); got != allDone || n < 12 {
				t.Errorf("after %d failures: %s, want %s", n, got, allDone)
			}
		}
	}
}

// wantAnswers checks the answers of everything when it was written.
func wantAnswers(t *testing.T, errs []error) {
	t.Helper()
	last := len(errs) - 1
	for i, err := range errs[:last] {
		if err != nil {
			t.Errorf("commit %d: %v", i, err)
		}
	}
	if !errors.Is(errs[last], run.ErrConflict) {
		t.Errorf("the commit that conflicts: %v", errs[last])
	}
}

// TestCommitFails covers a COMMIT that reports an error: what is answered is
// what is there, whichever kind of write must tell.
func TestCommitFails(t *testing.T) {
	line := func(line *run.Summary) { line.Deleted = true }
	silent := after(begun(8), 1, line)
	silent.Events = nil
	for name, group := range map[string][]run.Commit{
		"everything":    everything()[:6],
		"events":        {{Runs: []run.Append{after(begun(8), 1, nil)}}},
		"a deletion":    {{Runs: []run.Append{silent}}},
		"rows":          {{Rows: []run.RowWrite{put("old", "new name", 1), put("b", "", 0)}}},
		"a row's end":   {{Rows: []run.RowWrite{{Row: run.Row{Kind: "tool", ID: "old"}, Expect: 1, Delete: true}}}},
		"audit":         {{Audit: []run.Audit{{Action: "a"}, {Action: "b"}}}},
		"jobs":          {{Jobs: []run.Job{job("one")}}},
		"put and gone":  {{Rows: []run.RowWrite{put("c", "", 0)}}, {Rows: []run.RowWrite{{Row: run.Row{Kind: "tool", ID: "c"}, Expect: 1, Delete: true}}}, {Jobs: []run.Job{job("one")}}},
		"append, erase": {{Runs: []run.Append{after(begun(8), 1, nil)}}, {Runs: []run.Append{after(begun(8), 2, line)}}},
	} {
		for _, code := range []sqlite.ResultCode{sqlite.ResultIOErrFsync, sqlite.ResultFull} {
			for _, written := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " ", code, " ", written), func(t *testing.T) {
					s := open(t, Config{})
					before(t, s)
					old := census(t, s)
					errs := inOneGroup(t, s, func(point string, do func() error) error {
						if point != "commit" {
							return do()
						}
						if written {
							if err := do(); err != nil {
								return err
							}
						}
						return code.ToError()
					}, group...)
					for i, err := range errs {
						if (err == nil) != written {
							t.Errorf("commit %d: %v", i, err)
						}
					}
					if !written && census(t, s) != old {
						t.Error("the group is there though its writers were told that it isn't")
					}
					again := inOneGroup(t, s, nil, group...)
					if !written && errors.Join(again...) != nil {
						t.Errorf("the second try: %v", again)
					}
				})
			}
		}
	}
}

// TestJobAnswers: finishing and putting off leave no id behind, so the file is
// asked whether the job is as they want it.
func TestJobAnswers(t *testing.T) {
	for _, written := range []bool{false, true} {
		s := open(t, Config{})
		if err := s.Append(t.Context(), run.Commit{Jobs: []run.Job{job("one"), job("two")}}); err != nil {
			t.Fatal(err)
		}
		s.writer.fault = func(point string, do func() error) error {
			if point != "commit" {
				return do()
			}
			if written {
				if err := do(); err != nil {
					return err
				}
			}
			return sqlite.ResultIOErrFsync.ToError()
		}
		if err := s.FinishJob(t.Context(), 1); (err == nil) != written {
			t.Errorf("finishing, written %v: %v", written, err)
		}
		if err := s.RetryJob(t.Context(), 2, moment.Add(time.Hour)); (err == nil) != written {
			t.Errorf("putting off, written %v: %v", written, err)
		}
	}
}

// TestOutcomeUnknown: when the file can't even be read after a failed COMMIT,
// nobody is told that nothing was written; and the store comes back by itself.
func TestOutcomeUnknown(t *testing.T) {
	s := open(t, Config{})
	path := s.writer.path
	errs := inOneGroup(t, s, func(point string, do func() error) error {
		if point != "commit" {
			return do()
		}
		s.writer.path = filepath.Join(filepath.Dir(path), "nowhere", "x.db")
		return errors.Join(do(), sqlite.ResultIOErrFsync.ToError())
	}, run.Commit{Runs: []run.Append{begun(1)}})
	var told *problem.Error
	if !errors.As(errs[0], &told) || told.Code != problem.Internal || told.Detail != unknown(nil).(*problem.Error).Detail {
		t.Errorf("told %v", errs[0])
	}
	if err := s.Append(t.Context(), run.Commit{Runs: []run.Append{begun(2)}}); !problem.Is(err, problem.Internal) {
		t.Errorf("while the file can't be opened: %v", err)
	}
	s.writer.path = path
	// The writer tries its fact again, and is told that it is there.
	if err := s.Append(t.Context(), run.Commit{Runs: []run.Append{begun(1)}}); !errors.Is(err, run.ErrConflict) {
		t.Errorf("the fact that was written after all: %v", err)
	}
	if err := s.Append(t.Context(), run.Commit{Runs: []run.Append{begun(2)}}); err != nil {
		t.Error(err)
	}
	if failed := s.Stats().Failures; failed != 2 {
		t.Errorf("%d failures counted, want 2", failed)
	}
	if _, err := s.Summary(t.Context(), begun(2).ID); err != nil {
		t.Error(err)
	}
}
