package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"errand/internal/problem"
)

// session is one run's browser: its context and its tabs.
type session struct {
	turn    chan struct{} // holds one: actions of a run go one after the other
	used    time.Time     // guarded by Browser.mu
	busy    int           // calls that have it or wait for it; guarded by Browser.mu
	over    bool          // the run has ended; guarded by Browser.mu
	process *process
	home    cdp.BrowserContextID
	tabs    []*tab
	current *tab
	opened  int // tabs so far: the next one's number
	numbers int // elements so far
	actions int
	uploads string // folder of files for the page; empty = none yet
}

func newSession() *session { return &session{turn: make(chan struct{}, 1)} }

// open makes the session's browser context in the process, with one empty tab.
func (s *session) open(ctx context.Context, p *process) error {
	s.close()
	s.process = p
	all, yes := chromedp.FromContext(p.ctx).Browser, true
	made, err := cdp.Call(ctx, all, target.CreateBrowserContext, target.CreateBrowserContextParams{DisposeOnDetach: &yes})
	if err != nil {
		return fmt.Errorf("making a browser context: %w", err)
	}
	s.home = made.BrowserContextID
	_, err = cdp.Call(ctx, all, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorDeny, BrowserContextID: s.home, EventsEnabled: &yes,
	})
	if err != nil {
		return fmt.Errorf("refusing downloads: %w", err)
	}
	return s.openTab(ctx)
}

func (s *session) add(t *tab) {
	s.opened++
	t.number = s.opened
	s.tabs = append(s.tabs, t)
	if s.current == nil {
		s.current = t
	}
}

// tab returns the tab that the model calls number.
func (s *session) tab(number int) *tab {
	for _, t := range s.tabs {
		if t.number == number {
			return t
		}
	}
	return nil
}

// openTab opens an empty tab and makes it the current one.
func (s *session) openTab(ctx context.Context) error {
	tabCtx, cancel := chromedp.NewContext(s.process.ctx, chromedp.WithExistingBrowserContext(s.home))
	t, err := attach(ctx, tabCtx, cancel)
	if err != nil {
		return err
	}
	t.empty = true
	s.current = nil
	s.add(t)
	return nil
}

// closeTab closes one, and goes to its neighbour.
func (s *session) closeTab(ctx context.Context, t *tab) error {
	s.tabs = slices.DeleteFunc(s.tabs, func(other *tab) bool { return other == t })
	if s.current == t {
		s.current = nil
	}
	if len(s.tabs) == 0 {
		if err := s.openTab(ctx); err != nil {
			return err
		}
	}
	if s.current == nil {
		s.current = s.tabs[len(s.tabs)-1]
	}
	t.close()
	return nil
}

// greeting is how long a new window may take to answer.
const greeting = 2 * time.Second

// follow finds the windows that pages have opened, and those that have closed. It
// returns remarks. Beyond most, new ones are closed.
func (s *session) follow(ctx context.Context, most int) (told []string, err error) {
	infos, err := cdp.Call(ctx, chromedp.FromContext(s.process.ctx).Browser, target.GetTargets, target.GetTargetsParams{})
	if err != nil {
		return nil, err
	}
	for _, t := range slices.Clone(s.tabs) {
		if t == s.current || !t.gone() {
			continue
		}
		told = append(told, fmt.Sprintf("Tab %d has closed.", t.number))
		if err := s.closeTab(ctx, t); err != nil {
			return told, err
		}
	}
	for _, info := range infos.TargetInfos {
		known := slices.ContainsFunc(s.tabs, func(t *tab) bool { return t.target.TargetID == info.TargetID })
		if known || info.BrowserContextID != s.home || info.Type != "page" {
			continue
		}
		tabCtx, cancel := chromedp.NewContext(s.process.ctx, chromedp.WithTargetID(info.TargetID))
		limited, done := context.WithTimeout(ctx, greeting)
		t, err := attach(limited, tabCtx, cancel)
		done()
		if err != nil {
			// It has closed meanwhile, or stands still: behind a dialog, for one.
			_, _ = cdp.Call(ctx, chromedp.FromContext(s.process.ctx).Browser, target.CloseTarget, target.CloseTargetParams{TargetID: info.TargetID})
			told = append(told, fmt.Sprintf("The page opened a window (%s) that did not answer and was closed.", cut(info.URL, 200)))
			continue
		}
		if len(s.tabs) >= most {
			t.close()
			told = append(told, fmt.Sprintf("A new window (%s) was closed: a run has at most %d tabs. Close one that is no longer needed.", cut(info.URL, 200), most))
			continue
		}
		s.add(t)
		told = append(told, fmt.Sprintf("The page opened a new tab, number %d (%s); browser.switch goes there.", t.number, cut(info.URL, 200)))
	}
	return told, nil
}

