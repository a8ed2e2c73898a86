package feed

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"errand/internal/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func appended(project string, n byte, kind run.Type) []run.Append {
	return []run.Append{{ID: run.ID{n}, Events: []run.Event{{Type: kind}}, Summary: run.Summary{Project: project, Live: true}}}
}

// reader collects what it is told, as words.
type reader struct {
	heard  []string
	cursor string
}

func (r *reader) read(ctx context.Context, f *Feed, project, cursor string) {
	for b := range f.Watch(ctx, project, cursor) {
		if b.Resync != "" {
			r.heard = append(r.heard, string(b.Resync))
		}
		for _, c := range b.Changes {
			word := string('a' + rune(c.Line.ID[0]))
			if c.Approval {
				word += "!"
			}
			r.heard = append(r.heard, word)
		}
		r.cursor = b.Cursor
	}
}

func TestReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(7)
		ctx, leave := context.WithCancel(t.Context())
		var mine, other, again reader
		go mine.read(ctx, f, "p", "")
		go other.read(ctx, f, "q", "")
		synctest.Wait()
		for i, kind := range []run.Type{run.RunCreated, run.ToolStarted, run.ApprovalDecided, run.RunFinished} {
			f.Tell(appended("p", byte(i), kind))
		}
		time.Sleep(2 * pace)
		leave()
		synctest.Wait()
		if diff := cmp.Diff([]string{"begin", "a", "c!", "d!"}, mine.heard); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"begin"}, other.heard); diff != "" {
			t.Errorf("another project's reader (-want +got):\n%s", diff)
		}
		f.Tell(appended("p", 4, run.RunCreated))
		ctx, leave = context.WithCancel(t.Context())
		go again.read(ctx, f, "p", mine.cursor)
		synctest.Wait()
		leave()
		synctest.Wait()
		if diff := cmp.Diff([]string{"e"}, again.heard); diff != "" {
			t.Errorf("one who comes back (-want +got):\n%s", diff)
		}
	})
}

func TestResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(7)
		first, _ := f.take("p", new(int64))
		for i := range Remembered + 1 {
			f.Tell(appended("p", byte(i), run.RunCreated))
		}
		for cursor, want := range map[string]Resync{first.Cursor: Gap, "6.3": Restart, "nonsense": Restart, "7.99999": Restart} {
			ctx, leave := context.WithCancel(t.Context())
			var r reader
			go r.read(ctx, f, "p", cursor)
			synctest.Wait()
			leave()
			synctest.Wait()
			if len(r.heard) != 1 || r.heard[0] != string(want) {
				t.Errorf("from %q: %v, want %s", cursor, r.heard, want)
			}
		}
	})
}

// TestPace holds that a reader is not woken for each of many changes.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(7)
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		batches := 0
		go func() {
			for range f.Watch(ctx, "p", "") {
				batches++
			}
		}()
		for range 900 {
			f.Tell(appended("p", 1, run.RunCreated))
			time.Sleep(time.Millisecond)
		}
		<-ctx.Done()
		synctest.Wait()
		if batches < 5 || batches > 12 {
			t.Errorf("%d batches in a second", batches)
		}
	})
}

// A reader counts as one while it waits for its pace, too; what was missed is a gap to
// all, also to who was away meanwhile, and the changes behind it are told again.
func TestMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(7)
		f.Tell(appended("p", 0, run.RunCreated))
		ctx, leave := context.WithCancel(t.Context())
		var here, away reader
		go here.read(ctx, f, "p", "")
		synctest.Wait()
		f.Tell(appended("p", 1, run.RunCreated))
		synctest.Wait() // it has been woken, and waits for its pace
		if !f.Watched() {
			t.Error("a reader does not count while it waits for its pace")
		}
		time.Sleep(2 * pace)
		f.Miss()
		f.Tell(appended("p", 2, run.RunCreated))
		time.Sleep(2 * pace)
		leave()
		synctest.Wait()
		if diff := cmp.Diff([]string{"begin", "b", "gap"}, here.heard[:3]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if f.Watched() {
			t.Error("a reader that has gone counts")
		}
		f.Miss()
		f.Tell(appended("p", 3, run.RunCreated))
		ctx, leave = context.WithCancel(t.Context())
		go away.read(ctx, f, "p", here.cursor)
		synctest.Wait()
		f.Tell(appended("p", 4, run.RunCreated))
		time.Sleep(2 * pace)
		leave()
		synctest.Wait()
		if diff := cmp.Diff([]string{"gap", "e"}, away.heard); diff != "" {
			t.Errorf("one who was away (-want +got):\n%s", diff)
		}
	})
}
