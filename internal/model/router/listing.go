package router

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// listWait is how long one endpoint gets to list its models: a page waits for it.
	listWait = 2 * time.Second
	// listKept is how long what an endpoint listed is believed, and refusedKept how
	// long it is not asked again when it did not: the list of models is read by every
	// page and SDK, the provider must not hear of each.
	listKept    = time.Minute
	refusedKept = 10 * time.Second
)

// listing is what an endpoint has said that it has.
type listing struct {
	mu    sync.Mutex // held while the endpoint is asked, so that it is asked once
	names []string
	err   error
	until time.Time // asked again from then on
}

// read returns the models' names, as of at most listKept ago. The caller must not
// change them.
func (l *listing) read(ctx context.Context, model Model, now func() time.Time) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now().Before(l.until) {
		return l.names, l.err
	}
	// The answer is for all who read it, so that who asked first and leaves takes nothing away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listWait)
	defer cancel()
	l.names, l.err = list(ctx, model)
	kept := listKept
	if l.err != nil {
		kept = refusedKept
	}
	l.until = now().Add(kept)
	return l.names, l.err
}

// list asks a model's endpoint what it has, if it can say.
func list(ctx context.Context, model Model) ([]string, error) {
	lister, ok := model.(interface {
		List(ctx context.Context) ([]string, error)
	})
	if !ok {
		return nil, errors.New("it has no list")
	}
	return lister.List(ctx)
}
