package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"errand/internal/problem"
)

// lost is the error of a connection that broke before anything was committed.
type lost struct{ error }

func (l *lost) Unwrap() error { return l.error }

// doubt is the error of a commit whose answer did not come.
type doubt struct {
	cause   error
	xid     string  // empty = it is not known
	session session // that the commit was sent to
	event   *trace  // nil = the group leaves none
}

func (d *doubt) Error() string { return "whether it was committed is not known: " + d.cause.Error() }
func (d *doubt) Unwrap() error { return d.cause }

// trace is an event that a group leaves in the database.
type trace struct {
	run     [16]byte
	seq, id int64
}

// Waits between attempts to write a group.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 500 * time.Millisecond
	// patience is how long a group is tried again while the server does not answer: it
	// is above a restart of a server. Then its commits are answered; their makers try
	// again. When the server is known to be down, one attempt is made for each group.
	patience = 3 * time.Second
	// contended is how often a group is tried again that others were quicker than.
	contended = 20
	// settleTime is how long the outcome of a commit is looked for: above
	// idleInTransaction, after which the server has ended what its node has left.
	settleTime = 8 * time.Second
)

// attempt writes a group, again and again while that may help.
func (w *writer) attempt(group []*item) error {
	began := w.cfg.Now()
	for try := 0; ; try++ {
		wasDown := w.down
		for _, it := range group {
			it.verdict = nil
		}
		err := w.transact(group)
		var unknown *doubt
		if errors.As(err, &unknown) {
			if err = w.settle(unknown); err == nil {
				return nil
			}
		}
		again := isContended(err) && try < contended && (try == 0 || code(err) != held) ||
			isLost(err) && !wasDown && w.cfg.Now().Sub(began) < patience && try < contended
		if err == nil || !again || isLost(err) && w.items.Closing() {
			return err
		}
		w.logger.Debug("a group of commits is tried again", "error", err, "commits", len(group))
		if try > 0 || isLost(err) {
			w.items.Wait(min(firstPause<<min(try, 10), lastPause))
		}
	}
}

// settle finds out what became of a commit whose answer did not come. nil means that
// it was written, a lost that it was not, a doubt that nobody could say.
func (w *writer) settle(d *doubt) error {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		written, decided, err := w.outcome(ctx, d)
		switch {
		case decided && written:
			w.logger.Warn("a commit reported an error but was written", "error", d.cause)
			return nil
		case decided:
			return &lost{d.cause}
		case ctx.Err() != nil, err == errElsewhere:
			return d
		case err != nil:
			w.abandon(&lost{err})
		}
		timer := time.NewTimer(pause) // also when the store is closing: the answer matters then, too
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return d
		}
	}
}

// outcome asks the server once. A transaction that is still open there is undecided:
// its commit may be on the way, until the server ends it.
func (w *writer) outcome(ctx context.Context, d *doubt) (written, decided bool, err error) {
	if err := w.connect(ctx); err != nil {
		return false, false, err
	}
	if d.xid == "" {
		return w.outcomeOf(ctx, d)
	}
	if w.session.timeline != d.session.timeline {
		return w.outcomeElsewhere(ctx, d)
	}
	var status *string
	err = w.conn.QueryRow(ctx, "SELECT pg_xact_status($1::text::xid8)", d.xid).Scan(&status)
	var said *pgconn.PgError
	switch {
	case errors.As(err, &said) && said.Code == "22023":
		// A transaction of the future: this server took over from one that had got
		// further. What it has is what there is.
	case err != nil:
		return false, false, err
	case status != nil && *status == "in progress":
		return false, false, nil
	case status != nil && *status == "aborted":
		return false, true, nil
	case status != nil && d.event == nil:
		return true, true, nil
	}
	if d.event == nil {
		return false, true, nil
	}
	// A server that took over without saying so counts transactions anew: what is there
	// must be ours.
	var id int64
	err = w.conn.QueryRow(ctx, "SELECT id FROM events WHERE run = $1 AND seq = $2", d.event.run, d.event.seq).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		// Committed and deleted since, or never there: the transaction's state says which.
		return status != nil && *status == "committed" && !w.hasLine(ctx, d), true, nil
	}
	return err == nil && id == d.event.id, err == nil, err
}

// outcomeOf is outcome for a commit whose transaction's id is not known: the session
// that it was sent to is ended, and when that is gone, nothing of it can still come.
func (w *writer) outcomeOf(ctx context.Context, d *doubt) (written, decided bool, err error) {
	ended := 0
	const end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2 AND pid <> pg_backend_pid()"
	if err := w.conn.QueryRow(ctx, end, d.session.pid, d.session.began).Scan(&ended); err != nil || ended > 0 {
		return false, false, err
	}
	return w.hasEvent(ctx, d)
}

