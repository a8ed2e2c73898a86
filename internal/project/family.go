package project

import (
	"context"
	"fmt"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// mostGenerations bounds the way up from a run to the one that all of it is for.
const mostGenerations = 64

// due returns the runs of a page that nobody needs any more, and passes each to also,
// folded, which must not keep it: a log can be large. Of one that was deleted before
// there is nothing to fold. A run is needed as long as the one that it
// works for, or one that works for it, has not ended or is to be kept: what belongs
// together goes together. A run that continues another one has what was said before
// in its own log, and needs nothing of it.
func (k *Keeper) due(ctx context.Context, lines []run.Summary, ended time.Time, also func(*run.State) error) (due []run.ID, err error) {
	for i := range lines {
		events, err := k.cfg.Log.Load(ctx, lines[i].ID, 0, 0)
		if err != nil {
			return nil, fmt.Errorf("reading run %s: %w", lines[i].ID, err)
		}
		s := run.Fold(lines[i].ID, events)
		needed, err := k.needed(ctx, &s, ended)
		if err != nil {
			return nil, err
		}
		if needed {
			continue
		}
		if err := also(&s); err != nil {
			return nil, err
		}
		due = append(due, s.ID)
	}
	return due, nil
}

func (k *Keeper) needed(ctx context.Context, s *run.State, ended time.Time) (bool, error) {
	for t := range s.Turns {
		for i := range s.Turns[t].Actions {
			a := &s.Turns[t].Actions[i]
			h := s.Spec.Handoff(&a.Tool)
			if a.Child == nil || h == nil || h.Detached {
				continue
			}
			if stays, err := k.stays(ctx, *a.Child, ended); stays || err != nil {
				return stays, err
			}
		}
	}
	parent := s.Spec.Parent
	for range mostGenerations {
		if parent == nil {
			return false, nil
		}
		if stays, err := k.stays(ctx, parent.Run, ended); stays || err != nil {
			return stays, err
		}
		first, err := k.cfg.Log.Load(ctx, parent.Run, 0, 1)
		if err != nil {
			return false, fmt.Errorf("reading run %s: %w", parent.Run, err)
		}
		if len(first) == 0 || first[0].Created == nil {
			return false, nil
		}
		parent = first[0].Created.Spec.Parent
	}
	return false, nil
}

// stays reports whether a run is there and to be kept.
func (k *Keeper) stays(ctx context.Context, id run.ID, ended time.Time) (bool, error) {
	line, err := k.cfg.Log.Summary(ctx, id)
	if problem.Is(err, problem.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking run %s up: %w", id, err)
	}
	return !line.Deleted && (!line.Status.Terminal() || !line.EndedAt.Before(ended)), nil
}
