//go:build unix

package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"errand/e2e/rig"
)

const robots = "/v1/agent/robots"

// robotic is a model that is a robot's host and its pipeline: it sums up, hands over
// when it hears yes, plans one task, does it, and delivers.
func robotic(asked rig.Conversation) rig.Turn {
	call := func(name, arguments string) rig.Turn {
		return rig.Turn{Calls: []rig.ToolCall{{Name: name, Arguments: arguments}}}
	}
	for i := range asked.Tools {
		switch asked.Tools[i].Function.Name {
		case "robot_plan":
			return []rig.Turn{
				call("robot.plan", `{"tasks":[{"description":"Look at it","expected_output":"Something to read"}]}`),
				call("robot.report", `{"task":"task-1","output":"It was looked at."}`),
				call("robot.deliver", `{"summary":"It is done.","body":"# Done"}`),
			}[min(asked.Step(), 2)]
		case "confirm_task":
			if users := asked.Of("user"); users[len(users)-1].Text() == "yes" {
				return call("confirm_task", `{"goals":"Sweep the floor"}`)
			}
		}
	}
	return rig.Turn{Text: "The goal: Sweep the floor. Shall I start?"}
}

// conversed: a robot that one node has hired settles the goal on a second, is told yes
// on a third and again on the first, and its one execution is watched on the second.
func conversed(t *testing.T, f *fleet) {
	a, b, c := f.members[0], f.members[1], f.members[2]
	f.Model.Plays(robotic)
	defer f.Model.Plays(rig.FromPrompt)
	a.c.Post(robots, map[string]any{"member_id": "sweeper", "display_name": "Sweeper", "robot_config": map[string]any{
		"identity": map[string]any{"role": "You sweep."}}}, nil)
	type answer struct {
		Chat      string `json:"chat_id"`
		Execution string `json:"execution_id"`
	}
	says := func(m *member, words string) (got answer) {
		t.Helper()
		m.c.Post(robots+"/sweeper/completions?chat_id=hall", map[string]any{"messages": []any{map[string]any{"role": "user", "content": words}}}, &got)
		return got
	}
	if asked := says(b, "Sweep the floor"); asked.Execution != "" {
		t.Errorf("it has begun without a yes: %+v", asked)
	}
	started := says(c, "yes")
	if again := says(a, "yes"); started.Execution == "" || again.Execution != started.Execution {
		t.Fatalf("two yeses on two nodes: %+v and %+v", started, again)
	}
	path := robots + "/sweeper/executions/" + started.Execution
	stream := string(b.c.Do(http.MethodGet, path+"/stream", nil).Is(http.StatusOK).Body) // up to its end
	for _, what := range []string{"task_complete", "delivery", "complete"} {
		if n := strings.Count(stream, "event: "+what+"\n"); n != 1 {
			t.Errorf("the stream on another node told %d times of %s:\n%s", n, what, stream)
		}
	}
	var x struct {
		Status   string
		Delivery struct{ Content struct{ Body string } }
	}
	if a.c.Get(path, &x); x.Status != "completed" || x.Delivery.Content.Body != "# Done" {
		t.Errorf("%+v", x)
	}
	var all struct{ Total int }
	if b.c.Get(robots+"/sweeper/executions", &all); all.Total != 1 {
		t.Errorf("%d executions", all.Total)
	}
}

// served: an MCP server that one node was told of is used by a run on another one, and
// no more when a third one was told to forget it.
func served(t *testing.T, f *fleet) {
	a, b, c := f.members[0], f.members[1], f.members[2]
	peer := mcp.NewServer(&mcp.Implementation{Name: "bank", Version: "1"}, nil)
	peer.AddTool(&mcp.Tool{Name: "pay", Description: "Pays a bill.", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "paid 7"}}}, nil
	})
	server := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return peer }, nil))
	defer func() {
		server.CloseClientConnections()
		server.Close()
		for session := range peer.Sessions() {
			_ = session.Close() // its client has gone
		}
	}()
	const secret = "Bearer of-the-bank"
	a.c.Post("/v1/mcp/servers", map[string]any{"name": "bank", "url": server.URL, "headers": map[string]string{"X-Key": secret}}, nil)
	pays := map[string]any{"tools": []string{"bank__pay"}, "approval": map[string]any{"required_for": []string{}}}
	r := b.order(rig.Steps("pays", `bank__pay {}`, rig.Say("Paid.")), pays)
	c.c.Until(r.ID, "completed")
	paid := false
	for _, e := range a.c.Events(r.ID) {
		paid = paid || e.Type == "tool.finished" && strings.Contains(fmt.Sprint(e.Data["output"]), "paid 7")
	}
	if !paid {
		t.Error("the tool's answer is not in the log")
	}
	var list struct{ Data []struct{ Name string } }
	if c.c.Get("/v1/mcp/servers", &list); len(list.Data) != 1 {
		t.Errorf("%+v", list)
	}
	c.c.Do("DELETE", "/v1/mcp/servers/bank", nil).Is(http.StatusOK)
	for _, m := range f.members {
		body := map[string]any{"model": "auto", "prompt": "x", "tools": []string{"bank__pay"}, "background": true}
		m.c.Do("POST", "/v1/runs", body).Refused(http.StatusBadRequest, "invalid_request")
	}
}

