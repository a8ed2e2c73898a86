package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"time"

	"errand/internal/api/webagent"
	"errand/internal/auth"
	"errand/internal/file"
	"errand/internal/index"
	"errand/internal/obs"
	"errand/internal/problem"
	"errand/internal/project"
	"errand/internal/run"
	"errand/internal/workflow"
)

// openProjects makes what keeps projects to what they say.
func (a *assembly) openProjects() (err error) {
	a.projects, err = project.New(project.Config{
		Log: a.store, Rows: a.store, Jobs: a.store, Book: a.keys, Runs: a.engine, Files: a.files, Index: a.index,
		Gate: a.store.gate, Days: a.cfg.RetentionDays, Traces: a.traces, Forget: a.ledger.Drop, Now: a.now, Logger: a.logger,
		Settle: a.settle(), Stop: a.engine.Draining(),
	})
	if err == nil {
		a.metrics.Ask(projectSamples(a.projects))
	}
	return err
}

// settle is how long another node may let somebody in whose key this one has revoked:
// as long as it believes a key, and what a request then takes.
func (a *assembly) settle() time.Duration {
	if a.cfg.Postgres() {
		return 10 * time.Second
	}
	return 0
}

// projectSamples are the keeper's figures.
func projectSamples(k *project.Keeper) func() []obs.Sample {
	return func() []obs.Sample {
		f := k.Figures()
		return []obs.Sample{
			{Name: "errand_retention_runs_removed_total", Help: "Runs that were removed because they were too old.", Total: true, Value: float64(f.Swept)},
			{Name: "errand_projects_erased_total", Help: "Projects that were erased.", Total: true, Value: float64(f.Erased)},
			{Name: "errand_purged_rows_total", Help: "Rows of runs that both have removed: events, jobs and lines.", Total: true, Value: float64(f.Rows)},
			{Name: "errand_retention_swept_timestamp_seconds", Help: "When all projects were last looked through for runs that are too old; 0 = not since the start.", Value: float64(f.Last)},
		}
	}
}

// traces are what is about a run alone, beside its log.
func (a *assembly) traces(ctx context.Context, s *run.State, ended time.Time) (t project.Traces, err error) {
	if len(s.Spec.Project) == 0 {
		return t, nil // it was deleted before, and left none
	}
	if t.Rows, err = a.hooks.Traces(ctx, s.Spec.Project, s.ID); err != nil {
		return t, err
	}
	rows, files, err := a.courier.Traces(ctx, s)
	if err != nil {
		return t, err
	}
	t.Rows, t.Files = append(append(t.Rows, rows...), webagent.Traces(s)...), files
	for i := range s.Turns {
		for j := range s.Turns[i].Actions {
			action := &s.Turns[i].Actions[j]
			if _, record := workflow.Split(action); record.Screenshot != "" {
				t.Files = append(t.Files, record.Screenshot)
			}
			claim, err := a.lapsedClaim(ctx, s, action, ended)
			if err != nil {
				return t, err
			}
			t.Rows = append(t.Rows, claim...)
		}
	}
	return t, nil
}

// lapsedClaim is the row by which a call has booked work for another run, when that
// run goes too: nobody could ask for it again.
func (a *assembly) lapsedClaim(ctx context.Context, s *run.State, action *run.Action, ended time.Time) ([]run.Row, error) {
	h := s.Spec.Handoff(&action.Tool)
	if h == nil || h.Claim == "" || action.Child == nil {
		return nil, nil
	}
	spec, err := s.Child(action)
	if err != nil { // arguments that nobody could read started nothing
		return nil, nil
	}
	row, err := a.store.Row(ctx, run.ClaimKind, s.Spec.Project, run.ClaimID(h.Claim, spec.Input.Text))
	if problem.Is(err, problem.NotFound) {
		return nil, nil
	}
	var claimed run.Claimed
	if err == nil {
		err = json.Unmarshal(row.Data, &claimed)
	}
	if err != nil {
		return nil, err
	}
	line, err := a.store.Summary(ctx, claimed.Run)
	switch {
	case problem.Is(err, problem.NotFound), err == nil && (line.Deleted || line.Status.Terminal() && line.EndedAt.Before(ended)):
		return []run.Row{row}, nil
	}
	return nil, err
}

// projectShelf shows the keeper to the API.
type projectShelf struct{ a *assembly }

// Retain says for how long a project's runs are kept, and looks at them at once.
func (s projectShelf) Retain(ctx context.Context, name string, days *int) (auth.Project, error) {
	changed, err := s.a.keys.SetRetention(ctx, name, days)
	if err != nil {
		return changed, err
	}
	return changed, s.a.projects.Nudge(ctx)
}

