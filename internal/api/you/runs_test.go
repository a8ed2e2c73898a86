package you_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/wire/wiretest"
	"errand/internal/api/you"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// held is a model that says its line when it is let, and tells when it was asked
// and when its call was cut off.
func held(line script.Line) (model *script.Model, let chan struct{}, asked, cut chan struct{}) {
	let, asked, cut = make(chan struct{}), make(chan struct{}, 8), make(chan struct{}, 8)
	line.Before = func(ctx context.Context) error {
		asked <- struct{}{}
		select {
		case <-let:
			return nil
		case <-ctx.Done():
			cut <- struct{}{}
			return ctx.Err()
		}
	}
	return script.Steps(line), let, asked, cut
}

// arrives waits for something that another goroutine does.
func arrives(t *testing.T, what string, from <-chan struct{}) {
	t.Helper()
	select {
	case <-from:
	case <-time.After(time.Minute):
		t.Fatalf("waited in vain for %s", what)
	}
}

// until waits for a run to come to a status.
func (w *world) until(id string, status run.Status) run.State {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		s := w.state(id)
		if s.Status == status {
			return s
		}
		if s.Terminal() || time.Now().After(deadline) {
			w.t.Fatalf("%s is %s and not %s", id, s.Status, status)
		}
	}
}

const ask, askStream = `{"input":"What is the capital of France?"}`, `{"input":"What is the capital of France?","stream":true}`

// TestContract holds the table and the contract together.
func TestContract(t *testing.T) {
	w := newWorld(t, says("x"))
	wiretest.Agree(t, w.api.Routes(), func(tags []string) bool { return slices.Contains(tags, "You.com") })
}

// TestFirstFrames: they come before the model says anything.
func TestFirstFrames(t *testing.T) {
	model, let, asked, _ := held(script.Say("Paris."))
	w := newWorld(t, model)
	begun := time.Now()
	stream := w.stream(t.Context(), askStream)
	for _, want := range []string{"response.created", "response.starting"} {
		if e, more := stream.read(); !more || e.Type != want {
			t.Fatalf("got %+v, want %s", e, want)
		}
	}
	t.Logf("the first frames came after %s", time.Since(begun))
	arrives(t, "the model's call", asked)
	close(let)
	if tale := stream.tale(); tale != `added0 "Paris." done0 finished:true` {
		t.Errorf("then %s", tale)
	}
}

// TestPieces: behind a search each piece of the answer goes out when it comes.
func TestPieces(t *testing.T) {
	model := script.Steps(script.Call("web.search", `{"query":"x"}`), script.Say("One two three."))
	next := make(chan struct{})
	model.Pace = func(ctx context.Context, req run.Request, d run.Delta) error {
		if req.Step == 2 {
			select {
			case <-next:
			case <-ctx.Done():
			}
		}
		return ctx.Err()
	}
	w := newWorld(t, model)
	stream := w.stream(t.Context(), askStream)
	for range 6 { // created, starting, added, full, done, and no answer yet
		next := "response.output_item.done"
		if e, _ := stream.read(); e.Type == next {
			break
		}
	}
	for i, want := range []string{"One", " two", " three."} { // a space may belong to a citation that is taken out
		next <- struct{}{}
		e, _ := stream.read()
		if i == 0 && e.Type == "response.output_item.added" {
			e, _ = stream.read()
		}
		if e.Delta != want || e.Index != 1 {
			t.Errorf("piece %d is %+v, want %q", i, e, want)
		}
	}
	if tale := stream.tale(); tale != `done1 finished:true` {
		t.Errorf("then %s", tale)
	}
}

// TestDisconnect: when the only reader goes, the run and its model call end.
func TestDisconnect(t *testing.T) {
	for name, body := range map[string]string{"stream": askStream, "json": ask} {
		t.Run(name, func(t *testing.T) {
			model, _, asked, cut := held(script.Say("never"))
			w := newWorld(t, model)
			ctx, leave := context.WithCancel(t.Context())
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				request, _ := http.NewRequestWithContext(ctx, "POST", w.URL+"/v1/agents/runs", strings.NewReader(body))
				request.Header.Set("X-Api-Key", wiretest.AdminSecret)
				if answer, err := w.HTTP.Do(request); err == nil {
					<-ctx.Done()
					answer.Body.Close()
				}
			}()
			arrives(t, "the model's call", asked)
			leave()
			<-gone
			begun := time.Now()
			arrives(t, "the end of the model's call", cut)
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("the model's call went on for %s", took)
			}
			line := w.lines(1)[0]
			s := w.until(line.ID.String(), run.CancelledStatus)
			if s.Ended.Reason != run.CancelledReason || !s.Spec.Tethered {
				t.Errorf("%+v", s.Ended)
			}
		})
	}
}

