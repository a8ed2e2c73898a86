package search

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"errand/internal/run"
)

// braveWords is the most words that Brave takes.
const braveWords = 50

// Brave is the Brave Search API.
func Brave(o Options) Provider {
	r := newRemote("brave", "BRAVE_API_KEY", o)
	r.ask = func(q Query) (request, error) {
		words := strings.Fields(q.Text)
		return request{
			url: o.base("https://api.search.brave.com") + "/res/v1/web/search",
			query: url.Values{
				"q": {strings.Join(words[:min(len(words), braveWords)], " ")}, "count": {strconv.Itoa(min(q.Count, 20))}, "text_decorations": {"false"},
			},
			headers: map[string]string{"X-Subscription-Token": o.Key},
		}, nil
	}
	r.read = readBrave
	return r
}

func readBrave(body []byte) ([]run.Source, error) {
	var answer struct {
		Web struct {
			Results []struct {
				Title       string `json:"title"`
				URL         string `json:"url"`
				Description string `json:"description"`
				Age         string `json:"age"`
				PageAge     string `json:"page_age"`
				Thumbnail   struct {
					Src string `json:"src"`
				} `json:"thumbnail"`
				Extra []string `json:"extra_snippets"`
			} `json:"results"`
		} `json:"web"`
	}
	if err := decode(body, &answer); err != nil {
		return nil, err
	}
	var found []run.Source
	for _, one := range answer.Web.Results {
		found = append(found, run.Source{
			Title: one.Title, URL: one.URL, Snippet: joined(append([]string{one.Description}, one.Extra...)),
			Age: cmp.Or(one.Age, one.PageAge), Thumbnail: one.Thumbnail.Src,
		})
	}
	return found, nil
}

// joined puts excerpts of one page together.
func joined(excerpts []string) string {
	var kept []string
	for _, excerpt := range excerpts {
		if excerpt = strings.TrimSpace(excerpt); excerpt != "" {
			kept = append(kept, excerpt)
		}
	}
	return strings.Join(kept, " … ")
}
