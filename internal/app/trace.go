package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"errand/client"
)

// tracer tells a run to a person as it happens: each step with its tools, tokens,
// cost and time. It is fed with stored events, or with a stream's frames, in
// which case the model's text appears as it is written.
type tracer struct {
	p     *process
	body  *margin           // where the model's text goes
	tools map[string]string // by action
	text  strings.Builder   // of the step under way, as far as it was printed
	step  int               // whose heading was printed last
	last  string            // type of the event before
}

func newTracer(p *process) *tracer {
	return &tracer{p: p, body: newMargin(p.Out, "    "), tools: map[string]string{}}
}

// frame shows one frame of a stream.
func (t *tracer) frame(frame client.Frame) error {
	if delta, ok := frame.Delta(); ok {
		if delta.Text != "" {
			t.heading(delta.Step)
			t.write(delta.Text)
		}
		return nil
	}
	if frame.Type == "reset" {
		t.closeLine()
		t.text.Reset()
		return nil
	}
	if event, ok := frame.Event(); ok {
		t.event(event)
	}
	return nil
}

// eventData is what the tracer reads of any event's data.
type eventData struct {
	Prompt    string            `json:"prompt"`
	Model     string            `json:"model"`
	Step      int               `json:"step"`
	Text      string            `json:"text"`
	Calls     []callData        `json:"calls"`
	Usage     client.Usage      `json:"usage"`
	Ms        int64             `json:"ms"`
	Code      string            `json:"code"`
	Message   string            `json:"message"`
	Retry     bool              `json:"retry"`
	Action    string            `json:"action_id"`
	Attempt   int               `json:"attempt"`
	Outcome   string            `json:"outcome"`
	Output    json.RawMessage   `json:"output"` // text of a tool, object of a reply
	Actions   []string          `json:"action_ids"`
	Decision  string            `json:"decision"`
	ByName    string            `json:"by_name"`
	Why       string            `json:"why"`
	Content   string            `json:"content"`
	Which     string            `json:"which"`
	Epoch     int64             `json:"epoch"`
	Status    string            `json:"status"`
	Metadata  map[string]string `json:"metadata"`
	Reasoning string            `json:"reasoning"`
}

type callData struct {
	Action    string          `json:"action_id"`
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments"`
	Gated     bool            `json:"gated"`
	Preview   string          `json:"preview"`
	Refused   string          `json:"refused"`
	Denied    string          `json:"denied"`
}

// tame leaves of the words that are shown as they are what may stand on a terminal: a
// tool's name may be one that a model has made up. Texts are cut and tamed where they
// are shown.
func (d *eventData) tame() {
	for _, word := range []*string{&d.Model, &d.Action, &d.Decision, &d.Why, &d.Which} {
		*word = printable(*word)
	}
	for i := range d.Actions {
		d.Actions[i] = printable(d.Actions[i])
	}
	for i := range d.Calls {
		call := &d.Calls[i]
		call.Action, call.Tool, call.Denied = printable(call.Action), printable(call.Tool), printable(call.Denied)
	}
}

// event shows one stored event. Kinds that it does not know are left out: a newer
// server may have more.
func (t *tracer) event(event client.Event) {
	var d eventData
	if json.Unmarshal(event.Data, &d) != nil {
		return
	}
	d.tame()
	before := t.last
	t.last = event.Type
	switch event.Type {
	case "model.responded":
		t.responded(d)
	case "model.failed":
		t.failed(d)
	case "tool.started":
		if d.Attempt > 1 {
			t.line("    %s %s again (attempt %d)", t.p.yellow("↻"), t.tools[d.Action], d.Attempt)
		}
	case "tool.finished":
		t.finished(d)
	case "approval.decided":
		t.decided(d)
	case "approval.expired":
		t.line("    %s %s: %s", t.p.yellow("!"), strings.Join(d.Actions, ", "), d.Why)
	case "message.added":
		t.line("  %s %s", t.p.bold("You:"), oneLine(d.Content, 200))
	case "run.driven":
		if !wakes(before) {
			t.line("  %s", t.p.yellow("A server took the run up again after another one was gone."))
		}
	case "cancel.requested":
		t.line("  Asked to cancel.")
	case "run.paused":
		t.line("  Paused.")
	case "run.resumed":
		t.line("  Resumed.")
	case "budget.refused":
		t.line("  %s %s", t.p.yellow("!"), oneLine(d.Message, 300))
	case "budget.raised":
		t.line("  The budget may have room again.")
	case "deadline.passed":
		t.line("  A deadline passed: %s.", d.Which)
	}
}

