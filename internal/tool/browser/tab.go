package browser

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

//go:embed page.js
var pageScript string

// world is the name of the JavaScript world that page.js runs in: it shares the
// page's elements with the page and nothing else, so that a page can't lie to it.
const world = "errand"

// barred are addresses that no page is opened at, wherever they come from. What is
// not here and not in navigable can't be opened by a page in the first place.
var barred = []string{"file:*", "chrome:*", "chrome-untrusted:*", "chrome-extension:*", "devtools:*", "view-source:*", "ftp:*", "filesystem:*"}

// tab is one page of a run.
type tab struct {
	number int  // as a model calls it
	empty  bool // no page was asked for yet
	ctx    context.Context
	cancel context.CancelFunc
	target *chromedp.Target
	lines  map[string]bool // of the last look, for marking what is new
	looked string          // at which document

	mu      sync.Mutex
	working sync.WaitGroup // answers to dialogs and requests that are under way
	accept  bool           // whether questions of the page are answered with OK
	told    []string       // remarks since the last take
	refused []string       // what failed an action since the last take
	crashed bool
	loading bool
	main    cdp.FrameID
	own     map[cdp.FrameID]bool
	asked   string // the document that the main frame asked for last
}

// attach makes a tab of ctx, a chromedp context, whether it is to make a page or
// names one.
func attach(ctx, tabCtx context.Context, cancel context.CancelFunc) (*tab, error) {
	t := &tab{ctx: tabCtx, cancel: cancel, lines: map[string]bool{}, own: map[cdp.FrameID]bool{}}
	done := make(chan error, 1)
	go func() {
		err := chromedp.Do(tabCtx)
		if err == nil {
			t.target = chromedp.FromContext(tabCtx).Target // before hear, which uses it
			err = errors.Join(chromedp.Listen(tabCtx, t.hear), chromedp.ListenBrowser(tabCtx, t.hear))
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			cancel()
			return nil, fmt.Errorf("opening a tab: %w", err)
		}
	case <-ctx.Done():
		cancel()
		<-done
		return nil, ctx.Err()
	}
	tree, err := cdp.Call(ctx, t.target, page.GetFrameTree, cdp.Empty{})
	if err == nil {
		t.mu.Lock()
		t.main = tree.FrameTree.Frame.ID
		t.own[t.main] = true
		t.mu.Unlock()
		patterns := make([]*fetch.RequestPattern, len(barred))
		for i, p := range barred {
			patterns[i] = &fetch.RequestPattern{URLPattern: p}
		}
		_, err = cdp.Call(ctx, t.target, fetch.Enable, fetch.EnableParams{Patterns: patterns})
	}
	if err == nil { // a field has the cursor whichever tab is in front
		_, err = cdp.Call(ctx, t.target, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("opening a tab: %w", err)
	}
	return t, nil
}

// close closes the page.
func (t *tab) close() {
	t.cancel()
	t.working.Wait()
}

// hear takes what happens to the page. It must not wait.
func (t *tab) hear(event any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := event.(type) {
	case *page.EventJavascriptDialogOpening:
		t.dialog(e)
	case *fetch.EventRequestPaused:
		t.refused = append(t.refused, "an address of a kind that is not opened was asked for: "+cut(e.Request.URL, 200))
		t.later(func(ctx context.Context) {
			_, _ = cdp.Call(ctx, t.target, fetch.FailRequest, fetch.FailRequestParams{RequestID: e.RequestID, ErrorReason: network.ErrorReasonBlockedByClient})
		})
	case *browser.EventDownloadWillBegin: // of any tab: the browser says it
		if !t.own[e.FrameID] {
			return
		}
		t.refused = append(t.refused, fmt.Sprintf("the page offered the download %q, and this server takes none", cut(e.SuggestedFilename, 100)))
	case *inspector.EventTargetCrashed:
		t.crashed = true
	case *network.EventRequestWillBeSent:
		if e.Type == network.ResourceTypeDocument && e.FrameID == t.main {
			t.asked = e.Request.URL
		}
	case *page.EventFrameStartedLoading:
		t.loading = t.loading || e.FrameID == t.main
	case *page.EventFrameStoppedLoading:
		t.loading = t.loading && e.FrameID != t.main
	case *page.EventFrameNavigated:
		t.own[e.Frame.ID] = true
		if e.Frame.ParentID == "" {
			t.main = e.Frame.ID
		}
	}
}

// dialog answers what a page asks. Somebody has to: until then the page stands.
func (t *tab) dialog(e *page.EventJavascriptDialogOpening) {
	accept := true
	switch e.Type {
	case page.DialogTypeAlert:
		t.told = append(t.told, fmt.Sprintf("The page showed the message %q, which was closed.", cut(e.Message, 500)))
	case page.DialogTypeBeforeunload:
		t.told = append(t.told, "The page asked whether to leave it, which was confirmed.")
	default:
		accept = t.accept
		if accept {
			t.told = append(t.told, fmt.Sprintf("The page asked %q, which was answered with OK.", cut(e.Message, 500)))
		} else {
			t.refused = append(t.refused, fmt.Sprintf("the page asked %q, which was answered with Cancel; to answer with OK, repeat the action with accept_dialog true", cut(e.Message, 500)))
		}
	}
	t.later(func(ctx context.Context) {
		_, _ = cdp.Call(ctx, t.target, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: accept, PromptText: e.DefaultPrompt})
	})
}