// stored: a file of some megabytes that one node has taken is read by a run on another
// one, and comes back from a third as it was.
func stored(t *testing.T, f *fleet) {
	a, b, c := f.members[0], f.members[1], f.members[2]
	text := strings.Repeat("a line of the large file\n", 3<<20/25) + "and its last line"
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "large.txt")
	if err == nil {
		_, err = part.Write([]byte(text))
	}
	if err != nil || form.WriteField("purpose", "context") != nil || form.Close() != nil {
		t.Fatal(err)
	}
	var file struct {
		ID    string
		Bytes int
	}
	a.c.Do("POST", "/v1/files", body.Bytes(), "Content-Type", form.FormDataContentType()).Good().Into(&file)
	r := b.order(rig.Steps("reads", rig.Say("Read.")), map[string]any{"files": []string{file.ID}})
	c.c.Until(r.ID, "completed")
	read := false
	for _, call := range f.Model.Calls() {
		read = read || strings.HasPrefix(call.Prompt(), "reads") && strings.Contains(fmt.Sprintf("%s", call.Messages), "and its last line")
	}
	if !read {
		t.Error("the model was not given the file")
	}
	got := c.c.Do("GET", "/v1/files/"+file.ID+"/content", nil).Is(http.StatusOK)
	if file.Bytes != len(text) || sha256.Sum256(got.Body) != sha256.Sum256([]byte(text)) {
		t.Errorf("%d bytes were sent, %d taken, and %d came back", len(text), file.Bytes, len(got.Body))
	}
	b.c.Do("DELETE", "/v1/files/"+file.ID, nil).Good()
	for _, m := range f.members {
		m.c.Do("GET", "/v1/files/"+file.ID+"/content", nil).Refused(http.StatusNotFound, "not_found")
	}
}

// followed: the project's stream of one node tells of runs that another one drives, and
// of decisions that a third one hears; every inbox has what waits.
func followed(t *testing.T, f *fleet) {
	a, b, c := f.members[0], f.members[1], f.members[2]
	stream := a.c.Follow(http.MethodGet, "/v1/stream", nil)
	defer stream.Close()
	if first, err := stream.Next(); err != nil || first.Event != "resync" {
		t.Fatalf("%+v, %v", first, err)
	}
	r := b.order(rig.Steps("followed", `book.once {}`, rig.Say("Booked.")), gated("book.once"))
	began, asked := time.Now(), false
	tells := func(what string, holds func(event, status string, pending int) bool) {
		t.Helper()
		for {
			frame, err := stream.Next() // ends with the request's time
			if err != nil {
				t.Fatalf("waiting for %s: %v", what, err)
			}
			if frame.Comment {
				continue
			}
			var change struct {
				Run     json.RawMessage // an id, or a run
				Pending int
			}
			var changed rig.Run
			if err := json.Unmarshal([]byte(frame.Data), &change); err != nil {
				t.Fatal(err)
			}
			_ = json.Unmarshal(change.Run, &changed) // an id leaves it empty
			if strings.Contains(string(change.Run), r.ID) && holds(frame.Event, changed.Status, change.Pending) {
				t.Logf("%s: told on another node after %v", what, time.Since(began).Round(time.Millisecond))
				if late := time.Since(began); late > 2*time.Second+slack {
					t.Errorf("%s was told after %v", what, late)
				}
				return
			}
		}
	}
	tells("the request", func(event, status string, pending int) bool {
		asked = asked || event == "approval.changed" && pending == 1
		return asked && event != "run.deleted"
	})
	for _, m := range f.members {
		var inbox struct{ Data []rig.Action }
		m.c.Get("/v1/approvals?limit=100", &inbox) // with what other stories have left
		if !slices.ContainsFunc(inbox.Data, func(a rig.Action) bool { return a.Run == r.ID }) {
			t.Errorf("the inbox of a node has %+v", inbox.Data)
		}
	}
	began = time.Now()
	c.approve(r)
	decided, ended := false, false // one may be told with the other
	tells("the decision and the end", func(event, status string, pending int) bool {
		decided = decided || event == "approval.changed" && pending == 0
		ended = ended || event == "run.changed" && status == "completed"
		return decided && ended
	})
}

