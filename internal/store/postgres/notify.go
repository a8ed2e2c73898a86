package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
)

// channel is where nodes tell each other of what they have committed.
const channel = "errand_runs"

const (
	// payloadBytes is below PostgreSQL's 8,000 for one notification.
	payloadBytes = 7500
	// tellEvery is how long news wait for company. A notification takes a lock that all
	// commits with notifications take, so few large ones cost less than many small ones;
	// and none is sent within the transaction that it tells of.
	tellEvery = 5 * time.Millisecond
	// listenAgain is the wait before a listener that lost its connection makes another.
	listenAgain = 500 * time.Millisecond
	// mostNews bounds what waits to be told while the server does not answer. Who would
	// have heard of the rest is told that there was more, or finds it by looking.
	mostNews = 10_000
	// unheard stands in a payload for news that could not be told.
	unheard = "*"
)

// herald tells the other nodes what this one has committed, and hears what they have.
// It promises nothing: who must know looks for itself, too.
type herald struct {
	address *pgx.ConnConfig
	logger  *slog.Logger
	heard   func(run.ID, int64)
	missed  func() // never nil
	self    string // begins this node's payloads, which it does not listen to

	mu   sync.Mutex // guards news and gap
	news map[run.ID]int64
	gap  bool          // there were more
	some chan struct{} // there are news

	ctx  context.Context
	stop context.CancelFunc
	done sync.WaitGroup
}

func newHerald(address *pgx.ConnConfig, cfg Config) *herald {
	address = address.Copy()
	// A notification is a transaction that writes to the log. It may be lost, so nobody
	// waits for the disk.
	withSettings(address, map[string]string{"synchronous_commit": "off"})
	w := &herald{
		address: address, logger: cfg.Logger, heard: cfg.Heard, missed: cfg.Missed, self: rand.Text(),
		news: map[run.ID]int64{}, some: make(chan struct{}, 1),
	}
	if w.missed == nil {
		w.missed = func() {}
	}
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w
}

func (w *herald) start() {
	w.done.Go(func() { w.keep(w.send) })
	w.done.Go(func() { w.keep(w.listen) })
}

func (w *herald) close() error {
	w.stop()
	w.done.Wait()
	return nil
}

// tell notes what a group has appended, to be sent soon.
func (w *herald) tell(group []*item, errs []error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, it := range group {
		if errs[i] != nil {
			continue
		}
		for j := range it.commit.Runs {
			a := &it.commit.Runs[j]
			if len(w.news) < mostNews {
				w.news[a.ID] = max(w.news[a.ID], a.Expected+int64(len(a.Events)))
			} else {
				w.gap = true
			}
		}
	}
	w.poke()
}

// poke wakes who sends if there is something to send.
func (w *herald) poke() {
	if len(w.news) == 0 && !w.gap {
		return
	}
	select {
	case w.some <- struct{}{}:
	default:
	}
}

// miss tells the other nodes, when it can, that there was something that they have not
// been told.
func (w *herald) miss() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gap = true
	w.poke()
}

// Miss tells all other nodes that there may have been appends which nobody has told
// them of, such as the last ones of a node that has died.
func (s *Store) Miss() {
	if s.herald != nil {
		s.herald.miss()
	}
}

// keep runs work on a connection of its own, and on another one when that is lost.
func (w *herald) keep(work func(*pgx.Conn) error) {
	for w.ctx.Err() == nil {
		conn, err := pgx.ConnectConfig(w.ctx, w.address)
		if err == nil {
			err = work(conn)
			hangUp(conn)
		}
		if w.ctx.Err() != nil {
			return
		}
		w.logger.Warn("the connection for news between nodes was lost", "error", err)
		w.wait(listenAgain)
	}
}

func (w *herald) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.ctx.Done():
	}
}

// send sends news until its connection fails. What it could not send is dropped, and
// that there was something is said when it can be.
func (w *herald) send(conn *pgx.Conn) error {
	for {
		select {
		case <-w.ctx.Done():
			return w.ctx.Err()
		case <-w.some:
		}
		w.wait(tellEvery)
		for _, payload := range w.payloads() {
			if _, err := conn.Exec(w.ctx, "SELECT pg_notify($1, $2)", channel, payload); err != nil {
				w.miss()
				return err
			}
		}
	}
}

// payloads takes the news, as texts of "sender id:seq,id:seq", or "sender *".
func (w *herald) payloads() []string {
	w.mu.Lock()
	news, gap := w.news, w.gap
	w.news, w.gap = map[run.ID]int64{}, false
	w.mu.Unlock()
	var all []string
	if gap {
		all = append(all, w.self+" "+unheard)
	}
	var payload strings.Builder
	for id, seq := range news {
		one := id.String() + ":" + strconv.FormatInt(seq, 10)
		if payload.Len()+1+len(one) > payloadBytes {
			all = append(all, payload.String())
			payload.Reset()
		}
		if payload.Len() == 0 {
			payload.WriteString(w.self + " ")
		} else {
			payload.WriteByte(',')
		}
		payload.WriteString(one)
	}
	if payload.Len() > 0 {
		all = append(all, payload.String())
	}
	return all
}

// listen passes on what other nodes tell until its connection fails.
func (w *herald) listen(conn *pgx.Conn) error {
	if _, err := conn.Exec(w.ctx, "LISTEN "+channel); err != nil {
		return err
	}
	w.missed() // whatever was told before
	for {
		notification, err := conn.WaitForNotification(w.ctx)
		if err != nil {
			return err
		}
		if err := w.hear(notification.Payload); err != nil {
			w.logger.Warn("a node tells what this one does not understand", "error", err)
		}
	}
}

func (w *herald) hear(payload string) error {
	sender, pairs, _ := strings.Cut(payload, " ")
	switch {
	case sender == w.self:
		return nil
	case pairs == unheard:
		w.missed()
		return nil
	}
	for pair := range strings.SplitSeq(pairs, ",") {
		digits, number, _ := strings.Cut(pair, ":")
		id, err := run.ParseID(digits)
		if err != nil {
			return fmt.Errorf("a payload of %d bytes: %w", len(payload), err)
		}
		seq, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return fmt.Errorf("a payload of %d bytes: %w", len(payload), err)
		}
		w.heard(id, seq)
	}
	return nil
}
