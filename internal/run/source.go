package run

import "encoding/json"

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

// Searches returns what the run's citing calls have found, in call order, and
// how many of those calls failed or found nothing.
func (s *State) Searches() (found []Found, barren int) {
	for t := range s.Turns {
		for i := range s.Turns[t].Actions {
			a := &s.Turns[t].Actions[i]
			if !a.Tool.Cites || !a.Done() || a.Refused != "" {
				continue
			}
			var f Found
			if a.Outcome != OK || json.Unmarshal([]byte(a.Output), &f) != nil || len(f.Results) == 0 {
				barren++
				continue
			}
			found = append(found, f)
		}
	}
	return found, barren
}
