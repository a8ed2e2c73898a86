package swarms

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// maxBatch is how many completions a batch may have; the document's number.
const maxBatch = 10

// item is one completion of a batch: its run, or why it has none.
type item struct {
	Run   run.ID `json:"run,omitzero"`
	Error string `json:"error,omitempty"`
}

// batchAnswer is the answer to a batch: results are in the order of the request.
type batchAnswer struct {
	ID        string  `json:"batch_id"`
	Total     int     `json:"total_requests"`
	Results   []any   `json:"results"` // completionBody or itemFailure
	Seconds   float64 `json:"execution_time"`
	Timestamp string  `json:"timestamp"`
}

// readBatch splits the body, an array, into its elements.
func readBatch(body json.RawMessage) ([]json.RawMessage, error) {
	if kind := kindOf(body); kind != '[' {
		return nil, reject(entry{Type: typeError, Loc: []any{"body"}, Msg: "must be an array of completions", Input: json.RawMessage("null")})
	}
	var texts []json.RawMessage
	if err := jsonv2.Unmarshal(body, &texts); err != nil {
		return nil, problem.New(problem.InvalidRequest, "body: is not valid JSON, or has a key twice.").Because(err)
	}
	if len(texts) == 0 || len(texts) > maxBatch {
		return nil, problem.New(problem.InvalidRequest, "body: has %d completions: a batch has 1 to %d.", len(texts), maxBatch)
	}
	return texts, nil
}

// startBatch makes the runs of a batch. The first of them holds the request's claim
// and the ids of all, so a repetition of the request finds every run and makes
// none; a run that this server could not make any more is missing then, and said.
func (a *API) startBatch(ctx context.Context, r *wire.Request) (run.ID, error) {
	texts, err := readBatch(r.Body)
	if err != nil {
		return run.ID{}, err
	}
	orders, items, first := a.orders(ctx, r, texts)
	if first < 0 {
		at := a.cfg.Now()
		answer := batchAnswer{ID: batchID(a.cfg.Engine.NewID()), Total: len(items), Timestamp: stamp(at)}
		for i := range items {
			answer.Results = append(answer.Results, itemFailure{Error: items[i].Error, Timestamp: stamp(at)})
		}
		return run.ID{}, problem.New(problem.InvalidRequest, "none of the completions could be started").Because(&answered{answer})
	}
	head, id := &orders[first], items[first].Run
	head.echo.Batch, head.spec.Fingerprint = items, r.Fingerprint()
	if err := a.create(ctx, id, head, r.Claim(id)); err != nil {
		return run.ID{}, err
	}
	var making sync.WaitGroup
	for i := range orders {
		if i != first && items[i].Error == "" {
			making.Go(func() {
				// What fails here is told as an item without a run.
				_ = a.create(ctx, items[i].Run, &orders[i], nil)
			})
		}
	}
	making.Wait()
	r.Value = items
	return id, nil
}

// orders reads all completions at the same time, because some connect to servers
// or have a prompt written. first is the place of the first that is right, or -1.
func (a *API) orders(ctx context.Context, r *wire.Request, texts []json.RawMessage) (orders []order, items []item, first int) {
	defer r.Aside()()
	orders, items = make([]order, len(texts)), make([]item, len(texts))
	faults := make([]error, len(texts))
	var reading sync.WaitGroup
	for i := range texts {
		reading.Go(func() { orders[i], faults[i] = a.element(ctx, r, texts[i], i) })
	}
	reading.Wait()
	first = -1
	for i := range items {
		if faults[i] != nil {
			items[i].Error = problem.From(faults[i]).Detail
			continue
		}
		items[i].Run = a.cfg.Engine.NewID()
		if first < 0 {
			first = i
		}
	}
	return orders, items, first
}

// element reads one completion of a batch. It is answered with the others, so it
// does not stream.
func (a *API) element(ctx context.Context, r *wire.Request, text json.RawMessage, i int) (order, error) {
	in, err := readCompletion(text, i)
	if err != nil {
		return order{}, err
	}
	o, err := a.order(ctx, r, &in)
	if err != nil {
		return o, err
	}
	return o, a.write(ctx, &o)
}

// answerBatch answers from the runs.
func (a *API) answerBatch(ctx context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	items, fresh := r.Value.([]item)
	if !fresh {
		head, err := a.rest(ctx, r.Caller.Project, id)
		if err != nil {
			return wire.Response{}, err
		}
		items = echoOf(&head).Batch
	}
	states, faults := a.rests(ctx, r.Caller.Project, items)
	first := slices.IndexFunc(items, func(i item) bool { return i.Run == id })
	if first < 0 {
		return wire.Response{}, fmt.Errorf("run %s is not the first of a batch", id)
	}
	if faults[first] != nil {
		return wire.Response{}, faults[first]
	}
	began, last := states[first].CreatedAt, states[first].UpdatedAt
	answer := batchAnswer{ID: batchID(id), Total: len(items), Timestamp: stamp(began)}
	for i := range items {
		switch err := faults[i]; {
		case items[i].Error != "":
			answer.Results = append(answer.Results, itemFailure{Error: items[i].Error, Timestamp: stamp(began)})
		case problem.Is(err, problem.NotFound):
			answer.Results = append(answer.Results, itemFailure{Timestamp: stamp(began), Error: fmt.Sprintf(
				"There is no run %s: this server stopped or had no room before it could be started, or it was deleted. Send this completion again.", jobID(items[i].Run))})
		case err != nil:
			return wire.Response{}, err
		default:
			if states[i].UpdatedAt.After(last) {
				last = states[i].UpdatedAt
			}
			answer.Results = append(answer.Results, showItem(&states[i]))
		}
	}
	answer.Seconds = last.Sub(began).Round(time.Millisecond).Seconds()
	return wire.OK(answer), nil
}

// rests waits for all runs at the same time. One after the other would take as
// long, but a run that ended while another was waited for would have to be read
// from the store.
func (a *API) rests(ctx context.Context, project string, items []item) ([]run.State, []error) {
	states, faults := make([]run.State, len(items)), make([]error, len(items))
	var waiting sync.WaitGroup
	for i := range items {
		if items[i].Error == "" {
			waiting.Go(func() { states[i], faults[i] = a.rest(ctx, project, items[i].Run) })
		}
	}
	waiting.Wait()
	return states, faults
}

func showItem(s *run.State) any {
	if failed(s) {
		return itemFailure{Error: whyFailed(s), Timestamp: stamp(s.EndedAt)}
	}
	return showCompletion(s)
}

// batchID is a batch's name: that of its first run, spelt otherwise.
func batchID(id run.ID) string { return "batch-" + id.String() }
