package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/e2e/rig"
)

// The requests and answers of the API's reference, to the letter.
const (
	createBody = `{
  "name": "invoice-chaser",
  "model": "y0-agent",
  "instructions": "Chase unpaid invoices politely but firmly.",
  "tools": ["email.send", "finance.read"],
  "approval": { "required_for": ["email.send"] },
  "max_steps": 8
}`
	createAnswer = `{
  "id": "agt_19c4e2b7",
  "object": "agent",
  "name": "invoice-chaser",
  "model": "y0-agent",
  "tools": ["email.send", "finance.read"],
  "approval": { "required_for": ["email.send"] },
  "created_at": "2026-06-11T07:02:11Z"
}`
	runBody = `{
  "prompt": "Chase the three unpaid invoices over 30 days."
}`
	runAnswer = `{
  "id": "run_9b11d0a3",
  "object": "run",
  "agent": "agt_19c4e2b7",
  "status": "awaiting_approval",
  "pending_actions": [
    { "id": "act_01", "tool": "email.send", "preview": "To: meridian@…" }
  ]
}`
	approveBody   = `{ "action_ids": ["act_01"] }`
	approveAnswer = `{
  "id": "run_9b11d0a3",
  "object": "run",
  "status": "running",
  "approved_actions": ["act_01"]
}`
	listAnswer = `{
  "object": "list",
  "data": [
    { "id": "run_9b11d0a3", "status": "completed", "steps_used": 6 },
    { "id": "run_8a04c771", "status": "completed", "steps_used": 5 }
  ],
  "has_more": false
}`
)

// made are the keys whose values are another each time.
var made = map[string]bool{"id": true, "agent": true, "created_at": true, "preview": true, "steps_used": true, "approved_actions": true}

