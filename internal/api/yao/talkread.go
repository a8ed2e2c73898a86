package yao

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"errand/internal/agent"
	"errand/internal/api/chat"
	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// talkIn is the body of a turn: the format's, and the name of a chat.
type talkIn struct {
	chat.Request
	ChatID *string `json:"chat_id"`
}

// turn is a request of the conversation, understood.
type turn struct {
	who      auth.Caller
	opener   string // id of the key whose chat it is; empty = of the caller's
	robot    robot.Robot
	chatID   string        // as the caller names it; empty = found by the history
	model    string        // as the caller names it
	system   string        // what the caller's system messages say
	before   []run.Message // up to the last answer that the caller has
	fresh    []run.Message // what has come since; the last one is the user's
	params   run.Params
	labels   map[string]string
	required bool // the first message may confirm itself, and must
}

// holder is the key that the chat belongs to.
func (t *turn) holder() string {
	if t.opener != "" {
		return t.opener
	}
	return t.who.KeyID
}

// maxChatID bounds the name of a chat: twice a UUID with a prefix is far shorter.
const maxChatID = 128

// readTurn reads a request. The robot comes first: a request to none is that, and
// nothing else.
func (a *API) readTurn(ctx context.Context, r *wire.Request) (*talkIn, *turn, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	var in talkIn
	if err := r.Decode(&in); err != nil {
		return nil, nil, err
	}
	t := turn{who: r.Caller, robot: found, model: "default", labels: in.Labels()}
	if t.chatID, err = chatIDOf(r, &in, t.labels); err != nil {
		return nil, nil, err
	}
	if in.Model != nil && *in.Model != "" {
		t.model = *in.Model
	}
	for _, refused := range []func() error{in.Refused, in.RefusedTools, in.refusedFormat} {
		if err := refused(); err != nil {
			return nil, nil, err
		}
	}
	if t.params, err = in.Params(run.Params{}); err != nil {
		return nil, nil, err
	}
	if err := t.split(&in); err != nil {
		return nil, nil, err
	}
	return &in, &t, a.checkSizes(&in, &t)
}

// maxWord bounds what a request calls its model and its user, in bytes: longer names
// are none.
const maxWord = 256

// checkSizes holds a request to what a run can carry. A body may be large because
// of the images in it.
func (a *API) checkSizes(in *talkIn, t *turn) error {
	faults := agent.Faults{}
	if last := t.fresh[len(t.fresh)-1].Text; utf8.RuneCountInString(last) > a.cfg.MaxPrompt {
		faults.Add(fmt.Sprintf("messages[%d].content", len(in.Messages)-1), fmt.Sprintf("is too long: at most %d characters.", a.cfg.MaxPrompt))
	}
	if len(t.model) > maxWord {
		faults.Add("model", fmt.Sprintf("is too long: at most %d bytes.", maxWord))
	}
	if len(t.labels["user"]) > maxWord {
		faults.Add("user", fmt.Sprintf("is too long: at most %d bytes.", maxWord))
	}
	agent.CheckMetadata(in.Labels(), faults)
	return faults.Problem()
}

// refusedFormat is the problem of a request for an answer in JSON, or nil.
func (in *talkIn) refusedFormat() error {
	format := strings.Join(strings.Fields(string(in.ResponseFormat)), "")
	if !chat.Set(in.ResponseFormat) || format == `{"type":"text"}` {
		return nil
	}
	return chat.Refuse("response_format", "the host talks in text: leave it out, and name the format of the result among the goals")
}

// split reads the conversation: what the caller and the host have said before, and
// what is new.
func (t *turn) split(in *talkIn) error {
	thread, err := in.Thread()
	if err != nil {
		return err
	}
	t.system = thread.System
	begin := 0
	for i := range thread.Messages {
		if thread.Messages[i].Role == run.Assistant {
			begin = i + 1
		}
	}
	t.before, t.fresh = thread.Messages[:begin:begin], thread.Messages[begin:]
	if n := len(t.fresh); n == 0 || t.fresh[n-1].Role != run.User {
		return problem.Invalid("messages", "must end with a message of the user")
	}
	t.required = len(t.before) == 0 && t.labels["auto_confirm"] == "true"
	if in.User != nil && *in.User != "" {
		if t.labels == nil {
			t.labels = map[string]string{}
		}
		t.labels["user"] = *in.User
	}
	return nil
}

// chatIDOf finds the name of the chat where callers put it: in the query, a header,
// the body or its metadata; the first one counts.
func chatIDOf(r *wire.Request, in *talkIn, labels map[string]string) (string, error) {
	body := ""
	if in.ChatID != nil {
		body = *in.ChatID
	}
	for _, named := range []struct{ place, id string }{
		{"chat_id", r.Query().String("chat_id")}, {"X-Yao-Chat", r.Header("X-Yao-Chat")},
		{"chat_id", body}, {"metadata.chat_id", labels["chat_id"]},
	} {
		if named.id != "" {
			return named.id, checkChatID(named.place, named.id)
		}
	}
	return "", nil
}

// checkChatID holds a chat's name to what fits into a header of the answer.
func checkChatID(place, id string) error {
	if len(id) <= maxChatID && !strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return nil
	}
	return problem.Invalid(place, "must be 1 to %d characters of ASCII without spaces, such as session-001", maxChatID)
}
