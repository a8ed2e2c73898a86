package robot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Kinds of jobs.
const (
	SettleJob = "robot.settle" // an execution has ended: keep what it left, and see to its targets
	SendJob   = "robot.send"   // try one target
)

// Keeper keeps rows. A store has this method.
type Keeper interface {
	// Append writes the commit and returns when it is on disk.
	Append(ctx context.Context, commit run.Commit) error
}

// Mailer sends mail.
type Mailer interface {
	// Send sends one. A tool_unknown problem means that it may have been sent; after
	// any other error it was not.
	Send(ctx context.Context, to []string, subject, body string) error
}

// Drawer stores files.
type Drawer interface {
	// Keep stores one, in one transaction with the rows that more returns.
	Keep(ctx context.Context, f NewFile, more func(id string) ([]run.RowWrite, error)) error
}

// NewFile is a file to be stored.
type NewFile struct {
	Project, Name, Type string
	Content             string
}

// Caller tells other servers. internal/robot/post has the implementation.
type Caller interface {
	// Call makes one attempt.
	Call(ctx context.Context, n Notice) Answer
}

// Notice is a delivery on its way to a webhook.
type Notice struct {
	ID     string // the same in each attempt
	URL    string
	Header map[string]string
	Secret string // signs it
	Body   []byte // JSON
}

// Answer is what came of an attempt.
type Answer struct {
	Fault string        // why it has not arrived, in public words; empty = it has
	Gone  bool          // the receiver wants no more
	After time.Duration // and wants to be left alone for so long
}

// CourierConfig is what a Courier needs. Book, Log, Keeper, Drawer, Caller and Now
// must be set.
type CourierConfig struct {
	Book   *Book
	Log    Log
	Keeper Keeper
	Drawer Drawer
	Mailer Mailer // nil = this server sends no mail
	Caller Caller
	Now    func() time.Time
	Logger *slog.Logger   // nil = none
	Random func() float64 // from 0 to 1, spreads retries; nil = math/rand
}

// Courier sees to what is left to do when an execution has ended: what it has
// delivered goes to the robot's targets, and what there was to learn is kept.
type Courier struct{ cfg CourierConfig }

// NewCourier checks the configuration.
func NewCourier(cfg CourierConfig) (*Courier, error) {
	if cfg.Book == nil || cfg.Log == nil || cfg.Keeper == nil || cfg.Drawer == nil || cfg.Caller == nil || cfg.Now == nil {
		return nil, errors.New("robot: Book, Log, Keeper, Drawer, Caller and Now must be set")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	return &Courier{cfg: cfg}, nil
}

// Outbox returns the job that an execution's end causes, for its commit.
func (c *Courier) Outbox(s *run.State, events []run.Event) []run.Job {
	if len(events) == 0 || MemberOf(&s.Spec) == "" || s.Spec.Dialect != Dialect {
		return nil
	}
	if !slices.ContainsFunc(events, func(e run.Event) bool { return e.Type == run.RunFinished }) {
		return nil
	}
	data, err := json.Marshal(ticket{Project: s.Spec.Project})
	if err != nil { // a text always has a JSON form
		return nil
	}
	return []run.Job{{Kind: SettleJob, Run: s.ID, Due: events[len(events)-1].At, Data: data}}
}

// Handlers do the courier's jobs, by kind.
func (c *Courier) Handlers() map[string]func(context.Context, run.Job) error {
	return map[string]func(context.Context, run.Job) error{SettleJob: c.settle, SendJob: c.send}
}

// ticket is the data of a job. Target and Round are of a SendJob: one whose round
// is over does nothing, so that a target has one job at a time, whatever a crash
// repeats.
type ticket struct {
	Project string `json:"project"`
	Target  int    `json:"target,omitempty"`
	Round   int    `json:"round,omitempty"`
}

// ended is an execution that is over, and its robot; nil if that was deleted.
type ended struct {
	state run.State
	shown Execution
	robot *Robot
}

func (c *Courier) ended(ctx context.Context, project string, id run.ID) (*ended, error) {
	events, err := c.cfg.Log.Load(ctx, id, 0, 0)
	if err != nil {
		return nil, err
	}
	e := &ended{state: run.Fold(id, events)}
	if len(events) == 0 || e.state.Ended == nil {
		return nil, nil // it was deleted
	}
	e.shown = Project(&e.state)
	robot, err := c.cfg.Book.Find(ctx, project, e.shown.MemberID)
	if problem.Is(err, problem.NotFound) {
		return e, nil
	}
	e.robot = &robot
	return e, err
}

// settle writes down what is to become of an execution, stores what it has made,
// and gives each target its job. Each part is done once, however often a crash
// repeats the whole.
func (c *Courier) settle(ctx context.Context, job run.Job) error {
	var t ticket
	if err := json.Unmarshal(job.Data, &t); err != nil {
		return fmt.Errorf("reading which execution to settle: %w", err)
	}
	e, err := c.ended(ctx, t.Project, job.Run)
	if e == nil || err != nil {
		return err
	}
	rec, err := c.record(ctx, t.Project, recordID(e.shown.MemberID, job.Run))
	if problem.Is(err, problem.NotFound) {
		rec, err = c.open(ctx, e)
	}
	if err != nil {
		return err
	}
	if err := c.store(ctx, e, rec); err != nil {
		return err
	}
	return c.arm(ctx, job.Run, rec)
}

func (c *Courier) record(ctx context.Context, project, id string) (*record, error) {
	row, err := c.cfg.Book.Rows.Row(ctx, recordKind, project, id)
	if err != nil {
		return nil, err
	}
	return readRecord(&row)
}

// open makes the record, and keeps what there was to learn with it.
func (c *Courier) open(ctx context.Context, e *ended) (*record, error) {
	s := &e.state
	now := c.cfg.Now().UTC().Truncate(time.Millisecond)
	rec := &record{project: s.Spec.Project, id: recordID(e.shown.MemberID, s.ID), created: now, Handed: s.Handed.Cost}
	var rows []run.RowWrite
	if e.shown.Delivery != nil {
		rec.Files = make([]string, len(e.shown.Delivery.Content.Attachments))
		for i, a := range e.shown.Delivery.Content.Attachments {
			rec.Files[i] = a.File
		}
		if e.robot != nil && s.Spec.Final == DeliverTool {
			rec.Targets = e.robot.targets(&e.shown, now)
		}
	}
	if e.robot != nil && s.Spec.Final == DeliverTool {
		var insights []string
		if d := followed(s, "").delivered; d != nil {
			insights = d.Insights
		}
		if lines := learnt(&e.robot.Profile, s, &e.shown, insights); len(lines) > 0 {
			row, err := lessonRow(e.robot, s, now, lines)
			if err != nil {
				return nil, err
			}
			rec.Learns, rows = true, append(rows, row)
		}
	}
	write, err := rec.write()
	if err != nil {
		return nil, err
	}
	err = c.cfg.Keeper.Append(ctx, run.Commit{Rows: append(rows, write)})
	rec.version++
	return rec, err
}

// targets are the robot's, as an execution finds them.
func (p *Profile) targets(e *Execution, now time.Time) []target {
	var all []target
	add := func(kind, name string, t target) {
		t.Type, t.Target, t.Status, t.Since = kind, name, TargetPending, now
		all = append(all, t)
	}
	d := p.Config.Delivery
	if d == nil {
		return nil
	}
	if d.File != nil && d.File.Enabled {
		for _, f := range d.File.Targets {
			name := first(f.Name, strings.Map(plainName, e.Name)+".md")
			add("file", name, target{Name: name})
		}
	}
	if d.Webhook != nil && d.Webhook.Enabled {
		for _, w := range d.Webhook.Targets {
			add("webhook", w.URL, target{Headers: w.Headers})
		}
	}
	if d.Email != nil && d.Email.Enabled {
		for _, m := range d.Email.Targets {
			add("email", strings.Join(m.To, ", "), target{To: m.To, Subject: first(m.Subject, e.Name, p.DisplayName)})
		}
	}
	return all
}

// plainName leaves out of a file's name what would make a path of it.
func plainName(r rune) rune {
	if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
		return -1
	}
	return r
}