// keyed: a request that is sent to all nodes at once with one Idempotency-Key is one
// run, however often. Each node may have begun to ask the model before it knew.
func keyed(t *testing.T, f *fleet) {
	const keys = 5
	var mu sync.Mutex
	made := map[string]map[string]int{}
	var all sync.WaitGroup
	for i := range keys * 6 {
		key := fmt.Sprintf("keyed-%d", i%keys)
		all.Go(func() {
			body := map[string]any{"model": "auto", "prompt": rig.Steps(key, rig.Say("Once."))}
			answer, err := f.members[i/keys%3].c.Try(http.MethodPost, "/v1/runs?wait=20", body, "Idempotency-Key", key)
			if err != nil || answer.Status != http.StatusCreated && answer.Status != http.StatusOK {
				t.Errorf("%s: %d %s %v", key, answer.Status, answer.Body, err)
				return
			}
			var r rig.Run
			answer.Into(&r)
			mu.Lock()
			defer mu.Unlock()
			if made[key] == nil {
				made[key] = map[string]int{}
			}
			made[key][r.ID]++
		})
	}
	all.Wait()
	for key, runs := range made {
		if n := f.asked(key); len(runs) != 1 || n > len(f.members) {
			t.Errorf("%s made %d runs, and %d calls of the model", key, len(runs), n)
		}
	}
	f.members[1].c.Do(http.MethodPost, "/v1/runs", `{"model":"auto","prompt":"other"}`, "Idempotency-Key", "keyed-0").Refused(http.StatusConflict, "idempotency_mismatch")
}

// signed: a browser that has signed in on one node is known on the others, until its
// key is revoked on a third: then everywhere, its streams too.
func signed(t *testing.T, f *fleet) {
	a, b, c := f.members[0], f.members[1], f.members[2]
	var key struct{ ID, Secret string }
	a.c.Post("/v1/keys", `{"name":"ada","scopes":["runs:read","runs:approve"]}`, &key)
	got := a.Client("").Do("POST", "/v1/session", map[string]string{"key": key.Secret}, "Origin", a.URL).Is(http.StatusCreated)
	pair, _, _ := strings.Cut(got.Header.Get("Set-Cookie"), ";")
	_, token, _ := strings.Cut(pair, "=")
	cookie := func(m *member) []string { // the name of the cookie has the port, which differs here
		port := m.URL[strings.LastIndex(m.URL, ":")+1:]
		return []string{"Cookie", "errand_session_" + port + "=" + token, "Sec-Fetch-Site", "same-origin", "Origin", m.URL}
	}
	asks := func(m *member) int { return m.Client("").Do("GET", "/v1/runs", nil, cookie(m)...).Status }
	for _, m := range f.members {
		if status := asks(m); status != http.StatusOK {
			t.Fatalf("a session of another node: %d", status)
		}
	}
	r := c.order(rig.Steps("signed", `book.once {}`, rig.Say("Booked.")), gated("book.once"))
	c.c.Until(r.ID, "awaiting_approval")
	follows := b.Client("").Follow(http.MethodGet, "/v1/runs/"+r.ID+"/stream", nil, cookie(b)...)
	ended := follows.Reading()
	b.Client("").Do("POST", "/v1/runs/"+r.ID+"/approve", map[string]any{"action_ids": c.c.Run(r.ID).Actions(), "reject": true}, cookie(b)...).Is(http.StatusOK)
	a.c.Until(r.ID, "completed")
	rig.Await(t, "the stream's end", ended)
	c.c.Do("DELETE", "/v1/keys/"+key.ID, nil).Is(http.StatusOK)
	began := time.Now()
	for _, m := range f.members {
		f.soon("the end of a session", heard+slack, func() bool { return asks(m) == http.StatusUnauthorized })
	}
	t.Logf("a session was over on all nodes %v after its key was revoked", time.Since(began).Round(time.Millisecond))
}

