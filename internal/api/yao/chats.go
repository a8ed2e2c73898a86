package yao

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// A chat is known by a row of its own, which has its latest turn, its tip. It
// belongs to a key and a robot. A turn is found by the conversation that it answered:
// a row of chatTurnKind has the hash of that in its id, so that a caller who only
// resends the history is led to the chat in which it came about. Both rows are
// written in the commit that makes the turn; what was answered is in the turn's run.

// Kinds of rows.
const (
	chatKind     = "chat"
	chatTurnKind = "chat_turn"
)

// turnLife is how long a turn is found by its conversation. After it the resent
// history is a new chat with that history, which nothing is missing from.
const turnLife = 30 * 24 * time.Hour

// lookBack bounds how many turns that answered the same conversation are looked at:
// more people who open alike and go on at the same time can't be told apart.
const lookBack = 64

// talk is a chat.
type talk struct {
	ID    string `json:"id"` // as its callers know it
	Robot string `json:"robot"`
	Key   string `json:"key"`
	Tip   run.ID `json:"tip"` // the run of its latest turn

	row     string // id of its row
	version int64  // of it; 0 = there is none yet
}

// talkRow is the id of a chat's row.
func talkRow(key, robot, id string) string {
	sum := sha256.New()
	for _, part := range []string{key, robot, id} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// talkOf reads a chat; a chat that is not there has no tip.
func (a *API) talkOf(ctx context.Context, project, row string) (talk, error) {
	found, err := a.cfg.Rows.Row(ctx, chatKind, project, row)
	if problem.Is(err, problem.NotFound) {
		return talk{row: row}, nil
	}
	if err != nil {
		return talk{}, fmt.Errorf("reading a chat: %w", err)
	}
	c := talk{row: row, version: found.Version}
	if err := json.Unmarshal(found.Data, &c); err != nil {
		return c, fmt.Errorf("reading the chat %s: %w", row, err)
	}
	return c, nil
}

// turnRow says which chat a turn belongs to. Its run is in the row's id.
type turnRow struct {
	Chat string `json:"chat"` // id of the chat's row
}

// digest is the hash of a conversation: of who says what, but for white space around
// it. Robot and key are in it, so that nobody finds another's turns.
func digest(t *turn, system string, messages ...run.Message) string {
	sum := sha256.New()
	part := func(text string) { fmt.Fprintf(sum, "%d:%s", len(text), text) }
	part(t.holder())
	part(t.robot.ID)
	part(canonical(system))
	for i := range messages {
		m := &messages[i]
		part(string(m.Role))
		part(canonical(m.Text))
		for _, image := range m.Images {
			part(image.URL)
		}
		for _, call := range m.Calls {
			part(call.Name + call.Arguments)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// canonical is a text but for its white space: clients put together what was
// streamed, and trim, as they like.
func canonical(text string) string { return strings.Join(strings.Fields(text), " ") }

// past is a turn that was found by its conversation.
type past struct {
	id   run.ID
	chat string // id of the chat's row
}

// turnsOn returns the turns that answered a conversation, newest first.
func (a *API) turnsOn(ctx context.Context, project, digest string) ([]past, error) {
	query := run.RowQuery{Kind: chatTurnKind, Project: project, After: digest + "/~", Newest: true, Limit: lookBack}
	rows, err := a.cfg.Rows.Rows(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("looking for turns of a chat: %w", err)
	}
	var found []past
	for i := range rows {
		name, isIts := strings.CutPrefix(rows[i].ID, digest+"/")
		if !isIts {
			break
		}
		id, err := run.ParseID(name)
		var said turnRow
		if err == nil {
			err = json.Unmarshal(rows[i].Data, &said)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the turn %s of a chat: %w", rows[i].ID, err)
		}
		if rows[i].Expires.After(a.cfg.Now()) {
			found = append(found, past{id: id, chat: said.Chat})
		}
	}
	return found, nil
}

// record returns the rows by which a turn goes into its chat.
func (a *API) record(t *turn, p *place, id run.ID) ([]run.RowWrite, error) {
	c := talk{ID: p.chat.ID, Robot: t.robot.ID, Key: t.holder(), Tip: id}
	data, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("storing a chat: %w", err)
	}
	said, err := json.Marshal(turnRow{Chat: p.chat.row})
	if err != nil {
		return nil, fmt.Errorf("storing a turn of a chat: %w", err)
	}
	now, project := a.cfg.Now().UTC(), t.who.Project
	asked := append(p.history[:len(p.history):len(p.history)], p.input)
	return []run.RowWrite{
		{Expect: p.chat.version, Row: run.Row{Kind: chatKind, Project: project, ID: p.chat.row, Created: now, Data: data}},
		{Expect: run.MustNotExist, Row: run.Row{
			Kind: chatTurnKind, Project: project, ID: digest(t, p.system, asked...) + "/" + id.String(),
			Created: now, Expires: now.Add(turnLife), Data: said,
		}},
	}, nil
}

// overtaken reports whether a turn could not be made because another one of its chat
// was quicker.
func overtaken(err error) bool {
	conflict := (*run.RowConflict)(nil)
	return errors.As(err, &conflict) && conflict.Kind == chatKind
}
