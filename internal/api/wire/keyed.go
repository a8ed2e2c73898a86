package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

const (
	// keyedTries bounds how often a request looks again because another server,
	// or the store's clearing of old rows, was quicker.
	keyedTries = 5
	// storePatience bounds how long remembering may take after the answer left.
	storePatience = 10 * time.Second
)

// flight is a request with an Idempotency-Key that is under way on this server.
// Requests with the same key wait for it instead of doing the work again.
type flight struct {
	id     string // of the answer's row
	asked  string
	expect int64 // version of the row that the first write has to find
	done   chan struct{}
	answer *record // set before done is closed; nil = it failed, and changed nothing
	landed bool    // done is closed; only the flight's own request looks at this
	stored bool    // the answer is on disk already: recalled, or in the handler's own commit
}

// flights are all of them, by row id.
type flights struct {
	mu   sync.Mutex
	byID map[string]*flight
}

// board returns the flight with this id, and whether it is a new one that the
// caller has to land.
func (s *flights) board(id, asked string) (*flight, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.byID[id]; known != nil {
		return known, false
	}
	if s.byID == nil {
		s.byID = map[string]*flight{}
	}
	made := &flight{id: id, asked: asked, done: make(chan struct{})}
	s.byID[id] = made
	return made, true
}

func (s *flights) remove(f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[f.id] == f {
		delete(s.byID, f.id)
	}
}

// land releases the requests that wait for f. From then on they answer from the
// record; without one they try for themselves.
func (f *flight) land(answer *record) {
	if f.landed {
		return
	}
	f.answer, f.landed = answer, true
	close(f.done)
}

// keyed answers a request with an Idempotency-Key: with the remembered answer, or
// with a new one that is remembered. Only success is: a failure has changed
// nothing, so trying again is right.
func (r *Request) keyed(ctx context.Context) (Response, error) {
	if len(r.key) > maxKey {
		return Response{}, problem.Invalid("Idempotency-Key", "is longer than %d characters: use a UUID", maxKey)
	}
	id, asked := r.answerID(), r.asked()
	var lastConflict error
	for range keyedTries {
		f, mine := r.server.flights.board(id, asked)
		if !mine {
			answer, done, err := r.follow(ctx, f, asked)
			if done || err != nil {
				return answer, err
			}
			continue
		}
		r.flight = f
		known, expect, err := r.recall(ctx, id)
		if err != nil {
			return Response{}, err
		}
		if known != nil {
			f.stored = true
			f.land(known)
			return r.replay(ctx, known)
		}
		f.expect = expect
		answer, err := r.lead(ctx, f)
		if conflict := (*run.RowConflict)(nil); !errors.As(err, &conflict) || conflict.Kind != answerKind {
			return answer, err
		}
		lastConflict = err
		f.land(nil)
		r.server.flights.remove(f)
		r.flight = nil
	}
	return Response{}, fmt.Errorf("agreeing on one answer for an Idempotency-Key: %w", lastConflict)
}

// follow waits for another request's flight and answers as it did. Not done means
// that it failed, and that this request may try.
func (r *Request) follow(ctx context.Context, f *flight, asked string) (answer Response, done bool, err error) {
	if f.asked != asked {
		return Response{}, false, problem.New(problem.IdempotencyMismatch,
			"This Idempotency-Key came with another body or query before: use a new key for a new request.")
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return Response{}, false, ctx.Err()
	}
	if f.answer == nil {
		r.server.flights.remove(f) // it is about to do so itself
		return Response{}, false, nil
	}
	answer, err = r.replay(ctx, f.answer)
	return answer, true, err
}

// lead does the work of a flight and lands it.
func (r *Request) lead(ctx context.Context, f *flight) (Response, error) {
	answer, id, err := r.fresh(ctx)
	made := !id.IsZero()
	failed := err != nil || answer.Status >= http.StatusBadRequest
	switch {
	case !made && (failed || answer.Stream != nil):
		f.stored = false
		return answer, err // settleKeyed lands it: nothing was done
	case made && (failed || answer.Stream != nil || ctx.Err() != nil):
		// There is a run, but no complete answer that a client could have got:
		// whoever asks again gets one from the run.
		f.land(&record{Asked: f.asked, Run: id})
		return answer, err
	}
	known, err := recordOf(f.asked, answer)
	if err != nil {
		return Response{}, err
	}
	known.Run = id
	answer.Body = known.Body // encoded once is enough
	f.land(&known)
	return answer, nil
}

// settleKeyed stores the answer that has been sent, unless its handler has done
// so already, and ends the flight.
func (r *Request) settleKeyed() {
	f := r.flight
	if f == nil {
		return
	}
	f.land(nil)
	defer r.server.flights.remove(f)
	if f.answer == nil || f.answer.Status == 0 || f.stored {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.http.Context()), storePatience)
	defer cancel()
	expect := f.expect
	if !f.answer.Run.IsZero() {
		expect++ // Claim's row is there
	}
	write, err := r.row(*f.answer, expect)
	if err == nil {
		err = r.server.cfg.Rows.Append(ctx, run.Commit{Rows: []run.RowWrite{write}})
	}
	if err != nil {
		// A repetition is still done once: it finds the run, or changes nothing.
		r.server.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "an answer was not remembered",
			slog.String("request_id", r.ID), slog.String("error", err.Error()))
	}
}
