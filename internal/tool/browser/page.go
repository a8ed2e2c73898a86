package browser

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"

	"errand/internal/egress"
	"errand/internal/problem"
)

const (
	// maxView is how much of a page a model gets to read at a time: some 6,000
	// tokens, more than almost every page has in words.
	maxView = 24 << 10
	// maxReminder is how much of it goes with an error.
	maxReminder = 6 << 10
)

// look is what page.js sees of a frame.
type look struct {
	Title string  `json:"title"`
	URL   string  `json:"url"`
	Next  int     `json:"next"`
	Lines []line  `json:"lines"`
	Else  int     `json:"beyond"` // elements that are further away than was asked for
	Ready string  `json:"ready"`
	Birth float64 `json:"origin"` // of the document

	Scroll float64 `json:"scroll"`
	Height float64 `json:"height"`
	Screen float64 `json:"screen"`
}

type line struct {
	Number int    `json:"n"` // of an element; 0 for text
	Text   string `json:"text"`
}

func (l line) String() string {
	if l.Number == 0 {
		return l.Text
	}
	return fmt.Sprintf("[%d] %s", l.Number, l.Text)
}

// view is a page as a model gets it.
type view struct {
	text, url, title string
}

// see looks at the current tab, with what is new since the last look marked.
func (s *session) see(ctx context.Context, still bool) (view, error) {
	t := s.current
	frames, err := t.frames(ctx)
	if err != nil {
		return view{}, err
	}
	looks, err := s.looks(ctx, frames, false)
	if err == nil && size(looks) > maxView {
		looks, err = s.looks(ctx, frames, true)
	}
	if err != nil {
		return view{}, err
	}
	top := &looks[0]
	var text strings.Builder
	fmt.Fprintf(&text, "Page: %s\nAddress: %s\n", top.Title, cut(top.URL, 500))
	if len(s.tabs) > 1 {
		var numbers []string
		for _, tab := range s.tabs {
			numbers = append(numbers, fmt.Sprint(tab.number))
		}
		fmt.Fprintf(&text, "Tabs: %s; this is %d\n", strings.Join(numbers, ", "), t.number)
	}
	if top.Height > top.Screen+1 {
		fmt.Fprintf(&text, "Scrolled to %.0f of %.0f pixels; the window shows %.0f\n", top.Scroll, top.Height, top.Screen)
	}
	if !still {
		text.WriteString("It is still loading or changing.\n")
	}
	text.WriteString("\n")
	s.list(&text, frames, looks)
	return view{text: text.String(), url: top.URL, title: top.Title}, nil
}

// looks asks every frame. A child frame that can't be asked is passed over: it may
// have gone meanwhile.
func (s *session) looks(ctx context.Context, frames []*cdp.Frame, near bool) ([]look, error) {
	looks := make([]look, len(frames))
	for i, f := range frames {
		err := s.current.run(ctx, f.ID, &looks[i], "look", s.numbers+1, near)
		if err != nil && (i == 0 || ctx.Err() != nil) {
			return nil, err
		}
		if err == nil {
			s.numbers = max(s.numbers, looks[i].Next-1)
		}
	}
	return looks, nil
}

func size(looks []look) int {
	total := 0
	for i := range looks {
		for _, l := range looks[i].Lines {
			total += len(l.Text) + 8
		}
	}
	return total
}

// list writes the lines, new ones with a star if the document is the one that was
// looked at before.
func (s *session) list(text *strings.Builder, frames []*cdp.Frame, looks []look) {
	t := s.current
	document := fmt.Sprint(looks[0].Birth)
	again, seen, left := t.looked == document, map[string]bool{}, 0
	room := text.Len() + maxView
	for i := range looks {
		if i > 0 && len(looks[i].Lines) > 0 {
			fmt.Fprintf(text, "Frame %s:\n", cut(frames[i].URL, 120))
		}
		left += looks[i].Else
		for _, l := range looks[i].Lines {
			written := l.String()
			seen[written] = true
			if text.Len()+len(written) > room {
				left++
				continue
			}
			if again && !t.lines[written] {
				text.WriteString("*")
			}
			text.WriteString(written + "\n")
		}
	}
	if left > 0 {
		fmt.Fprintf(text, "(%d more lines are not shown: scroll, look for a word with browser.find_text, or read with browser.extract)\n", left)
	}
	if again {
		text.WriteString("(* is new since the last look)\n")
	}
	t.lines, t.looked = seen, document
}

