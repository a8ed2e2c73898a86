package sql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

// database runs a statement that only reads. Its errors are problems, or errors
// that say nothing to the model but that the query failed.
type database interface {
	query(ctx context.Context, s statement, values []any, l limits) (string, error)
	close()
}

// limits bound one query.
type limits struct {
	rows int
	time time.Duration
}

// Tool is one named query.
type Tool struct {
	query     Query
	statement statement
	described run.Tool
	database  database
}

// New returns the tool of a query. It opens nothing yet: a database that is away
// when the server starts costs the calls that need it.
func New(name string, q Query) (*Tool, error) {
	if err := q.check(name); err != nil {
		return nil, err
	}
	if q.MaxRows == 0 {
		q.MaxRows = defaultRows
	}
	if q.TimeoutS == 0 {
		q.TimeoutS = defaultSeconds
	}
	db, sign, err := open(q.DSN)
	if err != nil {
		return nil, fmt.Errorf("sql.%s.dsn: %w", name, err)
	}
	parsed, err := parse(q.Statement, q.Parameters, sign)
	if err != nil {
		db.close()
		return nil, fmt.Errorf("sql.%s.statement: %w", name, err)
	}
	parameters, err := q.schema()
	if err != nil {
		db.close()
		return nil, fmt.Errorf("sql.%s.parameters: %w", name, err)
	}
	if q.Description == "" {
		q.Description = "Runs the query " + name + " on a database and returns its rows."
	}
	t := &Tool{query: q, statement: parsed, database: db}
	t.described = run.Tool{
		Name: name, Description: q.Description, Parameters: parameters, Class: run.Safe, Scope: q.Scope,
		Version: tool.Digest(fmt.Appendf(nil, "sql 1 %s %s %s %s %d %s", name, where(q.DSN), q.Statement, parameters, q.MaxRows, q.Scope)),
	}
	return t, nil
}

// open chooses the driver by the DSN's scheme, with the sign of its placeholders.
func open(dsn string) (database, string, error) {
	switch scheme, rest, _ := strings.Cut(dsn, ":"); {
	case dsn == "":
		return nil, "", errors.New("is missing: want sqlite:PATH or postgres://…")
	case scheme == "postgres" || scheme == "postgresql":
		db, err := newPostgres(dsn)
		return db, "$", err
	case scheme == "sqlite":
		return sqliteFile(strings.TrimPrefix(rest, "//")), "?", nil
	case strings.Contains(dsn, "://"):
		return nil, "", fmt.Errorf("%s:// is not a database that can be read: want sqlite:PATH or postgres://…", scheme)
	default:
		return sqliteFile(dsn), "?", nil
	}
}

// where is a DSN without its password: a changed password changes no approval.
func where(dsn string) string {
	if u, err := url.Parse(dsn); err == nil {
		return u.Redacted()
	}
	return dsn
}

// Describe is what a run knows of the tool.
func (t *Tool) Describe() run.Tool { return t.described }

// Secrets is the database's password, for the log's redaction.
func (t *Tool) Secrets() []string {
	if u, err := url.Parse(t.query.DSN); err == nil && u.User != nil {
		if password, ok := u.User.Password(); ok && password != "" {
			return []string{password}
		}
	}
	return nil
}

// Close closes the connections.
func (t *Tool) Close() error {
	t.database.close()
	return nil
}

// Call runs the query.
func (t *Tool) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	values, err := t.query.values(call.Arguments, t.statement.names)
	if err != nil {
		return run.ToolResult{}, problem.New(problem.ToolFailed, "%s: %s.", t.described.Name, err)
	}
	outer := ctx
	l := limits{rows: t.query.MaxRows, time: time.Duration(t.query.TimeoutS) * time.Second}
	ctx, cancel := context.WithTimeout(ctx, l.time)
	defer cancel()
	output, err := t.database.query(ctx, t.statement, values, l)
	if err == nil {
		return run.ToolResult{Output: output}, nil
	}
	var told *problem.Error
	switch {
	case outer.Err() != nil:
		return run.ToolResult{}, problem.New(problem.ToolFailed, "%s was cancelled.", t.described.Name).Because(err)
	case ctx.Err() != nil:
		return run.ToolResult{}, problem.New(problem.ToolFailed, "%s took longer than %d seconds and was stopped; ask for less.", t.described.Name, t.query.TimeoutS).Because(err)
	case errors.As(err, &told):
		return run.ToolResult{}, problem.New(told.Code, "%s: %s", t.described.Name, told.Detail).Because(err)
	}
	return run.ToolResult{}, problem.New(problem.ToolFailed, "%s: its database could not be read.", t.described.Name).Because(err)
}

// All returns the tools of all queries of a file, and all that is wrong in it.
func All(queries map[string]Query) ([]*Tool, error) {
	var tools []*Tool
	var errs []error
	for name, q := range queries {
		t, err := New(name, q)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		tools = append(tools, t)
	}
	if len(errs) > 0 {
		for _, t := range tools {
			errs = append(errs, t.Close())
		}
		return nil, errors.Join(errs...)
	}
	return tools, nil
}

// refused is what a database says about a statement and its values.
func refused(message string, cause error) error {
	return problem.New(problem.ToolFailed, "the database refused the query: %s.", tool.Cut(strings.TrimRight(message, ". "), 500)).Because(cause)
}

// number writes digits as a JSON number, or as a string if JSON has no such one.
func number(text string) any {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}
