package native

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"time"

	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

//go:embed decide.html
var decideHTML string

//go:embed decide.css
var decideCSS string

// maxForm bounds the form of a decision in bytes: a word and a reason.
const maxForm = 16 << 10

// decidePage is what the template decide.html shows: an action to decide on, or
// Said alone.
type decidePage struct {
	CSS                       template.CSS
	Title, Said, More         string
	Ask, Approve, Reject      bool
	Agent, Task, Tool         string
	Preview, Arguments, Asked string
	Digest, Why               string
	Missing                   int
	Until                     time.Time
}

// showLink shows the exact action. It decides nothing: programs that look into
// mails and chats follow every link.
func (a *API) showLink(w http.ResponseWriter, r *http.Request) {
	l, _, state, refused := a.openLink(r)
	if refused != nil {
		a.page(w, refused.status, refused.page)
		return
	}
	action := state.Action(l.Action)
	page := decidePage{
		Title: "Your decision", Ask: true, Approve: l.allows(linkApprove), Reject: l.allows(linkReject),
		Task: run.Visible(a.mask(state.Summarize().Title)), Tool: action.Tool.Name, Preview: action.Preview,
		Arguments: run.Exhibit(action.Arguments, a.cfg.Mask), Digest: action.Digest, Missing: state.Missing(action), Until: l.Until,
	}
	if state.Spec.Agent != nil {
		page.Agent = run.Visible(state.Spec.Agent.Name)
	}
	if action.Original != "" {
		page.Asked = run.Exhibit(action.Original, a.cfg.Mask)
	}
	switch action.Reason {
	case run.UnknownReason:
		page.Why = "This call was made before, and nobody knows what came of it. Approve: it is made again. Reject: it counts as done."
	case run.ChangedReason:
		page.Why = "This was approved before, and is not what it was then."
	}
	a.page(w, http.StatusOK, page)
}

// refusal is a link that can't be used, as a page.
type refusal struct {
	status int
	page   decidePage
}

func refuse(status int, title, said string) *refusal {
	return &refusal{status, decidePage{Title: title, Said: said}}
}

// openLink finds the link of a request, and the run that it is about as it is now.
func (a *API) openLink(r *http.Request) (link, run.Row, run.State, *refusal) {
	l, row, err := a.findLink(r.Context(), path.Base(r.URL.Path))
	switch {
	case problem.Is(err, problem.NotFound):
		return l, row, run.State{}, refuse(http.StatusNotFound, "No such link", "This link was never made here, or has been gone for long.")
	case err != nil:
		return l, row, run.State{}, refuse(http.StatusInternalServerError, "Something went wrong", "The link could not be read. Nothing was decided: try again later.")
	case !l.Used.IsZero():
		return l, row, run.State{}, refuse(http.StatusGone, "Already used", fmt.Sprintf(
			"This link was used on %s and can be used once. What came of it is in the trace of run_%s.", l.Used.UTC().Format(time.RFC1123), l.Run))
	case !a.cfg.Now().Before(l.Until):
		return l, row, run.State{}, refuse(http.StatusGone, "Expired", fmt.Sprintf(
			"This link was good until %s. Nothing was decided by it: ask for another one.", l.Until.UTC().Format(time.RFC1123)))
	}
	state, err := a.cfg.Engine.Get(r.Context(), l.Project, l.Run)
	switch {
	case problem.Is(err, problem.NotFound):
		return l, row, state, refuse(http.StatusGone, "Gone", "The run that this link was for has been deleted.")
	case err != nil:
		return l, row, state, refuse(http.StatusInternalServerError, "Something went wrong", "The run could not be read. Nothing was decided: try again later.")
	}
	action := state.Action(l.Action)
	switch {
	case action == nil || !action.Waits() || state.Ended != nil:
		return l, row, state, refuse(http.StatusConflict, "Already decided", "This action does not wait for a decision any more.")
	case action.Digest != l.Digest || !state.Intact(action):
		return l, row, state, refuse(http.StatusConflict, "Changed", "What this link was made for is not what would be done now. Nothing was decided: ask for another link.")
	}
	return l, row, state, nil
}

