package web

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
	"errand/internal/tool/web/search"
)

const (
	maxQuery  = 400 // characters; some engines take no more
	maxFound  = 20  // as many as every engine gives at once
	someFound = 8   // enough to choose from, and little to read
)

const searching = `Searches the web, or this server's own index, and returns results as JSON: title, url, snippet and, where known, age. ` +
	`Cite a result in your answer as [[n]](url), with the url exactly as given and n counting the results of all your searches from 1. Cite nothing else. ` +
	`web.fetch reads the pages behind the results.`

const searchParameters = `{"type":"object","properties":{"query":{"type":"string","minLength":1,"maxLength":400,"description":"What to search for: a few words, or a short question"},` +
	`"count":{"type":"integer","minimum":1,"maximum":20,"description":"How many results; default 8"}},"required":["query"],"additionalProperties":false}`

// Searcher is the tool web.search.
type Searcher struct {
	chain   *search.Chain
	secrets []string
}

// NewSearch returns the tool over the engines that the settings name.
func NewSearch(settings search.Settings, now func() time.Time) (*Searcher, error) {
	providers, err := search.Select(settings)
	if err != nil {
		return nil, err
	}
	s := &Searcher{chain: search.NewChain(now, providers...)}
	for _, key := range settings.Keys {
		if key != "" {
			s.secrets = append(s.secrets, key)
		}
	}
	return s, nil
}

// Find searches once, for whoever shows the results in a way of its own.
func (s *Searcher) Find(ctx context.Context, project, query string, count int) (run.Found, error) {
	return s.chain.Find(ctx, search.Query{Project: project, Text: query, Count: count})
}

// Engines lists the engines in the order in which they are asked.
func (s *Searcher) Engines() []string { return s.chain.Names() }

// Secrets lists the keys, for the log's redaction.
func (s *Searcher) Secrets() []string { return s.secrets }

// Close drops idle connections.
func (s *Searcher) Close() error { return s.chain.Close() }

// Describe is what a run knows of the tool.
func (s *Searcher) Describe() run.Tool {
	return run.Tool{
		Name: "web.search", Description: searching, Parameters: json.RawMessage(searchParameters),
		Class: run.Safe, Preview: "{{query}}", Cites: true, Outside: true, Version: tool.Digest([]byte("web.search 1" + searching + searchParameters)),
	}
}

// Call searches once. What it returns is a run.Found.
func (s *Searcher) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	var arguments struct {
		Query string      `json:"query"`
		Count *tool.Whole `json:"count"`
	}
	if err := json.Unmarshal(call.Arguments, &arguments); err != nil {
		return run.ToolResult{}, problem.New(problem.ToolFailed, "web.search: the arguments are not a JSON object with query as a string and count as a number.").Because(err)
	}
	query := strings.Join(strings.Fields(search.Visible(arguments.Query)), " ")
	count := someFound
	if arguments.Count != nil {
		count = int(*arguments.Count)
	}
	switch {
	case query == "":
		return run.ToolResult{}, problem.New(problem.ToolFailed, "web.search: query is empty: say what to search for.")
	case utf8.RuneCountInString(query) > maxQuery:
		return run.ToolResult{}, problem.New(problem.ToolFailed, "web.search: query is longer than %d characters: search for fewer words.", maxQuery)
	case count < 1 || count > maxFound:
		return run.ToolResult{}, problem.New(problem.ToolFailed, "web.search: count must be from 1 to %d.", maxFound)
	}
	found, err := s.chain.Find(ctx, search.Query{Project: call.Project, Text: query, Count: count})
	if err != nil {
		return run.ToolResult{}, err
	}
	return encoded(found)
}

// encoded writes the results, as many as a model may get. Addresses keep their &
// as it is, which encoding/json would escape: a model cites what it sees.
func encoded(found run.Found) (run.ToolResult, error) {
	for {
		text, err := jsonv2.Marshal(found, jsontext.AllowInvalidUTF8(true))
		if err != nil {
			return run.ToolResult{}, problem.New(problem.ToolFailed, "web.search: the results can't be written down.").Because(err)
		}
		if len(text) <= tool.MaxOutput {
			return run.ToolResult{Output: string(text)}, nil
		}
		found.Results = found.Results[:len(found.Results)-1]
	}
}
