package app

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/feed"
	"errand/internal/run"
)

// What other nodes commit comes to who reads the feed here, also directly after another
// change; who was away, and misses some of it, is told to read its lists again.
func TestEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changes := feed.New(1)
		var broken atomic.Bool
		e := echo{}
		e.begin(changes, func(_ context.Context, id run.ID) (run.Summary, error) {
			if broken.Load() {
				return run.Summary{}, errors.New("no route to host")
			}
			return run.Summary{ID: id, Project: "p", Status: run.Running}, nil
		})
		defer e.stop()
		read := func(cursor string, do func()) (told []string, last string) {
			ctx, leave := context.WithCancel(t.Context())
			done := make(chan bool)
			go func() {
				defer close(done)
				for b := range changes.Watch(ctx, "p", cursor) {
					if b.Resync != "" {
						told = append(told, string(b.Resync))
					}
					for _, c := range b.Changes {
						told = append(told, string('a'+rune(c.Line.ID[0])))
					}
					last = b.Cursor
				}
			}()
			synctest.Wait()
			do()
			time.Sleep(time.Second)
			leave()
			<-done
			return told, last
		}
		told, last := read("", func() {
			e.heard(run.ID{0})
			synctest.Wait() // the reader has been woken, and waits for its pace
			e.heard(run.ID{1})
		})
		if diff := cmp.Diff([]string{"begin", "a", "b"}, told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		e.heard(run.ID{2})
		told, last = read(last, func() { e.heard(run.ID{3}) })
		if diff := cmp.Diff([]string{"gap", "d"}, told); diff != "" {
			t.Errorf("one who was away (-want +got):\n%s", diff)
		}
		broken.Store(true)
		told, last = read(last, func() { e.heard(run.ID{4}) })
		if diff := cmp.Diff([]string{"gap"}, told); diff != "" {
			t.Errorf("what can't be read (-want +got):\n%s", diff)
		}
		told, _ = read(last, func() {})
		if len(told) != 0 {
			t.Errorf("one who missed nothing was told %v", told)
		}
	})
}
