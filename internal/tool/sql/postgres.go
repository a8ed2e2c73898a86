package sql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"errand/internal/problem"
)

const (
	// poolSize bounds a query's connections: a thousand runs that ask at once must
	// not take all that the database has. The DSN's pool_max_conns overrides it.
	poolSize = 4

	// poolIdle is how long an unused connection is kept.
	poolIdle = time.Minute
)

// postgres is a PostgreSQL database behind a pool that connects when it is asked.
type postgres struct{ pool *pgxpool.Pool }

func newPostgres(dsn string) (*postgres, error) {
	wrong := errors.New("want postgres://user:password@host:port/database") // the cause may quote the password
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, wrong
	}
	if limited, err := pgx.ParseConfig(dsn); err != nil || limited.RuntimeParams["pool_max_conns"] == "" {
		config.MaxConns = poolSize
	}
	config.MinConns, config.MinIdleConns = 0, 0
	config.MaxConnIdleTime = poolIdle
	// Said after connecting and not in the connection's options, which poolers
	// such as PgBouncer refuse.
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "SET default_transaction_read_only = on")
		return err
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, wrong
	}
	return &postgres{pool: pool}, nil
}

func (p *postgres) close() { p.pool.Close() }

func (p *postgres) query(ctx context.Context, s statement, values []any, l limits) (string, error) {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return "", explainPostgres(err)
	}
	defer conn.Release() // destroys a connection with rows unread: draining a huge result could take minutes
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return "", explainPostgres(err)
	}
	// The server stops by itself too, should this process vanish.
	if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL statement_timeout = %d", l.time.Milliseconds())); err != nil {
		return "", explainPostgres(err)
	}
	// Each column comes as PostgreSQL writes it, whatever its type.
	form := pgx.QueryResultFormats{pgx.TextFormatCode}
	rows, err := tx.Query(ctx, s.text, append([]any{form}, values...)...)
	if err != nil {
		return "", explainPostgres(err)
	}
	result, err := readPostgres(rows, l.rows)
	if err != nil {
		return "", explainPostgres(err)
	}
	if !result.more {
		rows.Close()
		if err := tx.Rollback(ctx); err != nil {
			return "", explainPostgres(err)
		}
	}
	return result.String(), nil
}

// readPostgres reads until the end or until the table is full.
func readPostgres(rows pgx.Rows, most int) (*table, error) {
	var result *table
	for rows.Next() {
		if result == nil {
			var err error
			if result, err = newTable(names(rows), most); err != nil {
				return nil, err
			}
		}
		raw, fields := rows.RawValues(), rows.FieldDescriptions()
		cells := make([]any, len(raw))
		for i := range raw {
			cells[i] = column(fields[i].DataTypeOID, raw[i])
		}
		if goOn, err := result.add(cells); err != nil || !goOn {
			return result, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if result == nil {
		return newTable(names(rows), most)
	}
	return result, nil
}

func names(rows pgx.Rows) []string {
	columns := make([]string, len(rows.FieldDescriptions()))
	for i, field := range rows.FieldDescriptions() {
		columns[i] = field.Name
	}
	return columns
}

// column makes JSON of a value's text form: numbers and JSON as they are, all else
// as a string.
func column(oid uint32, raw []byte) any {
	if raw == nil {
		return nil
	}
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.Float4OID, pgtype.Float8OID, pgtype.NumericOID:
		return number(string(raw))
	case pgtype.JSONOID, pgtype.JSONBOID:
		if len(raw) <= maxCell {
			return number(string(raw))
		}
	case pgtype.BoolOID:
		return string(raw) == "t"
	case pgtype.ByteaOID:
		return fmt.Sprintf("[%d bytes]", max(len(raw)-2, 0)/2)
	}
	return string(raw)
}

// explainPostgres tells the model what the server says about the statement; what
// went wrong before there was one names hosts and users, and is for the log.
func explainPostgres(err error) error {
	var said *pgconn.PgError
	var told *problem.Error
	var connecting *pgconn.ConnectError
	switch {
	case errors.As(err, &told) || errors.As(err, &connecting) || !errors.As(err, &said):
		return err
	case said.Code == "25006": // read_only_sql_transaction
		return refused("it would change something, and this connection only reads", err)
	case said.Code == "57014": // query_canceled
		return problem.New(problem.ToolFailed, "the query took too long and was stopped; ask for less.").Because(err)
	}
	return refused(said.Message, err)
}
