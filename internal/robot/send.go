package robot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

const (
	// sendWindow is how long a target is tried.
	sendWindow = 24 * time.Hour
	// firstRetry and lastRetry bound the waits, which double.
	firstRetry, lastRetry = 5 * time.Second, time.Hour
	// jitter spreads retries by a fifth, so that those of one outage don't come
	// back as one.
	jitter = 0.2
)

// attempt is what came of one try.
type attempt struct {
	fault string        // why it has not arrived, in public words; empty = it has
	lost  bool          // nobody knows whether it has
	final bool          // trying again is of no use
	after time.Duration // the receiver wants to be left alone so long
}

// send tries a target.
func (c *Courier) send(ctx context.Context, job run.Job) error {
	var t ticket
	if err := json.Unmarshal(job.Data, &t); err != nil {
		return fmt.Errorf("reading which target to try: %w", err)
	}
	e, err := c.ended(ctx, t.Project, job.Run)
	if e == nil || err != nil {
		return err
	}
	id := recordID(e.shown.MemberID, job.Run)
	rec, err := c.record(ctx, t.Project, id)
	if problem.Is(err, problem.NotFound) || err == nil && !rec.open(&t) {
		return nil
	}
	if err != nil {
		return err
	}
	e.shown.after(rec)
	switch kind := rec.Targets[t.Target].Type; kind {
	case "file":
		return c.sendFile(ctx, e, rec, &t)
	case "email":
		return c.sendMail(ctx, e, rec, &t)
	}
	a := c.post(ctx, e, &rec.Targets[t.Target])
	if ctx.Err() != nil {
		return ctx.Err() // the server stops: nobody knows whether it arrived, so it is made again
	}
	return c.note(ctx, job.Run, id, &t, a)
}

// open reports whether the target still waits for this job.
func (r *record) open(t *ticket) bool {
	return t.Target >= 0 && t.Target < len(r.Targets) && r.Targets[t.Target].Status == TargetPending && r.Targets[t.Target].Round == t.Round
}

// note writes down what came of an attempt, and what is next.
func (c *Courier) note(ctx context.Context, of run.ID, id string, t *ticket, a attempt) error {
	ctx = context.WithoutCancel(ctx) // an answer that has come is not asked for twice because the server stops
	_, err := c.amend(ctx, id, t, func(rec *record, also *run.Commit) error {
		now := c.cfg.Now().UTC().Truncate(time.Millisecond)
		to := &rec.Targets[t.Target]
		to.Attempts, to.Begun, to.Next, to.Error = to.Attempts+1, false, nil, a.fault
		next := now.Add(max(c.backoff(to.Attempts), a.after).Truncate(time.Millisecond))
		switch {
		case a.lost:
			to.Status = TargetUnknown
		case a.fault == "":
			to.Status, to.Success, to.SentAt = TargetSent, true, &now
		case a.final:
			to.Status = TargetFailed
		case next.Sub(to.Since) > sendWindow:
			to.Status, to.Error = TargetFailed, a.fault+" It was tried for a day."
		default:
			to.Next = &next
			to.Round++
			job, err := rec.job(of, t.Target, next)
			also.Jobs = append(also.Jobs, job)
			return err
		}
		rec.settle(now)
		return nil
	})
	return err
}

// settle notes when the last target was settled.
func (r *record) settle(now time.Time) {
	if r.settled() {
		r.SentAt = &now
	}
}

// tries bounds how often a change is made anew because another target's was
// quicker.
const tries = 20

// amend changes the record for the job that works on one of its targets, and
// reports whether it did: it does not when the target is not this job's any more.
func (c *Courier) amend(ctx context.Context, id string, t *ticket, change func(rec *record, also *run.Commit) error) (done bool, err error) {
	for range tries {
		var rec *record
		if rec, err = c.record(ctx, t.Project, id); err != nil || !rec.open(t) {
			return false, err
		}
		var made run.Commit
		if err = change(rec, &made); err != nil {
			return false, err
		}
		write, failed := rec.write()
		if failed != nil {
			return false, failed
		}
		made.Rows = append(made.Rows, write)
		err = c.cfg.Keeper.Append(ctx, made)
		var conflict *run.RowConflict
		if !errors.As(err, &conflict) {
			return err == nil, err
		}
	}
	return false, err
}

// backoff is how long to wait after so many attempts.
func (c *Courier) backoff(attempts int) time.Duration {
	wait := firstRetry
	for i := 1; i < attempts && wait < lastRetry; i++ {
		wait *= 2
	}
	wait = min(wait, lastRetry)
	return wait + time.Duration((2*c.cfg.Random()-1)*jitter*float64(wait))
}

