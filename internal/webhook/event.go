package webhook

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"errand/internal/run"
)

// What can be told of a run.
const (
	Completed = "run.completed"
	Failed    = "run.failed"
	Cancelled = "run.cancelled"
	Awaiting  = "run.awaiting_approval"
)

// All is the pattern of an endpoint that wants to hear everything.
const All = "*"

// Events lists what an endpoint can ask for.
func Events() []string { return []string{Completed, Failed, Cancelled, Awaiting, All} }

// Notice is an event of a run on its way out.
type Notice struct {
	ID   string // evt_…, the same for everyone who is told and in each attempt
	Type string
	At   time.Time
	// Own says that it goes to the URL that the run was made with, in the shape of
	// the API that made it.
	Own bool
	// State is the run as it stood right after the event. It must not be kept.
	State *run.State
}

// Kinds of jobs.
const (
	FanJob  = "webhook"        // a run has something to tell: make the deliveries
	SendJob = "webhook.send"   // make one attempt
	WakeJob = "webhook.resume" // an endpoint answers again: send what waits for it
)

// note is the data of a FanJob: what there is to tell up to Seq.
type note struct {
	Project string `json:"project"`
	Seq     int64  `json:"seq"`
}

// Jobs returns the job that tells what these events bring, to be written in their
// commit; s is the run after them. There is none for a run that nobody listens to.
// It may say too much: what there really is to tell is read from the log.
func Jobs(s *run.State, events []run.Event, listens func(project string) bool) []run.Job {
	if len(events) == 0 || s.Spec.Webhook == "" && !listens(s.Spec.Project) {
		return nil
	}
	ends := slices.ContainsFunc(events, func(e run.Event) bool { return e.Type == run.RunFinished })
	if !ends && s.Status != run.AwaitingApproval {
		return nil
	}
	last := &events[len(events)-1]
	data, err := json.Marshal(note{Project: s.Spec.Project, Seq: last.Seq})
	if err != nil { // a text and a number always have a JSON form
		return nil
	}
	return []run.Job{{Kind: FanJob, Run: s.ID, Due: last.At, Data: data}}
}

// teller reads a log from its beginning and says which events are to be told.
type teller struct {
	state run.State
	asked map[string]time.Time // pending actions that were told, and since when they are
}

// take folds the next event and returns what it is called outside, or "".
func (t *teller) take(e *run.Event) string {
	t.state.Take(e)
	switch {
	case e.Type == run.RunFinished:
		return endOf(t.state.Status)
	case t.state.Status != run.AwaitingApproval:
		return ""
	}
	news := false
	for _, action := range t.state.Pending() {
		if since, known := t.asked[action.ID]; !known || !since.Equal(action.Since) {
			t.asked[action.ID], news = action.Since, true
		}
	}
	if !news { // someone was told already
		return ""
	}
	return Awaiting
}

func endOf(status run.Status) string {
	switch status {
	case run.Completed:
		return Completed
	case run.CancelledStatus:
		return Cancelled
	}
	return Failed
}

// wants reports whether an endpoint that asks for these hears of an event. Who
// wants to hear of failures hears of cancellations too: otherwise it would wait
// for ever for the end of a run.
func wants(asked []string, event string) bool {
	return slices.Contains(asked, All) || slices.Contains(asked, event) || event == Cancelled && slices.Contains(asked, Failed)
}

// eventID names an event to receivers: they know by it what they have had.
func eventID(id run.ID, seq int64) string { return fmt.Sprintf("evt_%s%06x", id, seq) }
