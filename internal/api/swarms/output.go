package swarms

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"errand/internal/api/wire"
	"errand/internal/run"
)

// nameless is who speaks for an agent without a name.
const nameless = "assistant"

// output is an entry of a completion's outputs: what the agent or a tool has said.
type output struct {
	Role      string `json:"role"`
	Content   any    `json:"content"` // text, or the calls of functions
	Timestamp string `json:"timestamp"`
	MessageID string `json:"message_id"`

	// streamed: a reader of the stream has it already, piece by piece. aside: it is
	// no part of the answer, and only readers of the whole see it.
	streamed, aside bool
}

// callBody is a call of a function that the caller has brought, in OpenAI's form.
type callBody struct {
	Function callOf `json:"function"`
	ID       string `json:"id"`
	Type     string `json:"type"`
}

type callOf struct {
	Arguments string `json:"arguments"` // JSON, as text
	Name      string `json:"name"`
}

// outputs lists what was said in a run, in order. The last entry is the answer,
// and of a run that called nothing the only one.
func outputs(s *run.State, e *echo) []output {
	l := &list{run: s, name: or(e.Name, nameless)}
	for i := range s.Turns {
		l.turn(&s.Turns[i])
	}
	switch {
	case s.Ended == nil:
		l.add(output{Role: l.name, Content: wire.Halted(s)}, s.UpdatedAt)
	case s.Ended.Reason == run.RejectedReason || len(l.all) == 0:
		l.add(output{Role: l.name, Content: s.Ended.Result.Summary}, s.EndedAt)
	}
	l.notes(e.Notes)
	return l.all
}

// list is a list of outputs under construction.
type list struct {
	run  *run.State
	name string
	all  []output
}

func (l *list) add(o output, at time.Time) {
	o.Timestamp, o.MessageID = stamp(at), messageID(l.run.ID, len(l.all))
	l.all = append(l.all, o)
}

// turn adds what a turn has brought: its text, what its tools returned, and the
// calls that go back to the caller. An answer that had to be mended is left out:
// the mended one follows.
func (l *list) turn(t *run.Turn) {
	handed, raw := handedBack(t), l.run.Spec.RawResults
	mended := t.Output != nil && t.Output.Problem != ""
	if text := t.Reply.Text; text != "" && !mended && len(handed) == 0 { // calls stand for their turn's text
		o := output{Role: l.name, Content: text, streamed: l.run.Spec.Output == nil}
		if t.Output != nil {
			o.Content = compact(t.Output.Value)
		}
		l.add(o, t.At)
	}
	for i := range t.Actions {
		a := &t.Actions[i]
		switch message, told := toldUser(a); {
		case !a.Done(), isHanded(a):
		case told:
			l.add(output{Role: l.name, Content: message, streamed: true}, a.Since)
		default:
			l.add(output{Role: toolExecutor, Content: result(a), aside: !raw, streamed: raw && l.run.Spec.Output == nil}, a.Since)
		}
	}
	if len(handed) > 0 {
		l.add(output{Role: l.name, Content: handed}, t.At)
	}
}

// compact is JSON without the spaces between its tokens, which an event loses on
// its way to the disk: an answer is the same before and after.
func compact(text json.RawMessage) string {
	var out bytes.Buffer
	if json.Compact(&out, text) != nil {
		return string(text)
	}
	return out.String()
}

// handedBack are a turn's calls of functions, which the caller makes.
func handedBack(t *run.Turn) []callBody {
	var calls []callBody
	for i := range t.Actions {
		if a := &t.Actions[i]; isHanded(a) {
			calls = append(calls, callBody{Function: callOf{Arguments: a.Arguments, Name: a.Tool.Name}, ID: a.CallID, Type: "function"})
		}
	}
	return calls
}

func isHanded(a *run.Action) bool { return a.Tool.Function && a.Refused == "" }

// toldUser is what an agent that works by itself has told its user on the way.
func toldUser(a *run.Action) (message string, told bool) {
	if a.Tool.Name != planPrefix+"respond_to_user" || a.Outcome != run.OK {
		return "", false
	}
	var arguments struct {
		Message string `json:"message"`
	}
	if json.Unmarshal([]byte(a.Arguments), &arguments) != nil {
		return "", false
	}
	return arguments.Message, true
}

// result is what came of a call, in words where the tool has none.
func result(a *run.Action) string {
	switch {
	case a.Stage == run.RejectedStage:
		return "A person rejected the call of " + a.Tool.Name + "."
	case a.Outcome == run.Unknown:
		return "Whether " + a.Tool.Name + " did what it was called for is not known; it was not repeated."
	case a.Outcome == run.Cancelled:
		return "The call of " + a.Tool.Name + " was cut off before it did anything."
	case a.Output == "" && a.Refused != "":
		return a.Refused
	}
	return a.Output
}

// notes adds what the run could not have. It stands behind the answer's own text;
// behind an answer that programs read it is an entry of its own.
func (l *list) notes(notes []string) {
	if len(notes) == 0 || len(l.all) == 0 {
		return
	}
	text, last := noted(notes), &l.all[len(l.all)-1]
	if answer, isText := last.Content.(string); isText && l.run.Spec.Output == nil && last.Role == l.name {
		last.Content = answer + text
		return
	}
	at, _ := time.Parse(time.RFC3339, last.Timestamp) // it has just been written
	l.add(output{Role: "System", Content: strings.TrimSpace(text), aside: true}, at)
}

// noted is notes as they stand behind an answer.
func noted(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return "\n\n(" + strings.Join(notes, " ") + ")"
}

// messageID names the n-th output of a run: a UUID that is the same whenever the
// answer is made.
func messageID(id run.ID, n int) string {
	sum := sha256.Sum256([]byte(id.String() + "/" + strconv.Itoa(n)))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8: made by a rule of one's own
	text := hex.EncodeToString(sum[:16])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}