// useLink decides. The token is in the address of the form alone, no cookie goes
// with it, and a browser that says that another site sends the form is refused.
func (a *API) useLink(w http.ResponseWriter, r *http.Request) {
	if elsewhere(r) {
		a.page(w, http.StatusForbidden, decidePage{Title: "Not from here", Said: "Another site has sent this form. Nothing was decided: open the link itself."})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		a.page(w, http.StatusBadRequest, decidePage{Title: "Not understood", Said: "The form could not be read. Nothing was decided."})
		return
	}
	said, reason := r.PostForm.Get("decision"), r.PostForm.Get("reason")
	l, row, _, refused := a.openLink(r)
	switch {
	case refused != nil:
		a.page(w, refused.status, refused.page)
		return
	case said != linkApprove && said != linkReject || tooLong(reason) != "":
		a.page(w, http.StatusBadRequest, decidePage{Title: "Not understood", Said: "Say decision=approve or decision=reject, and a reason of at most 2,000 characters if you like. Nothing was decided."})
		return
	case !l.allows(said):
		a.page(w, http.StatusForbidden, decidePage{Title: "Not with this link", Said: "This link is good for another decision alone. Nothing was decided."})
		return
	}
	// Someone who closes the window has decided all the same.
	status, page := a.decideBy(context.WithoutCancel(r.Context()), &l, row, engine.Decision{
		Approve: said == linkApprove, Reason: reason, From: wire.Peer(r), Request: w.Header().Get("X-Request-Id"),
	})
	a.page(w, status, page)
}

// elsewhere reports whether a browser says that another site has sent a form. One that
// is too old for Sec-Fetch-Site still names the origin.
func elsewhere(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin" && site != "none"
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false // no browser, or one that has nothing to say
	}
	from, err := url.Parse(origin)
	return err != nil || from.Host != r.Host
}

// decideBy claims the link, makes its decision, and returns the page that says so.
func (a *API) decideBy(ctx context.Context, l *link, row run.Row, d engine.Decision) (int, decidePage) {
	if err := a.claim(ctx, *l, row); problem.Is(err, problem.Conflict) {
		return http.StatusGone, decidePage{Title: "Already used", Said: problem.From(err).Detail}
	} else if err != nil {
		return http.StatusServiceUnavailable, decidePage{Title: "Something went wrong", Said: "The decision could not be written: try again, or look at the run."}
	}
	state, err := a.decide(ctx, l, d)
	if err != nil {
		told := problem.From(err)
		return wire.Status(told.Code), decidePage{Title: "Not decided", Said: told.Detail, More: "The link is used up all the same: ask for another one."}
	}
	page := decidePage{Title: "Rejected", Said: "It will not be done."}
	if d.Approve {
		page = decidePage{Title: "Approved", Said: "It will be done as it was shown."}
		if action := state.Action(l.Action); action != nil && action.Waits() {
			page.Said = fmt.Sprintf("Noted. Others have to approve it, too: %d more.", state.Missing(action))
		}
	}
	return http.StatusOK, page
}

func (a *API) mask(text string) string {
	if a.cfg.Mask == nil {
		return text
	}
	return a.cfg.Mask(text)
}

// page writes a page that nothing may keep, frame or learn the address of, and in
// which nothing runs.
func (a *API) page(w http.ResponseWriter, status int, page decidePage) {
	page.CSS = template.CSS(decideCSS) // our own file
	var out bytes.Buffer
	pattern, err := template.New("decide").Parse(decideHTML)
	if err == nil {
		err = pattern.Execute(&out, page)
	}
	if err != nil {
		http.Error(w, "The page could not be rendered.", http.StatusInternalServerError)
		return
	}
	sum := sha256.Sum256([]byte(decideCSS))
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Robots-Tag", "noindex, nofollow")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the reader has gone: nobody is left to tell
}
