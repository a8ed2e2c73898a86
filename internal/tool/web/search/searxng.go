package search

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"errand/internal/problem"
	"errand/internal/run"
)

// SearXNG is the operator's own meta search engine at o.Base, which may be at a
// private address and may have a user and a password in it.
func SearXNG(o Options) (Provider, error) {
	base, err := url.Parse(o.Base)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" {
		return nil, fmt.Errorf("ERRAND_SEARXNG_URL: must be an http(s) URL, for example http://127.0.0.1:8888")
	}
	headers := map[string]string{}
	if base.User != nil {
		password, _ := base.User.Password()
		headers["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(base.User.Username()+":"+password))
		base.User = nil
	}
	o.Base = strings.TrimRight(base.String(), "/")
	r := newRemote("searxng", "ERRAND_SEARXNG_URL", o)
	r.hint = map[int]string{http.StatusForbidden: "its settings.yml must list json under search.formats, and its limiter must let this server in"}
	for _, moved := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		r.hint[moved] = "it is somewhere else than ERRAND_SEARXNG_URL says"
	}
	r.ask = func(q Query) (request, error) {
		return request{url: o.Base + "/search", query: url.Values{"q": {q.Text}, "format": {"json"}}, headers: headers}, nil
	}
	r.read = readSearXNG
	return r, nil
}

func readSearXNG(body []byte) ([]run.Source, error) {
	var answer struct {
		Results []struct {
			URL       string `json:"url"`
			Title     string `json:"title"`
			Content   string `json:"content"`
			Published string `json:"publishedDate"`
			Thumbnail string `json:"thumbnail"`
			Image     string `json:"img_src"`
		} `json:"results"`
		Silent []jsontext.Value `json:"unresponsive_engines"`
	}
	if err := decode(body, &answer); err != nil {
		return nil, err
	}
	if len(answer.Results) == 0 && len(answer.Silent) > 0 {
		return nil, problem.New(problem.ToolFailed, "got no answer from %d of the engines that it asks", len(answer.Silent))
	}
	var found []run.Source
	for _, one := range answer.Results {
		found = append(found, run.Source{
			Title: one.Title, URL: one.URL, Snippet: one.Content, Age: one.Published, Thumbnail: cmp.Or(one.Thumbnail, one.Image),
		})
	}
	return found, nil
}
