package browser

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"

	"errand/internal/problem"
)

// someFound is how many results a search gives: enough to choose from.
const someFound = 8

// engine is the search page that is opened where the server has no search of its
// own. It needs no script.
const engine = "https://html.duckduckgo.com/html/?q="

func search(ctx context.Context, st *step) error {
	if st.b.cfg.Search == nil {
		return st.visit(ctx, engine+url.QueryEscape(st.args.Query))
	}
	found, err := st.b.cfg.Search.Find(ctx, st.call.Project, st.args.Query, someFound)
	if err != nil {
		return err
	}
	st.quiet = true
	for i, r := range found.Results {
		st.said = append(st.said, fmt.Sprintf("%d. %s\n   %s\n   %s", i+1, cut(r.Title, 200), r.URL, cut(strings.TrimSpace(r.Snippet), 400)))
	}
	if len(found.Results) == 0 {
		st.said = append(st.said, "Nothing was found. Search for other words.")
	}
	if found.Note != "" {
		st.said = append(st.said, found.Note)
	}
	return nil
}

func navigate(ctx context.Context, st *step) error {
	address := strings.TrimSpace(st.args.URL)
	if err := navigable(address); err != nil {
		return problem.New(problem.ToolFailed, "url: %s can't be opened: %s.", cut(address, 200), err)
	}
	if st.args.NewTab {
		if len(st.s.tabs) >= st.b.cfg.MaxTabs {
			return problem.New(problem.ToolFailed, "A run has at most %d tabs: close one with browser.close.", st.b.cfg.MaxTabs)
		}
		if err := st.s.openTab(ctx); err != nil {
			return err
		}
		st.s.current.begin(st.args.Accept)
	}
	return st.visit(ctx, address)
}

// stopTime is how long the browser may take to give up a page.
const stopTime = time.Second

// visit opens an address in the current tab.
func (st *step) visit(ctx context.Context, address string) error {
	t := st.s.current
	t.empty = false
	t.mu.Lock()
	t.asked = address
	t.mu.Unlock()
	result, err := cdp.Call(ctx, t.target, page.Navigate, page.NavigateParams{URL: address})
	switch {
	case err != nil:
		stopping, cancel := context.WithTimeout(t.ctx, stopTime)
		defer cancel()
		_, _ = cdp.Call(stopping, t.target, page.StopLoading, cdp.Empty{}) // the tab may have gone, which is said elsewhere
		return err
	case result.IsDownload:
		t.heard(ctx)
		return problem.New(problem.ToolFailed, "%s is a download, and this server takes none.", cut(address, 200))
	case result.ErrorText != "":
		return st.s.unreachable(address, result.ErrorText)
	}
	return nil
}

func goBack(ctx context.Context, st *step) error {
	t := st.s.current
	history, err := cdp.Call(ctx, t.target, page.GetNavigationHistory, cdp.Empty{})
	if err != nil {
		return err
	}
	at := int(history.CurrentIndex)
	if at < 1 || at >= len(history.Entries) {
		return problem.New(problem.ToolFailed, "There is no page before this one in this tab.")
	}
	before := history.Entries[at-1]
	if !stays(before.URL) {
		return problem.New(problem.ToolFailed, "The page before this one can't be opened again.")
	}
	_, err = cdp.Call(ctx, t.target, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: before.ID})
	return err
}

func wait(ctx context.Context, st *step) error {
	timer := time.NewTimer(st.pause())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-st.s.process.ctx.Done():
		return st.s.process.ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func switchTab(ctx context.Context, st *step) error {
	t, err := st.named()
	if err != nil {
		return err
	}
	st.s.current = t
	t.begin(false)
	_, err = cdp.Call(ctx, t.target, page.BringToFront, cdp.Empty{})
	return err
}

func closeTab(ctx context.Context, st *step) error {
	t := st.s.current
	if st.args.Tab != 0 {
		var err error
		if t, err = st.named(); err != nil {
			return err
		}
	}
	return st.s.closeTab(ctx, t)
}

// named returns the tab that the arguments name.
func (st *step) named() (*tab, error) {
	if t := st.s.tab(int(st.args.Tab)); t != nil {
		return t, nil
	}
	var numbers []string
	for _, t := range st.s.tabs {
		numbers = append(numbers, fmt.Sprint(t.number))
	}
	return nil, problem.New(problem.ToolFailed, "tab_id: there is no tab %d; there are: %s.", st.args.Tab, strings.Join(numbers, ", "))
}

func done(ctx context.Context, st *step) error {
	st.quiet = true
	success := st.args.Success == nil || *st.args.Success
	st.record.Success = &success
	st.said = append(st.said, st.args.Text)
	if st.args.Text == "" {
		st.said = []string{"Done."}
	}
	st.s.close()
	return nil
}

func parse(address string) (*url.URL, error) { return url.Parse(address) }

// withoutQuery is an address as far as it names a frame for longer than a visit.
func withoutQuery(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.RawQuery, u.Fragment = "", ""
	return u.String()
}
