package auth

import (
	"context"
	"encoding/json"
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
	// Retention is for how many days after their end its runs are kept: nil = as the
	// server says, 0 = for ever.
	Retention *int
	Erasure   *Erasure // nil = it is in use

	version int64 // of its row
}

// Erasure is how far the removal of a project has come.
type Erasure struct {
	Since   time.Time      `json:"since"`
	By      string         `json:"by"` // id of the key
	ByName  string         `json:"by_name"`
	Step    string         `json:"step"`    // what goes now
	Removed map[string]int `json:"removed"` // so far, by what it was
}

// storedProject is a Project as its row holds it; name and creation are the row's own.
type storedProject struct {
	Retention *int     `json:"retention_days,omitempty"`
	Erasure   *Erasure `json:"erasure,omitempty"`
}

func projectOf(row *run.Row) (Project, error) {
	var stored storedProject
	if err := json.Unmarshal(row.Data, &stored); err != nil {
		return Project{}, fmt.Errorf("reading the project %s: %w", row.ID, err)
	}
	return Project{Name: row.ID, Created: row.Created, Retention: stored.Retention, Erasure: stored.Erasure, version: row.Version}, nil
}

func (p *Project) write() (run.RowWrite, error) {
	data, err := json.Marshal(storedProject{p.Retention, p.Erasure})
	return run.RowWrite{Expect: p.version, Row: run.Row{Kind: projectKind, ID: p.Name, Created: p.Created, Data: data}}, err
}

// AddProject makes a project. The rows that also returns are written in the same
// transaction; also may be nil. Errors: invalid_request (name), conflict when there
// is one of this name.
func (b *Book) AddProject(ctx context.Context, name string, also func(Project) ([]run.RowWrite, error)) (Project, error) {
	if !projectName.MatchString(name) {
		return Project{}, problem.Invalid("name", "%s", projectRule)
	}
	write := b.newProject(name)
	made := Project{Name: name, Created: write.Created}
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
		if all[i], err = projectOf(&rows[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Project returns one, or not_found.
func (b *Book) Project(ctx context.Context, name string) (Project, error) {
	row, err := b.rows.Row(ctx, projectKind, "", name)
	if problem.Is(err, problem.NotFound) {
		return Project{}, problem.New(problem.NotFound, "There is no project %.100q: GET /v1/projects lists them.", name)
	}
	if err != nil {
		return Project{}, fmt.Errorf("looking a project up: %w", err)
	}
	return projectOf(&row)
}

// Change changes a project, on it as it stands, and again when somebody else was
// quicker. The rest of the commit is what change returns. Errors: not_found, and
// those of change.
func (b *Book) Change(ctx context.Context, name string, change func(*Project) (run.Commit, error)) (Project, error) {
	for {
		p, err := b.Project(ctx, name)
		if err != nil {
			return p, err
		}
		c, err := change(&p)
		if err != nil {
			return p, err
		}
		write, err := p.write()
		if err != nil {
			return p, err
		}
		c.Rows = append(c.Rows, write)
		err = b.rows.Append(ctx, c)
		if conflict := (*run.RowConflict)(nil); errors.As(err, &conflict) && conflict.Kind == projectKind {
			continue
		}
		if err != nil {
			return p, fmt.Errorf("changing the project %s: %w", name, err)
		}
		p.version++
		return p, nil
	}
}

// beingErased is what whoever wants to change such a project is told.
func beingErased(name string) error {
	return problem.New(problem.Conflict, "The project %s is being erased: GET /v1/projects/%s says how far that has come.", name, name)
}

// MaxRetention is the longest that runs can be kept short of for ever, in days: a
// hundred years.
const MaxRetention = 36_500

// SetRetention says for how many days after their end a project's runs are kept: nil
// = as the server says, 0 = for ever. Errors: invalid_request (retention_days), not_found, conflict while it is being erased.
func (b *Book) SetRetention(ctx context.Context, name string, days *int) (Project, error) {
	if days != nil && (*days < 0 || *days > MaxRetention) {
		return Project{}, problem.Invalid("retention_days", "must be 1 to %d days after their end that runs are kept, 0 for ever, or null for what the server says", MaxRetention)
	}
	return b.Change(ctx, name, func(p *Project) (run.Commit, error) {
		if p.Erasure != nil {
			return run.Commit{}, beingErased(name)
		}
		p.Retention = days
		data, err := json.Marshal(storedProject{Retention: days})
		return run.Commit{Audit: []run.Audit{{Project: name, Action: "project.changed", Target: name, Data: data}}}, err
	})
}

// BeginErasure marks a project as one that is being removed, with the job that does
// it, and revokes its keys: when it returns, none of them opens anything. On one that
// is being removed already it changes nothing. Errors: not_found, conflict about the
// project that the admin key belongs to, or the caller's own.
func (b *Book) BeginErasure(ctx context.Context, caller Caller, name string, job run.Job) (Project, error) {
	switch {
	case name == DefaultProject:
		return Project{}, problem.New(problem.Conflict, "The project %s can't be erased: the server's admin key belongs to it. "+
			"Delete what is in it, or stop the server and remove its data directory.", DefaultProject)
	case name == caller.Project:
		return Project{}, problem.New(problem.Conflict, "The project %s can't be erased with a key of its own: that key would go with it.", name)
	}
	p, err := b.Change(ctx, name, func(p *Project) (run.Commit, error) {
		if p.Erasure != nil {
			return run.Commit{}, errBegun
		}
		p.Erasure = &Erasure{Since: b.now().UTC().Truncate(time.Millisecond), By: caller.KeyID, ByName: caller.KeyName, Step: "keys", Removed: map[string]int{}}
		return run.Commit{Jobs: []run.Job{job}, Audit: []run.Audit{{Project: name, Action: "project.erasing", Target: name}}}, nil
	})
	if err != nil && !errors.Is(err, errBegun) {
		return p, err
	}
	return p, b.RevokeAll(ctx, name)
}

var errBegun = errors.New("the project is being erased already")
