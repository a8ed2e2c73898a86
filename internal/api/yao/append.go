package yao

import (
	"context"
	"fmt"
	"strings"

	"errand/internal/api/chat"
	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// The ways to add to what is under way.
const (
	graceful = "graceful" // it is taken up when the reply under way is complete
	force    = "force"    // the reply under way is dropped
)

type appendIn struct {
	Type     string         `json:"type"`
	Messages []chat.Message `json:"messages"`
}

// appendedBody says what has been added.
type appendedBody struct {
	Message   string `json:"message"`
	ContextID string `json:"context_id"`
	Type      string `json:"type"`
	Timestamp int64  `json:"timestamp"` // Unix milliseconds
}

// addTo adds messages to a turn that is being answered, or to an execution at work.
func (a *API) addTo(ctx context.Context, r *wire.Request) (wire.Response, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	kind, text, err := readAppend(r)
	if err != nil {
		return wire.Response{}, err
	}
	s, err := a.underWay(ctx, r, &found)
	if err != nil {
		return wire.Response{}, err
	}
	said := ""
	switch {
	case text != "":
		said = "Messages added."
		_, err = a.cfg.Engine.Message(ctx, r.Caller.Project, s.ID, run.Added{Text: text, By: r.Caller.KeyID, Cut: kind == force})
	case robot.HostOf(&s.Spec) != "":
		said = "The turn was cut off."
		_, err = a.cfg.Engine.Cancel(ctx, r.Caller.Project, s.ID, run.Cancel{By: r.Caller.KeyID, Reason: "It was cut off."})
	default:
		err = problem.Invalid("messages", "must say how the execution is to go on: to hold it or to end it, POST %s/%s/executions/%s/pause or /cancel", robotsPath, found.ID, execID(s.ID))
	}
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(appendedBody{Message: said, ContextID: r.Path("context"), Type: kind, Timestamp: a.cfg.Now().UnixMilli()}), nil
}

// readAppend reads the body: how to add, and what.
func readAppend(r *wire.Request) (kind, text string, err error) {
	var in appendIn
	if err := r.Decode(&in); err != nil {
		return "", "", err
	}
	if in.Type != graceful && in.Type != force {
		return "", "", problem.Invalid("type", "must be graceful (after the reply under way) or force (instead of it)")
	}
	if len(in.Messages) == 0 {
		if in.Type == graceful {
			err = problem.Invalid("messages", "is required: only a force may come without")
		}
		return in.Type, "", err
	}
	thread, err := (&chat.Request{Messages: in.Messages}).Thread()
	if err != nil {
		return "", "", err
	}
	var texts []string
	for i := range thread.Messages {
		switch m := &thread.Messages[i]; {
		case m.Role != run.User:
			return "", "", problem.Invalid(fmt.Sprintf("messages[%d].role", i), "must be user: nobody else can add to what is under way")
		case len(m.Images) > 0:
			return "", "", problem.Invalid(fmt.Sprintf("messages[%d].content", i), "must be text: images can come with the first message of a turn only")
		default:
			texts = append(texts, m.Text)
		}
	}
	if len(texts) == 0 {
		return "", "", problem.Invalid("messages", "must have a message of the user")
	}
	return in.Type, strings.Join(texts, "\n\n"), nil
}

// underWay finds what a context id names: an execution, a turn, or a chat, which is
// its latest turn, or what that has started.
func (a *API) underWay(ctx context.Context, r *wire.Request, found *robot.Robot) (*run.State, error) {
	name := r.Path("context")
	c, err := a.talkOf(ctx, r.Caller.Project, talkRow(r.Caller.KeyID, found.ID, name))
	if err != nil {
		return nil, err
	}
	id := c.Tip
	if id.IsZero() { // a chat may be called like a run, and comes first
		if known, err := run.ParseID(name); err == nil {
			id = known
		}
	}
	for !id.IsZero() {
		s, err := a.cfg.Engine.Get(ctx, r.Caller.Project, id)
		isHost := robot.HostOf(&s.Spec) == found.ID
		switch {
		case problem.Is(err, problem.NotFound), err == nil && !isHost && robot.MemberOf(&s.Spec) != found.ID:
			id = run.ID{}
			continue
		case err != nil:
			return nil, err
		case !isHost || s.Ended == nil:
			return &s, nil
		}
		answer := reply(&s)
		if answer.started == nil {
			return nil, problem.New(problem.Conflict, "No message of this chat is being answered: send the next one to POST %s/%s/completions.", robotsPath, found.ID)
		}
		id = *answer.started
	}
	return nil, problem.New(problem.NotFound, "Robot %.80q has no chat and no execution %.140q with this key.", found.ID, name)
}
