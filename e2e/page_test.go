package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"errand/e2e/rig"
)

// tab is a tab of a real Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// newTab opens one; without a Chromium that starts the test skips itself and says so.
func newTab(t *testing.T, w *rig.World) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no Chromium here: ", err)
	}
	ctx, stop := chromedp.NewExecAllocator(t.Context(), chromedp.Headless, chromedp.NoFirstRun, chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.UserDataDir(filepath.Join(w.Dir, "chromium")), chromedp.WindowSize(1280, 800))
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(ctx)
	t.Cleanup(leave)
	if err := chromedp.Do(ctx); err != nil {
		t.Skip("no Chromium that starts here: ", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	t.Cleanup(cancel)
	return &tab{t, ctx}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%v; the page says %q", err, b.says("document.body ? document.body.innerText : ''"))
	}
}

// says is the value of an expression in the page.
func (b *tab) says(expression string) string {
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		return err.Error()
	}
	return text
}

// until waits for an expression to be true.
func (b *tab) until(expression string) {
	b.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		yes, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && yes {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("waited in vain for %s, %v; the page says %q", expression, err, b.says("document.body.innerText"))
		}
		rig.Pause(20 * time.Millisecond)
	}
}

// signs opens the page and signs in.
func (b *tab) signs(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
	b.do(chromedp.WaitVisible("#key"), chromedp.SendKeys("#key", rig.AdminKey+"\n"))
}

// counts waits until the list says so.
func (b *tab) counts(text string) {
	b.t.Helper()
	b.until("document.getElementById('count').textContent.includes('" + text + "')")
}

func (b *tab) text(selector string) string {
	return b.says("document.querySelector('" + selector + "').textContent")
}

// picture keeps what the page looks like, where somebody wants to see it.
func (b *tab) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("ERRAND_PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "page-"+name+".png"), png, 0o600)
	}
	if err != nil {
		b.t.Error(err)
	}
}

// TestThePage signs in, sees what waits, rejects with a reason and approves, and sees
// what comes meanwhile without asking.
func TestThePage(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	c.Tool(w, "book.once", "once")
	b := newTab(t, w)
	first := gated(t, c, "the first <b>task</b>")
	b.do(chromedp.Navigate(c.URL + "/"))
	b.do(chromedp.WaitVisible("#key"), chromedp.SendKeys("#key", "sk_nobody\n"))
	b.until("document.getElementById('refused').textContent")
	b.picture("door")
	b.says("document.getElementById('key').value = ''")
	b.do(chromedp.SendKeys("#key", rig.AdminKey+"\n"), chromedp.WaitVisible("#approve"))
	if title, args := b.says("document.title"), b.text(".args"); !strings.HasPrefix(title, "(1)") || args != "n1" {
		t.Errorf("title %q, arguments %q", title, args)
	}
	b.picture("light")

	// Another one comes, with a character that can't be seen; nobody loads the page again.
	var second rig.Run
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"book.once"}, "approval": map[string]any{"required_for": []string{"book.once"}},
		"prompt": rig.Steps("second", `book.once {"payee":"Har`+"\u200b"+`bour <img src=x onerror=alert(1)>","amount":12345678901234567890.50}`, rig.Say("Booked.")),
	}, &second)
	b.counts("2 wait")
	b.do(chromedp.Click("#list li button"), chromedp.WaitVisible(".hid"))
	if hidden, args := b.text(".hid"), b.text(".args"); hidden != "U+200B" || !strings.Contains(args, "12345678901234567890.50") || !strings.Contains(args, "<img src=x") {
		t.Errorf("hidden %q, arguments %q", hidden, args)
	}
	if button := b.text("#approve"); button != "Approve with 1 hidden character" {
		t.Errorf("the button says %q", button)
	}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	}); err != nil {
		t.Error(err)
	}
	b.do(chromedp.Click("#reject"))
	b.picture("dark")
	b.do(chromedp.SendKeys("#reason", "not this payee"), chromedp.Click("#reject"))
	b.counts("1 waits")
	rig.Pause(350 * time.Millisecond) // a click right behind the last decision was meant for that one
	b.do(chromedp.Click("#approve"))
	b.counts("Nothing waits")
	if said := b.text("#list"); !strings.Contains(said, "Approved book.once") || !strings.Contains(said, "Rejected book.once") {
		t.Errorf("the list says %q", said)
	}
	if done := c.Until(first.ID, "completed"); done.Summary() != "Booked." {
		t.Errorf("%+v", done)
	}
	if r := c.Until(second.ID, "completed"); *r.StopReason != "rejected" || !strings.Contains(r.Summary(), "not this payee") {
		t.Errorf("%+v: %s", *r.StopReason, r.Summary())
	}
	if n := len(w.Tools.Ledger("book.once")); n != 1 {
		t.Errorf("%d calls", n)
	}
	b.do(chromedp.Click("#out"), chromedp.WaitVisible("#key"))
	if kept := b.says("JSON.stringify({...sessionStorage, ...localStorage})"); kept != "{}" {
		t.Errorf("signed out, and %s stays", kept)
	}
}
