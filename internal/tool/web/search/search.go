package search

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

const (
	// patience is how long one engine may take: good ones need one second, and
	// there should be time left for the next.
	patience = 8 * time.Second
	// allPatience is how long all of them may take together. The server's own index
	// is asked even then: it takes no time.
	allPatience = 20 * time.Second
)

// Query is one question.
type Query struct {
	Project string // whose index is asked
	Text    string
	Count   int // how many results are wanted
}

// Provider is a search engine.
type Provider interface {
	// Name is what the settings and the answer call it.
	Name() string
	// Search returns what it finds, best first, as it came. Its errors are problems
	// whose detail says what it did ("answered 503"): rate_limited with a time,
	// invalid_request when the query alone is to blame.
	Search(ctx context.Context, q Query) ([]run.Source, error)
}

// Chain asks providers in order. It is safe for concurrent use.
type Chain struct {
	links []*link
	now   func() time.Time
}

// link is a provider with what is known of its health.
type link struct {
	Provider
	breaker breaker
}

// NewChain returns a chain of the providers.
func NewChain(now func() time.Time, providers ...Provider) *Chain {
	c := &Chain{now: now}
	for _, p := range providers {
		c.links = append(c.links, &link{Provider: p})
	}
	return c
}

// Names lists the providers in their order.
func (c *Chain) Names() []string {
	var names []string
	for _, l := range c.links {
		names = append(names, l.Name())
	}
	return names
}

// Close drops idle connections.
func (c *Chain) Close() error {
	var errs []error
	for _, l := range c.links {
		if closer, ok := l.Provider.(io.Closer); ok {
			errs = append(errs, closer.Close())
		}
	}
	return errors.Join(errs...)
}

// Find asks until one provider has found something. Finding nothing is an answer;
// it fails when nobody could be asked but an index that has nothing.
func (c *Chain) Find(ctx context.Context, q Query) (run.Found, error) {
	limited, cancel := context.WithTimeout(ctx, allPatience)
	defer cancel()
	var barren, troubles []string
	for _, l := range c.links {
		asking := limited
		if l.Name() == IndexName {
			asking = ctx
		}
		sources, err := l.ask(asking, q, c.now)
		switch {
		case ctx.Err() != nil:
			return run.Found{}, problem.New(problem.ToolFailed, "web.search: the call was cancelled, or its time was up.").Because(ctx.Err())
		case err != nil:
			troubles = append(troubles, l.Name()+" "+problem.From(err).Detail)
		case len(sources) == 0:
			barren = append(barren, l.Name())
		default:
			return run.Found{Query: q.Text, Provider: l.Name(), Results: sources, Note: note(l.Name(), barren, troubles)}, nil
		}
	}
	if len(troubles) > 0 && len(barren) == 0 || len(troubles) > 0 && len(barren) == 1 && barren[0] == IndexName {
		return run.Found{}, problem.New(problem.ToolFailed, "web.search: no search engine could be asked: %s.%s", strings.Join(troubles, "; "), indexToo(barren))
	}
	return run.Found{Query: q.Text, Provider: strings.Join(barren, ", "), Results: []run.Source{}, Note: c.nothing(troubles)}, nil
}

func indexToo(barren []string) string {
	if len(barren) == 0 {
		return ""
	}
	return " This server's own index has nothing on it."
}

// note says what a reader of the results should know of where they come from.
func note(from string, barren, troubles []string) string {
	var parts []string
	if from == IndexName {
		parts = append(parts, "These results are from this server's own index, not from the web.")
	}
	if len(barren) > 0 {
		parts = append(parts, strings.Join(barren, " and ")+" found nothing.")
	}
	if len(troubles) > 0 {
		parts = append(parts, sentence(troubles))
	}
	return strings.Join(parts, " ")
}

// nothing says that nothing was found, and where nobody looked.
func (c *Chain) nothing(troubles []string) string {
	text := "Nothing was found."
	if len(c.links) == 1 && c.links[0].Name() == IndexName {
		text += " Only this server's own index was searched: no web search is configured."
	}
	if len(troubles) > 0 {
		text += " " + sentence(troubles)
	}
	return text
}

func sentence(troubles []string) string { return strings.Join(troubles, "; ") + "." }

// ask asks one provider, unless it is being left alone.
func (l *link) ask(ctx context.Context, q Query, now func() time.Time) ([]run.Source, error) {
	if ctx.Err() != nil {
		return nil, problem.New(problem.ToolFailed, "was not asked, for the others took %s", allPatience)
	}
	if wait, open := l.breaker.enter(now()); open {
		return nil, problem.New(problem.ToolFailed, "is left alone for another %s, for it has kept failing", wait.Round(time.Second))
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := l.Search(limited, q)
	switch late := errors.Is(limited.Err(), context.DeadlineExceeded); {
	case err != nil && late && ctx.Err() == nil:
		err = problem.New(problem.ToolFailed, "took longer than %s", patience).Because(err)
	case err != nil && late:
		err = problem.New(problem.ToolFailed, "did not answer in the time that was left").Because(err)
	}
	switch {
	case ctx.Err() != nil:
		l.breaker.abandon() // it did not get its time, which says nothing of it
	case err == nil || problem.Is(err, problem.InvalidRequest):
		l.breaker.worked()
	default:
		l.breaker.failed(now(), problem.From(err).RetryAfter)
	}
	if err != nil {
		return nil, told(err)
	}
	return clean(found, q.Count, l.Name() == IndexName), nil
}

// told makes any error one whose detail a model may read.
func told(err error) error {
	if known := problem.From(err); known.Code != problem.Internal {
		return known
	}
	return problem.New(problem.ToolFailed, "failed").Because(fmt.Errorf("searching: %w", err))
}
