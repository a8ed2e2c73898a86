package schedule

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Prefix stands before every schedule's id.
const Prefix = "sch_"

// List returns up to limit schedules, newest first, made before the one with id
// after; empty = from the newest.
func (k *Keeper) List(ctx context.Context, project, after string, limit int) ([]Schedule, error) {
	rows, err := k.cfg.Rows.Rows(ctx, run.RowQuery{Kind: Kind, Project: project, After: after, Newest: true, Limit: limit})
	if err != nil {
		return nil, fmt.Errorf("listing schedules: %w", err)
	}
	found := make([]Schedule, len(rows))
	for i := range rows {
		if found[i], err = readSchedule(&rows[i]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Get returns one, or not_found.
func (k *Keeper) Get(ctx context.Context, project, id string) (Schedule, error) {
	s, err := k.find(ctx, Kind, project, id)
	if problem.Is(err, problem.NotFound) {
		return s, problem.New(problem.NotFound, "There is no schedule %q in this project: GET /v1/schedules lists them.", id)
	}
	return s, err
}

// Create checks a new schedule and returns it with the commit that adds it.
func (k *Keeper) Create(ctx context.Context, project string, d Definition, key string) (Schedule, run.Commit, error) {
	var random [5]byte
	_, _ = rand.Read(random[:]) // it never fails: the process ends instead
	now := k.now()
	s := Schedule{
		ID: fmt.Sprintf("%s%012x%s", Prefix, now.UnixMilli(), hex.EncodeToString(random[:])), Project: project, Created: now,
		Key: key, kind: Kind,
	}
	c, err := k.define(ctx, &s, d)
	return s, c, err
}

// Change returns a schedule with another definition, and the commit that changes
// it. Whoever changes what is started answers for it from then on.
func (k *Keeper) Change(ctx context.Context, project, id string, d Definition, key string) (Schedule, run.Commit, error) {
	s, err := k.Get(ctx, project, id)
	if err != nil {
		return s, run.Commit{}, err
	}
	before := s.Definition
	c, err := k.define(ctx, &s, d)
	if before.Target != s.Target || before.Input != s.Input {
		s.Key = key
		c.Rows[0], err = s.write()
	}
	return s, c, err
}

// Remove returns the commit that forgets a schedule. Its runs go on.
func (k *Keeper) Remove(ctx context.Context, project, id string) (run.Commit, error) {
	s, err := k.Get(ctx, project, id)
	if err != nil {
		return run.Commit{}, err
	}
	write, err := s.write()
	write.Delete = true
	return run.Commit{Rows: []run.RowWrite{write}}, err
}

// Asked is who wants a run now, on his own word, and under which id.
type Asked struct {
	Key    string
	Scopes []string
	Run    run.ID
}

// Fire returns the spec of a run that starts now, and what is to be written with
// its first event.
func (k *Keeper) Fire(ctx context.Context, project, id string, by Asked) (run.Spec, []run.RowWrite, error) {
	s, err := k.Get(ctx, project, id)
	if err != nil {
		return run.Spec{}, nil, err
	}
	p, err := s.plan()
	if err != nil {
		return run.Spec{}, nil, err
	}
	t := turn{Schedule: s, plan: p, now: k.now(), read: s.Turn}
	if err := k.book(ctx, &t); err != nil {
		return run.Spec{}, nil, err
	}
	// Only what was going on was asked for: the ends are booked by their own jobs.
	if going := t.Running; len(going) > 0 && s.Overlap != Allow || len(going) >= mostRunning {
		return run.Spec{}, nil, problem.New(problem.Conflict,
			"Run run_%s of this schedule goes on, and it wants no two at once: wait for its end, or change overlap to \"allow\".", going[0])
	}
	spec, err := k.cfg.Targets.Spec(ctx, Order{
		Project: project, Target: s.Target, Input: s.Input, Due: t.now, Key: by.Key, Scopes: by.Scopes,
	})
	if err != nil {
		return spec, nil, err
	}
	spec.Schedule = s.ref()
	s.begun(by.Run, t.now)
	write, err := s.write()
	return spec, []run.RowWrite{write}, err
}

// define checks a definition and puts it into the schedule. A new way of saying
// when counts from now; so does resuming, and nothing was missed meanwhile.
func (k *Keeper) define(ctx context.Context, s *Schedule, d Definition) (run.Commit, error) {
	now, before := k.now(), *s
	f := faults{}
	p := d.Timing.plan(now, f)
	d.check(f)
	target, err := k.resolve(ctx, s.Project, d.Target, f)
	if err != nil {
		return run.Commit{}, err
	}
	if invalid := problem.InvalidFields(f); invalid != nil {
		return run.Commit{}, invalid
	}
	d.Target = target
	s.Definition, s.Updated = d, now
	fresh := before.version == 0 || !d.Timing.equal(&before.Timing)
	if fresh || before.Paused != d.Paused {
		if !s.reset(&p, now, fresh) {
			return run.Commit{}, never(d.Cron)
		}
	}
	t := turn{Schedule: *s, now: now, read: before.Turn}
	return t.commit()
}

// reset sets the next time anew; false = there is none. What failed before is
// forgiven: somebody has just looked at it.
func (s *Schedule) reset(p *plan, now time.Time, fresh bool) bool {
	if fresh {
		s.Anchor = now
	}
	p.anchor = s.Anchor
	s.Failures, s.NotBefore, s.Queued, s.Error = 0, time.Time{}, 0, ""
	s.advance(p, now)
	known := !s.Next.IsZero()
	if p.daemon {
		if len(s.Running) == 0 {
			s.Next = now
		}
		known = true
	}
	if s.Paused {
		s.Next = time.Time{}
	}
	return known
}

// resolve finds the target.
func (k *Keeper) resolve(ctx context.Context, project string, t Target, f faults) (Target, error) {
	switch {
	case t.Agent == "" && t.Robot == "":
		f.add("agent", "is required, or robot: say who is to be started.")
	case t.Agent != "" && t.Robot != "":
		f.add("robot", "can't stand together with agent: give one of them.")
	default:
		found, err := k.cfg.Targets.Resolve(ctx, project, t)
		if invalid := problem.From(err); problem.Is(err, problem.InvalidRequest) {
			for field, message := range invalid.Fields {
				f.add(field, "%s", message)
			}
			return t, nil
		}
		return found, err
	}
	return t, nil
}

// check reports what is wrong beside timing and target, and fills in what was
// left out.
func (d *Definition) check(f faults) {
	if d.Agent != "" && strings.TrimSpace(d.Input) == "" {
		f.add("input", "is required for an agent: say what it is to do each time.")
	}
	if d.Missed == "" {
		d.Missed = SkipMissed
	}
	if d.Overlap == "" {
		d.Overlap = SkipOverlap
	}
	if d.Missed != SkipMissed && d.Missed != Once {
		f.add("missed", `%q is no policy: "skip" or "once".`, d.Missed)
	}
	if d.Overlap != SkipOverlap && d.Overlap != Queue && d.Overlap != Allow {
		f.add("overlap", `%q is no policy: "skip", "queue" or "allow".`, d.Overlap)
	}
	if d.Daemon && d.Overlap != SkipOverlap {
		f.add("overlap", "can only be \"skip\" with daemon, which starts a run when the last one has ended.")
	}
	if d.Daemon && d.Missed != SkipMissed {
		f.add("missed", "can only be \"skip\" with daemon, which has no times that it could miss.")
	}
}

func (t *Timing) equal(o *Timing) bool {
	return t.Cron == o.Cron && t.Every == o.Every && t.Daemon == o.Daemon && t.Zone == o.Zone &&
		slices.Equal(t.Times, o.Times) && slices.Equal(t.Days, o.Days)
}