// wakes reports whether an event lets a resting run go on: that a driver comes
// after it is no news.
func wakes(event string) bool {
	return slices.Contains([]string{"approval.decided", "approval.expired", "input.received", "message.added", "run.resumed", "run.started", "budget.raised"}, event)
}

// heading begins a step, once.
func (t *tracer) heading(step int) {
	if step != t.step {
		t.step = step
		t.line("%s", t.p.bold(fmt.Sprintf("Step %d", step)))
	}
}

// responded shows a reply: in one line if it has no text, else with the facts
// below the text, part of which may have been shown as it was written.
func (t *tracer) responded(d eventData) {
	facts := t.p.dim(t.facts(d))
	if d.Text == "" && t.step != d.Step {
		t.step = d.Step
		t.line("%s  %s", t.p.bold(fmt.Sprintf("Step %d", d.Step)), facts)
	} else {
		t.heading(d.Step)
		if rest, ok := strings.CutPrefix(d.Text, t.text.String()); ok && rest != "" {
			t.write(rest)
		}
		t.line("    %s", facts)
	}
	t.text.Reset()
	for _, call := range d.Calls {
		t.tools[call.Action] = call.Tool
		switch {
		case call.Refused != "":
			t.line("    %s %s not called: %s", t.p.red("✗"), call.Tool, oneLine(call.Refused, 160))
		case call.Denied != "":
			t.line("    %s %s not called: the key lacks the scope %s", t.p.red("✗"), call.Tool, call.Denied)
		case call.Gated:
			t.line("    %s %s waits for approval %s  %s", t.p.yellow("⏸"), call.Tool, t.p.dim(call.Action), oneLine(call.Preview, 100))
		default:
			t.line("    → %s %s", call.Tool, t.p.dim(arguments(call.Arguments)))
		}
	}
}

// facts is the small print of a step.
func (t *tracer) facts(d eventData) string {
	facts := []string{d.Model, tokens(d.Usage), money(d.Usage), duration(d.Ms)}
	return strings.Join(slices.DeleteFunc(facts, func(fact string) bool { return fact == "" }), " · ")
}

func (t *tracer) failed(d eventData) {
	again := "giving up"
	if d.Retry {
		again = "trying again"
	}
	t.closeLine()
	t.line("  %s model: %s (%s)", t.p.red("✗"), oneLine(d.Message, 200), again)
}

func (t *tracer) finished(d eventData) {
	var output string
	if json.Unmarshal(d.Output, &output) != nil {
		output = string(d.Output)
	}
	mark := t.p.green("✓")
	switch d.Outcome {
	case "ok":
	case "unknown":
		mark = t.p.yellow("?")
		output = "outcome unknown: it may or may not have happened. " + output
	default:
		mark = t.p.red("✗")
	}
	t.line("    %s %s %s  %s", mark, orDash(t.tools[d.Action]), brief(output), t.p.dim(duration(d.Ms)))
}

func (t *tracer) decided(d eventData) {
	mark := t.p.green("✓")
	if d.Decision != "approved" {
		mark = t.p.red("✗")
	}
	by := ""
	if d.ByName != "" {
		by = " by " + oneLine(d.ByName, 40)
	}
	t.line("    %s %s %s%s", mark, strings.Join(d.Actions, ", "), d.Decision, by)
}

