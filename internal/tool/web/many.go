package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

// maxPages is how many addresses one call may name: the best hits of a search,
// and not so many that each is cut to nothing.
const maxPages = 8

// headRoom is kept free for the line before each of several pages.
const headRoom = 256

// addresses reads a call's url and urls, each address once.
func addresses(arguments json.RawMessage) ([]string, error) {
	var in struct {
		URL  *string  `json:"url"`
		URLs []string `json:"urls"`
	}
	if err := json.Unmarshal(arguments, &in); err != nil {
		return nil, failed("the arguments are not a JSON object with url as a string, or urls as a list of strings", err)
	}
	var all []string
	if in.URL != nil {
		all = append(all, *in.URL)
	}
	for _, address := range in.URLs {
		if !slices.Contains(all, address) {
			all = append(all, address)
		}
	}
	switch {
	case len(all) == 0:
		return nil, failed("no URL is named: give url, or urls", nil)
	case len(all) > maxPages:
		return nil, failed(fmt.Sprintf("%d URLs are too many for one call: name at most %d", len(all), maxPages), nil)
	}
	return all, nil
}

// many reads several addresses at once, within the time that one may take. What
// fails is said in its place; only when all fail does the call.
func (f *Fetcher) many(ctx context.Context, project string, addresses []string) (run.ToolResult, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	pages, faults := make([]Page, len(addresses)), make([]error, len(addresses))
	var reading sync.WaitGroup
	for i, address := range addresses {
		reading.Go(func() { pages[i], faults[i] = f.one(ctx, project, address) })
	}
	reading.Wait()
	var whys []string
	for _, err := range faults {
		if err != nil {
			whys = append(whys, strings.TrimPrefix(problem.From(err).Detail, "web.fetch: "))
		}
	}
	if len(whys) == len(addresses) {
		return run.ToolResult{}, problem.New(problem.ToolFailed, "web.fetch: none of the pages could be read. %s", strings.Join(whys, " ")).Because(errors.Join(faults...))
	}
	var out strings.Builder
	share := tool.MaxOutput/len(addresses) - headRoom
	for i := range addresses {
		fmt.Fprintf(&out, "[page %d of %d]\n", i+1, len(addresses))
		if faults[i] != nil {
			fmt.Fprintf(&out, "URL: %s\nNot read: %s\n\n", tool.Cut(addresses[i], 2<<10), strings.TrimPrefix(problem.From(faults[i]).Detail, "web.fetch: "))
			continue
		}
		text := pages[i].shown()
		if len(text) > share {
			text = fmt.Sprintf("%s\n[truncated: the first %d bytes of this page are shown; fetch it alone for more]", tool.Cut(text, share), share)
		}
		out.WriteString(text + "\n\n")
	}
	return run.ToolResult{Output: tool.Bound(strings.TrimSpace(out.String()), 0)}, nil
}
