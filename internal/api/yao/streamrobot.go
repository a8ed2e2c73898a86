package yao

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// streamPoll is how often the stream of a robot, or of all of them, looks at the
// runs. It is how late a reader learns of something, and what it costs: two lists.
const streamPoll = time.Second

// streamWindow is how many of the latest executions a look sees beside those that
// have not ended: more than begin and end between two looks.
const streamWindow = 50

// streamRobot tells what all executions of a robot do, while they do it.
func (a *API) streamRobot(ctx context.Context, r *wire.Request) (wire.Response, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	return a.streamLive(r, found.ID)
}

// streamRobots tells what the robots of the project do.
func (a *API) streamRobots(_ context.Context, r *wire.Request) (wire.Response, error) {
	return a.streamLive(r, "")
}

func (a *API) streamLive(r *wire.Request, member string) (wire.Response, error) {
	l := &live{a: a, caller: r.Caller, project: r.Caller.Project, member: member, seen: map[run.ID]*sight{}, stood: map[string]statusBody{}}
	if last := r.Header("Last-Event-ID"); last != "" {
		millis, err := strconv.ParseInt(last, 10, 64)
		if err != nil || millis < 0 {
			return wire.Response{}, problem.Invalid("Last-Event-ID", "%.80q is no place in this stream: give the id of the last frame you saw", last)
		}
		l.since = time.UnixMilli(millis)
	}
	return wire.Response{Stream: &wire.Stream{
		Watch: func(ctx context.Context) iter.Seq2[engine.Update, error] {
			return func(yield func(engine.Update, error) bool) { l.watch(ctx, yield) }
		},
		Emit: func(f *wire.Frames, _ engine.Update) (bool, error) { return false, writeFrames(f, l.id, l.frames) },
	}}, nil
}

// live is a reader of the stream.
type live struct {
	a       *API
	caller  auth.Caller
	project string
	member  string    // empty = all of the project
	since   time.Time // when the reader was here last; zero = never
	seen    map[run.ID]*sight
	stood   map[string]statusBody // by robot, as last told
	id      string
	frames  []frame // of the look that is being sent
}

// sight is what the reader knows of an execution.
type sight struct {
	seq   int64
	ended bool
	tale  *tale // of one robot's stream alone
}

func (l *live) watch(ctx context.Context, yield func(engine.Update, error) bool) {
	look := time.NewTicker(streamPoll)
	defer look.Stop()
	for first := true; ; first = false {
		err := l.look(ctx, first)
		if ctx.Err() != nil {
			return
		}
		if (err != nil || len(l.frames) > 0) && (!yield(engine.Update{}, err) || err != nil) {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		case <-l.a.cfg.Engine.Draining():
			return
		}
	}
}

// look finds out what has changed since the last look. The first one tells how the
// robots stand, and what a reader that comes back has missed.
func (l *live) look(ctx context.Context, first bool) error {
	l.frames, l.id = nil, strconv.FormatInt(l.a.cfg.Now().UnixMilli(), 10)
	lines, err := l.lines(ctx)
	if err != nil {
		return err
	}
	touched := map[string]bool{}
	if first {
		if touched, err = l.all(ctx); err != nil {
			return err
		}
	}
	here := map[run.ID]bool{}
	for i := range lines {
		line := &lines[i]
		here[line.ID] = true
		changed, err := l.compare(ctx, line, first)
		if err != nil {
			return err
		}
		if changed {
			touched[strings.TrimPrefix(line.Agent, robot.ExecutionAgent)] = true
		}
	}
	for id := range l.seen {
		if !here[id] && l.seen[id].ended {
			delete(l.seen, id)
		}
	}
	return l.tellStanding(ctx, touched)
}

// all are the robots that the stream is about: how they stand is its beginning.
func (l *live) all(ctx context.Context) (map[string]bool, error) {
	if l.member != "" {
		return map[string]bool{l.member: true}, nil
	}
	found, err := l.a.cfg.Roster.List(ctx, l.project, "", robotScan)
	members := map[string]bool{}
	for i := range found {
		if l.caller.For(robot.ExecutionAgent + found[i].ID) {
			members[found[i].ID] = true
		}
	}
	return members, err
}