func (w *world) lines(n int) []run.Summary {
	w.t.Helper()
	lines, err := w.store.Runs(w.t.Context(), run.RunQuery{Project: auth.DefaultProject, Limit: 100})
	if err != nil || len(lines) != n {
		w.t.Fatalf("%d runs, want %d: %v", len(lines), n, err)
	}
	return lines
}

// TestNativeCancel: what another API ends, this one tells.
func TestNativeCancel(t *testing.T) {
	for name, stream := range map[string]bool{"stream": true, "json": false} {
		t.Run(name, func(t *testing.T) {
			model, _, asked, _ := held(script.Say("never"))
			w := newWorld(t, model)
			go func() {
				<-asked
				// The call begins before the run is on disk, so it may not be listed yet.
				for lines := []run.Summary(nil); t.Context().Err() == nil; time.Sleep(time.Millisecond) {
					if lines, _ = w.store.Runs(t.Context(), run.RunQuery{Project: auth.DefaultProject, Limit: 1}); len(lines) == 1 {
						_, _ = w.engine.Cancel(t.Context(), auth.DefaultProject, lines[0].ID, run.Cancel{Reason: "Enough."})
						return
					}
				}
			}()
			if !stream {
				if got := w.ask(409, ask); got.Code != "cancelled" || !strings.Contains(got.Detail, "Enough. Run: run_") {
					t.Errorf("%s", got.Body)
				}
				return
			}
			if tale := w.stream(t.Context(), askStream).tale(); tale != "created starting finished:false cancelled" {
				t.Errorf("%s", tale)
			}
		})
	}
}

// TestShutdown: a reader hears that the server stops, and the stream ends as one.
func TestShutdown(t *testing.T) {
	model, _, asked, _ := held(script.Say("never"))
	w := newWorld(t, model)
	stream := w.stream(t.Context(), askStream)
	arrives(t, "the model's call", asked)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = w.engine.Close(ctx)
	}()
	if tale := stream.tale(); tale != "created starting finished:false overloaded" {
		t.Errorf("%s", tale)
	}
}

// TestModelRetries: a call that fails before anything was shown is made again, and
// nobody notices; one that fails for good has its own status.
func TestModelRetries(t *testing.T) {
	flaky := script.Say("Paris.")
	flaky.Fails = []error{problem.New(problem.ModelUnavailable, "gone"), problem.New(problem.ModelTimeout, "slow")}
	w := newWorld(t, script.Steps(flaky))
	if tale := w.stream(t.Context(), askStream).tale(); tale != `created starting added0 "Paris." done0 finished:true` {
		t.Errorf("%s", tale)
	}
	for code, status := range map[problem.Code]int{
		problem.ModelUnavailable: 502, problem.ModelTimeout: 504, problem.ModelRateLimited: 429, problem.ModelRefused: 400, problem.ModelAuth: 502,
	} {
		w := newWorld(t, script.Steps(script.Fail(code)))
		if got := w.ask(status, ask); got.Code != string(code) {
			t.Errorf("%s: %s", code, got.Body)
		}
		if tale := w.stream(t.Context(), askStream).tale(); tale != "created starting finished:false "+string(code) {
			t.Errorf("%s: %s", code, tale)
		}
	}
}