// reached returns why the current page is not one, or nil: its address could not
// be opened, or is of a kind that is never opened.
func (s *session) reached(ctx context.Context) error {
	t := s.current
	tree, err := cdp.Call(ctx, t.target, page.GetFrameTree, cdp.Empty{})
	if err != nil {
		return err
	}
	top := tree.FrameTree.Frame
	if top.UnreachableURL != "" {
		return s.unreachable(top.UnreachableURL, "")
	}
	if stays(top.URL) {
		return nil
	}
	if _, err := cdp.Call(ctx, t.target, page.Navigate, page.NavigateParams{URL: "about:blank"}); err != nil {
		return err
	}
	return problem.New(problem.ToolFailed, "The page went to %s, which was left at once: only http:// and https:// addresses are opened.", cut(top.URL, 200))
}

// unreachable is the problem of a page that can't be opened. Text is Chromium's
// own word for it.
func (s *session) unreachable(address, text string) error {
	s.current.mu.Lock()
	if s.current.asked != "" {
		address = s.current.asked // after redirects
	}
	s.current.mu.Unlock()
	if u, err := parse(address); err == nil {
		why := s.process.proxy.why(egress.HostPort(u))
		if told, ok := egress.Public(why); ok {
			return told
		}
		if why != nil && text == "" {
			text = "the connection failed"
		}
	}
	switch {
	case strings.Contains(text, "TOO_MANY_REDIRECTS"):
		text = "it redirects for ever"
	case strings.Contains(text, "NAME_NOT_RESOLVED") || strings.Contains(text, "TUNNEL_CONNECTION_FAILED") || strings.Contains(text, "EMPTY_RESPONSE"):
		text = "nothing answers there (" + text + ")"
	case text == "":
		text = "the address does not lead to one"
	}
	return problem.New(problem.ToolFailed, "The page %s can't be opened: %s.", cut(address, 300), text)
}

// element finds what an action is to act on, by number or by locator.
func (st *step) element(ctx context.Context) (runtime.RemoteObjectID, error) {
	t := st.s.current
	frames, err := t.frames(ctx)
	if err != nil {
		return "", err
	}
	for _, f := range frames {
		var handle runtime.RemoteObjectID
		switch wanted := st.args.Element; {
		case wanted == nil:
			err = t.run(ctx, f.ID, &handle, "element", *st.args.Index)
		case wanted.Frame != "" && wanted.Frame != withoutQuery(f.URL):
			continue
		default:
			err = t.run(ctx, f.ID, &handle, "locate", wanted)
		}
		if ctx.Err() != nil || err != nil && f == frames[0] {
			return "", errors.Join(err, ctx.Err())
		}
		if err != nil || handle == "" {
			continue
		}
		st.record.Element = new(Locator)
		if err := t.with(ctx, handle, st.record.Element, "describe"); err != nil {
			return "", err
		}
		if f != frames[0] {
			st.record.Element.Frame = withoutQuery(f.URL)
		}
		return handle, nil
	}
	what := "The element is not on this page"
	if st.args.Element == nil {
		what = fmt.Sprintf("There is no element %d on this page", *st.args.Index)
	}
	return "", st.remind(ctx, "%s; it may have changed. Use a number from what follows.", what)
}

// remind is a failure with the page as it is.
func (st *step) remind(ctx context.Context, format string, args ...any) error {
	told := problem.New(problem.ToolFailed, format, args...)
	if now, err := st.s.see(ctx, true); err == nil {
		told.Detail += "\n\n" + cut(now.text, maxReminder)
	}
	return told
}
