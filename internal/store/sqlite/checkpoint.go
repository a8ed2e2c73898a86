package sqlite

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
)

// checkpointPages is how much of the write-ahead log may wait to be copied into
// the database file: SQLite's own default, 4 MiB.
const checkpointPages = 1000

// truncateBytes is where the log's file is cut: while writers never rest, a
// passive checkpoint can't start the log over, and it would grow without end.
const truncateBytes = 64 << 20

// checkpointer copies the write-ahead log into the database file on a connection
// of its own, so that the writer does not wait for it.
type checkpointer struct {
	path   string
	logger *slog.Logger
	limit  int64      // truncateBytes
	turn   sync.Mutex // held by the writer during a group, and to cut the log
	wake   chan struct{}
	stop   chan struct{}
	done   sync.WaitGroup
	count  atomic.Int64
	conn   *sqlite.Conn // the goroutine's; nil until it is needed
}

func newCheckpointer(path string, logger *slog.Logger) *checkpointer {
	return &checkpointer{path: path, logger: logger, limit: truncateBytes, wake: make(chan struct{}, 1), stop: make(chan struct{})}
}

func (c *checkpointer) start() {
	c.done.Go(func() {
		for {
			select {
			case <-c.wake:
				if err := c.work(); err != nil {
					c.logger.Warn("the write-ahead log could not be copied into the database; it grows until that works", "error", err)
				}
			case <-c.stop:
				return
			}
		}
	})
}

// poke says that the log has grown. It never blocks.
func (c *checkpointer) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *checkpointer) work() error {
	if c.conn == nil {
		conn, err := openConn(c.path, 512) // it reads pages once
		if err != nil {
			return err
		}
		// Cutting the log waits for readers, whose transactions are short.
		conn.SetBusyTimeout(200 * time.Millisecond)
		c.conn = conn
	}
	pages, copied, err := checkpoint(c.conn, "NOOP")
	if err != nil || pages-copied < checkpointPages {
		return err
	}
	if _, _, err := checkpoint(c.conn, "PASSIVE"); err != nil {
		return err
	}
	c.count.Add(1)
	if fileSize(c.path+"-wal") < c.limit {
		return nil
	}
	c.turn.Lock()
	defer c.turn.Unlock()
	_, _, err = checkpoint(c.conn, "TRUNCATE")
	return err
}

// checkpoint returns the pages in the log and how many of them the database file
// has. Being kept from work by a reader is no error: the next one goes on.
func checkpoint(conn *sqlite.Conn, mode string) (pages, copied int, err error) {
	stmt, err := conn.Prepare("PRAGMA wal_checkpoint(" + mode + ")")
	if err != nil {
		return 0, 0, err
	}
	defer stmt.Reset()
	if found, err := stmt.Step(); err != nil || !found {
		return 0, 0, err
	}
	return stmt.ColumnInt(1), stmt.ColumnInt(2), nil
}

// close ends the goroutine and empties the log. It is called when all other
// connections are closed.
func (c *checkpointer) close() error {
	close(c.stop)
	c.done.Wait()
	if c.conn == nil {
		return nil // the last connection that closed has emptied the log
	}
	_, _, err := checkpoint(c.conn, "TRUNCATE")
	if err != nil && isFull(err) {
		err = nil // nothing is lost: the log is read at the next start
	}
	return errors.Join(err, c.conn.Close())
}
