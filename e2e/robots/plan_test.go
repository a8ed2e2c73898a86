package robots

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/e2e/rig"
	"errand/internal/robot"
	"errand/internal/run"
	"errand/internal/store/sqlite"
)

// pollTime is how long the poller rests between two looks: far less than a step takes.
const pollTime = 2 * time.Millisecond

// mended is the output of the third task that passes, and that is delivered.
const mended = "The total is 42."

// planning works on five tasks: the second needs a tool that is gated, the third is
// reported with an output that its rule refuses, the fourth asks a person.
func planning(c rig.Conversation) rig.Turn {
	report := func(task int, output string) rig.ToolCall {
		arguments, _ := json.Marshal(object{"task": fmt.Sprintf("task-%d", task), "output": output}) // texts always have a JSON form
		return rig.ToolCall{Name: "robot.report", Arguments: string(arguments)}
	}
	answer := ""
	if results := c.Of("tool"); len(results) > 0 {
		answer = results[len(results)-1].Text()
	}
	body, _ := json.Marshal(object{"summary": "Five things are done.", "body": "# Done\n\n" + mended})
	steps := []rig.ToolCall{
		{Name: "robot.plan", Arguments: `{"tasks":[{"description":"Collect"},{"description":"Book"},
			{"description":"Count","validation_rules":["contains:total"]},{"description":"Choose"},{"description":"Write"}]}`},
		report(1, "Collected."),
		{Name: "book.once", Arguments: `{}`},
		report(2, "Booked."),
		report(3, "I forgot to count."),
		report(3, mended),
		{Name: "robot.ask", Arguments: `{"task":"task-4","question":"Red or blue?"}`},
		report(4, "Chosen: "+answer),
		report(5, "Written."),
		{Name: "robot.deliver", Arguments: string(body)},
	}
	return rig.Turn{Calls: steps[min(c.Step(), len(steps)-1):][:1]}
}

// look is one answer that the poller got.
type look struct {
	came time.Time
	body []byte
}

// watched is everything that was told about an execution while it was at work.
type watched struct {
	looks  <-chan []look
	frames <-chan []rig.Frame
}

// poller is how often a poller has looked so far, and whether it looks no more.
type poller struct {
	looked atomic.Int64
	over   atomic.Bool
}

// seen waits until the poller has looked once more from begin to end, so that no moment
// is over before it could be seen.
func (p *poller) seen() {
	n := p.looked.Load() + 2 // the next one may have begun before
	for p.looked.Load() < n && !p.over.Load() {
		rig.Pause(pollTime)
	}
}

// watch polls an execution, and reads its stream, until it has ended.
func watch(s *rig.Server, c *rig.Client, p *poller, id string) watched {
	path := robots + "/my-robot/executions/" + id
	looks, frames := make(chan []look, 1), make(chan []rig.Frame, 1)
	go func() {
		defer p.over.Store(true)
		var all []look
		for over := false; !over; rig.Pause(pollTime) {
			answer, err := c.Try(http.MethodGet, path, nil)
			var x execution
			if err != nil || answer.Status != 200 || json.Unmarshal(answer.Body, &x) != nil {
				c.T.Errorf("polling %s: %v, %d %s", id, err, answer.Status, answer.Body)
				break
			}
			all = append(all, look{time.Now(), answer.Body})
			p.looked.Add(1)
			over = slices.Contains([]string{"completed", "failed", "cancelled"}, x.Status)
		}
		looks <- all
	}()
	go func() {
		all, err := overheard(s.URL + path + "/stream")
		if err != nil {
			c.T.Errorf("the stream of %s: %v", id, err)
		}
		frames <- all
	}()
	return watched{looks, frames}
}

// overheard reads a stream of this API, of which not every frame has an id.
func overheard(url string) (frames []rig.Frame, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+rig.AdminKey)
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var f rig.Frame
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			f.ID = value
		case "event":
			f.Event = value
		case "data":
			f.Data = value
			frames, f = append(frames, f), rig.Frame{}
		}
	}
	return frames, lines.Err()
}

// log reads what is on disk of runs. The server must have ended.
func log(t *testing.T, w *rig.World, id string) (run.ID, []run.Event) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Dir: w.Data()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	key, err := run.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	events, err := store.Load(t.Context(), key, 0, 0)
	if err != nil || len(events) == 0 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	return key, events
}

// plain is an execution without what is kept beside its log, which is known only
// when it has ended: what became of the delivery.
func plain(t *testing.T, body []byte) string {
	t.Helper()
	var x object
	if err := json.Unmarshal(body, &x); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if delivery, is := x["delivery"].(object); is {
		delete(delivery, "success")
		delete(delivery, "sent_at")
	}
	text, _ := json.MarshalIndent(x, "", " ") // it was JSON before
	return string(text)
}

