package search

import (
	"net/url"
	"strconv"
	"strings"

	"errand/internal/run"
)

// wikipedia is the one whose articles are searched.
const wikipedia = "https://en.wikipedia.org"

// Wikipedia is the search of the English Wikipedia. It needs no key.
func Wikipedia(o Options) Provider {
	r := newRemote("wikipedia", "", o)
	r.ask = func(q Query) (request, error) {
		return request{
			url:   o.base(wikipedia) + "/w/rest.php/v1/search/page",
			query: url.Values{"q": {q.Text}, "limit": {strconv.Itoa(q.Count)}},
		}, nil
	}
	r.read = readWikipedia
	return r
}

func readWikipedia(body []byte) ([]run.Source, error) {
	var answer struct {
		Pages []struct {
			Key         string `json:"key"`
			Title       string `json:"title"`
			Excerpt     string `json:"excerpt"` // HTML, with the matches marked
			Description string `json:"description"`
			Thumbnail   struct {
				URL string `json:"url"`
			} `json:"thumbnail"`
		} `json:"pages"`
	}
	if err := decode(body, &answer); err != nil {
		return nil, err
	}
	var found []run.Source
	for _, one := range answer.Pages {
		if one.Key == "" {
			continue
		}
		thumbnail := one.Thumbnail.URL
		if strings.HasPrefix(thumbnail, "//") {
			thumbnail = "https:" + thumbnail
		}
		found = append(found, run.Source{
			Title: one.Title, URL: wikipedia + (&url.URL{Path: "/wiki/" + one.Key}).EscapedPath(),
			Snippet: joined([]string{one.Description, one.Excerpt}), Thumbnail: thumbnail,
		})
	}
	return found, nil
}
