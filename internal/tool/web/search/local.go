package search

import (
	"context"

	"errand/internal/problem"
	"errand/internal/run"
)

// IndexName is what the settings and the answers call this server's own index.
const IndexName = "index"

// Index is this server's own. internal/index has it.
type Index interface {
	// Search returns the documents and pages of the project that fit, best first.
	Search(ctx context.Context, project, query string, limit int) ([]run.Source, error)
}

// Local makes a provider of this server's own index.
func Local(index Index) Provider { return local{index} }

type local struct{ index Index }

func (local) Name() string { return IndexName }

func (l local) Search(ctx context.Context, q Query) ([]run.Source, error) {
	found, err := l.index.Search(ctx, q.Project, q.Text, q.Count)
	if err != nil {
		return nil, problem.New(problem.ToolFailed, "could not be read").Because(err)
	}
	return found, nil
}