// outcomeElsewhere is outcome on a server that has taken over from the one to which the
// commit was sent. What that one has told it of is there, and nothing can still come; its
// transactions' ids are others'. A group without events has left nothing to look for:
// nobody knows what became of it.
func (w *writer) outcomeElsewhere(ctx context.Context, d *doubt) (written, decided bool, err error) {
	if d.event == nil {
		return false, false, errElsewhere
	}
	return w.hasEvent(ctx, d)
}

var errElsewhere = errors.New("another server has taken over")

// hasEvent reports whether the group's event is there. One that was deleted since is not:
// then the next attempt finds that.
func (w *writer) hasEvent(ctx context.Context, d *doubt) (there, known bool, err error) {
	var id int64
	err = w.conn.QueryRow(ctx, "SELECT id FROM events WHERE run = $1 AND seq = $2", d.event.run, d.event.seq).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, true, nil
	}
	return err == nil && id == d.event.id, err == nil, err
}

// hasLine reports whether the run of the event has a line that is not deleted.
func (w *writer) hasLine(ctx context.Context, d *doubt) (there bool) {
	err := w.conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM runs WHERE id = $1 AND NOT deleted)", d.event.run).Scan(&there)
	return err != nil || there
}

// sent makes the error of a statement one that says whether the connection is lost.
func sent(err error) error {
	var said *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &said):
		return &lost{err}
	case said.Severity == "FATAL", said.Severity == "PANIC", strings.HasPrefix(said.Code, "08"), strings.HasPrefix(said.Code, "57P"):
		return &lost{err} // the server ends the session, for reasons of its own
	case said.Code == "25006":
		return &lost{err} // it only reads: another one has taken over
	}
	return err
}

func isDoubt(err error) bool {
	var unknown *doubt
	return errors.As(err, &unknown)
}

func isLost(err error) bool {
	var broken *lost
	return errors.As(err, &broken)
}

// isContended reports whether another node was quicker, or holds what is needed: a
// serialization failure, a deadlock, a key that someone else has just made, a lock
// that did not come in time, a session that was ended for its idleness.
func isContended(err error) bool {
	switch code(err) {
	case "40001", "40P01", "23505", "55P03", "25P03":
		return true
	}
	return false
}

// held is the code of a lock that did not come in time. No node keeps one for so long:
// it is somebody else's, and may be kept for hours.
const held = "55P03"

// ownFault reports whether it may be one item that fails its group: what it brings, or
// the lock that it needs.
func ownFault(err error) bool {
	return code(err) == held || !isLost(err) && !isDoubt(err) && !isContended(err) && !isFull(err)
}

// isFull reports whether the server lacks space or memory.
func isFull(err error) bool { return strings.HasPrefix(code(err), "53") }

func code(err error) string {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return said.Code
	}
	return ""
}

// explain makes an error of the transaction one that callers can act on.
func explain(cause error) error {
	var unknown *doubt
	var own *problem.Error
	switch {
	case errors.As(cause, &own):
		return cause
	case errors.As(cause, &unknown):
		return problem.New(problem.Internal, "The database of this server does not answer, and whether this was written "+
			"is not known. Look before you try again.").Because(cause)
	case code(cause) == "53100":
		return problem.New(problem.StorageFull, "The disk of the database is full: nothing was written. "+
			"Reading still works; writing will when there is space again.").Because(cause)
	case isLost(cause), isContended(cause), isFull(cause):
		return busy(cause, "The database of this server does not answer in time: nothing was written. Try again.")
	}
	return problem.New(problem.Internal, "The database of this server failed: nothing was written. "+
		"Its log has the cause.").Because(fmt.Errorf("writing a group of commits: %w", cause))
}

// unanswered makes the error of a read that the server did not answer, or not in the
// time that a statement or the wait for a lock has, one that callers can act on.
func unanswered(err error) error {
	if isLost(err) || isFull(err) || code(err) == tooLong || code(err) == held {
		return busy(err, "The database of this server does not answer in time. Try again.")
	}
	return err
}

// tooLong is the code of a statement that its time-out has ended.
const tooLong = "57014"

func busy(cause error, detail string) error {
	p := problem.New(problem.Overloaded, "%s", detail)
	p.RetryAfter = time.Second
	return p.Because(cause)
}
