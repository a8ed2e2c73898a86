package search

import (
	"cmp"
	"net/url"
	"strconv"

	"errand/internal/run"
)

// You is the You.com search API. News come behind the pages, in one list.
func You(o Options) Provider {
	r := newRemote("you", "YDC_API_KEY", o)
	r.ask = func(q Query) (request, error) {
		return request{
			url:     o.base("https://ydc-index.io") + "/v1/search",
			query:   url.Values{"query": {q.Text}, "count": {strconv.Itoa(q.Count)}},
			headers: map[string]string{"X-API-Key": o.Key},
		}, nil
	}
	r.read = readYou
	return r
}

// youResult is a page or a news article.
type youResult struct {
	URL         string   `json:"url"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Snippets    []string `json:"snippets"`
	Thumbnail   string   `json:"thumbnail_url"`
	Age         string   `json:"page_age"`
}

func readYou(body []byte) ([]run.Source, error) {
	var answer struct {
		Results struct {
			Web  []youResult `json:"web"`
			News []youResult `json:"news"`
		} `json:"results"`
	}
	if err := decode(body, &answer); err != nil {
		return nil, err
	}
	var found []run.Source
	for _, one := range append(answer.Results.Web, answer.Results.News...) {
		found = append(found, run.Source{
			Title: one.Title, URL: one.URL, Snippet: cmp.Or(joined(one.Snippets), one.Description), Age: one.Age, Thumbnail: one.Thumbnail,
		})
	}
	return found, nil
}
