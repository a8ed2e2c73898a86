package browser

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	in "github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"

	"errand/internal/problem"
)

// kind is what page.js says of a control.
type kind struct {
	Tag      string `json:"tag"`
	Type     string `json:"type"`
	Editable bool   `json:"editable"`
	ReadOnly bool   `json:"readonly"`
	Multiple bool   `json:"multiple"`
	Role     string `json:"role"`
}

func click(ctx context.Context, st *step) error {
	handle, is, err := st.control(ctx)
	switch {
	case err != nil:
		return err
	case is.Type == "file":
		return st.wrong("is a file field: use browser.upload_file")
	case is.Tag == "SELECT":
		return st.wrong("is a drop-down list: use browser.dropdown_options and browser.select_dropdown")
	}
	return st.press(ctx, handle)
}

// control finds the element and what it is.
func (st *step) control(ctx context.Context) (handle runtime.RemoteObjectID, is kind, err error) {
	if handle, err = st.element(ctx); err == nil {
		err = st.s.current.with(ctx, handle, &is, "kind")
	}
	return handle, is, err
}

// wrong is the failure of an action that does not suit its element.
func (st *step) wrong(format string, args ...any) error {
	name := st.record.Element.Role + " " + fmt.Sprintf("%q", st.record.Element.Name)
	return problem.New(problem.ToolFailed, "The element (%s) %s.", name, fmt.Sprintf(format, args...))
}

// press clicks where a person would: on what can be seen of the element.
func (st *step) press(ctx context.Context, handle runtime.RemoteObjectID) error {
	t := st.s.current
	var aimed struct {
		Why string `json:"why"`
	}
	if err := t.with(ctx, handle, &aimed, "aim"); err != nil {
		return err
	}
	if aimed.Why != "" {
		return st.remind(ctx, "The element (%s %q) can't be clicked: %s.", st.record.Element.Role, st.record.Element.Name, aimed.Why)
	}
	var seen runtime.RemoteObjectID
	if err := t.with(ctx, handle, &seen, "target"); err != nil {
		return err
	}
	quads, err := cdp.Call(ctx, t.target, dom.GetContentQuads, dom.GetContentQuadsParams{ObjectID: seen})
	if err != nil {
		return err
	}
	x, y, ok := middle(quads.Quads)
	if !ok {
		return st.wrong("has no place on the page")
	}
	st.acted = true
	for _, event := range []in.DispatchMouseEventParams{
		{Type: in.DispatchMouseEventTypeMouseMoved, X: x, Y: y},
		{Type: in.DispatchMouseEventTypeMousePressed, X: x, Y: y, Button: in.MouseButtonLeft, Buttons: 1, ClickCount: 1},
		{Type: in.DispatchMouseEventTypeMouseReleased, X: x, Y: y, Button: in.MouseButtonLeft, ClickCount: 1},
	} {
		if _, err := cdp.Call(ctx, t.target, in.DispatchMouseEvent, event); err != nil {
			if t.gone() && !st.s.process.dead() {
				return nil // the click closed its own tab
			}
			return err
		}
	}
	return nil
}

// middle is the centre of the first quad that has an area.
func middle(quads []dom.Quad) (x, y float64, ok bool) {
	for _, q := range quads {
		if len(q) == 8 && (q[2]-q[0] > 0 || q[4]-q[0] > 0) && q[5]-q[1] != 0 {
			return (q[0] + q[2] + q[4] + q[6]) / 4, (q[1] + q[3] + q[5] + q[7]) / 4, true
		}
	}
	return 0, 0, false
}

// picked are the controls whose value is set at once: what a person would do with
// them differs from one version of a browser to the next.
var picked = []string{"date", "time", "datetime-local", "month", "week", "color", "range"}

