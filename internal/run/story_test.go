package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A story is a run's life, line by line: what happens, and after "->" what the
// core wants then. tell reads this language:
//
//	tools read:safe charge:keyed send:once ask:function
//	gate send          limit steps=3 tokens=100 calls=2 time=60 gate=30
//	fail               on_unknown is fail, not ask
//	parallel           once calls may overlap
//	when send {"n":9}                     calls of the tool with these arguments are gated
//	untrusted send     outside read       gates behind what these tools bring in
//	quorum 2           on-timeout approve
//	yes KEY REACH A [ARGUMENTS]           a key approves, - reaches nowhere
//	share NAME…        calls of these tools go one after the other
//	snapshot NAME…     what these tools return is outdated by the next such return
//	passes 2           hand-back          raw       at-most read=1
//	schema {"type":…}  repairs 1          scopes a,b
//	reply TEXT         the model answers  (10 tokens)
//	reply read{} send{"to":"x"}           the model asks for tools
//	fails | fails-for-good                the model call brings nothing
//	start A  ok A TEXT  error A TEXT  unknown A  crash A  cut A
//	approve A…  reject A…  reject-on A…   a person decides; -on: the run goes on
//	lapse A…  changed A                   approvals expire, a tool is edited
//	say TEXT  output A TEXT               the caller
//	cancel pause resume deadline takeover begin        +90s  time passes
//	-> model/1 tool/act_01 resolve/act_02=unknown      these should be under way
//	-> wait STATUS     -> hold    -> end STATUS REASON
type story struct {
	t     *testing.T
	state State
	spec  Spec
	log   []Event
	at    time.Time
	begun bool
}

var epoch = time.Date(2026, 6, 11, 7, 2, 11, 0, time.UTC)

func tell(t *testing.T, text string) *story {
	t.Helper()
	s := &story{t: t, at: epoch, spec: Spec{
		Project: "default", Dialect: "native", Model: "m", OnUnknown: AskUnknown, Scopes: []string{"admin"},
		Input: Message{Role: User, Text: "Do it."}, Limits: Limits{MaxSteps: 8}, Repairs: 1,
	}}
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if want, ok := strings.CutPrefix(line, "-> "); ok {
			s.begin(false)
			if got := s.wants(); got != want {
				t.Fatalf("line %d: the core wants %q, the story %q\n%s", n+1, got, want, text)
			}
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if !s.set(word, rest) && !s.happen(word, rest) {
			t.Fatalf("line %d: the language has no %q", n+1, word)
		}
	}
	s.refolds()
	return s
}

// refolds checks that the log, through its stored form, folds to the same state.
func (s *story) refolds() {
	s.t.Helper()
	var again []Event
	for _, e := range s.log {
		data, err := Encode(e)
		if err != nil {
			s.t.Fatal(err)
		}
		copied := Event{Seq: e.Seq, ID: e.ID, At: e.At}
		if err := Decode(e.Type, data, &copied); err != nil {
			s.t.Fatal(err)
		}
		again = append(again, copied)
	}
	folded := Fold(ID{}, again)
	want, _ := json.Marshal(s.state)
	if got, _ := json.Marshal(folded); string(got) != string(want) {
		s.t.Errorf("the stored log folds to another state:\n%s\n%s", got, want)
	}
}

func (s *story) begin(queued bool) {
	if !s.begun {
		s.begun = true
		s.add(Event{Type: RunCreated, Created: &Created{Spec: s.spec, Queued: queued}})
	}
}

func (s *story) add(e Event) {
	e.Seq, e.At = s.state.Seq+1, s.at
	s.log = append(s.log, e)
	s.state = Apply(s.state, e)
}

// wants is what the core decides, in the words of a story.
func (s *story) wants() string {
	d := Decide(&s.state)
	switch {
	case s.state.Ended != nil:
		return fmt.Sprintf("over %s %s", s.state.Status, s.state.Ended.Reason)
	case d.Finish != nil:
		return fmt.Sprintf("end %s %s", d.Finish.Status, d.Finish.Reason)
	case d.Hold && len(d.Effects) == 0:
		return "hold"
	case len(d.Effects) == 0:
		return "wait " + string(s.state.Status)
	}
	var keys []string
	for _, e := range d.Effects {
		key := e.Key()
		if e.Kind == Resolve {
			key += "=" + string(e.Outcome)
		}
		keys = append(keys, key)
	}
	return strings.Join(keys, " ")
}

