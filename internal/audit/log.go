package audit

import (
	"context"

	"errand/internal/run"
)

// page is how many lines are read at once: no read of a store may last.
const page = 1000

// Lines keeps lines. internal/store has the implementations.
type Lines interface {
	// Audits returns lines behind the given seq, oldest first; of all projects where
	// none is named.
	Audits(ctx context.Context, project string, after int64, limit int) ([]run.Audit, error)
}

// Log reads the log.
type Log struct {
	Lines Lines
	Chain Chain
}

// Query selects lines.
type Query = run.AuditQuery

// Picker is Lines that can select by itself, because it has indexes.
type Picker interface {
	AuditsBy(ctx context.Context, q Query) ([]run.Audit, error)
}

// Select returns the lines that a query selects, oldest first.
func (l *Log) Select(ctx context.Context, q Query) ([]run.Audit, error) {
	if picker, picks := l.Lines.(Picker); picks {
		return picker.AuditsBy(ctx, q)
	}
	var found []run.Audit
	err := l.each(ctx, q.Project, q.After, func(line *run.Audit) bool {
		if q.Takes(line) {
			found = append(found, *line)
		}
		return len(found) < q.Limit
	})
	return found, err
}

// Verify looks through the whole log, of all projects. Known is a head of an earlier
// verdict that must still be in it; zero = none.
func (l *Log) Verify(ctx context.Context, known Head) (Verdict, error) {
	v := Verifier{Chain: l.Chain, Known: known}
	err := l.each(ctx, "", 0, v.Take)
	return v.Verdict(), err
}

// each goes through lines until take has had enough.
func (l *Log) each(ctx context.Context, project string, after int64, take func(*run.Audit) bool) error {
	for {
		lines, err := l.Lines.Audits(ctx, project, after, page)
		if err != nil {
			return err
		}
		for i := range lines {
			if !take(&lines[i]) {
				return nil
			}
		}
		if len(lines) < page {
			return nil
		}
		after = lines[len(lines)-1].Seq
	}
}
