//go:build unix

package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/postgres/pgtest"
)

// relay stands between a store and its server, and can hold back all that either says:
// to the store the server hangs then, with every connection up.
type relay struct {
	*net.TCPListener
	server string
	held   sync.Mutex  // whoever has it holds everything back
	lends  atomic.Bool //  it tells nobody what he listens for, as poolers of transactions do

	mu    sync.Mutex
	conns []net.Conn
	done  sync.WaitGroup
}

// between returns a relay to the shared server, and dsn by way of it.
func between(t *testing.T, dsn string) (*relay, string) {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	server := fmt.Sprintf("127.0.0.1:%d", pgtest.Shared(t).Port())
	r := &relay{TCPListener: listener, server: server}
	r.done.Go(r.accept)
	t.Cleanup(func() {
		r.Close()
		r.mu.Lock()
		for _, conn := range r.conns {
			conn.Close()
		}
		r.mu.Unlock()
		r.done.Wait()
	})
	return r, strings.Replace(dsn, server, listener.Addr().String(), 1)
}

func (r *relay) accept() {
	for {
		near, err := r.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.server)
		if err != nil {
			near.Close()
			return
		}
		r.mu.Lock()
		r.conns = append(r.conns, near, far)
		r.mu.Unlock()
		r.done.Go(func() { r.carry(far, near) })
		r.done.Go(func() { r.carry(near, &telling{from: far, silent: r.lends.Load()}) })
	}
}

func (r *relay) carry(to net.Conn, from io.Reader) {
	defer to.Close()
	_, _ = io.Copy(struct{ io.Writer }{through{r, to}}, struct{ io.Reader }{from}) // either end may go at any time
}

// telling is what a server says, if need be without what it tells those who listen.
type telling struct {
	from   io.Reader
	silent bool
	part   io.Reader // what is left of a message
}

func (t *telling) Read(p []byte) (int, error) {
	if !t.silent {
		return t.from.Read(p)
	}
	for {
		if t.part != nil {
			if n, err := t.part.Read(p); err != io.EOF {
				return n, err
			}
		}
		var head [5]byte // its kind, and how long it is without that
		if _, err := io.ReadFull(t.from, head[:]); err != nil {
			return 0, err
		}
		rest := io.LimitReader(t.from, int64(binary.BigEndian.Uint32(head[1:]))-4)
		if head[0] != 'A' { // a notification
			t.part = io.MultiReader(bytes.NewReader(head[:]), rest)
		} else if _, err := io.Copy(io.Discard, rest); err != nil {
			return 0, err
		}
	}
}

type through struct {
	r  *relay
	to net.Conn
}

func (w through) Write(p []byte) (int, error) {
	w.r.held.Lock()
	defer w.r.held.Unlock()
	return w.to.Write(p)
}

// still is a queue without jobs.
type still struct{ Queue }

func (still) Loose(context.Context, pgx.Tx, int64, int) ([]run.Job, error) { return nil, nil }
func (still) Waiting(context.Context, pgx.Tx, int) ([]run.Job, error)      { return nil, nil }

// TestHangingServer: what asks a server that hangs is told so in its time, also when all
// connections hang; when the server goes on, so does the store.
func TestHangingServer(t *testing.T) {
	r, dsn := between(t, pgtest.Database(t))
	s := open(t, Config{DSN: dsn, Queue: still{}})
	commit(t, s, run.Commit{Runs: []run.Append{created(1)}})
	s.readTime = 100 * time.Millisecond
	r.held.Lock()
	var wait sync.WaitGroup
	for range 2 * poolConns {
		wait.Go(func() {
			_, err := s.Summary(t.Context(), runID(1))
			mustBeBusy(t, err)
		})
	}
	wait.Wait()
	for name, read := range map[string]func() error{
		"jobs":       func() error { _, err := s.Jobs(t.Context(), 1); return err },
		"loose jobs": func() error { _, err := s.LooseJobs(t.Context(), 0, 1); return err },
	} {
		t.Run(name, func(t *testing.T) { mustBeBusy(t, read()) })
	}
	if err := s.Ping(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the server hangs, and to be asked whether it is there ends with %v", err)
	}
	r.held.Unlock()
	s.readTime = time.Minute
	if line, err := s.Summary(t.Context(), runID(1)); err != nil || line.Seq != 1 {
		t.Errorf("the server has gone on: %+v, %v", line, err)
	}
}

// TestLockedTable has an operator hold a table for longer than anybody waits for a lock.
func TestLockedTable(t *testing.T) {
	s := open(t, Config{DSN: pgtest.Database(t) + "&lock_timeout=50"})
	err := pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "SET LOCAL idle_in_transaction_session_timeout = 0; LOCK TABLE runs"); err != nil {
			return err
		}
		_, err := s.Summary(t.Context(), runID(1))
		mustBeBusy(t, err)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestPooler: a store is not opened, and not looked at, through a pooler that lends
// connections for transactions, and the problem says what to do.
func TestPooler(t *testing.T) {
	dsn := pgtest.Database(t)
	open(t, Config{DSN: dsn})
	for name, by := range map[string]func(context.Context, Config) (*Store, error){"open": Open, "look": Look} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, pooled := between(t, dsn)
			s, err := by(t.Context(), Config{DSN: pooled})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			r.lends.Store(true)
			if s, err = by(t.Context(), Config{DSN: pooled}); err == nil {
				s.Close()
			}
			if !problem.Is(err, problem.InvalidRequest) || !strings.Contains(err.Error(), "pool_mode=session") {
				t.Errorf("through a pooler of transactions it ends with %v", err)
			}
		})
	}
}

// TestFewConnections: an address that lets a node have so few connections that it would
// wait for ever for another one is refused.
func TestFewConnections(t *testing.T) {
	s, err := Open(t.Context(), Config{DSN: "postgres://errand@127.0.0.1:1/errand?pool_max_conns=3"})
	if err == nil {
		s.Close()
	}
	if !problem.Is(err, problem.InvalidRequest) || !strings.Contains(err.Error(), "pool_max_conns=3") {
		t.Errorf("it ends with %v", err)
	}
}