// TestRepeated: with an Idempotency-Key, or as the retry of a lost answer, there is
// one run and one answer.
func TestRepeated(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("web.search", `{}`), script.Say("Paris.")))
	first := w.ask(200, ask, "Idempotency-Key", "a")
	again := w.ask(200, ask, "Idempotency-Key", "a")
	if same := cmp.Equal(first.Output, again.Output); !same || first.ID != again.ID || again.Header.Get("Idempotent-Replayed") != "true" || again.Header.Get("X-Errand-Run") != first.ID {
		t.Errorf("%s\n%s", first.Body, again.Body)
	}
	const tale = `created starting added0 full0(2) done0 added1 "Paris." done1 finished:true`
	for range 2 {
		if got := w.stream(t.Context(), askStream, "Idempotency-Key", "b").tale(); got != tale {
			t.Errorf("%s", got)
		}
	}
	if got := w.ask(409, `{"input":"other"}`, "Idempotency-Key", "a"); got.Code != "idempotency_mismatch" {
		t.Errorf("%s", got.Body)
	}
	w.ask(200, ask, "X-Stainless-Retry-Count", "1") // of a request that nobody has seen: a new run
	w.lines(3)
	if n := w.shelf.called("web.search"); n != 3 {
		t.Errorf("%d searches for three runs", n)
	}
}

// TestRepeatedFailure: an error of a run names it in its headers as an answer does,
// and says when it was told before.
func TestRepeatedFailure(t *testing.T) {
	w := newWorld(t, script.Steps(script.Fail(problem.ModelRefused)))
	first := w.ask(400, ask, "Idempotency-Key", "a")
	again := w.ask(400, ask, "Idempotency-Key", "a")
	id := "run_" + w.lines(1)[0].ID.String()
	if first.Header.Get("X-Errand-Run") != id || again.Header.Get("X-Errand-Run") != id {
		t.Errorf("%v\n%v, want the run %s", first.Header, again.Header, id)
	}
	if first.Header.Get("Idempotent-Replayed") != "" || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%v\n%v", first.Header, again.Header)
	}
}

// TestHalt: a saved agent's gate holds here too; the run waits although its reader
// has gone, and goes on when a person has decided.
func TestHalt(t *testing.T) {
	model := script.Steps(script.Call("email.send", `{"to":"ada@example.com"}`), script.Say("Sent."))
	for name, stream := range map[string]bool{"stream": true, "json": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, model)
			w.saveAgents()
			var id string
			if stream {
				tale := w.stream(t.Context(), `{"agent":"writer","input":"Write to Ada.","stream":true}`).tale()
				if !strings.Contains(tale, "act_01, email.send (gate): To: ada@example.com") || !strings.HasSuffix(tale, "finished:false") {
					t.Errorf("%s", tale)
				}
				id = w.lines(1)[0].ID.String()
			} else {
				got := w.ask(200, `{"agent":"writer","input":"Write to Ada."}`)
				if !strings.Contains(got.text(), "act_01, email.send (gate): To: ada@example.com") || !strings.Contains(got.text(), got.ID) || got.Mode != "custom" {
					t.Errorf("%s", got.Body)
				}
				id = got.ID
			}
			time.Sleep(400 * time.Millisecond) // longer than a tethered run would live without a reader
			s := w.until(id, run.AwaitingApproval)
			if w.shelf.called("email.send") != 0 {
				t.Error("sent before anyone approved")
			}
			if _, err := w.engine.Decide(t.Context(), auth.DefaultProject, s.ID, engine.Decision{Actions: []string{"act_01"}, Approve: true}); err != nil {
				t.Fatal(err)
			}
			if s := w.until(id, run.Completed); s.Ended.Result.Summary != "Sent." || w.shelf.called("email.send") != 1 {
				t.Errorf("%+v", s.Ended)
			}
		})
	}
}

// TestScopes: who may do what, and with what status it is said.
func TestScopes(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("email.send", `{}`)))
	w.saveAgents()
	holder := func(scopes ...string) *world {
		other := *w
		other.Client = w.As(w.base.Key("", scopes...))
		return &other
	}
	if got := holder("runs:read").ask(403, `{"input":7}`); got.Code != "forbidden" {
		t.Errorf("%s", got.Body)
	}
	starter := holder("runs:write")
	for _, body := range []string{
		`{"input":"a","tools":[{"type":"web_search"}]}`, `{"input":"a","agent":"advanced","tools":[{"type":"compute"}]}`,
		`{"input":"a","agent":"writer"}`, // found out when the run comes to the call
	} {
		if got := starter.ask(403, body); got.Code != "tool_not_allowed" || !strings.Contains(got.Detail, "agents:execute") {
			t.Errorf("%s: %s", body, got.Body)
		}
	}
	if id := w.lines(1)[0].ID.String(); w.state(id).Ended.Reason != run.ScopeDenied {
		t.Errorf("%+v", w.state(id).Ended)
	}
	// Without a word about tools, a key that may call none gets an answer without.
	w2 := newWorld(t, says("Paris."))
	w2.Secret = w2.base.Key("", "runs:write")
	if got := w2.ask(200, ask); got.text() != "Paris." || len(w2.state(got.ID).Spec.Tools) != 0 {
		t.Errorf("%s", got.Body)
	}
}

