package sql

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/problem"
)

// sqliteFile is a SQLite database by its path. Each call opens it anew: that takes
// a fraction of a millisecond, sees a file that was replaced, and keeps no handle.
type sqliteFile string

func (f sqliteFile) close() {}

func (f sqliteFile) query(ctx context.Context, s statement, values []any, l limits) (string, error) {
	conn, err := sqlite.OpenConn(string(f), sqlite.OpenReadOnly) // never makes a file
	if err != nil {
		return "", fmt.Errorf("opening %s: %w", string(f), err)
	}
	defer conn.Close()
	conn.SetInterrupt(ctx.Done())
	if err := sqlitex.ExecuteTransient(conn, "PRAGMA query_only = 1", nil); err != nil {
		return "", fmt.Errorf("making %s read-only: %w", string(f), err)
	}
	// Never more than the file that was named: ATTACH would open another one.
	err = conn.SetAuthorizer(sqlite.AuthorizeFunc(func(action sqlite.Action) sqlite.AuthResult {
		if action.Type() == sqlite.OpAttach {
			return sqlite.AuthResultDeny
		}
		return sqlite.AuthResultOK
	}))
	if err != nil {
		return "", fmt.Errorf("guarding %s: %w", string(f), err)
	}
	stmt, trailing, err := conn.PrepareTransient(s.text)
	if err != nil {
		return "", explainSQLite(err)
	}
	defer func() { _ = stmt.Finalize() }() // repeats the error of the last step
	if trailing > 0 {
		return "", refused("it is more than one statement", nil)
	}
	for i, value := range values {
		bind(stmt, i+1, value)
	}
	return readSQLite(stmt, l.rows)
}

func bind(stmt *sqlite.Stmt, at int, value any) {
	switch v := value.(type) {
	case nil:
		stmt.BindNull(at)
	case string:
		stmt.BindText(at, v)
	case int64:
		stmt.BindInt64(at, v)
	case float64:
		stmt.BindFloat(at, v)
	case bool:
		stmt.BindBool(at, v)
	}
}

func readSQLite(stmt *sqlite.Stmt, most int) (string, error) {
	columns := make([]string, stmt.ColumnCount())
	for i := range columns {
		columns[i] = stmt.ColumnName(i)
	}
	result, err := newTable(columns, most)
	if err != nil {
		return "", err
	}
	for {
		found, err := stmt.Step()
		if err != nil {
			return "", explainSQLite(err)
		}
		if !found {
			return result.String(), nil
		}
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = cell(stmt, i)
		}
		if goOn, err := result.add(cells); err != nil {
			return "", err
		} else if !goOn {
			return result.String(), nil
		}
	}
}

func cell(stmt *sqlite.Stmt, i int) any {
	switch stmt.ColumnType(i) {
	case sqlite.TypeNull:
		return nil
	case sqlite.TypeInteger:
		return stmt.ColumnInt64(i)
	case sqlite.TypeFloat:
		if f := stmt.ColumnFloat(i); !math.IsInf(f, 0) {
			return number(strconv.FormatFloat(f, 'g', -1, 64))
		}
		return stmt.ColumnText(i)
	case sqlite.TypeBlob:
		return fmt.Sprintf("[%d bytes]", stmt.ColumnLen(i))
	default:
		return stmt.ColumnText(i)
	}
}

// explainSQLite tells the model about its values and the operator's statement,
// but not where the file is.
func explainSQLite(err error) error {
	switch code := sqlite.ErrCode(err).ToPrimary(); code {
	case sqlite.ResultCantOpen, sqlite.ResultIOErr, sqlite.ResultNotADB, sqlite.ResultCorrupt, sqlite.ResultPerm, sqlite.ResultInterrupt:
		return err
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return problem.New(problem.ToolFailed, "the database is busy; try again.").Because(err)
	case sqlite.ResultReadOnly, sqlite.ResultAuth:
		return refused("it would change something, and this connection only reads", err)
	default:
		return refused(err.Error(), err)
	}
}
