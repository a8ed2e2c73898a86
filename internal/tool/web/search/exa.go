package search

import (
	"cmp"

	"errand/internal/run"
)

// Exa is the Exa search API. Highlights are its short excerpts; whole texts would
// be read for nothing.
func Exa(o Options) Provider {
	r := newRemote("exa", "EXA_API_KEY", o)
	r.ask = func(q Query) (request, error) {
		return request{
			url:     o.base("https://api.exa.ai") + "/search",
			headers: map[string]string{"x-api-key": o.Key},
			body: map[string]any{
				"query": q.Text, "numResults": q.Count, "type": "auto", "contents": map[string]any{"highlights": true},
			},
		}, nil
	}
	r.read = readExa
	return r
}

func readExa(body []byte) ([]run.Source, error) {
	var answer struct {
		Results []struct {
			Title      string   `json:"title"`
			URL        string   `json:"url"`
			Published  string   `json:"publishedDate"`
			Image      string   `json:"image"`
			Text       string   `json:"text"`
			Summary    string   `json:"summary"`
			Highlights []string `json:"highlights"`
		} `json:"results"`
	}
	if err := decode(body, &answer); err != nil {
		return nil, err
	}
	var found []run.Source
	for _, one := range answer.Results {
		found = append(found, run.Source{
			Title: one.Title, URL: one.URL, Snippet: cmp.Or(joined(one.Highlights), one.Summary, one.Text),
			Age: one.Published, Thumbnail: one.Image,
		})
	}
	return found, nil
}