// TestNoSearchTool: a server without the tool answers without, unless it was asked
// to search.
func TestNoSearchTool(t *testing.T) {
	w := newWorld(t, says("Paris."))
	w.shelf.absent = "web.search"
	if got := w.ask(200, ask); got.text() != "Paris." || !strings.Contains(w.state(got.ID).Spec.Instructions, "can't search") {
		t.Errorf("%s", got.Body)
	}
	if got := w.ask(501, `{"input":"a","tools":[{"type":"web_search"}]}`); got.Code != "not_available" {
		t.Errorf("%s", got.Body)
	}
}

// TestBarrenSearch: a search that fails or finds nothing is no error. The answer
// says by itself, and in the stream too, that it was in vain.
func TestBarrenSearch(t *testing.T) {
	for name, edit := range map[string]func(*shelf){
		"fails": func(s *shelf) { s.fails = true },
		"empty": func(s *shelf) { s.found = `{"query":"x","provider":"index","results":[]}` },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, script.Steps(script.Call("web.search", `{}`), script.Say("Paris.")))
			edit(w.shelf)
			got := w.ask(200, ask)
			if len(got.Output) != 1 || !strings.HasPrefix(got.text(), "Paris.\n\n(A web search was made for this answer and found nothing") {
				t.Errorf("%s", got.Body)
			}
			tale := w.stream(t.Context(), askStream).tale()
			if !strings.HasPrefix(tale, `created starting added0 "Paris.\n\n(A web search`) || !strings.HasSuffix(tale, "done0 finished:true") {
				t.Errorf("%s", tale)
			}
		})
	}
}

// TestAnswerType: an operator can have the name that first-generation clients look
// for. Streams keep the documented one.
func TestAnswerType(t *testing.T) {
	w := newWorld(t, says("Paris."), func(c *you.Config) { c.AnswerType = you.LegacyAnswerType })
	if got := w.ask(200, ask); got.Output[0].Type != "chat_node.answer" {
		t.Errorf("%s", got.Body)
	}
	stream := w.stream(t.Context(), askStream)
	for e, more := stream.read(); more; e, more = stream.read() {
		if e.Delta != "" && !strings.Contains(e.Raw, `"type":"message.answer"`) {
			t.Errorf("%s", e.Raw)
		}
	}
	for _, cfg := range []you.Config{{}, {Engine: w.engine, Rows: w.store}, {Engine: w.engine, Rows: w.store, AnswerType: "x"}} {
		if _, err := you.New(cfg); err == nil {
			t.Errorf("%+v was accepted", cfg.AnswerType)
		}
	}
}

// TestOperatorsCeiling: where the operator allows fewer steps, more are refused,
// and the number that SDKs send by themselves is brought down.
func TestOperatorsCeiling(t *testing.T) {
	w := newWorld(t, says("x"), func(c *you.Config) { c.Catalog.MaxSteps = 6 })
	for steps, want := range map[string]int{"10": 6, "5": 5, "6": 6} {
		got := w.ask(200, `{"agent":"advanced","input":"a","workflow_config":{"max_workflow_steps":`+steps+`}}`)
		if have := w.state(got.ID).Spec.Limits.MaxSteps; have != want {
			t.Errorf("%s steps: %d, want %d", steps, have, want)
		}
	}
	if have := w.state(w.ask(200, ask).ID).Spec.Limits.MaxSteps; have != 6 {
		t.Errorf("express: %d steps, want 6", have)
	}
	if got := w.ask(400, `{"agent":"advanced","input":"a","workflow_config":{"max_workflow_steps":7}}`); !strings.Contains(got.Detail, "from 1 to 6") {
		t.Errorf("%s", got.Body)
	}
}
