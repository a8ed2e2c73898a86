package browser

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	md "github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

func scroll(ctx context.Context, st *step) error {
	screens, down := 1.0, true
	if st.args.Pages != nil {
		screens = *st.args.Pages
	}
	if st.args.Down != nil {
		down = *st.args.Down
	}
	t := st.s.current
	var moved float64
	if st.args.Index == nil && st.args.Element == nil {
		t.mu.Lock()
		top := t.main
		t.mu.Unlock()
		if err := t.run(ctx, top, &moved, "scroll", screens, down); err != nil {
			return err
		}
	} else {
		handle, err := st.element(ctx)
		if err != nil {
			return err
		}
		if err := t.with(ctx, handle, &moved, "scroll", screens, down); err != nil {
			return err
		}
	}
	if moved == 0 {
		st.said = append(st.said, "It can't be scrolled further in this direction.")
	} else {
		st.said = append(st.said, fmt.Sprintf("Scrolled by %.0f pixels.", moved))
	}
	return nil
}

func findText(ctx context.Context, st *step) error {
	frames, err := st.s.current.frames(ctx)
	if err != nil {
		return err
	}
	for i, f := range frames {
		var around string
		err := st.s.current.run(ctx, f.ID, &around, "find", st.args.Text)
		if err != nil && (i == 0 || ctx.Err() != nil) {
			return err
		}
		if around != "" {
			st.said = append(st.said, fmt.Sprintf("Found, and scrolled to: %q", around))
			return nil
		}
	}
	return problem.New(problem.ToolFailed, "The text %q is not on this page, or not in one piece: look for fewer words.", cut(st.args.Text, 100))
}

func dropdownOptions(ctx context.Context, st *step) error {
	handle, is, err := st.control(ctx)
	switch {
	case err != nil:
		return err
	case is.Tag != "SELECT":
		return st.wrong("is not a drop-down list of HTML: click it, and see what opens")
	}
	var options []struct {
		Text     string `json:"text"`
		Value    string `json:"value"`
		Selected bool   `json:"selected"`
		Disabled bool   `json:"disabled"`
	}
	if err := st.s.current.with(ctx, handle, &options, "options"); err != nil {
		return err
	}
	st.quiet = true
	st.said = append(st.said, fmt.Sprintf("%d options; choose one by its text with browser.select_dropdown:", len(options)))
	for _, o := range options {
		remark := ""
		if o.Selected {
			remark = " (selected)"
		}
		if o.Disabled {
			remark += " (disabled)"
		}
		st.said = append(st.said, fmt.Sprintf("%q%s", o.Text, remark))
	}
	return nil
}

// maxExtract is how much of a page one extract returns.
const maxExtract = 40 << 10

func extract(ctx context.Context, st *step) error {
	t := st.s.current
	frames, err := t.frames(ctx)
	if err != nil {
		return err
	}
	converter := md.NewConverter(md.WithPlugins(base.NewBasePlugin(), commonmark.NewCommonmarkPlugin(), table.NewTablePlugin()))
	var all strings.Builder
	for i, f := range frames {
		var source string
		err := t.run(ctx, f.ID, &source, "source", st.args.Links)
		if err != nil && (i == 0 || ctx.Err() != nil) {
			return err
		}
		text, err := converter.ConvertString(source)
		if err != nil || strings.TrimSpace(text) == "" {
			continue // a frame without words
		}
		if i > 0 {
			fmt.Fprintf(&all, "\n\nFrame %s:\n\n", cut(f.URL, 120))
		}
		all.WriteString(strings.TrimSpace(text))
	}
	letters := []rune(all.String())
	start := int(st.args.Start)
	if start >= len(letters) && start > 0 {
		return problem.New(problem.ToolFailed, "start_from_char: the page's text ends at character %d.", len(letters))
	}
	rest := string(letters[start:])
	part := tool.Cut(rest, maxExtract)
	st.quiet = true
	if part == "" {
		part = "(The page has no text.)"
	} else if len(part) < len(rest) {
		part += fmt.Sprintf("\n\n(There is more: go on with start_from_char %d of %d.)", start+len([]rune(part)), len(letters))
	}
	st.said = append(st.said, part)
	st.record.URL, st.record.Tab = frames[0].URL, t.number
	return nil
}

func screenshot(ctx context.Context, st *step) error {
	if err := st.picture(ctx, st.args.FullPage); err != nil {
		return err
	}
	st.quiet = true
	switch {
	case st.record.Image != "":
		st.said = append(st.said, "The picture is kept: "+st.record.Image)
	case !st.args.Show:
		st.said = append(st.said, "This server keeps no pictures; ask with show to see one.")
	default:
		st.said = append(st.said, "Here is the picture.")
	}
	return nil
}

const (
	// maxTall bounds a picture of a whole page: what lies below costs more than it
	// shows.
	maxTall = 8000
	// maxPicture is how large a picture may be that is shown to a model; providers
	// take 5 MB.
	maxPicture = 4 << 20
)

// picture takes one, keeps it, and shows it to the model if that was asked for.
func (st *step) picture(ctx context.Context, whole bool) error {
	t := st.s.current
	var params page.CaptureScreenshotParams
	if whole {
		metrics, err := cdp.Call(ctx, t.target, page.GetLayoutMetrics, cdp.Empty{})
		if err != nil {
			return err
		}
		yes, size := true, metrics.CSSContentSize
		params.CaptureBeyondViewport = &yes
		params.Clip = &page.Viewport{Width: size.Width, Height: min(size.Height, maxTall), Scale: 1}
	}
	taken, err := cdp.Call(ctx, t.target, page.CaptureScreenshot, params)
	if err != nil {
		return err
	}
	if st.b.cfg.Keeper != nil {
		if st.record.Screenshot, st.record.Image, err = st.b.cfg.Keeper.Keep(ctx, st.call.Project, st.call.Run, taken.Data); err != nil {
			return err
		}
	}
	if !st.args.Show {
		return nil
	}
	if len(taken.Data) > maxPicture {
		return problem.New(problem.ToolFailed, "The picture is larger than %d MB: take one without full_page.", maxPicture>>20)
	}
	st.images = append(st.images, run.Image{URL: "data:image/png;base64," + base64.StdEncoding.EncodeToString(taken.Data)})
	return nil
}
