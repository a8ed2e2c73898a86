package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Project owns things: each query is scoped by one.
type Project struct {
	Name    string
	Created time.Time
}

// AddProject makes a project. The rows that also returns are written in the same
// transaction; also may be nil. Errors: invalid_request (name), conflict when there
// is one of this name.
func (b *Book) AddProject(ctx context.Context, name string, also func(Project) ([]run.RowWrite, error)) (Project, error) {
	if !projectName.MatchString(name) {
		return Project{}, problem.Invalid("name", "%s", projectRule)
	}
	write := b.newProject(name)
	made := Project{name, write.Created}
	writes := []run.RowWrite{write}
	if also != nil {
		more, err := also(made)
		if err != nil {
			return Project{}, err
		}
		writes = append(writes, more...)
	}
	err := b.rows.Append(ctx, run.Commit{Rows: writes})
	if conflict := (*run.RowConflict)(nil); errors.As(err, &conflict) && conflict.Kind == projectKind {
		return Project{}, problem.New(problem.Conflict, "There is a project %s already.", name)
	}
	if err != nil {
		return Project{}, fmt.Errorf("making a project: %w", err)
	}
	return made, nil
}

// newProject is the row of a project that is not there yet.
func (b *Book) newProject(name string) run.RowWrite {
	return run.RowWrite{Expect: run.MustNotExist, Row: run.Row{
		Kind: projectKind, ID: name, Created: b.now().UTC().Truncate(time.Millisecond), Data: []byte("{}"),
	}}
}

// Projects returns up to limit projects by name, behind the given one.
func (b *Book) Projects(ctx context.Context, after string, limit int) ([]Project, error) {
	rows, err := b.rows.Rows(ctx, run.RowQuery{Kind: projectKind, After: after, Limit: limit})
	if err != nil {
		return nil, fmt.Errorf("listing projects: %w", err)
	}
	all := make([]Project, len(rows))
	for i := range rows {
		all[i] = Project{rows[i].ID, rows[i].Created}
	}
	return all, nil
}