func (s *story) set(word, rest string) bool {
	switch word {
	case "tools":
		for _, item := range strings.Fields(rest) {
			name, class, _ := strings.Cut(item, ":")
			tool := Tool{Name: name, Class: Class(class), Version: "v1"}
			if class == "function" {
				tool.Class, tool.Function = Once, true
			}
			s.spec.Tools = append(s.spec.Tools, tool)
		}
	case "gate":
		s.spec.Gates = strings.Fields(rest)
	case "fail":
		s.spec.OnUnknown = FailUnknown
	case "parallel":
		s.spec.Parallel = true
	case "snapshot":
		for _, name := range strings.Fields(rest) {
			s.spec.Tool(name).Snapshot = true
		}
	case "when":
		tool, arguments, _ := strings.Cut(rest, " ")
		s.approval().Rules = append(s.approval().Rules, Rule{Tool: tool, When: arguments})
	case "untrusted":
		s.approval().Untrusted = strings.Fields(rest)
	case "outside":
		s.spec.Tool(rest).Outside = true
	case "quorum":
		s.approval().Quorum, _ = strconv.Atoi(rest)
	case "on-timeout":
		s.approval().OnTimeout = OnTimeout(rest)
	case "share":
		for _, name := range strings.Fields(rest) {
			s.spec.Tool(name).Serial = "it"
		}
	case "passes":
		s.spec.Passes, _ = strconv.Atoi(rest)
	case "hand-back":
		s.spec.HandBack = true
	case "raw":
		s.spec.RawResults = true
	case "at-most":
		name, most, _ := strings.Cut(rest, "=")
		limit, _ := strconv.Atoi(most)
		s.spec.ToolLimits = map[string]int{name: limit}
	case "schema":
		s.spec.Output = json.RawMessage(rest)
	case "repairs":
		s.spec.Repairs, _ = strconv.Atoi(rest)
	case "scopes":
		s.spec.Scopes = strings.Split(rest, ",")
	case "limit":
		s.limit(rest)
	default:
		return false
	}
	return true
}

func (s *story) approval() *Approval {
	if s.spec.Approval == nil {
		s.spec.Approval = &Approval{}
	}
	return s.spec.Approval
}

// yes is one key's approval, with what belongs to it.
func (s *story) yes(rest string) Event {
	words := strings.SplitN(rest, " ", 4)
	d := &Decided{Approve: true, By: words[0], Reach: Reach(strings.Trim(words[1], "-")), Actions: words[2:3]}
	if len(words) > 3 {
		d.Arguments, d.Digest, d.Preview = words[3], "new", "new"
	}
	return Event{Type: ApprovalDecided, Decided: d}
}

func (s *story) limit(rest string) {
	for _, item := range strings.Fields(rest) {
		name, value, _ := strings.Cut(item, "=")
		n, _ := strconv.Atoi(value)
		l := &s.spec.Limits
		switch name {
		case "steps":
			l.MaxSteps = n
		case "tokens":
			l.MaxTokens = n
		case "cost":
			l.MaxCost = Micros(n)
		case "calls":
			l.MaxToolCalls = n
		case "time":
			l.WallTime = Seconds(n)
		case "gate":
			s.spec.GateTimeout = Seconds(n)
		default:
			s.t.Fatalf("no limit %q", name)
		}
	}
}

