package offline

import (
	"encoding/json"
	"fmt"
	"strings"

	"errand/internal/run"
)

// maxCited bounds how many results of one search are quoted.
const maxCited = 5

// searches returns what a call has found if it was a search, and how many results
// the searches before it had: results are numbered over the whole run.
func (t *turn) searches(f *fact) (found *run.Found, before int) {
	for i := range t.calls {
		each := &t.calls[i]
		var read run.Found
		if each.outcome != succeeded || !t.cites(each.call.Name) || json.Unmarshal([]byte(each.text), &read) != nil {
			continue
		}
		if each == f {
			return &read, before
		}
		before += len(read.Results)
	}
	return nil, 0
}

func (t *turn) cites(name string) bool {
	for i := range t.tools {
		if t.tools[i].Name == name {
			return t.tools[i].Cites
		}
	}
	return false
}

// cited tells what a search has found: of each result the sentences that have
// most of the task's words, and where they stand.
func (t *turn) cited(found *run.Found, before int) string {
	note := strings.TrimSpace(strings.TrimPrefix(oneLine(found.Note), "Nothing was found."))
	if len(found.Results) == 0 {
		return strings.TrimSpace(fmt.Sprintf("A search for %q found nothing. %s", clip(found.Query, 120), note))
	}
	lines := []string{fmt.Sprintf("A search for %q (%s) found:", clip(found.Query, 120), found.Provider)}
	for i, result := range found.Results[:min(len(found.Results), maxCited)] {
		says := strings.Join(t.sentences(result.Snippet), " ")
		if says == "" {
			says = oneLine(result.Title)
		}
		lines = append(lines, fmt.Sprintf("- %s [[%d]](%s)", says, before+i+1, result.URL))
	}
	if more := len(found.Results) - maxCited; more > 0 {
		lines = append(lines, fmt.Sprintf("and %s.", count(more, "further result")))
	}
	if note != "" {
		lines = append(lines, note)
	}
	return strings.Join(lines, "\n")
}

// searcher returns the tool that finds sources, if there is one and the wish has
// words to search for: a question that fits nothing else is looked up.
func (t *turn) searcher(w *wish) *tool {
	for i := range t.tools {
		if !t.tools[i].Cites {
			continue
		}
		for _, word := range w.want {
			if t.lex.content(word.stem) {
				return &t.tools[i]
			}
		}
	}
	return nil
}
