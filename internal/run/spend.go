package run

import (
	"fmt"
	"slices"
	"time"
)

// Spend is what runs have used up on one day, under one set of names. A commit
// adds its own to what is stored there.
type Spend struct {
	Account
	Runs  int // that began
	Calls int // of models, answered or not
	Usage Usage
}

// Account is what spending is booked under. Days are UTC.
type Account struct {
	Project string
	Day     Day
	Agent   string // id of the saved agent; empty = an ad-hoc run
	Under   string // ids of the agents that have handed the work down, outermost first, with a space between
	Key     string // id of the API key
	Model   string // that answered, as provider/name; empty for the beginning of a run
}

// Day is a day in UTC, as 2006-01-02.
type Day string

// DayOf returns the day of a time. Each commit of a run asks for it, so it is
// written out by hand: a layout costs ten times as much, and a deeper stack.
func DayOf(t time.Time) Day {
	year, month, day := t.UTC().Date()
	text := [...]byte{0, 0, 0, 0, '-', 0, 0, '-', 0, 0}
	digits(text[0:4], year)
	digits(text[5:7], int(month))
	digits(text[8:10], day)
	return Day(text[:])
}

func digits(into []byte, n int) {
	for i := len(into) - 1; i >= 0; i-- {
		into[i] = byte('0' + n%10)
		n /= 10
	}
}

// Bill returns what the events, which the state has taken, have used up: nil for
// most of them.
func Bill(s *State, events []Event) []Spend {
	var bill []Spend
	for i := range events {
		e := &events[i]
		var one Spend
		switch {
		case e.Type == RunCreated && s.Spec.Parent == nil: // else it is a part of the run that has handed it over
			one.Runs = 1
		case e.Type == ModelResponded:
			one.Calls, one.Usage, one.Model = 1, e.Responded.Reply.Usage, e.Responded.Reply.Model
		case e.Type == ModelFailed:
			one.Calls, one.Usage = 1, e.Failed.Usage
		default:
			continue
		}
		model := one.Model
		if model == "" && one.Calls > 0 {
			model = s.Spec.Model
		}
		one.Account = s.Spec.Account()
		one.Day, one.Model = DayOf(e.At), model
		bill = append(bill, one)
	}
	return bill
}

// Account is what the run's spending is booked under, but for day and model.
func (s *Spec) Account() Account {
	a := Account{Project: s.Project, Key: s.Key, Under: s.Under}
	if s.Agent != nil {
		a.Agent = s.Agent.ID
	}
	return a
}

// Hold is room in the budgets that is kept for one model call while it is under
// way: as much as the call can cost at most.
type Hold struct {
	ID string `json:"id"` // run, step, attempt
	Account
	Tokens int    `json:"tokens"` // input and output
	Cost   Micros `json:"cost"`   // 0 where the model has no known price
}

// HoldKind is the kind of row that holds are kept in, so that one which a crash
// has left is charged in full.
const HoldKind = "hold"

// Hold is the room that the call of a step needs, if it costs this much at most.
func (s *State) Hold(call Effect, at time.Time, tokens int, cost Micros) Hold {
	h := Hold{ID: fmt.Sprintf("%s/%d/%d", s.ID, call.Step, call.Attempt), Account: s.Spec.Account(), Tokens: tokens, Cost: cost}
	h.Day, h.Model = DayOf(at), s.Spec.Model
	return h
}

// Forfeit is the spending of a call of which nobody knows what it has cost: all
// that it could.
func (h *Hold) Forfeit() Spend {
	return Spend{Account: h.Account, Calls: 1, Usage: Usage{Input: h.Tokens, Cost: h.Cost, Estimated: true}}
}

// Room is what a budget says to a hold.
type Room struct {
	Granted bool     // the call may be made
	Refusal *Refusal // it may not, even if nobody else were calling; nil, and not granted = wait
}

// Add books another spending under the same account.
func (s *Spend) Add(other *Spend) {
	s.Runs, s.Calls, s.Usage = s.Runs+other.Runs, s.Calls+other.Calls, s.Usage.Add(other.Usage)
}

// ReplyTokens is how long a reply may be under a budget where nobody has said it:
// without a bound nobody could say what a call can cost at most.
const ReplyTokens = 8192

// Cap bounds the reply where nobody else has. A model that does not take the bound
// is called without it.
func (r *Request) Cap() {
	if r.Params.MaxTokens == 0 {
		r.Params.MaxTokens = ReplyTokens
		r.Params.Defaults = append(slices.Clone(r.Params.Defaults), "max_tokens")
	}
}

// envelope is what a message, a call or a tool adds to a request beside its texts,
// in bytes: names of fields, quotes, brackets.
const envelope = 48

// Weigh counts the bytes of what a request says, each of which is a token at most,
// and its pictures.
func (r *Request) Weigh() (text, pictures int) {
	text = envelope + len(r.Output)
	for i := range r.Messages {
		m := &r.Messages[i]
		text += envelope + len(m.Text) + len(m.Reasoning) + len(m.CallID) + len(m.Tool) + len(m.Carry)
		for j := range m.Calls {
			text += envelope + len(m.Calls[j].ID) + len(m.Calls[j].Name) + len(m.Calls[j].Arguments)
		}
		pictures += len(m.Images)
	}
	for i := range r.Tools {
		t := &r.Tools[i]
		text += envelope + len(t.Name) + len(t.Description) + len(t.Parameters)
	}
	return text, pictures
}

// Longest is how many tokens the reply may have, thoughts included, under the bound
// that Cap sets where there is none.
func (r *Request) Longest() int {
	if r.Params.MaxTokens == 0 {
		return ReplyTokens + r.Params.Thinking
	}
	return r.Params.MaxTokens + r.Params.Thinking
}