// sendFile stores the delivery as a file. That and its being noted are one
// transaction, which is made anew when another target's note was quicker.
func (c *Courier) sendFile(ctx context.Context, e *ended, rec *record, t *ticket) (err error) {
	for range tries {
		if !rec.open(t) {
			return nil
		}
		to := &rec.Targets[t.Target]
		f := NewFile{Project: rec.project, Name: to.Name, Type: contentType(to.Name), Content: letter(&e.shown)}
		err = c.cfg.Drawer.Keep(ctx, f, func(id string) ([]run.RowWrite, error) {
			now := c.cfg.Now().UTC().Truncate(time.Millisecond)
			to.Status, to.Success, to.SentAt, to.Target = TargetSent, true, &now, id
			to.Attempts++
			rec.settle(now)
			write, err := rec.write()
			return []run.RowWrite{write}, err
		})
		var conflict *run.RowConflict
		switch {
		case lasting(err):
			return c.note(ctx, e.state.ID, rec.id, t, attempt{final: true, fault: problem.From(err).Detail})
		case !errors.As(err, &conflict):
			return err
		}
		if rec, err = c.record(ctx, t.Project, rec.id); err != nil {
			return err
		}
	}
	return err
}

// sendMail sends a mail. That it is about to be sent is on disk before: what a
// crash hits is not sent twice.
func (c *Courier) sendMail(ctx context.Context, e *ended, rec *record, t *ticket) error {
	to := rec.Targets[t.Target]
	if to.Begun {
		return c.note(ctx, e.state.ID, rec.id, t, attempt{lost: true, fault: "This server stopped while the mail was being handed over: it may or may not have been sent. It was not sent again."})
	}
	if c.cfg.Mailer == nil {
		return c.note(ctx, e.state.ID, rec.id, t, attempt{final: true, fault: "This server sends no mail: its operator has not set ERRAND_SMTP_URL."})
	}
	mine := false
	begun, err := c.amend(ctx, rec.id, t, func(rec *record, _ *run.Commit) error {
		mine = !rec.Targets[t.Target].Begun
		rec.Targets[t.Target].Begun = true
		return nil
	})
	if err != nil || !begun || !mine { // another one who does the same job sends it
		return err
	}
	var a attempt
	err = c.cfg.Mailer.Send(ctx, to.To, to.Subject, letter(&e.shown))
	switch {
	case err == nil:
	case problem.Is(err, problem.ToolUnknown):
		a = attempt{lost: true, fault: problem.From(err).Detail + " It was not sent again."}
	case problem.Is(err, problem.ToolFailed):
		a.fault = problem.From(err).Detail
	default:
		a.fault = "The mail could not be sent."
		c.cfg.Logger.Error("a delivery could not be mailed", "execution", e.shown.ID, "error", err)
	}
	return c.note(ctx, e.state.ID, rec.id, t, a)
}

// letter is a delivery as one text.
func letter(e *Execution) string {
	var out strings.Builder
	content := &e.Delivery.Content
	out.WriteString(strings.TrimSpace(content.Summary))
	if body := strings.TrimSpace(content.Body); body != strings.TrimSpace(content.Summary) {
		out.WriteString("\n\n" + body)
	}
	for i, a := range content.Attachments {
		if i == 0 {
			out.WriteString("\n\nAttachments, as files of the project:")
		}
		fmt.Fprintf(&out, "\n- %s (%s)", a.Title, a.File)
	}
	return out.String() + "\n"
}

// notice is the body of a webhook.
type notice struct {
	Event       string       `json:"event"`
	Timestamp   time.Time    `json:"timestamp"` // of the execution's end: the same in each attempt
	ExecutionID string       `json:"execution_id"`
	MemberID    string       `json:"member_id"`
	TeamID      string       `json:"team_id"`
	Trigger     string       `json:"trigger_type"`
	Content     noticeText   `json:"content"`
	Attachments []Attachment `json:"attachments,omitempty"`
}

type noticeText struct {
	Summary string `json:"summary"`
	Body    string `json:"body"`
}

// DeliveryEvent is what a webhook is told of.
const DeliveryEvent = "robot.delivery"

func (e *ended) notice() ([]byte, error) {
	x := &e.shown
	return json.Marshal(notice{
		Event: DeliveryEvent, Timestamp: e.state.EndedAt, ExecutionID: x.ID, MemberID: x.MemberID, TeamID: x.TeamID, Trigger: x.Trigger,
		Content: noticeText{x.Delivery.Content.Summary, x.Delivery.Content.Body}, Attachments: x.Delivery.Content.Attachments,
	})
}

// post calls a webhook.
func (c *Courier) post(ctx context.Context, e *ended, to *target) attempt {
	if e.robot == nil {
		return attempt{final: true, fault: "The robot was deleted, and its secret with it."}
	}
	secret, err := c.cfg.Book.secret(e.shown.TeamID, e.robot, to.Target)
	if err != nil {
		c.cfg.Logger.Error("a robot's secret can't be opened", "robot", e.robot.ID, "error", err)
		return attempt{fault: "Its secret can't be opened on this server: set it anew."}
	}
	body, err := e.notice()
	if err != nil {
		return attempt{final: true, fault: "The delivery has no JSON form."}
	}
	answer := c.cfg.Caller.Call(ctx, Notice{ID: "msg_" + e.state.ID.String(), URL: to.Target, Header: to.Headers, Secret: secret, Body: body})
	return attempt{fault: answer.Fault, final: answer.Gone, after: answer.After}
}