// Kept is for how many days a project's runs are kept now.
func (s projectShelf) Kept(p *auth.Project) int { return s.a.projects.Kept(p) }

// Erase begins to remove a project.
func (s projectShelf) Erase(ctx context.Context, caller auth.Caller, name string) (auth.Project, error) {
	job, err := s.a.projects.NewErasure(name)
	if err != nil {
		return auth.Project{}, err
	}
	erasing, err := s.a.keys.BeginErasure(ctx, caller, name, job)
	if err == nil {
		s.a.store.gate.Shut(name)
	}
	return erasing, err
}

// Export writes all that a project has, when the line that says so is on disk.
func (s projectShelf) Export(ctx context.Context, to io.Writer, p *auth.Project, line run.Audit) error {
	a := s.a
	if err := a.store.Append(ctx, run.Commit{Audit: []run.Audit{line}}); err != nil {
		return err
	}
	x := &project.Exporter{
		Log: a.store, Rows: a.store, Keys: a.keys, Records: a.store, Mask: a.redactor.Redact, Now: a.now, Version: version(),
		More: func(ctx context.Context, project string, put func(any) error) error {
			return errors.Join(exportFiles(ctx, a.files, project, put), exportIndex(ctx, a.index, project, put))
		},
	}
	return x.Write(ctx, to, p)
}

const (
	exportPage  = 100
	exportBytes = 192 << 10 // of a file in one line
)

type fileLine struct {
	Object  string    `json:"object"` // file
	ID      string    `json:"id"`
	Created time.Time `json:"created_at"`
	file.File
}

// bytesLine is a part of a file's content.
type bytesLine struct {
	Object string `json:"object"` // file.bytes
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Base64 string `json:"base64"`
}

func exportFiles(ctx context.Context, files *file.Store, project string, put func(any) error) error {
	for after := ""; ; {
		page, err := files.List(ctx, project, "", after, exportPage)
		if err != nil {
			return err
		}
		for i := range page {
			if after = page[i].ID; err == nil {
				err = exportFile(ctx, files, project, &page[i], put)
			}
		}
		if err != nil || len(page) < exportPage {
			return err
		}
	}
}

func exportFile(ctx context.Context, files *file.Store, project string, f *file.File, put func(any) error) error {
	_, content, err := files.Open(ctx, project, f.ID)
	if problem.Is(err, problem.NotFound) {
		return nil // it was deleted this moment
	}
	if err != nil {
		return err
	}
	defer content.Close()
	if err := put(fileLine{"file", f.ID, f.Created, *f}); err != nil {
		return err
	}
	buffer := make([]byte, exportBytes)
	for offset := int64(0); ; {
		n, err := io.ReadFull(content, buffer)
		if n > 0 {
			if err := put(bytesLine{"file.bytes", f.ID, offset, base64.StdEncoding.EncodeToString(buffer[:n])}); err != nil {
				return err
			}
			offset += int64(n)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

type sourceLine struct {
	Object string `json:"object"` // index.source
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	URL    string `json:"url"`
	Origin string `json:"origin,omitempty"`
}

type documentLine struct {
	Object string `json:"object"` // index.document
	Source string `json:"source"`
	Path   string `json:"path"`
	URL    string `json:"url"`
	Title  string `json:"title"`
	Digest string `json:"digest"`
	Bytes  int64  `json:"bytes"`
}

func exportIndex(ctx context.Context, x *index.Index, project string, put func(any) error) error {
	for after := ""; ; {
		sources, err := x.Sources(ctx, project, after, exportPage)
		if err != nil {
			return err
		}
		for _, s := range sources {
			after = s.ID
			if err := put(sourceLine{"index.source", s.ID, s.Kind, s.Name, s.URL, s.Origin}); err != nil {
				return err
			}
			if err := exportDocuments(ctx, x, project, s.ID, put); err != nil && !problem.Is(err, problem.NotFound) {
				return err
			}
		}
		if len(sources) < exportPage {
			return nil
		}
	}
}

func exportDocuments(ctx context.Context, x *index.Index, project, source string, put func(any) error) error {
	for after := ""; ; {
		page, err := x.Documents(ctx, project, source, after, exportPage)
		if err != nil {
			return err
		}
		for _, d := range page {
			after = d.Path
			if err := put(documentLine{"index.document", source, d.Path, d.URL, d.Title, d.Digest, d.Bytes}); err != nil {
				return err
			}
		}
		if len(page) < exportPage {
			return nil
		}
	}
}