// disposal is how long Chromium may take to forget a context: closing a session
// holds up the next call of its run.
const disposal = 5 * time.Second

// close forgets the browser context, with all that is in it.
func (s *session) close() {
	if s.home != "" && !s.process.dead() {
		ctx, cancel := context.WithTimeout(s.process.ctx, disposal)
		_, _ = cdp.Call(ctx, chromedp.FromContext(s.process.ctx).Browser, target.DisposeBrowserContext, target.DisposeBrowserContextParams{BrowserContextID: s.home})
		cancel() // one that can't be disposed of goes with the process
	}
	for _, t := range s.tabs {
		t.close()
	}
	if s.uploads != "" {
		_ = os.RemoveAll(s.uploads) // the profile goes, too
	}
	s.tabs, s.current, s.uploads, s.process, s.home = nil, nil, "", nil, ""
}

// lost is what an action says when Chromium has died under it.
func lost(acted bool, cause error) *problem.Error {
	const again = "The next action starts it again with an empty tab: open the page with browser.navigate."
	if acted {
		return problem.New(problem.ToolUnknown, "Chromium ended after the action was sent to the page and before its result was seen, so whether it had its effect is unknown. %s", again).Because(cause)
	}
	return problem.New(problem.ToolFailed, "Chromium ended during the action. %s", again).Because(cause)
}

// moment is by how much a broken connection may be seen before the end of Chromium
// that has broken it.
const moment = 500 * time.Millisecond

// fell reports whether Chromium has died under an action. An error that nobody has
// explained waits a moment for that.
func (s *session) fell(ctx context.Context, explained bool) bool {
	if s.process == nil || s.process.dead() || explained || ctx.Err() != nil {
		return s.process != nil && s.process.dead()
	}
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-s.process.ctx.Done():
		return true
	case <-timer.C:
		return false
	}
}

// broken makes a public error of what went wrong while an action was under way.
func (b *Browser) broken(ctx context.Context, s *session, acted bool, err error) *problem.Error {
	var told *problem.Error
	is := errors.As(err, &told)
	switch {
	case s.fell(ctx, is):
		return lost(acted, err)
	case is:
		return told
	case s.current != nil && s.current.gone() && acted:
		return problem.New(problem.ToolUnknown, "The tab crashed or was closed after the action was sent to it and before its result was seen, so whether it had its effect is unknown. Open the page again with browser.navigate.").Because(err)
	case s.current != nil && s.current.gone():
		return problem.New(problem.ToolFailed, "The tab crashed or was closed during the action. Open the page again with browser.navigate.").Because(err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return problem.New(problem.ToolFailed, "The page did not answer within %s. Try something else, or open it again with browser.navigate.", b.cfg.ActionTime).Because(err)
	case ctx.Err() != nil:
		if acted {
			return problem.New(problem.ToolUnknown, "The call was cancelled after the action was sent to the page: whether it had its effect is unknown.").Because(err)
		}
		return problem.New(problem.ToolFailed, "The call was cancelled.").Because(err)
	}
	return problem.New(problem.ToolFailed, "The browser could not do this: %s.", cut(err.Error(), 300)).Because(err)
}