// moments are what the execution looked like after each event of its log.
func moments(t *testing.T, key run.ID, events []run.Event) (shown []robot.Execution, texts []string) {
	t.Helper()
	for n := range events {
		s := run.Fold(key, events[:n+1])
		e := robot.Project(&s)
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		shown, texts = append(shown, e), append(texts, plain(t, text))
	}
	return shown, texts
}

// checkLooks holds each answer to the log: it is what the execution looked like after
// one of the events, not an earlier one than that of the answer before, and none that
// had not happened yet.
func checkLooks(t *testing.T, looks []look, events []run.Event, texts []string) {
	t.Helper()
	at, different := 0, map[string]bool{}
	for i, one := range looks {
		body := plain(t, one.body)
		different[body] = true
		found := slices.Index(texts[at:], body)
		if found < 0 {
			t.Fatalf("answer %d is no moment of the log from event %d on:\n%s\nafter that event it was (-log +answer):\n%s", i, at+1, body, cmp.Diff(texts[at], body))
		}
		at += found
		if events[at].At.After(one.came) {
			t.Errorf("answer %d came at %s and tells of event %d, of %s", i, one.came, at+1, events[at].At)
		}
	}
	if texts[at] != texts[len(texts)-1] {
		t.Errorf("the last answer is of event %d of %d", at+1, len(texts))
	}
	if len(different) < 8 {
		t.Errorf("%d answers saw only %d moments", len(looks), len(different))
	}
}

// checkCourse holds an execution to never going back: phases, what is done of the
// tasks, and its end.
func checkCourse(t *testing.T, shown []robot.Execution) {
	t.Helper()
	phases := robot.Phases()
	for i := 1; i < len(shown); i++ {
		before, now := &shown[i-1], &shown[i]
		if slices.Index(phases, now.Phase) < slices.Index(phases, before.Phase) {
			t.Errorf("event %d leads from phase %s to %s", i+1, before.Phase, now.Phase)
		}
		if now.Status == robot.ExecPending && before.Status != robot.ExecPending {
			t.Errorf("event %d leads from %s to %s", i+1, before.Status, now.Status)
		}
		if before.EndTime != nil && now.Status != before.Status {
			t.Errorf("event %d leads from the end %s to %s", i+1, before.Status, now.Status)
		}
		for j := range before.Tasks {
			if was, is := &before.Tasks[j], &now.Tasks[j]; was.Done() && was.Status != is.Status {
				t.Errorf("event %d leads %s from %s to %s", i+1, was.ID, was.Status, is.Status)
			}
		}
		if before.Current != nil && now.Current.Progress < before.Current.Progress { // of one digit each
			t.Errorf("event %d leads from %s to %s", i+1, before.Current.Progress, now.Current.Progress)
		}
	}
}

