package yao

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// Secrets has what the events of robots are signed with. *robot.Book is the
// implementation.
type Secrets interface {
	// Secret is the robot's own.
	Secret(project string, r *robot.Robot) (string, error)
	// Rotate gives the robot another one, which a Change that follows stores.
	Rotate(project string, r robot.Robot) (robot.Robot, string)
}

// Grants knows what keys are granted now. *auth.Book is the implementation.
type Grants interface {
	// Granted returns a key's scopes, or scope_denied when it is not valid any more.
	Granted(ctx context.Context, project, id string) ([]string, error)
}

const (
	// eventTolerance is how far a signature's time may be from this server's:
	// Standard Webhooks'.
	eventTolerance = 5 * time.Minute
	// eventsKept is how long an event is known by its id: longer than any sender
	// goes on trying, by far.
	eventsKept = 7 * 24 * time.Hour
	// eventBody is the limit of an event, in bytes: a model is to read all of it.
	eventBody = 256 << 10
	// maxEventID bounds what a sender may call its event, in bytes.
	maxEventID = 256
)

// eventKind is the kind of row that knows an event which has started an execution.
const eventKind = "robot_event"

// seenEvent is the data of such a row.
type seenEvent struct {
	Run run.ID `json:"run"`
}

// eventName is a type of event that can be repeated to a model: a word, and no
// sentence.
var eventName = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,128}$`)

// eventRoutes are those of events. Whoever sends one has no key but the robot's own
// secret, and says in which project the robot is.
func (a *API) eventRoutes() []wire.Route {
	return []wire.Route{
		{Method: "POST", Path: robotPath + "/events/{source}", Open: true, Query: []string{"project"}, Body: eventBody, Handle: a.takeEvent},
		{Method: "POST", Path: robotPath + "/events/rotate", Scope: "agents:write", Secret: true, Handle: a.rotateSecret},
	}
}

// event is one that has arrived, and for whom.
type event struct {
	project string
	robot   robot.Robot
	source  string
	id      string // the sender's
	body    []byte
}

// takeEvent starts an execution for an event, once however often it comes.
func (a *API) takeEvent(ctx context.Context, r *wire.Request) (wire.Response, error) {
	e, err := a.receive(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	at := slices.IndexFunc(e.robot.Config.Events, func(s robot.EventSource) bool { return s.Source == e.source })
	if at < 0 {
		return wire.Response{}, problem.New(problem.NotFound,
			"Robot %s has no source %.80q: name it in robot_config.events with PUT %s/%s.", e.robot.ID, e.source, robotsPath, e.robot.ID)
	}
	data, err := readEvent(e.body)
	if err != nil {
		return wire.Response{}, err
	}
	if !passes(e.robot.Config.Events[at].Filter, data) {
		return wire.OK(acceptedBody{Message: "This event is not what the source's filter asks for: nothing was started."}), nil
	}
	id, known, err := a.startEvent(ctx, e, data)
	if err != nil {
		return wire.Response{}, err
	}
	body := acceptedBody{Accepted: true, ExecutionID: execID(id), Message: nowStarted}
	if known {
		body.Message = "Execution already started"
	}
	return wire.Response{Header: location(r, id), Body: body}, nil
}

// unsigned is the one answer to whoever can't show that they may send events here:
// it does not tell which robots there are.
func unsigned() error {
	return problem.New(problem.Unauthenticated,
		"This event is not signed for this robot: send webhook-id, webhook-timestamp (now) and webhook-signature of Standard Webhooks, made with the secret that POST %s/events/rotate has shown, and ?project= if the robot is in another project than %s.", robotPath, auth.DefaultProject)
}

// receive finds the robot and checks the signature.
func (a *API) receive(ctx context.Context, r *wire.Request) (event, error) {
	query := r.Query()
	e := event{project: query.String("project"), source: r.Path("source"), id: r.Header("Webhook-Id"), body: r.Body}
	if err := query.Err(); err != nil {
		return e, err
	}
	if a.cfg.Secrets == nil || a.cfg.Grants == nil {
		return e, problem.New(problem.NotAvailable, "This server starts no robots by events.")
	}
	if e.project == "" {
		e.project = auth.DefaultProject
	}
	found, err := a.cfg.Robots.Find(ctx, e.project, r.Path("id"))
	if err != nil && !problem.Is(err, problem.NotFound) {
		return e, err
	}
	secret := "whsec_" // the same work for a robot that is not there
	if err == nil {
		e.robot = found
		if secret, err = a.cfg.Secrets.Secret(e.project, &found); err != nil {
			return e, err
		}
	}
	signed := verify(secret, e.id, r.Header("Webhook-Timestamp"), r.Header("Webhook-Signature"), e.body)
	if !signed || e.robot.ID == "" || !a.timely(r.Header("Webhook-Timestamp")) {
		return e, unsigned()
	}
	if e.id == "" || len(e.id) > maxEventID {
		return e, problem.Invalid("webhook-id", "must name the event, by 1 to %d bytes that are the same when it is sent again", maxEventID)
	}
	return e, nil
}

func (a *API) timely(stamp string) bool {
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	return err == nil && a.cfg.Now().Sub(time.Unix(seconds, 0)).Abs() <= eventTolerance
}

// verify checks a signature of Standard Webhooks: one of those in the header has to
// be that of the event under the bytes that the secret stands for.
func verify(secret, id, stamp, signatures string, body []byte) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	hash := hmac.New(sha256.New, key)
	fmt.Fprintf(hash, "%s.%s.", id, stamp)
	hash.Write(body)
	want, signed := hash.Sum(nil), false
	for one := range strings.FieldsSeq(signatures) {
		text, isFirst := strings.CutPrefix(one, "v1,")
		got, err := base64.StdEncoding.DecodeString(text)
		signed = signed || isFirst && err == nil && hmac.Equal(got, want)
	}
	return signed
}

// readEvent reads the body as what an execution's context is: an object. Anything
// else is put into one.
func readEvent(body []byte) (map[string]any, error) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // digits are what a sender wrote
	err := decoder.Decode(&value)
	if _, more := decoder.Token(); err == nil && !errors.Is(more, io.EOF) {
		err = errors.New("something stands behind it")
	}
	if err != nil {
		return nil, problem.New(problem.InvalidRequest, "The body must be one JSON value.").Because(err)
	}
	if object, ok := value.(map[string]any); ok {
		return object, nil
	}
	return map[string]any{"payload": value}, nil
}

// passes reports whether an event is what a filter asks for: each of its keys, a
// path of names with dots between them, leads to the value that it names, or to one
// of those that it lists.
func passes(filter, data map[string]any) bool {
	for path, want := range filter {
		got, there := lookUp(data, path)
		choices, isList := want.([]any)
		if !isList {
			choices = []any{want}
		}
		if !there || !slices.ContainsFunc(choices, func(choice any) bool { return same(choice, got) }) {
			return false
		}
	}
	return true
}

func lookUp(data map[string]any, path string) (any, bool) {
	if value, there := data[path]; there { // a name with a dot in it
		return value, true
	}
	first, rest, more := strings.Cut(path, ".")
	inner, ok := data[first].(map[string]any)
	if !more || !ok {
		return nil, false
	}
	return lookUp(inner, rest)
}

// same compares JSON values by their text; numbers by what they are worth.
func same(a, b any) bool {
	first, err := json.Marshal(a)
	second, failed := json.Marshal(b)
	if err != nil || failed != nil {
		return false
	}
	if bytes.Equal(first, second) {
		return true
	}
	x, err := strconv.ParseFloat(string(first), 64)
	y, failed := strconv.ParseFloat(string(second), 64)
	return err == nil && failed == nil && x == y
}

// startEvent starts the execution, in one commit with the row that knows the event.
func (a *API) startEvent(ctx context.Context, e event, data map[string]any) (id run.ID, known bool, err error) {
	for range changeTries {
		row := run.RowWrite{Row: run.Row{Kind: eventKind, Project: e.project, ID: e.rowID()}}
		if id, known, err = a.seen(ctx, &row); known || err != nil {
			return id, known, err
		}
		spec, err := a.eventSpec(ctx, e, data)
		if err != nil {
			return id, false, err
		}
		id = a.cfg.Engine.NewID()
		now := a.cfg.Now().UTC()
		row.Created, row.Expires = now, now.Add(eventsKept)
		if row.Data, err = json.Marshal(seenEvent{Run: id}); err != nil {
			return id, false, err
		}
		_, err = a.cfg.Engine.Create(ctx, engine.NewRun{ID: id, Spec: spec, Rows: []run.RowWrite{row}})
		if conflict := new(run.RowConflict); errors.As(err, &conflict) && conflict.Kind == eventKind {
			continue // it has come twice at once
		}
		return id, false, err
	}
	return id, false, problem.New(problem.Conflict, "This event comes many times at once: one of them is enough.")
}

// rowID is where an event is known: by robot, source and the sender's id.
func (e *event) rowID() string {
	sum := sha256.Sum256([]byte(e.source + "\x00" + e.id))
	return e.robot.ID + "/" + hex.EncodeToString(sum[:16])
}

// seen returns the execution that an event has started. For a new event it sets
// the version that the row's write has to find.
func (a *API) seen(ctx context.Context, w *run.RowWrite) (run.ID, bool, error) {
	row, err := a.cfg.Rows.Row(ctx, eventKind, w.Project, w.ID)
	if problem.Is(err, problem.NotFound) {
		return run.ID{}, false, nil
	}
	if err != nil {
		return run.ID{}, false, err
	}
	if !a.cfg.Now().Before(row.Expires) {
		w.Expect = row.Version
		return run.ID{}, false, nil
	}
	var before seenEvent
	err = json.Unmarshal(row.Data, &before)
	return before.Run, err == nil, err
}

// eventSpec is the execution that handles the event, on the word of whoever has
// saved the robot.
func (a *API) eventSpec(ctx context.Context, e event, data map[string]any) (run.Spec, error) {
	scopes, err := a.cfg.Grants.Granted(ctx, e.project, e.robot.UpdatedBy)
	if err != nil {
		return run.Spec{}, err
	}
	about, err := json.Marshal(data)
	if err != nil {
		return run.Spec{}, err
	}
	name := e.source
	for _, field := range []string{"type", "event"} {
		if said, ok := data[field].(string); ok && eventName.MatchString(said) {
			name = said
			break
		}
	}
	return a.cfg.Desk.Execution(ctx, &e.robot, robot.Start{
		Project: e.project, Key: e.robot.UpdatedBy, Scopes: scopes, Context: about,
		Goals: fmt.Sprintf("Handle the event %s as your duties ask for.", name),
		Order: robot.Order{Trigger: robot.ByEvent, Source: "webhook", EventType: name},
	})
}

// secretBody shows a robot's own secret, this once.
type secretBody struct {
	MemberID string `json:"member_id"`
	Secret   string `json:"secret"`
}

// rotateSecret gives the robot another secret of its own and shows it. It signs and
// opens from then on, and the one before does not.
func (a *API) rotateSecret(ctx context.Context, r *wire.Request) (wire.Response, error) {
	if a.cfg.Secrets == nil {
		return wire.Response{}, problem.New(problem.NotAvailable, "This server starts no robots by events.")
	}
	return a.changing(ctx, r, func(before robot.Robot) (wire.Response, error) {
		rotated, secret := a.cfg.Secrets.Rotate(r.Caller.Project, before)
		// Another secret is no other robot: it stays on the word that it was saved on.
		after, rows, err := a.cfg.Roster.Change(r.Caller.Project, before.UpdatedBy, rotated, rotated.Profile, a.cfg.Now())
		if err != nil {
			return wire.Response{}, err
		}
		answer := wire.Response{Status: http.StatusOK, Body: secretBody{MemberID: after.ID, Secret: secret}}
		remembered, err := r.Remember(answer)
		if err != nil {
			return wire.Response{}, err
		}
		if err := a.cfg.Rows.Append(ctx, run.Commit{Rows: append(rows, remembered...)}); err != nil {
			return wire.Response{}, fmt.Errorf("giving robot %s another secret: %w", after.ID, err)
		}
		return answer, nil
	})
}
