package offline

import (
	"regexp"
	"slices"
	"strings"

	"errand/internal/run"
)

// A host settles with a person what is to be done, and then hands it over with one
// call. The rules can't weigh goals; they can write them down, add what the person
// changes, and wait for a consent that is nothing else.

// confirmTool is what a host hands over with. It is not offered while the person
// has not yet seen what would be done; its name in the instructions says that this
// is a host all the same.
const confirmTool = "confirm_task"

// A summary has this form, by which it is found again in the history.
const (
	summaryHead = "Goals:"
	summaryItem = "- "
	summaryAsk  = "Shall I start? Say yes, or say what should be different."
	changeMark  = "Change: "
)

// askGoals is said while there is nothing to sum up.
const askGoals = "What should be done? Say it in a sentence, or in a list."

// itemPattern is how a line of a list begins.
var itemPattern = regexp.MustCompile(`^(?:[-*•–]|\d{1,2}[.)])\s+`)

// settling is how far the conversation has come.
type settling struct {
	goals   []string
	offered bool // the latest answer was a summary
	settled bool // the goals were agreed to: what comes now is about something else
}

// host keeps a conversation about goals.
func host(t *turn) (move, bool) {
	confirm := t.tool(confirmTool)
	if confirm == nil && !strings.Contains(t.orders, confirmTool) || t.tool(planTool) != nil {
		return move{}, false
	}
	if len(t.calls) > 0 {
		return report(t)
	}
	s, agreed := t.settle()
	required := confirm != nil && t.req.Require == confirmTool
	if confirm != nil && (agreed || required) && len(s.goals) > 0 {
		if arguments, ok := t.fits(confirm.Parameters, map[string]any{"goals": strings.Join(s.goals, "\n")}); ok {
			return t.call([]planned{{tool: confirm, arguments: arguments}})
		}
	}
	return move{text: s.summary() + "\n\n" + t.disclaimer()}, true
}

// settle reads the conversation. It reports whether the latest message agrees to
// the goals as they stand.
func (t *turn) settle() (s settling, agreed bool) {
	for i := range t.req.Messages {
		switch m := &t.req.Messages[i]; m.Role {
		case run.User:
			agreed = s.hear(m.Text, t.consents)
		case run.Assistant:
			goals, found := readSummary(m.Text)
			if s.offered = found; found {
				s.goals, s.settled = goals, false
			}
		}
	}
	return s, agreed
}

// hear takes a person's message in. Whoever agrees a second time agrees to the
// same goals.
func (s *settling) hear(text string, c *consent) (agreed bool) {
	switch {
	case c.given(text) && (s.offered || s.settled):
		s.settled = true
		return true
	case c.empty(text):
		return false
	case s.settled:
		*s = settling{}
	}
	first := len(s.goals) == 0
	if !first {
		text = c.behind(text)
	}
	for line := range strings.Lines(strings.ToValidUTF8(text, "�")) { // as it is written into the call
		if line = strings.TrimSpace(itemPattern.ReplaceAllString(oneLine(line), "")); line == "" || line == summaryHead {
			continue
		}
		if !first {
			line = changeMark + line
		}
		if !slices.Contains(s.goals, line) {
			s.goals = append(s.goals, line)
		}
	}
	s.offered = false
	return false
}

// summary tells the goals and asks whether to begin.
func (s *settling) summary() string {
	if len(s.goals) == 0 || s.settled {
		return askGoals
	}
	var out strings.Builder
	out.WriteString(summaryHead + "\n")
	for _, goal := range s.goals {
		out.WriteString(summaryItem + goal + "\n")
	}
	return out.String() + "\n" + summaryAsk
}

// readSummary finds the goals in an answer that is a summary, whole: one that was
// cut off has not been seen whole either.
func readSummary(text string) (goals []string, ok bool) {
	_, list, found := strings.Cut("\n"+text, "\n"+summaryHead+"\n")
	list, _, asked := strings.Cut(list, "\n\n"+summaryAsk)
	if !found || !asked {
		return nil, false
	}
	for line := range strings.SplitSeq(list, "\n") {
		goal, item := strings.CutPrefix(line, summaryItem)
		if !item {
			return nil, false
		}
		goals = append(goals, goal)
	}
	return goals, true
}