func input(ctx context.Context, st *step) error {
	handle, is, err := st.control(ctx)
	t := st.s.current
	switch {
	case err != nil:
		return err
	case is.ReadOnly:
		return st.wrong("can't be changed: it is disabled or read-only")
	case is.Tag == "INPUT" && slices.Contains(picked, is.Type):
		var now string
		st.acted = true
		if err := t.with(ctx, handle, &now, "put", st.args.Text); err != nil {
			return err
		}
		if now != st.args.Text {
			return st.wrong("took the value %q for %q: write a value as HTML does for type=%s, such as 2026-01-31, 14:30 or #ff0000", now, st.args.Text, is.Type)
		}
		return nil
	case is.Tag == "INPUT" && slices.Contains([]string{"checkbox", "radio", "submit", "button", "reset", "image", "file"}, is.Type),
		is.Tag != "INPUT" && is.Tag != "TEXTAREA" && !is.Editable:
		return st.wrong("is not a field for text")
	}
	st.acted = true
	if st.args.Clear != nil && !*st.args.Clear {
		err = t.with(ctx, handle, nil, "end")
	} else {
		var length int
		if err = t.with(ctx, handle, &length, "clear"); err == nil && length > 0 && st.args.Text == "" {
			return st.stroke(ctx, stroke{key: named["Backspace"]})
		}
	}
	if err != nil {
		return err
	}
	_, err = cdp.Call(ctx, t.target, in.InsertText, in.InsertTextParams{Text: st.args.Text})
	return err
}

func sendKeys(ctx context.Context, st *step) error {
	st.acted = true
	strokes, ok := strokes(st.args.Keys)
	if !ok {
		_, err := cdp.Call(ctx, st.s.current.target, in.InsertText, in.InsertTextParams{Text: st.args.Keys})
		return err
	}
	for _, s := range strokes {
		if err := st.stroke(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func selectDropdown(ctx context.Context, st *step) error {
	handle, is, err := st.control(ctx)
	switch {
	case err != nil:
		return err
	case is.Tag != "SELECT":
		return st.wrong("is not a drop-down list of HTML: click it, then click the option")
	case is.ReadOnly:
		return st.wrong("can't be changed: it is disabled")
	}
	var chosen string
	st.acted = true
	if err := st.s.current.with(ctx, handle, &chosen, "choose", st.args.Text); err != nil {
		return err
	}
	if chosen == "" {
		return st.wrong("has no option %q: browser.dropdown_options lists them", cut(st.args.Text, 100))
	}
	st.said = append(st.said, fmt.Sprintf("Chose %q.", chosen))
	return nil
}

// maxUpload is how large a file for a page may be.
const maxUpload = 64 << 20

func upload(ctx context.Context, st *step) error {
	if st.b.cfg.Files == nil {
		return problem.New(problem.ToolFailed, "This server keeps no files, so none can be uploaded to a page.")
	}
	handle, is, err := st.control(ctx)
	switch {
	case err != nil:
		return err
	case is.Type != "file":
		return st.wrong("is not a file field")
	}
	path, name, err := st.stage(ctx)
	if err != nil {
		return err
	}
	st.acted = true
	_, err = cdp.Call(ctx, st.s.current.target, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{path}, ObjectID: handle})
	if err != nil {
		return err
	}
	st.said = append(st.said, fmt.Sprintf("The field has the file %q.", name))
	return nil
}

// stage writes a stored file where Chromium can read it, into the profile. It
// goes with the session.
func (st *step) stage(ctx context.Context) (path, name string, err error) {
	name, content, err := st.b.cfg.Files.Open(ctx, st.call.Project, st.args.File)
	if err != nil {
		return "", "", err
	}
	defer content.Close()
	if st.s.uploads == "" {
		if st.s.uploads, err = os.MkdirTemp(st.s.process.dir, "upload-"); err != nil {
			return "", "", fmt.Errorf("making a folder for a file: %w", err)
		}
	}
	dir, err := os.MkdirTemp(st.s.uploads, "")
	if err != nil {
		return "", "", fmt.Errorf("making a folder for a file: %w", err)
	}
	if name = filepath.Base(filepath.Clean("/" + name)); name == "/" || name == "." {
		name = "file"
	}
	path = filepath.Join(dir, name)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", "", fmt.Errorf("writing a file: %w", err)
	}
	written, err := io.Copy(file, io.LimitReader(content, maxUpload+1))
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil && written > maxUpload {
		err = problem.New(problem.ToolFailed, "file_id: %s is longer than %d MB, which is as much as goes into a page.", cut(name, 100), maxUpload>>20)
	}
	return path, name, err
}