// reset: what an agent and a tool are is what the latest change says, on whichever node
// it was made, for a run that is ordered on another one directly after.
func reset(t *testing.T, f *fleet) {
	a, b, c := f.members[0], f.members[1], f.members[2]
	a.c.Tool(f.World, "new.once", "safe")
	var agent struct {
		ID      string
		Version int
	}
	a.c.Post("/v1/agents", `{"name":"clerk","model":"auto","instructions":"First.","tools":["new.once"]}`, &agent)
	says := func(m *member) string {
		var r rig.Run
		m.c.Post("/v1/agents/clerk/run?wait=30", map[string]any{"prompt": rig.Steps("clerk", `new.once {}`, rig.Say("Done."))}, &r)
		calls := f.Model.Calls()
		return calls[len(calls)-1].Messages[0].Text() + r.Status
	}
	for i, m := range []*member{b, c, a, b} {
		words := fmt.Sprintf("Change %d.", i)
		f.members[(i+2)%3].c.Do("PATCH", "/v1/agents/clerk", map[string]any{"instructions": words}).Good()
		if got := says(m); !strings.Contains(got, words) || !strings.HasSuffix(got, "completed") {
			t.Errorf("after change %d a run on another node has %q", i, got)
		}
	}
	// From now on a person is asked, wherever the tool is used.
	c.c.Do("PATCH", "/v1/agents/clerk", `{"approval":{"required_for":["new.once"]}}`).Good()
	if got := says(a); !strings.HasSuffix(got, "awaiting_approval") {
		t.Errorf("a gate that was set on another node: %q", got)
	}
	b.c.Do("DELETE", "/v1/tools/new.once", nil).Good()
	for _, m := range f.members {
		m.c.Do("GET", "/v1/tools/new.once", nil).Refused(http.StatusNotFound, "not_found")
		m.c.Do("POST", "/v1/runs", `{"model":"auto","prompt":"x","tools":["new.once"]}`).Refused(http.StatusBadRequest, "invalid_request")
	}
}

// answered: a run that asks its caller is answered on another node, and one that rests
// paused gets its decision there, which holds when a third one resumes it.
func answered(t *testing.T, f *fleet) {
	a, b, c := f.members[0], f.members[1], f.members[2]
	asks := a.order(rig.Steps("asks", `ask_me {}`, rig.Say("Blue, then.")), map[string]any{
		"functions": []any{map[string]any{"type": "function", "function": map[string]any{"name": "ask_me"}}},
	})
	b.c.Until(asks.ID, "awaiting_input")
	b.c.Post("/v1/runs/"+asks.ID+"/tool_outputs", `{"outputs":[{"action_id":"act_01","output":"blue"}]}`, nil)
	if r := c.c.Until(asks.ID, "completed"); r.Summary() != "Blue, then." {
		t.Errorf("%+v", r)
	}
	rests := a.order(rig.Steps("rests", `book.once {}`, rig.Say("Booked.")), gated("book.once"))
	c.c.Until(rests.ID, "awaiting_approval")
	b.c.Post("/v1/runs/"+rests.ID+"/pause", nil, nil)
	c.approve(rests)
	rig.Pause(200 * time.Millisecond)
	if r, n := a.c.Run(rests.ID), f.called("book.once", rests.ID); r.Status != "paused" || n != 0 {
		t.Errorf("approved while paused: %s, %d calls", r.Status, n)
	}
	a.c.Post("/v1/runs/"+rests.ID+"/resume", nil, nil)
	b.c.Until(rests.ID, "completed")
	again := c.order(rig.Steps("retried", `book.once {}`), gated("book.once"))
	a.c.Until(again.ID, "awaiting_approval")
	a.c.Post("/v1/runs/"+again.ID+"/cancel", nil, nil)
	b.c.Until(again.ID, "cancelled")
	var retried rig.Run
	b.c.Post("/v1/runs/"+again.ID+"/retry", `{"background":true}`, &retried)
	c.c.Until(retried.ID, "awaiting_approval")
	a.c.Post("/v1/runs/"+retried.ID+"/cancel", nil, nil)
	if n := f.called("book.once", rests.ID) + f.called("book.once", again.ID); n != 1 {
		t.Errorf("%d calls", n)
	}
}