// checkFrames holds the stream to the log: every change of phase and status, and the
// end of every task, in their order, each once.
func checkFrames(t *testing.T, frames []rig.Frame, shown []robot.Execution) {
	t.Helper()
	var want, got []string
	phase, status, done := "", "", map[string]bool{}
	for i := range shown {
		e := &shown[i]
		if e.Phase != phase || e.Status != status {
			phase, status = e.Phase, e.Status
			progress := ""
			if e.Current != nil {
				progress = e.Current.Progress
			}
			want = append(want, fmt.Sprintf("%s %s %s", phase, status, progress))
		}
		for j := range e.Tasks {
			if task := &e.Tasks[j]; task.Done() && !done[task.ID] {
				done[task.ID] = true
				want = append(want, task.ID+" "+task.Status)
			}
		}
	}
	for _, f := range frames {
		var told struct {
			Phase, Status, Progress string
			Task                    robot.Task
		}
		if err := json.Unmarshal([]byte(f.Data), &told); err != nil {
			t.Fatalf("%v: %+v", err, f)
		}
		switch f.Event {
		case "phase":
			got = append(got, fmt.Sprintf("%s %s %s", told.Phase, told.Status, told.Progress))
		case "task_complete":
			got = append(got, told.Task.ID+" "+told.Task.Status)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the stream (-log +frames):\n%s", diff)
	}
	if last := frames[len(frames)-1]; last.Event != "complete" {
		t.Errorf("the stream ends with %+v", last)
	}
}

// decide approves what the execution waits for with the native API.
func decide(c *rig.Client, id string) {
	c.T.Helper()
	waits := c.Until(id, "awaiting_approval")
	if len(waits.Pending) != 1 || waits.Pending[0].Tool != "book.once" {
		c.T.Fatalf("it waits for %+v", waits.Pending)
	}
	var x robot.Execution
	if c.Get(robots+"/my-robot/executions/"+id, &x); x.Status != "waiting" || x.Phase != "run" || x.Current.Progress != "1/5 tasks" || x.Tasks[1].Status != "running" {
		c.T.Errorf("while it waits it is %s, in %s, %+v, %+v", x.Status, x.Phase, x.Current, x.Tasks)
	}
	c.Post("/v1/runs/"+id+"/approve", object{"action_ids": waits.Actions()}, nil)
}

// answer replies to the question of the fourth task.
func answer(c *rig.Client, id string) {
	c.T.Helper()
	c.Until(id, "awaiting_input")
	path := robots + "/my-robot/executions/" + id
	var x robot.Execution
	if c.Get(path, &x); x.Tasks[3].Status != "waiting_input" || !x.Results[3].NeedInput || x.Results[3].Question != "Red or blue?" {
		c.T.Errorf("while it asks: %+v, %+v", x.Tasks[3], x.Results)
	}
	if r := x.Results[2]; !r.Success || r.Output != mended || !r.Validation.Passed {
		c.T.Errorf("the third result was mended, and is %+v", r)
	}
	c.Post(path+"/tasks/task-4/reply", object{"message": "Blue."}, nil)
}

// hold pauses an execution as soon as its tool has been called, and lets it go on.
func hold(w *rig.World, c *rig.Client, id string) {
	c.T.Helper()
	path := robots + "/my-robot/executions/" + id
	w.Eventually("the booking", func() bool { return len(w.Tools.Ledger("book.once")) == 1 })
	c.Post(path+"/pause", nil, nil)
	var x execution
	if c.Get(path, &x); x.Status != "paused" || x.Phase != "run" {
		c.T.Errorf("paused it is %s, in %s", x.Status, x.Phase)
	}
	c.Post(path+"/resume", nil, nil)
}

// TestPlanOfFive: a plan of five tasks with one gated and one failing validation
// pauses, asks, resumes, repairs and delivers, and all that a poller and a reader of
// the stream were told of it was true at that moment. A retry does it all again.
func TestPlanOfFive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var p poller
	w.Model.Plays(func(c rig.Conversation) rig.Turn {
		p.seen()
		return planning(c)
	})
	s := w.Start()
	c := s.Client()
	c.Tool(w, "book.once", "once")
	c.Post(robots, object{"member_id": "my-robot", "display_name": "My Robot", "robot_config": object{
		"resources": object{"tools": list{"book.once"}}, "approval": object{"required_for": list{"book.*"}}}}, nil).Is(201)
	first := accepted(t, c, string(c.Post(robots+"/my-robot/execute", object{"goals": "Do five things"}, nil).Body))
	seen := watch(s, c, &p, first)

	release := w.Tools.Hold("book.once")
	decide(c, first)
	hold(w, c, first)
	release()
	answer(c, first)
	looks, frames := rig.Await(t, "the poller", seen.looks), rig.Await(t, "the stream", seen.frames)
	done := ended(w, c, first)
	if done.Status != "completed" || done.Delivery.Content.Body != "# Done\n\n"+mended {
		t.Errorf("%+v", done)
	}

	var again struct {
		ID     string `json:"execution_id"`
		Status string
	}
	c.Post(robots+"/my-robot/executions/"+first+"/retry", nil, &again)
	if again.ID == first || again.Status != "pending" {
		t.Errorf("retried: %+v", again)
	}
	decide(c, again.ID)
	answer(c, again.ID)
	if x := ended(w, c, again.ID); x.Status != "completed" || x.Goals.Content != "Do five things" || x.Delivery.Content.Body != done.Delivery.Content.Body {
		t.Errorf("retried: %+v", x)
	}
	if booked := w.Tools.Ledger("book.once"); len(booked) != 2 {
		t.Errorf("it was booked %d times", len(booked))
	}

	s.Terminate()
	key, events := log(t, w, first)
	shown, texts := moments(t, key, events)
	checkCourse(t, shown)
	checkLooks(t, looks, events, texts)
	checkFrames(t, frames, shown)
	last := shown[len(shown)-1]
	for i, r := range last.Results {
		if !r.Success || last.Tasks[i].Status != robot.TaskCompleted {
			t.Errorf("%+v, %+v", last.Tasks[i], r)
		}
	}
	if !strings.HasSuffix(last.Results[3].Output, "Blue.") {
		t.Errorf("the reply reached the task as %q", last.Results[3].Output)
	}
}
