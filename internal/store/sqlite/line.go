package sqlite

import (
	"strings"

	"zombiezen.com/go/sqlite"

	"errand/internal/run"
	"errand/internal/store"
)

// A run's line changes in three ways, which cost differently: most appends touch
// no index, a change of status touches three, and the rest almost never changes.
const (
	fixedColumns    = "project, dialect, agent, model, max_steps, title, fingerprint, created_at, deleted"
	standColumns    = "status, pending, live, stop_reason, ended_at"
	progressColumns = "seq, epoch, steps, input, output, cached, reasoning, cost, unpriced, updated_at"
	lineColumns     = "id, " + fixedColumns + ", " + standColumns + ", " + progressColumns
)

// Where the columns that lists filter by are in lineColumns.
const (
	idColumn       = 0
	dialectColumn  = 2
	agentColumn    = 3
	modelColumn    = 4
	titleColumn    = 6
	createdColumn  = 8
	statusColumn   = 10
	standColumn    = 10
	progressColumn = 15
	costColumn     = 22
)

func insertLineSQL() string {
	return "INSERT INTO runs (" + lineColumns + ") VALUES (" + marks(lineColumns) + ")"
}

// updateLineSQL sets the columns of a run whose id is the last parameter.
func updateLineSQL(columns string) string {
	return "UPDATE runs SET (" + columns + ") = (" + marks(columns) + ") WHERE id = ?"
}

func marks(columns string) string {
	return strings.TrimSuffix(strings.Repeat("?, ", strings.Count(columns, ",")+1), ", ")
}

func bindFixed(stmt *sqlite.Stmt, at int, line *run.Summary) int {
	stmt.BindText(at, line.Project)
	stmt.BindText(at+1, line.Dialect)
	stmt.BindText(at+2, line.Agent)
	stmt.BindText(at+3, line.Model)
	stmt.BindInt64(at+4, int64(line.MaxSteps))
	stmt.BindText(at+5, line.Title)
	stmt.BindText(at+6, line.Fingerprint)
	stmt.BindInt64(at+7, store.Millis(line.CreatedAt))
	stmt.BindBool(at+8, line.Deleted)
	return at + 9
}

func bindStand(stmt *sqlite.Stmt, at int, line *run.Summary) int {
	stmt.BindText(at, string(line.Status))
	stmt.BindInt64(at+1, int64(line.Pending))
	stmt.BindBool(at+2, line.Live)
	stmt.BindText(at+3, string(line.StopReason))
	stmt.BindInt64(at+4, store.Millis(line.EndedAt))
	return at + 5
}

func bindProgress(stmt *sqlite.Stmt, at int, line *run.Summary) int {
	stmt.BindInt64(at, line.Seq)
	stmt.BindInt64(at+1, line.Epoch)
	stmt.BindInt64(at+2, int64(line.Steps))
	stmt.BindInt64(at+3, int64(line.Usage.Input))
	stmt.BindInt64(at+4, int64(line.Usage.Output))
	stmt.BindInt64(at+5, int64(line.Usage.Cached))
	stmt.BindInt64(at+6, int64(line.Usage.Reasoning))
	stmt.BindInt64(at+7, int64(line.Usage.Cost))
	stmt.BindBool(at+8, line.Usage.Unpriced)
	stmt.BindInt64(at+9, store.Millis(line.UpdatedAt))
	return at + 10
}

// sameFixed reports whether the columns are equal that an update of a run's
// stand does not write.
func sameFixed(a, b *run.Summary) bool {
	return a.Project == b.Project && a.Dialect == b.Dialect && a.Agent == b.Agent &&
		a.Model == b.Model && a.MaxSteps == b.MaxSteps && a.Title == b.Title &&
		a.Fingerprint == b.Fingerprint && a.Deleted == b.Deleted &&
		store.Millis(a.CreatedAt) == store.Millis(b.CreatedAt)
}

// sameStand reports whether the columns are equal that an update of a run's
// progress does not write.
func sameStand(a, b *run.Summary) bool {
	return sameFixed(a, b) && a.Status == b.Status && a.Pending == b.Pending &&
		a.Live == b.Live && a.StopReason == b.StopReason &&
		store.Millis(a.EndedAt) == store.Millis(b.EndedAt)
}

// scanLine reads lineColumns.
func scanLine(stmt *sqlite.Stmt) run.Summary {
	const stand, progress = standColumn, progressColumn
	return run.Summary{
		ID:          columnID(stmt, idColumn),
		Project:     stmt.ColumnText(1),
		Dialect:     stmt.ColumnText(dialectColumn),
		Agent:       stmt.ColumnText(agentColumn),
		Model:       stmt.ColumnText(4),
		MaxSteps:    stmt.ColumnInt(5),
		Title:       stmt.ColumnText(6),
		Fingerprint: stmt.ColumnText(7),
		CreatedAt:   store.Time(stmt.ColumnInt64(createdColumn)),
		Deleted:     stmt.ColumnBool(9),
		Status:      run.Status(stmt.ColumnText(stand)),
		Pending:     stmt.ColumnInt(stand + 1),
		Live:        stmt.ColumnBool(stand + 2),
		StopReason:  run.StopReason(stmt.ColumnText(stand + 3)),
		EndedAt:     store.Time(stmt.ColumnInt64(stand + 4)),
		Seq:         stmt.ColumnInt64(progress),
		Epoch:       stmt.ColumnInt64(progress + 1),
		Steps:       stmt.ColumnInt(progress + 2),
		Usage: run.Usage{
			Input:     stmt.ColumnInt(progress + 3),
			Output:    stmt.ColumnInt(progress + 4),
			Cached:    stmt.ColumnInt(progress + 5),
			Reasoning: stmt.ColumnInt(progress + 6),
			Cost:      run.Micros(stmt.ColumnInt64(progress + 7)),
			Unpriced:  stmt.ColumnBool(progress + 8),
		},
		UpdatedAt: store.Time(stmt.ColumnInt64(progress + 9)),
	}
}

const lineSQL = "SELECT " + lineColumns + " FROM runs WHERE id = ?"

// readLine reads one run's line and whether there is one.
func readLine(conn *sqlite.Conn, id run.ID) (run.Summary, bool, error) {
	stmt, err := conn.Prepare(lineSQL)
	if err != nil {
		return run.Summary{}, false, err
	}
	defer stmt.Reset()
	stmt.BindBytes(1, id[:])
	found, err := stmt.Step()
	if err != nil || !found {
		return run.Summary{}, false, err
	}
	return scanLine(stmt), true, nil
}
