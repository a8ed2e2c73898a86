package postgres

import (
	"strings"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store"
)

// A run's line, its columns by their type: lines are written as one array per column.
const (
	lineTexts   = "project, dialect, agent, model, title, fingerprint, status, stop_reason, driver, lane"
	lineNumbers = "max_steps, created_at, pending, ended_at, seq, epoch, steps, input, output, cached, reasoning, written, cost, updated_at"
	lineFlags   = "live, unpriced, deleted"
	lineColumns = "id, " + lineTexts + ", " + lineNumbers + ", " + lineFlags
)

type (
	texts   [10]string
	numbers [14]int64
	flags   [3]bool
)

func takeApart(line *run.Summary) (texts, numbers, flags) {
	u := &line.Usage
	return texts{
			store.Text(line.Project), store.Text(line.Dialect), store.Text(line.Agent), store.Text(line.Model), store.Text(line.Title), store.Text(line.Fingerprint),
			string(line.Status), string(line.StopReason), store.Text(line.Driver), store.Text(line.Lane),
		}, numbers{
			int64(line.MaxSteps), store.Millis(line.CreatedAt), int64(line.Pending), store.Millis(line.EndedAt), line.Seq, line.Epoch, int64(line.Steps),
			int64(u.Input), int64(u.Output), int64(u.Cached), int64(u.Reasoning), int64(u.Written), int64(u.Cost), store.Millis(line.UpdatedAt),
		}, flags{line.Live, u.Unpriced, line.Deleted}
}

func putTogether(id run.ID, t *texts, n *numbers, f *flags) run.Summary {
	return run.Summary{
		ID: id, Project: t[0], Dialect: t[1], Agent: t[2], Model: t[3], Title: t[4], Fingerprint: t[5],
		Status: run.Status(t[6]), StopReason: run.StopReason(t[7]), Driver: t[8], Lane: t[9],
		MaxSteps: int(n[0]), CreatedAt: store.Time(n[1]), Pending: int(n[2]), EndedAt: store.Time(n[3]), Seq: n[4], Epoch: n[5], Steps: int(n[6]),
		Usage: run.Usage{
			Input: int(n[7]), Output: int(n[8]), Cached: int(n[9]), Reasoning: int(n[10]), Written: int(n[11]), Cost: run.Micros(n[12]), Unpriced: f[1],
		},
		UpdatedAt: store.Time(n[13]), Live: f[0], Deleted: f[2],
	}
}

// scanLine reads lineColumns.
func scanLine(rows pgx.Rows) (run.Summary, error) {
	var (
		id [16]byte
		t  texts
		n  numbers
		f  flags
	)
	into := make([]any, 0, 1+len(t)+len(n)+len(f))
	into = append(into, &id)
	for i := range t {
		into = append(into, &t[i])
	}
	for i := range n {
		into = append(into, &n[i])
	}
	for i := range f {
		into = append(into, &f[i])
	}
	if err := rows.Scan(into...); err != nil {
		return run.Summary{}, err
	}
	return putTogether(id, &t, &n, &f), nil
}

// lines are lines on their way into the database, column by column.
type lines struct {
	ids     [][16]byte
	texts   [len(texts{})][]string
	numbers [len(numbers{})][]int64
	flags   [len(flags{})][]bool
}

func (l *lines) add(line *run.Summary) {
	l.ids = append(l.ids, line.ID)
	t, n, f := takeApart(line)
	for i := range t {
		l.texts[i] = append(l.texts[i], t[i])
	}
	for i := range n {
		l.numbers[i] = append(l.numbers[i], n[i])
	}
	for i := range f {
		l.flags[i] = append(l.flags[i], f[i])
	}
}

func (l *lines) arguments() []any {
	all := []any{l.ids}
	for i := range l.texts {
		all = append(all, l.texts[i])
	}
	for i := range l.numbers {
		all = append(all, l.numbers[i])
	}
	for i := range l.flags {
		all = append(all, l.flags[i])
	}
	return all
}

// first returns the values of the only line that was added.
func (l *lines) first() []any {
	all := []any{l.ids[0]}
	for i := range l.texts {
		all = append(all, l.texts[i][0])
	}
	for i := range l.numbers {
		all = append(all, l.numbers[i][0])
	}
	for i := range l.flags {
		all = append(all, l.flags[i][0])
	}
	return all
}

// lineTypes are those of lineColumns.
func lineTypes() []string {
	types := []string{"uuid"}
	for range len(texts{}) {
		types = append(types, "text")
	}
	for range len(numbers{}) {
		types = append(types, "bigint")
	}
	for range len(flags{}) {
		types = append(types, "boolean")
	}
	return types
}

func insertLinesSQL() string {
	return "INSERT INTO runs (" + lineColumns + ") SELECT * FROM " + unnest(lineTypes()...)
}

func updateLinesSQL() string {
	return setLinesSQL() + unnest(lineTypes()...) + " AS n (" + lineColumns + ") WHERE runs.id = n.id"
}

// updateKnownSQL changes lines that are as they were known, and fails unless all are.
func updateKnownSQL() string {
	return "WITH done AS (" + setLinesSQL() + unnest(append(lineTypes(), "bigint", "bigint", "text")...) +
		" AS n (" + lineColumns + ", known_seq, known_epoch, known_driver) WHERE runs.id = n.id AND runs.seq = n.known_seq " +
		"AND runs.epoch = n.known_epoch AND runs.driver = n.known_driver AND NOT runs.deleted RETURNING 1) " +
		"SELECT 1 / (count(*) = cardinality($1))::int FROM done"
}

func setLinesSQL() string {
	columns := strings.TrimPrefix(lineColumns, "id, ")
	return "UPDATE runs SET (" + columns + ") = (n." + strings.ReplaceAll(columns, ", ", ", n.") + ") FROM "
}
