package you

import "errand/internal/run"

// resultBody is one result of a search. The keys that have nothing to say are
// there as null, because newer typed clients demand them.
type resultBody struct {
	SourceType   string  `json:"source_type"` // always web_search
	CitationURI  string  `json:"citation_uri"`
	Provider     *string `json:"provider"` // always null, as in the original
	Title        string  `json:"title"`
	Snippet      string  `json:"snippet"`
	ThumbnailURL *string `json:"thumbnail_url"`
	URL          string  `json:"url"`
}

// resultsOf are what the searches of a turn have found: one list for each search
// that found something, in call order. A search that found nothing has no item;
// the answer says that it was in vain.
func resultsOf(turn *run.Turn) [][]resultBody {
	var lists [][]resultBody
	for i := range turn.Actions {
		a := &turn.Actions[i]
		if !a.Tool.Cites || a.Outcome != run.OK {
			continue
		}
		found, some := run.ReadFound(a.Output)
		if !some {
			continue
		}
		list := make([]resultBody, len(found.Results))
		for n, source := range found.Results {
			list[n] = resultBody{
				SourceType: webSearch, CitationURI: source.URL, Title: source.Title, Snippet: source.Snippet, URL: source.URL,
			}
			if source.Thumbnail != "" {
				list[n].ThumbnailURL = &source.Thumbnail
			}
		}
		lists = append(lists, list)
	}
	return lists
}

// settled reports whether nothing more will come of a turn's calls.
func settled(turn *run.Turn) bool {
	for i := range turn.Actions {
		if !turn.Actions[i].Done() {
			return false
		}
	}
	return true
}