// lines are the latest executions, those that have not ended, and those that have
// since the last look, oldest first.
func (l *live) lines(ctx context.Context) ([]run.Summary, error) {
	q := run.RunQuery{Project: l.project, Dialect: Dialect, Limit: streamWindow}
	if l.member != "" {
		q.Agent, q.Dialect = robot.ExecutionAgent+l.member, ""
	}
	latest, err := l.a.cfg.Lines.Runs(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("listing the latest executions: %w", err)
	}
	q.Limit, q.Statuses = 0, []run.Status{run.Queued, run.Running, run.AwaitingApproval, run.AwaitingInput, run.PausedStatus}
	open, err := l.a.cfg.Lines.Runs(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("listing the open executions: %w", err)
	}
	lines := append(latest, open...)
	for id, known := range l.seen {
		if !known.ended && !slices.ContainsFunc(lines, func(line run.Summary) bool { return line.ID == id }) {
			s, err := l.a.cfg.Engine.Get(ctx, l.project, id)
			switch {
			case problem.Is(err, problem.NotFound):
				known.ended = true
			case err != nil:
				return nil, err
			default:
				lines = append(lines, s.Summarize())
			}
		}
	}
	lines = slices.DeleteFunc(lines, func(line run.Summary) bool {
		return !strings.HasPrefix(line.Agent, robot.ExecutionAgent) || !l.caller.For(line.Agent)
	})
	slices.SortFunc(lines, func(x, y run.Summary) int { return bytes.Compare(x.ID[:], y.ID[:]) })
	return slices.CompactFunc(lines, func(x, y run.Summary) bool { return x.ID == y.ID }), nil
}

// compare adds the frames of what is new in an execution.
func (l *live) compare(ctx context.Context, line *run.Summary, first bool) (changed bool, err error) {
	known := l.seen[line.ID]
	fresh := known == nil
	if fresh {
		known = &sight{}
		l.seen[line.ID] = known
	}
	missed := !l.since.IsZero() && (line.CreatedAt.After(l.since) || line.EndedAt.After(l.since))
	if first && !missed {
		return false, l.remember(ctx, line, known)
	}
	if known.seq == line.Seq || known.ended {
		return false, nil
	}
	begun := fresh && (!first || line.CreatedAt.After(l.since))
	if fresh && !begun { // begun before the reader was here last, and ended since
		known.seq = line.Seq
	}
	return true, l.advance(ctx, line, known, begun)
}

// remember takes in an execution that the reader is told nothing of.
func (l *live) remember(ctx context.Context, line *run.Summary, known *sight) error {
	known.seq, known.ended = line.Seq, line.Status.Terminal()
	if l.member == "" || known.ended {
		return nil
	}
	events, _, err := l.a.cfg.Engine.Events(ctx, l.project, line.ID, 0, 0)
	if err != nil {
		return ignoreGone(err)
	}
	known.tale = &tale{}
	known.tale.skip(line.ID, events)
	known.seq = known.tale.state.Seq
	return nil
}

// advance tells what an execution has done since the reader knew it.
func (l *live) advance(ctx context.Context, line *run.Summary, known *sight, begun bool) error {
	told := activities(line)
	if begun {
		l.add("execution_start", told[len(told)-1])
		l.add("activity", told[len(told)-1])
	}
	if l.member != "" {
		if err := l.narrate(ctx, line.ID, known); err != nil {
			return err
		}
	}
	known.seq = max(known.seq, line.Seq)
	if known.ended = line.Status.Terminal(); known.ended {
		l.add("execution_complete", told[0])
		l.add("activity", told[0])
		known.tale = nil
	}
	return nil
}

// narrate adds what one robot's execution has done, event by event. What ends it is
// told by execution_complete.
func (l *live) narrate(ctx context.Context, id run.ID, known *sight) error {
	events, _, err := l.a.cfg.Engine.Events(ctx, l.project, id, known.seq, 0)
	if err != nil {
		return ignoreGone(err)
	}
	if known.tale == nil {
		if known.seq > 0 {
			return nil
		}
		known.tale = &tale{state: run.State{ID: id}}
	}
	for i := range events {
		for _, one := range known.tale.take(&events[i]) {
			if one.event != "complete" && one.event != "error" {
				l.frames = append(l.frames, one)
			}
		}
		known.seq = events[i].Seq
	}
	return nil
}

func (l *live) add(event string, data any) { l.frames = append(l.frames, frame{event, data}) }

// tellStanding adds how the robots stand of which something has changed.
func (l *live) tellStanding(ctx context.Context, touched map[string]bool) error {
	for _, member := range slices.Sorted(maps.Keys(touched)) {
		found, err := l.a.cfg.Robots.Find(ctx, l.project, member)
		if err != nil {
			if err := ignoreGone(err); err != nil {
				return err
			}
			continue
		}
		stand, err := l.a.standing(ctx, l.project, &found)
		if err != nil {
			return err
		}
		before, told := l.stood[member]
		if !told || before.Status != stand.Status || before.Running != stand.Running || !slices.Equal(before.RunningIDs, stand.RunningIDs) {
			l.stood[member] = stand
			l.add("robot_status", stand)
		}
	}
	return nil
}

// ignoreGone returns err unless what was asked for is there no more.
func ignoreGone(err error) error {
	if problem.Is(err, problem.NotFound) {
		return nil
	}
	return err
}
