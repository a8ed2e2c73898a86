package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"errand/internal/problem"
	"errand/internal/store"
)

// Limits of a session. What the DSN says itself holds instead.
const (
	// idleInTransaction ends a transaction whose node has stopped in the middle: others
	// wait for its locks, and take its runs over after five seconds. A working node
	// goes on within milliseconds.
	idleInTransaction = 2 * time.Second
	// lockTimeout is above idleInTransaction, so that who waits for a dead node's locks
	// gets them.
	lockTimeout = 5 * time.Second
	// statementTimeout bounds everything else: lists are read in milliseconds.
	statementTimeout = 30 * time.Second
	// connectTimeout bounds one attempt: an address that swallows packets must not
	// hold the writer for minutes.
	connectTimeout = 5 * time.Second
	// readTime is how long whoever asks for something waits for the answer, connecting and
	// the turn among connections included: a server that hangs ends no statement itself.
	readTime = 10 * time.Second
	// surveyTime is readTime for checks, which read all that there is: above what the
	// server gives a statement.
	surveyTime = statementTimeout + readTime
	// poolConns are what requests read by and a queue works with.
	poolConns = 12
	// fewestConns are what a node can do with: one is the queue's for listening, and to
	// bring its tables up to date takes two.
	fewestConns = 4
	// deafAfter is when a connection counts as broken whose other end acknowledges
	// nothing: a machine that is gone closes none. It is above the hiccups of a network,
	// and below what a commit of unknown outcome is looked for, so that nothing arrives
	// after its maker was told that nobody knows.
	deafAfter = 15 * time.Second
	// stillThere is how often the other end of an idle connection is asked for a sign: who
	// only listens would else never find out.
	stillThere = 5 * time.Second
)

// parse reads a DSN and adds what it leaves out.
func parse(dsn string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// The parser's error quotes the DSN, which has a password.
		return nil, problem.New(problem.InvalidRequest, "The store's address is not one of PostgreSQL's: want postgres://user:password@host:port/database.").Because(errors.New("parsing the DSN"))
	}
	conn := cfg.ConnConfig
	conn.DialFunc = watched(conn.DialFunc, deafAfter, stillThere)
	if !strings.Contains(dsn, "target_session_attrs") {
		// Of several servers that the DSN may name, the one that can be written to: where
		// another one has taken over, the old one comes back and only reads.
		conn.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = "errand"
	}
	withSettings(conn, map[string]string{
		"idle_in_transaction_session_timeout": millis(idleInTransaction),
		"lock_timeout":                        millis(lockTimeout),
		"statement_timeout":                   millis(statementTimeout),
		"jit":                                 "off", // compiling a list takes longer than reading it
		// Who waits for a lock reads on as it finds things then: a database may have another
		// level as its default.
		"default_transaction_isolation": "read committed",
	})
	if conn.ConnectTimeout == 0 || conn.ConnectTimeout > connectTimeout {
		conn.ConnectTimeout = connectTimeout
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		cfg.MaxConns = poolConns
	} else if cfg.MaxConns < fewestConns {
		return nil, problem.New(problem.InvalidRequest, "The store's address says pool_max_conns=%d: a node needs at least %d.", cfg.MaxConns, fewestConns)
	}
	return cfg, nil
}

// connect makes connections to a server, or to a pooler that can be between.
func connect(ctx context.Context, parsed *pgxpool.Config) (*pgxpool.Pool, error) {
	if err := keepsSessions(ctx, parsed.ConnConfig); err != nil {
		return nil, unreachable(parsed.ConnConfig, err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, parsed)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	return pool, nil
}

// watched makes connections that break when the other end has vanished.
func watched(dial pgconn.DialFunc, after, asked time.Duration) pgconn.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		tcp, ok := conn.(*net.TCPConn)
		if err != nil || !ok { // who is on this machine can't vanish without a word
			return conn, err
		}
		keep := net.KeepAliveConfig{Enable: true, Idle: asked, Interval: asked, Count: int(after / asked)}
		if err := errors.Join(tcp.SetKeepAliveConfig(keep), deaf(tcp, after)); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
}

