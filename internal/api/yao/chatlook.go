package yao

import (
	"context"

	"errand/internal/problem"
	"errand/internal/run"
)

// place is where a turn goes on.
type place struct {
	again    run.ID // not zero: this turn has been made, and that run answers it
	chat     talk
	system   string
	history  []run.Message // before the input
	input    run.Message
	previous *run.ID
}

// place finds the chat that a turn belongs to, and where in it.
func (a *API) place(ctx context.Context, t *turn) (place, error) {
	p := place{system: t.system, input: t.fresh[len(t.fresh)-1]}
	var err error
	if t.chatID != "" {
		err = a.placeNamed(ctx, t, &p)
	} else {
		err = a.placeFound(ctx, t, &p)
	}
	if p.chat.row == "" { // found nowhere: a new one
		p.chat.ID = "chat_" + a.cfg.Engine.NewID().String()
		p.chat.row = talkRow(t.holder(), t.robot.ID, p.chat.ID)
	}
	return p, err
}

// after sets what was said before the input: a history, and what is new but for its
// last message.
func (p *place) after(history []run.Message, t *turn) {
	history = history[:len(history):len(history)]
	p.history = append(history, t.fresh[:len(t.fresh)-1]...)
}

// placeFound goes by the history that the caller has sent. A conversation that was
// never had here is a new chat. One that several people have had word for word goes
// on in a chat that has not gone on yet. When all have, and one of them with the very
// message of this turn, that turn is meant; with any other message somebody goes back
// to an earlier answer, and stays in the chat: what is confirmed twice, in the same
// words or in others, is one execution.
func (a *API) placeFound(ctx context.Context, t *turn, p *place) error {
	p.after(t.before, t)
	if len(t.before) == 0 {
		return nil
	}
	last := len(t.before) - 1
	answered, err := a.turnsOn(ctx, t.who.Project, digest(t, t.system, t.before[:last]...))
	if err != nil {
		return err
	}
	var known talk // the newest that has gone on
	var from run.ID
	for _, one := range answered {
		s, err := a.turnState(ctx, t, one.id)
		if err != nil {
			return err
		}
		if s == nil || canonical(reply(s).text) != canonical(t.before[last].Text) {
			continue
		}
		c, tip, err := a.tipOf(ctx, t, one.chat)
		if err != nil {
			return err
		}
		if tip != nil && tip.ID == one.id {
			p.chat, p.previous = c, &tip.ID
			return nil
		}
		if known.row == "" {
			known, from = c, one.id
		}
	}
	if known.row == "" {
		return nil
	}
	if err = a.repeated(ctx, t, p, ""); p.chat.row == "" {
		p.chat, p.previous = known, &from
	}
	return err
}

// repeated looks for a turn that was made of this very conversation, in one chat if
// that is given. One that has confirmed, or is under way, is meant; any other is
// answered anew, in its chat.
func (a *API) repeated(ctx context.Context, t *turn, p *place, chat string) error {
	made, err := a.turnsOn(ctx, t.who.Project, digest(t, p.system, append(p.history, p.input)...))
	if err != nil {
		return err
	}
	for _, one := range made {
		if chat != "" && one.chat != chat {
			continue
		}
		s, err := a.turnState(ctx, t, one.id)
		if err != nil {
			return err
		}
		switch {
		case s == nil:
		case s.Ended == nil, reply(s).started != nil:
			p.again = one.id
			return nil
		case p.chat.row == "":
			if p.chat, err = a.talkOf(ctx, t.who.Project, one.chat); err != nil {
				return err
			}
			p.previous = s.Spec.Previous
		}
	}
	return nil
}

// placeNamed goes by the name of the chat. What was said in it is known here: a
// caller who sends it once more does not double it, and one who goes back to an
// earlier answer goes on from there.
func (a *API) placeNamed(ctx context.Context, t *turn, p *place) error {
	row := talkRow(t.holder(), t.robot.ID, t.chatID)
	c, tip, err := a.tipOf(ctx, t, row)
	if err != nil {
		return err
	}
	c.ID = t.chatID
	p.chat = c
	if latest, err := a.turnState(ctx, t, c.Tip); err != nil || latest != nil && latest.Ended == nil {
		if err == nil && readEcho(latest).Asked != askedOf(t) {
			err = problem.New(problem.Conflict, "Another message of the chat %s is being answered: wait for its answer, or add to it with POST %s/%s/completions/%s/append.", t.chatID, robotsPath, t.robot.ID, t.chatID)
		}
		p.again = c.Tip
		return err
	}
	if tip == nil {
		p.after(t.before, t)
		return nil
	}
	if p.previous = &tip.ID; p.system == "" {
		p.system = readEcho(tip).System
	}
	said := saidIn(tip)
	at := len(said) - 1
	if len(t.before) > 0 {
		for at >= 0 && !(said[at].Role == run.Assistant && canonical(said[at].Text) == canonical(t.before[len(t.before)-1].Text)) {
			at--
		}
	}
	switch {
	case at < 0: // a conversation that was had elsewhere
		p.after(t.before, t)
		return nil
	case at == len(said)-1 && reply(tip).started != nil && readEcho(tip).Asked == askedOf(t):
		p.again = tip.ID // what has just been confirmed is confirmed once more
		return nil
	}
	p.after(said[:at+1], t)
	if at == len(said)-1 {
		return nil
	}
	return a.repeated(ctx, t, p, row)
}

// askedOf is the hash of what is new in a turn.
func askedOf(t *turn) string { return digest(t, "", t.fresh...) }

// saidIn is what was said in a chat up to a turn, with what was added to that, and
// its answer.
func saidIn(s *run.State) []run.Message {
	said := append(s.Spec.History[:len(s.Spec.History):len(s.Spec.History)], s.Spec.Input)
	for i := range s.Messages {
		said = append(said, run.Message{Role: run.User, Text: s.Messages[i].Text})
	}
	return append(said, run.Message{Role: run.Assistant, Text: reply(s).text})
}

// tipOf reads a chat and its latest turn that has an answer or will have one: turns
// that failed or were cut off are passed over. Nil without one.
func (a *API) tipOf(ctx context.Context, t *turn, row string) (talk, *run.State, error) {
	c, err := a.talkOf(ctx, t.who.Project, row)
	if err != nil {
		return c, nil, err
	}
	for at := c.Tip; !at.IsZero(); {
		s, err := a.turnState(ctx, t, at)
		if err != nil || s == nil {
			return c, nil, err
		}
		if s.Ended == nil || s.Ended.Status == run.Completed {
			return c, s, nil
		}
		if s.Spec.Previous == nil {
			return c, nil, nil
		}
		at = *s.Spec.Previous
	}
	return c, nil, nil
}

// turnState reads a turn's run; nil when it is there no more.
func (a *API) turnState(ctx context.Context, t *turn, id run.ID) (*run.State, error) {
	if id.IsZero() {
		return nil, nil
	}
	s, err := a.cfg.Engine.Get(ctx, t.who.Project, id)
	if problem.Is(err, problem.NotFound) {
		return nil, nil
	}
	return &s, err
}
