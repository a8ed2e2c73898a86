package browser

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"

	"errand/internal/problem"
	"errand/internal/tool"
)

// Locator says how to find an element again, by what people and tests call it and
// by where it stands. Any one of them may have changed.
type Locator struct {
	Role   string     `json:"role,omitempty"`
	Name   string     `json:"name,omitempty"`
	TestID string     `json:"test_id,omitempty"`
	CSS    string     `json:"css,omitempty"`
	XPath  string     `json:"xpath,omitempty"`
	Nth    tool.Whole `json:"nth,omitempty"`   // among those of the same role and name, from 0
	Frame  string     `json:"frame,omitempty"` // address of the frame without its query; empty for the page itself
}

// Record is what a program gets to know of an action.
type Record struct {
	Action     string   `json:"action"` // as in browser.<action>
	Element    *Locator `json:"element,omitempty"`
	URL        string   `json:"url,omitempty"` // of the page after the action
	Title      string   `json:"title,omitempty"`
	Tab        int      `json:"tab,omitempty"`
	Success    *bool    `json:"success,omitempty"`    // of done
	Screenshot string   `json:"screenshot,omitempty"` // id of the file
	Image      string   `json:"image,omitempty"`      // its address
}

// mark begins the last line of an output.
const mark = "\n[record] "

// write puts the record behind the text that a model reads. A text can't forge
// one: only the last line counts, and that is always this.
func (r *Record) write(text string) (string, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	return tool.Bound(text, 0) + mark + string(line), nil
}

// pictureTime is how long a picture of a page on which an action has failed may
// take: such a page may not answer at all.
const pictureTime = 2 * time.Second

// sign puts the record behind a failure, with a picture of the page if there is one
// to be had: who looks for the reason later sees what the action has met.
func (st *step) sign(ctx context.Context, failure *problem.Error) error {
	s := st.s
	if !errors.Is(ctx.Err(), context.Canceled) && s.process != nil && !s.process.dead() && s.current != nil && !s.current.gone() && !s.current.empty {
		ctx, cancel := context.WithTimeout(s.current.ctx, pictureTime)
		defer cancel()
		if tree, err := cdp.Call(ctx, s.current.target, page.GetFrameTree, cdp.Empty{}); err == nil {
			st.record.URL, st.record.Tab = tree.FrameTree.Frame.URL, s.current.number
		}
		if st.b.cfg.EachStep && st.b.cfg.Keeper != nil && st.record.Screenshot == "" {
			st.args.Show = false
			_ = st.picture(ctx, false) // without one the failure says as much
		}
	}
	signed := *failure
	text, err := st.record.write(failure.Detail)
	if err != nil {
		return failure
	}
	signed.Detail = text
	return &signed
}

// Read splits an output of a browser tool into what a model read and its record.
func Read(output string) (text string, record Record, ok bool) {
	at := strings.LastIndex(output, mark)
	if at < 0 || json.Unmarshal([]byte(output[at+len(mark):]), &record) != nil {
		return output, Record{}, false
	}
	return output[:at], record, true
}

func cut(text string, most int) string {
	if short := tool.Cut(text, most); short != text {
		return short + "…"
	}
	return text
}