// writerAddress is the address with what the writer asks for beside: it finds all that it
// works on by key, whatever the statistics of a table say that was empty a minute ago,
// and its statements are planned once.
func writerAddress(of *pgx.ConnConfig) *pgx.ConnConfig {
	its := of.Copy()
	withSettings(its, map[string]string{
		"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "plan_cache_mode": "force_generic_plan",
	})
	return its
}

// withSettings has each new session set these, but for what the DSN says. They are no
// parameters of the connection, because poolers of sessions refuse to pass those on.
func withSettings(of *pgx.ConnConfig, settings map[string]string) {
	var sql strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if _, said := of.RuntimeParams[name]; !said {
			fmt.Fprintf(&sql, "SET %s = '%s';", name, settings[name])
		}
	}
	before := of.AfterConnect
	of.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if before != nil {
			if err := before(ctx, conn); err != nil {
				return err
			}
		}
		_, err := conn.Exec(ctx, sql.String()).ReadAll()
		return err
	}
}

// tooManyConnections is PostgreSQL's code for a server, a database or a role that has
// as many connections as it may.
const tooManyConnections = "53300"

// unreachable makes the error of a server that can't be reached, or does not let us in,
// one that the operator can act on. The cause is a text: whoever reads its chain would
// take it for that of a server of ours.
func unreachable(at *pgx.ConnConfig, err error) error {
	var failed *pgconn.ConnectError
	if !errors.As(err, &failed) {
		return err
	}
	reason, mend := "it can't be reached", "Does it run, and is the store's address right?"
	var said *pgconn.PgError
	if errors.As(err, &said) {
		reason = said.Message
		if said.Code == tooManyConnections {
			mend = "Let it have more (max_connections, or the role's limit), or each node fewer: ?pool_max_conns=6 at the end of the store's address."
		}
	}
	return problem.New(problem.Overloaded, "The database %s at %s:%d can't be used by %s: %s. %s",
		at.Database, at.Host, at.Port, at.User, reason, mend).Because(errors.New(err.Error()))
}

func millis(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

// hangUp closes a connection without waiting for a server that may be gone.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // it is not used again either way
}

// query runs a statement that reads, and passes each line of its answer to scan. One
// that meets a connection which a restart of the server has broken is run again; a
// server that does not answer is a problem that says so.
func (s *Store) query(ctx context.Context, scan func(pgx.Rows) error, sql string, arguments ...any) error {
	return s.within(ctx, s.readTime, scan, sql, arguments...)
}

// survey is query for what reads a table from its beginning to its end.
func (s *Store) survey(ctx context.Context, scan func(pgx.Rows) error, sql string, arguments ...any) error {
	return s.within(ctx, surveyTime, scan, sql, arguments...)
}

func (s *Store) within(ctx context.Context, most time.Duration, scan func(pgx.Rows) error, sql string, arguments ...any) error {
	asked, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for try := 0; ; try++ {
		scanned, err := s.queryOnce(asked, scan, sql, arguments)
		switch {
		case err == nil, ctx.Err() != nil:
			return err
		case !isLost(err) || scanned || try == readTries || asked.Err() != nil:
			return unanswered(err)
		}
	}
}

// readTries is how often a read is run again before its error is told.
const readTries = 2

func (s *Store) queryOnce(ctx context.Context, scan func(pgx.Rows) error, sql string, arguments []any) (scanned bool, err error) {
	if s.closed.Load() {
		return true, store.ErrClosed
	}
	rows, err := s.pool.Query(ctx, sql, arguments...)
	if err != nil {
		return false, sent(err)
	}
	defer rows.Close()
	for rows.Next() {
		scanned = true
		if err := scan(rows); err != nil {
			return scanned, err // what is stored, or who asks for it
		}
	}
	return scanned, sent(rows.Err())
}

// ask is within for what a queue reads of its own, in a transaction.
func (s *Store) ask(ctx context.Context, most time.Duration, read func(context.Context, pgx.Tx) error) error {
	asked, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	err := pgx.BeginFunc(asked, s.pool, func(tx pgx.Tx) error { return read(asked, tx) })
	if err != nil && ctx.Err() == nil && asked.Err() != nil {
		err = &lost{err}
	}
	return unanswered(err)
}

// blob is data that is not null, which no column may be.
func blob(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}
