package native

import (
	"context"
	"iter"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// How long a request that makes a run waits for it to rest, in seconds. Proxies
// commonly give up after 60; the longest wait is for callers that know theirs.
const (
	defaultWait = 30
	longestWait = 600
)

// answer waits for the run as the request asked, or streams it.
func (a *API) answer(ctx context.Context, r *wire.Request, id run.ID, status int, read func() (modeIn, error)) (wire.Response, error) {
	mode, known := r.Value.(modeIn)
	if !known {
		var err error
		if mode, err = read(); err != nil {
			return wire.Response{}, err
		}
	}
	if mode.Stream != nil && *mode.Stream {
		return a.follow(r, id), nil
	}
	wait, err := patience(r)
	if err != nil {
		return wire.Response{}, err
	}
	if mode.Background != nil && *mode.Background {
		wait = 0
	}
	state, err := a.await(ctx, r.Caller.Project, id, wait)
	if err != nil {
		return wire.Response{}, err
	}
	answer := wire.Response{Status: status, Body: showRun(&state)}
	if preference.MatchString(r.Header("Prefer")) {
		answer.Header = http.Header{"Preference-Applied": {"wait=" + strconv.Itoa(int(wait/time.Second))}}
	}
	return answer, nil
}

func (a *API) await(ctx context.Context, project string, id run.ID, wait time.Duration) (run.State, error) {
	if wait == 0 {
		return a.cfg.Engine.Get(ctx, project, id)
	}
	ctx, stop := context.WithTimeout(ctx, wait)
	defer stop()
	return a.cfg.Engine.Wait(ctx, project, id)
}

// preference finds wait=N among the preferences of RFC 7240.
var preference = regexp.MustCompile(`(?i)(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?`)

// patience is how long the request wants to wait: ?wait= is exact, Prefer is a
// wish that is met as far as it goes.
func patience(r *wire.Request) (time.Duration, error) {
	seconds := defaultWait
	if found := preference.FindStringSubmatch(r.Header("Prefer")); found != nil {
		asked, err := strconv.Atoi(found[1])
		if err != nil {
			return 0, problem.Invalid("Prefer", "wait must be a number of seconds.")
		}
		seconds = min(asked, longestWait)
	}
	query := r.Query()
	seconds = query.Int("wait", seconds, 0, longestWait)
	return time.Duration(seconds) * time.Second, query.Err()
}

// follow streams a run that this request has made, from its first event to its
// first rest. It finds the rest in the log and not in what the run does now, so
// that a repeated request gets the answer that the first one got.
func (a *API) follow(r *wire.Request, id run.ID) wire.Response {
	h := halt{events: a.cfg.Engine.Events, project: r.Caller.Project, id: id}
	return a.stream(r.Caller.Project, id, engine.Cursor{}, h.reached)
}

// stream answers with a run's updates from a place on, to its end or to the first
// after which enough says that it is enough.
func (a *API) stream(project string, id run.ID, from engine.Cursor, enough func(*engine.Update) bool) wire.Response {
	return wire.Response{Stream: &wire.Stream{
		Watch: func(ctx context.Context) iter.Seq2[engine.Update, error] {
			return a.cfg.Engine.Watch(ctx, project, id, from)
		},
		Emit: func(f *wire.Frames, u engine.Update) (last bool, err error) {
			if !u.Rest {
				err = a.emit(f, id, &u)
			}
			return enough(&u), err
		},
	}}
}

// streamRun answers GET /v1/runs/{id}/stream.
func (a *API) streamRun(ctx context.Context, r *wire.Request) (wire.Response, error) {
	id, err := r.RunID()
	if err != nil {
		return wire.Response{}, err
	}
	query := r.Query()
	after, until := query.String("after"), query.OneOf("until", "rest", "end")
	if last := r.Header("Last-Event-ID"); last != "" {
		after = last // an EventSource that reconnects sends its first address again
	}
	from, err := engine.ParseCursor(after)
	if after == "" {
		from, err = engine.Cursor{}, nil
	}
	if err != nil {
		query.Refuse("after", "must be the id of a frame: seq, or seq.step.attempt.offset.")
	}
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	atRest := func(u *engine.Update) bool { return u.Rest && until == "rest" }
	return a.stream(r.Caller.Project, id, from, atRest), nil
}
