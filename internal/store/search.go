package store

import (
	"slices"
	"strings"

	"errand/internal/run"
)

// Searching returns what decides whether a line belongs to a search; Before, Limit and
// Look are the caller's.
func Searching(q *run.RunSearch) func(*run.Summary) bool {
	likely := Likely(q)
	return func(line *run.Summary) bool { return likely(line) && Matches(&q.RunQuery, line) }
}

// Likely is the part of Searching that needs no more of a line than its ID, Agent, Model,
// Title and cost, so that the rest of the many that it refuses need not be read.
func Likely(q *run.RunSearch) func(*run.Summary) bool {
	words := make([]needle, len(q.Words))
	for i := range q.Words {
		words[i] = newNeedle(&q.Words[i])
	}
	return func(line *run.Summary) bool {
		if q.MinCost != nil && line.Usage.Cost < *q.MinCost || q.MaxCost != nil && line.Usage.Cost > *q.MaxCost {
			return false
		}
		if len(words) == 0 {
			return true
		}
		title, model := strings.ToLower(line.Title), strings.ToLower(line.Model)
		for i := range words {
			if w := &words[i]; !strings.Contains(title, w.Text) && !strings.Contains(model, w.Text) && !w.names(line) {
				return false
			}
		}
		return true
	}
}

// needle is a word, and the beginning of an id that it may be.
type needle struct {
	*run.RunWord
	digits string // empty = it is none
}

// idLetters is how much of an id has to be given to mean it: less is a word.
const idLetters = 6

// newNeedle reads the beginning of an id in any of its spellings, which have a dash or
// a low line before it.
func newNeedle(w *run.RunWord) needle {
	digits := w.Text[strings.LastIndexAny(w.Text, "_-")+1:]
	if len(digits) < idLetters || strings.Trim(digits, "0123456789abcdef") != "" {
		digits = ""
	}
	return needle{w, digits}
}

// savedAgent begins the ids of saved agents, which say nothing. Those of robots are
// names.
const savedAgent = "agt_"

// names reports whether a word is that of the line's agent, or the beginning of an id.
func (w *needle) names(line *run.Summary) bool {
	if strings.HasPrefix(line.Agent, savedAgent) {
		if len(w.Text) > idLetters && strings.HasPrefix(line.Agent, w.Text) {
			return true
		}
	} else if line.Agent != "" && strings.Contains(strings.ToLower(line.Agent), w.Text) {
		return true
	}
	return slices.Contains(w.Agents, line.Agent) ||
		w.digits != "" && strings.HasPrefix(line.ID.String(), w.digits)
}
