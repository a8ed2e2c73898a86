package run

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Source is one thing that a search has found and that an answer may cite.
type Source struct {
	Title     string `json:"title"`
	URL       string `json:"url"`
	Snippet   string `json:"snippet,omitempty"`
	Age       string `json:"age,omitempty"` // of the page, as the provider says it: a date or "2 days ago"
	Thumbnail string `json:"thumbnail,omitempty"`
}

// Found is the output of a tool that cites (Tool.Cites), as JSON text.
type Found struct {
	Query    string   `json:"query"`
	Provider string   `json:"provider"`       // who answered: brave, wikipedia, index …
	Results  []Source `json:"results"`        // numbered from 1 over the run: [[1]](url)
	Note     string   `json:"note,omitempty"` // what the model should know: nothing found, answered from the local index
}

// ReadFound reads the output of a citing call. It reports false for one that found
// nothing. Results are the longest texts that a run has, and are read again with
// each reply and each answer, so this is not encoding/json, which takes several
// times as long.
func ReadFound(output string) (Found, bool) {
	f := Found{Results: make([]Source, 0, 8)}
	err := json.UnmarshalRead(strings.NewReader(output), &f, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	return f, err == nil && len(f.Results) > 0
}

// Searches returns what the run's citing calls have found, in call order, and
// how many of those calls failed or found nothing.
func (s *State) Searches() (found []Found, barren int) {
	for t := range s.Turns {
		for i := range s.Turns[t].Actions {
			a := &s.Turns[t].Actions[i]
			if !a.Tool.Cites || !a.Done() || a.Refused != "" {
				continue
			}
			if f, ok := ReadFound(a.Output); ok && a.Outcome == OK {
				found = append(found, f)
			} else {
				barren++
			}
		}
	}
	return found, barren
}