// end tells how the run stands.
func (t *tracer) end(run client.Run) {
	t.closeLine()
	facts := []string{t.p.status(run.Status)}
	if run.StopReason != "" && run.StopReason != "answered" && run.StopReason != run.Status {
		facts = append(facts, run.StopReason)
	}
	facts = append(facts, plural(run.StepsUsed, "step"), tokens(run.Usage), money(run.Usage))
	if run.FinishedAt != nil {
		facts = append(facts, duration(run.FinishedAt.Sub(run.CreatedAt).Milliseconds()))
	}
	t.line("\n%s", strings.Join(slices.DeleteFunc(facts, func(fact string) bool { return fact == "" }), " · "))
	if run.Error != nil && run.Status == "failed" {
		t.line("%s %s", t.p.red(run.Error.Code+":"), printable(run.Error.Message))
	}
}

// followRun shows a run until it rests and returns it as it stands.
func followRun(ctx context.Context, api *client.Client, show frameShower, id string, after *string) (client.Run, error) {
	for frame, err := range api.Runs.Stream(ctx, id, client.Watch{After: *after, UntilRest: true}) {
		if err != nil {
			return client.Run{}, err
		}
		if frame.ID != "" {
			*after = frame.ID
		}
		if err := show.frame(frame); err != nil {
			return client.Run{}, err
		}
	}
	if err := ctx.Err(); err != nil {
		return client.Run{}, err
	}
	return api.Runs.Get(ctx, id)
}

// write prints a piece of the model's text as it comes.
func (t *tracer) write(text string) {
	t.text.WriteString(text)
	fmt.Fprint(t.body, printable(text))
}

func (t *tracer) closeLine() {
	if !t.body.fresh {
		t.p.print("\n")
		t.body.fresh = true
	}
}

func (t *tracer) line(format string, args ...any) {
	t.closeLine()
	t.p.print("%s\n", strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

// briefRunes is how much of arguments and outputs a line of the trace shows.
const briefRunes = 110

// arguments writes a JSON object as name=value, in order of name.
func arguments(text json.RawMessage) string {
	var fields map[string]any
	if json.Unmarshal(text, &fields) != nil {
		return oneLine(string(text), briefRunes)
	}
	parts := make([]string, 0, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		var value strings.Builder
		encoder := json.NewEncoder(&value)
		encoder.SetEscapeHTML(false) // "<" is more readable than its number
		if encoder.Encode(fields[name]) == nil {
			parts = append(parts, name+"="+strings.TrimSpace(value.String()))
		}
	}
	return oneLine(strings.Join(parts, " "), briefRunes)
}

// brief tells what a tool brought: how many rows or items, or the thing itself.
func brief(output string) string {
	var table struct {
		Rows []json.RawMessage `json:"rows"`
	}
	if json.Unmarshal([]byte(output), &table) == nil && table.Rows != nil {
		return plural(len(table.Rows), "row")
	}
	var list []json.RawMessage
	if json.Unmarshal([]byte(output), &list) == nil {
		return plural(len(list), "item")
	}
	return arguments(json.RawMessage(output))
}

func tokens(u client.Usage) string {
	if u.InputTokens+u.OutputTokens == 0 {
		return ""
	}
	said := fmt.Sprintf("%s in, %s out", thousands(u.InputTokens), thousands(u.OutputTokens))
	if u.Estimated {
		said += " (estimated)"
	}
	return said
}

// money is empty when a price is not known, and when nothing was paid.
func money(u client.Usage) string {
	switch {
	case u.CostUSD == nil || *u.CostUSD == 0:
		return ""
	case *u.CostUSD < 0.01:
		return fmt.Sprintf("$%.4f", *u.CostUSD)
	}
	return fmt.Sprintf("$%.2f", *u.CostUSD)
}

func duration(ms int64) string {
	if ms < 1000 {
		return fmt.Sprintf("%d ms", ms)
	}
	return fmt.Sprintf("%.1f s", float64(ms)/1000)
}

func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