// covers reports where an answer lacks something of the document's: a key, its
// type, or its value where that is not made anew each time. Of a list each element
// is held against the document's first.
func covers(path string, want, have any) error {
	switch want := want.(type) {
	case map[string]any:
		object, ok := have.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is %v, not an object", path, have)
		}
		for key, value := range want {
			if made[key] {
				if reflect.TypeOf(object[key]) != reflect.TypeOf(value) {
					return fmt.Errorf("%s.%s is %v", path, key, object[key])
				}
				continue
			}
			if err := covers(path+"."+key, value, object[key]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		list, ok := have.([]any)
		if _, objects := want[0].(map[string]any); ok && objects && len(list) > 0 {
			for i := range list {
				if err := covers(fmt.Sprintf("%s[%d]", path, i), want[0], list[i]); err != nil {
					return err
				}
			}
			return nil
		}
	}
	if !reflect.DeepEqual(want, have) {
		return fmt.Errorf("%s is %v, want %v", path, have, want)
	}
	return nil
}

func fits(t *testing.T, document string, answer rig.Answer) {
	t.Helper()
	var want, have any
	if err := json.Unmarshal([]byte(document), &want); err != nil {
		t.Fatal(err)
	}
	answer.Is(http.StatusOK).Into(&have)
	if err := covers("", want, have); err != nil {
		t.Errorf("%v in %s", err, answer.Body)
	}
}

// owed is what the example's books say: one mail to each, and to nobody else.
func owed() map[string]int {
	return map[string]int{"meridian@clients.example": 1, "northwind@clients.example": 1, "tallow@clients.example": 1}
}

// chase is a model that reads the books, writes to all who owe, and counts.
func chase(c rig.Conversation) rig.Turn {
	results := c.Of("tool")
	switch c.Step() {
	case 0:
		return rig.Turn{Calls: []rig.ToolCall{{Name: "finance.read", Arguments: `{"status":"unpaid","older_than_days":30}`}}}
	case 1:
		return rig.Turn{Calls: letters(results[0].Text())}
	}
	return rig.Turn{Text: fmt.Sprintf("Wrote to %d customers.", len(results)-1)}
}

// letters finds the addresses in what the tool said, and writes to each.
func letters(books string) []rig.ToolCall {
	var calls []rig.ToolCall
	for word := range strings.FieldsFuncSeq(books, func(r rune) bool { return strings.ContainsRune("\"' ,|\n\t{}[]", r) }) {
		if strings.Contains(word, "@") {
			calls = append(calls, rig.ToolCall{Name: "email.send", Arguments: fmt.Sprintf(
				`{"to":%q,"subject":"Your unpaid invoice","body":"Please pay within a week."}`, word)})
		}
	}
	return calls
}

// chaser makes the document's agent and runs it up to the approval.
func chaser(t *testing.T, c *rig.Client) (agent, run string) {
	t.Helper()
	answer := c.Do("POST", "/v1/agents", createBody)
	fits(t, createAnswer, answer)
	var got struct{ ID string }
	answer.Into(&got)
	agent = got.ID
	answer = c.Do("POST", "/v1/agents/"+agent+"/run", runBody)
	fits(t, runAnswer, answer)
	answer.Into(&got)
	return agent, got.ID
}

// approving is the document's body for these actions.
func approving(actions []string) string {
	return strings.Replace(approveBody, `"act_01"`, `"`+strings.Join(actions, `", "`)+`"`, 1)
}

func TestTheDocument(t *testing.T) {
	for name, offline := range map[string]bool{"endpoint": false, "offline": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := rig.New(t)
			w.Model.Plays(chase)
			if offline {
				w.Offline()
			}
			c := w.Start().Client()
			agent, run := chaser(t, c)
			waiting := c.Run(run)
			if *waiting.Agent != agent || len(waiting.Pending) != 3 {
				t.Fatalf("%+v", waiting)
			}
			for _, a := range waiting.Pending {
				if to, _ := a.Arguments["to"].(string); a.Reason != "gate" || to == "" || !strings.HasPrefix(a.Preview, "To: "+to) {
					t.Errorf("%+v", a)
				}
			}
			if n := len(w.Mail.Letters()); n != 0 {
				t.Fatalf("%d mails before anyone has approved", n)
			}
			answer := c.Do("POST", "/v1/runs/"+run+"/approve", approving(waiting.Actions()))
			fits(t, approveAnswer, answer)
			again := c.Do("POST", "/v1/runs/"+run+"/approve", approving(waiting.Actions()))
			if string(again.Body) != string(answer.Body) {
				t.Errorf("a repeated approval: %s, at first %s", again.Body, answer.Body)
			}
			c.Until(run, "completed")
			fits(t, listAnswer, c.Do("GET", "/v1/agents/"+agent+"/runs", nil))
			if diff := cmp.Diff(owed(), w.Mail.Addressees()); diff != "" {
				t.Errorf("mails (-want +got):\n%s", diff)
			}
			if called := len(w.Model.Calls()); offline != (called == 0) {
				t.Errorf("%d calls of the endpoint", called)
			}
			history(t, c, run)
		})
	}
}

// history checks that the run's whole life can be read afterwards.
func history(t *testing.T, c *rig.Client, run string) {
	t.Helper()
	count := map[string]int{}
	for i, event := range c.Events(run) {
		if event.Seq != int64(i+1) {
			t.Errorf("event %d has seq %d", i+1, event.Seq)
		}
		count[event.Type]++
	}
	want := map[string]int{"run.created": 1, "model.responded": 3, "tool.started": 4, "tool.finished": 4, "approval.decided": 1, "run.finished": 1}
	delete(count, "run.driven")
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	var whole struct{ Trace []struct{ Type string } }
	c.Get("/v1/runs/"+run, &whole)
	types := map[string]bool{}
	for _, entry := range whole.Trace {
		types[entry.Type] = true
	}
	for _, want := range []string{"step", "approval", "result"} {
		if !types[want] {
			t.Errorf("no %s in the trace, only %v", want, maps.Keys(types))
		}
	}
}