// later does what hear can't wait for. The tab's end ends it.
func (t *tab) later(do func(context.Context)) {
	t.working.Add(1)
	go func() {
		defer t.working.Done()
		do(t.ctx)
	}()
}

// begin forgets what happened before an action.
func (t *tab) begin(accept bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.accept, t.told, t.refused = accept, nil, nil
}

// take returns what happened since begin.
func (t *tab) take() (told, refused []string, crashed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.told, t.refused, t.crashed
}

// gone reports whether the page can't be used any more.
func (t *tab) gone() bool {
	t.mu.Lock()
	crashed := t.crashed
	t.mu.Unlock()
	if crashed || t.ctx.Err() != nil {
		return true
	}
	detached, err := chromedp.Detached(t.ctx)
	if err != nil {
		return true
	}
	select {
	case <-detached:
		return true
	default:
		return false
	}
}

// frames returns the page's frames, its own first. A page may have thousands; the
// first are those that people see.
func (t *tab) frames(ctx context.Context) ([]*cdp.Frame, error) {
	const most = 16
	tree, err := cdp.Call(ctx, t.target, page.GetFrameTree, cdp.Empty{})
	if err != nil {
		return nil, err
	}
	var all []*cdp.Frame
	level := []*page.FrameTree{tree.FrameTree}
	for len(level) > 0 && len(all) < most {
		next := level[0]
		all = append(all, next.Frame)
		level = append(level[1:], next.ChildFrames...)
	}
	return all, nil
}

// run calls a function of page.js in a frame. Into is a pointer to what it
// returns; a *runtime.RemoteObjectID takes a handle of an element, empty for none.
func (t *tab) run(ctx context.Context, frame cdp.FrameID, into any, name string, args ...any) error {
	made, err := cdp.Call(ctx, t.target, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: frame, WorldName: world})
	if err != nil {
		return fmt.Errorf("reaching the page: %w", err)
	}
	return t.call(ctx, runtime.CallFunctionOnParams{ExecutionContextID: made.ExecutionContextID}, into, name, args)
}

// with calls a function of page.js on an element.
func (t *tab) with(ctx context.Context, element runtime.RemoteObjectID, into any, name string, args ...any) error {
	return t.call(ctx, runtime.CallFunctionOnParams{ObjectID: element}, into, name, args)
}

func (t *tab) call(ctx context.Context, p runtime.CallFunctionOnParams, into any, name string, args []any) error {
	handle, wantsHandle := into.(*runtime.RemoteObjectID)
	byValue, yes := !wantsHandle, true
	p.ReturnByValue, p.Silent = &byValue, &yes
	p.FunctionDeclaration = "function(...args){\n" + pageScript + "\nreturn errand." + name + "(this, ...args)}"
	for _, arg := range args {
		text, err := json.Marshal(arg)
		if err != nil {
			return fmt.Errorf("writing an argument: %w", err)
		}
		p.Arguments = append(p.Arguments, &runtime.CallArgument{Value: text})
	}
	result, err := cdp.Call(ctx, t.target, runtime.CallFunctionOn, p)
	switch {
	case err != nil:
		return err
	case result.ExceptionDetails != nil:
		return fmt.Errorf("%s in the page: %w", name, &chromedp.ExceptionError{ExceptionDetails: result.ExceptionDetails})
	case wantsHandle:
		*handle = result.Result.ObjectID
		return nil
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(result.Result.Value, into); err != nil {
		return fmt.Errorf("reading what %s returned: %w", name, err)
	}
	return nil
}

// heard waits, for a moment at most, until the browser has said why an action
// failed, so that it does not say it during the next one.
func (t *tab) heard(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		if _, refused, _ := t.take(); len(refused) > 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// The page is still when it is loaded and nothing in it has changed for a moment:
// stillness is long enough for a handler's timers, short enough not to be felt.
const (
	stillness = 150 * time.Millisecond
	glance    = 40 * time.Millisecond
)

// settle waits until the page is still, and reports false when it is not within
// patience: then it is looked at as it is.
func (t *tab) settle(ctx context.Context, patience time.Duration) (still bool, err error) {
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for looks := 0; ; looks++ {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-end.C:
			return false, nil
		case <-tick.C:
		}
		if t.gone() {
			return true, nil // which whoever looks at it will say
		}
		t.mu.Lock()
		loading, main := t.loading, t.main
		t.mu.Unlock()
		var quiet float64
		if loading || looks < 2 { // a click's navigation begins a little after it
			continue
		}
		if err := t.run(ctx, main, &quiet, "quiet"); err == nil && time.Duration(quiet)*time.Millisecond >= stillness {
			return true, nil
		}
	}
}

// navigable reports why an address can't be opened, or nil.
func navigable(text string) error {
	if text == "about:blank" {
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("it is not a URL: want one such as https://example.com/path")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("only http:// and https:// addresses are opened")
	case u.Hostname() == "":
		return errors.New("it has no host")
	}
	return nil
}

// stays reports whether a page may be at an address: where it may be sent, and
// what Chromium shows when a page could not be opened.
func stays(address string) bool {
	return address == "" || strings.HasPrefix(address, "about:") || strings.HasPrefix(address, "chrome-error:") || navigable(address) == nil
}
