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

// Where nodes tell each other of what they have committed, and what is not stored. What
// is said there, nodes of other versions understand.
const (
	newsChannel = "errand_runs"
	wordChannel = "errand_words"
)

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

// herald tells the other nodes what this one has committed, and hears what they have;
// with it go words, such as pieces of replies (word.go). It promises nothing: who must
// know looks for itself, too. It has two connections, because one that listens waits.
type herald struct {
	address *pgx.ConnConfig
	logger  *slog.Logger
	heard   func(run.ID, int64)
	missed  func()            // never nil
	hear    func(word []byte) // never nil
	self    string            // begins this node's payloads, which it does not listen to

	mu    sync.Mutex // guards what waits to be told
	news  map[run.ID]int64
	gap   bool // there were more
	words []string
	some  chan struct{} // something waits

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
		address: address, logger: cfg.Logger, heard: cfg.Heard, missed: cfg.Missed, hear: cfg.Hear, self: rand.Text(),
		news: map[run.ID]int64{}, some: make(chan struct{}, 1),
	}
	if w.missed == nil {
		w.missed = func() {}
	}
	if w.hear == nil {
		w.hear = func([]byte) {}
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

// poke wakes who sends if there is something to send. The lock is held.
func (w *herald) poke() {
	if len(w.news) == 0 && len(w.words) == 0 && !w.gap {
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

// notice is one notification.
type notice struct{ channel, payload string }

// send sends what waits until its connection fails. What it could not send is dropped,
// and that there were news is said when it can be.
func (w *herald) send(conn *pgx.Conn) error {
	for {
		select {
		case <-w.ctx.Done():
			return w.ctx.Err()
		case <-w.some:
		}
		w.wait(tellEvery)
		for _, n := range w.notices() {
			if _, err := conn.Exec(w.ctx, "SELECT pg_notify($1, $2)", n.channel, n.payload); err != nil {
				w.miss()
				return err
			}
		}
	}
}

// notices takes what waits, the news first: words are for those who watch, and are taken
// by and by.
func (w *herald) notices() (all []notice) {
	w.mu.Lock()
	news, gap, words := w.news, w.gap, w.words[:min(len(w.words), wordsAtOnce)]
	w.news, w.gap, w.words = map[run.ID]int64{}, false, w.words[len(words):]
	w.poke()
	w.mu.Unlock()
	for _, payload := range w.tellNews(news, gap) {
		all = append(all, notice{newsChannel, payload})
	}
	for _, payload := range w.tellWords(words) {
		all = append(all, notice{wordChannel, payload})
	}
	return all
}

// tellNews are news as texts of "sender id:seq,id:seq", or "sender *".
func (w *herald) tellNews(news map[run.ID]int64, gap bool) (all []string) {
	if gap {
		all = append(all, w.self+" "+unheard)
	}
	said := payloads{first: w.self + " ", between: ",", all: all}
	for id, seq := range news {
		said.add(id.String() + ":" + strconv.FormatInt(seq, 10))
	}
	return said.end()
}

// payloads gathers what is to be told into as few notifications as it fits into.
type payloads struct {
	first, between string // what begins each, and what parts two things in one
	part           strings.Builder
	all            []string
}

func (p *payloads) add(one string) {
	if p.part.Len() > 0 && p.part.Len()+len(p.between)+len(one) > payloadBytes {
		p.end()
	}
	if p.part.Len() == 0 {
		p.part.WriteString(p.first)
	} else {
		p.part.WriteString(p.between)
	}
	p.part.WriteString(one)
}

func (p *payloads) end() []string {
	if p.part.Len() > 0 {
		p.all = append(p.all, p.part.String())
		p.part.Reset()
	}
	return p.all
}

// listen passes on what other nodes tell until its connection fails.
func (w *herald) listen(conn *pgx.Conn) error {
	if _, err := conn.Exec(w.ctx, "LISTEN "+newsChannel+"; LISTEN "+wordChannel); err != nil {
		return err
	}
	w.missed() // whatever was told before
	for {
		told, err := conn.WaitForNotification(w.ctx)
		if err != nil {
			return err
		}
		if told.Channel == wordChannel {
			w.hearWords(told.Payload)
		} else if err := w.hearNews(told.Payload); err != nil {
			w.logger.Warn("a node tells what this one does not understand", "error", err)
		}
	}
}

func (w *herald) hearNews(payload string) error {
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