func (s *story) happen(word, rest string) bool {
	s.begin(word == "queued")
	if after, err := time.ParseDuration(strings.TrimPrefix(word, "+")); err == nil {
		s.at = s.at.Add(after)
		return true
	}
	action, text, _ := strings.Cut(rest, " ")
	plain := map[string]Event{
		"queued":   {Type: "test.nothing"},
		"begin":    {Type: RunStarted},
		"cancel":   {Type: CancelRequested, Cancel: &Cancel{}},
		"pause":    {Type: RunPaused, Actor: &Actor{}},
		"resume":   {Type: RunResumed, Actor: &Actor{}},
		"deadline": {Type: DeadlinePassed, Deadline: &Deadline{Which: WallTime}},
		"takeover": {Type: RunDriven, Driven: &Driven{Epoch: s.state.Epoch + 1}},
		"say":      {Type: MessageAdded, Message: &Added{Text: rest}},
		"output":   {Type: InputReceived, Input: &Input{Outputs: []Output{{Action: action, Text: text}}}},
		"start":    {Type: ToolStarted, Started: &Started{Action: action, Epoch: s.state.Epoch}},
		"ok":       {Type: ToolFinished, Finished: &Finished{Action: action, Outcome: OK, Output: text}},
		"error":    {Type: ToolFinished, Finished: &Finished{Action: action, Outcome: Errored, Output: text}},
		"unknown":  {Type: ToolFinished, Finished: &Finished{Action: action, Outcome: Unknown}},
		"crash":    {Type: ToolFinished, Finished: &Finished{Action: action, Outcome: Unknown, Crash: true}},
		"cut":      {Type: ToolFinished, Finished: &Finished{Action: action, Outcome: Cancelled}},
		"approve":  {Type: ApprovalDecided, Decided: &Decided{Actions: strings.Fields(rest), Approve: true}},
		"reject":   {Type: ApprovalDecided, Decided: &Decided{Actions: strings.Fields(rest)}},
		"lapse":    {Type: ApprovalExpired, Expired: &Expired{Actions: strings.Fields(rest), Timeout: true}},
		"fails":    {Type: ModelFailed, Failed: &Failed{Step: s.state.Step(), Code: "model_unavailable", Message: "It is down.", Retry: true, AfterMs: 100}},
	}
	plain["reject-on"] = Event{Type: ApprovalDecided, Decided: &Decided{Actions: strings.Fields(rest), Continue: true}}
	plain["fails-for-good"] = Event{Type: ModelFailed, Failed: &Failed{Step: s.state.Step(), Code: "model_auth", Message: "The key is wrong."}}
	plain["changed"] = Event{Type: ApprovalExpired, Expired: &Expired{Actions: []string{action},
		Tool: &Tool{Name: "send", Class: Once, Version: "v2"}, Digests: []string{"new"}, Previews: []string{"p"}}}
	switch e, ok := plain[word]; {
	case ok:
		s.add(e)
	case word == "yes":
		s.add(s.yes(rest))
	case word == "reply":
		s.add(Event{Type: ModelResponded, Responded: s.reply(rest)})
	case word == "finish":
		s.add(Event{Type: RunFinished, Ended: Decide(&s.state).Finish})
	default:
		return false
	}
	return true
}

func (s *story) reply(rest string) *Responded {
	r := &Responded{Step: s.state.Step(), Attempt: s.state.Attempt(), Seen: len(s.state.Messages)}
	if seen, text, ok := strings.Cut(rest, "| "); ok { // "0 | text": what the request held
		r.Seen, _ = strconv.Atoi(strings.TrimSpace(seen))
		rest = text
	}
	r.Reply.Usage = Usage{Input: 6, Output: 4, Cost: 10}
	if !strings.Contains(rest, "{") || s.state.Spec.Output != nil {
		r.Reply.Text = rest
		if s.state.Spec.Output != nil {
			r.Output = &Verdict{Value: json.RawMessage(rest)}
			if !json.Valid([]byte(rest)) {
				r.Output = &Verdict{Problem: "not JSON"}
			}
		}
		return r
	}
	for i, item := range strings.Fields(rest) {
		name, arguments, _ := strings.Cut(item, "{")
		r.Reply.Calls = append(r.Reply.Calls, Call{ID: fmt.Sprintf("call_%d_%d", r.Step, i), Name: name, Arguments: "{" + arguments})
	}
	r.Actions = Plan(&s.state, &r.Reply, Judge{Check: func(_ *Tool, arguments string) error {
		if !json.Valid([]byte(arguments)) {
			return errors.New("not JSON")
		}
		return nil
	}, Holds: func(when, arguments string) bool { return when == arguments }})
	return r
}