// store keeps the attachments that came as text as files. One that the project has
// no room for is told of, and holds up nothing else.
func (c *Courier) store(ctx context.Context, e *ended, rec *record) error {
	d := followed(&e.state, "").delivered
	if d == nil || rec.Armed {
		return nil
	}
	for i := range d.Attachments {
		h := &d.Attachments[i]
		if i >= len(rec.Files) || rec.Files[i] != "" {
			continue
		}
		f := NewFile{Project: rec.project, Name: h.fileName(), Type: contentType(h.Title), Content: h.Content}
		err := c.cfg.Drawer.Keep(ctx, f, func(id string) ([]run.RowWrite, error) {
			rec.Files[i] = id
			write, err := rec.write()
			return []run.RowWrite{write}, err
		})
		switch {
		case lasting(err):
			rec.Files[i] = ""
			rec.Fault = fmt.Sprintf("%s was not stored: %s", h.Title, problem.From(err).Detail)
		case err != nil:
			return fmt.Errorf("storing an attachment of %s: %w", e.shown.ID, err)
		default:
			rec.version++
		}
	}
	return nil
}

// lasting reports whether trying again is of no use.
func lasting(err error) bool {
	return problem.Is(err, problem.QuotaExceeded) || problem.Is(err, problem.TooLarge) || problem.Is(err, problem.InvalidRequest)
}

// arm gives each target its job.
func (c *Courier) arm(ctx context.Context, id run.ID, rec *record) error {
	if rec.Armed {
		return nil
	}
	rec.Armed = true
	write, err := rec.write()
	if err != nil {
		return err
	}
	commit := run.Commit{Rows: []run.RowWrite{write}}
	for i := range rec.Targets {
		job, err := rec.job(id, i, rec.Targets[i].Since)
		if err != nil {
			return err
		}
		commit.Jobs = append(commit.Jobs, job)
	}
	err = c.cfg.Keeper.Append(ctx, commit)
	var conflict *run.RowConflict
	if errors.As(err, &conflict) {
		return nil // another one was quicker
	}
	return err
}

func (r *record) job(id run.ID, target int, due time.Time) (run.Job, error) {
	data, err := json.Marshal(ticket{Project: r.project, Target: target, Round: r.Targets[target].Round})
	return run.Job{Kind: SendJob, Run: id, Due: due, Data: data}, err
}
