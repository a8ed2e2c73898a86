package search

import (
	"errand/internal/run"
)

// Tavily is the Tavily search API.
func Tavily(o Options) Provider {
	r := newRemote("tavily", "TAVILY_API_KEY", o)
	r.hint = map[int]string{432: "its plan is used up", 433: "its pay-as-you-go limit is used up"}
	r.ask = func(q Query) (request, error) {
		return request{
			url:     o.base("https://api.tavily.com") + "/search",
			headers: map[string]string{"Authorization": "Bearer " + o.Key},
			body:    map[string]any{"query": q.Text, "max_results": min(q.Count, 20), "search_depth": "basic"},
		}, nil
	}
	r.read = readTavily
	return r
}

func readTavily(body []byte) ([]run.Source, error) {
	var answer struct {
		Results []struct {
			Title     string `json:"title"`
			URL       string `json:"url"`
			Content   string `json:"content"`
			Published string `json:"published_date"`
		} `json:"results"`
	}
	if err := decode(body, &answer); err != nil {
		return nil, err
	}
	var found []run.Source
	for _, one := range answer.Results {
		found = append(found, run.Source{Title: one.Title, URL: one.URL, Snippet: one.Content, Age: one.Published})
	}
	return found, nil
}
