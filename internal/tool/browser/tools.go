package browser

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
	"errand/internal/tool"
)

// action is one tool: what models are told of it, and what it does.
type action struct {
	name        string
	class       run.Class
	description string
	properties  string // of its schema
	required    string
	preview     string
	do          func(context.Context, *step) error
}

const (
	which   = `"index":{"type":"integer","minimum":1,"description":"Number of the element, as shown in brackets"},"element":{"type":"object","description":"For programs that repeat an action: the element of its record, instead of index","properties":{"role":{"type":"string"},"name":{"type":"string"},"test_id":{"type":"string"},"css":{"type":"string"},"xpath":{"type":"string"},"nth":{"type":"integer"},"frame":{"type":"string"}}}`
	confirm = `"accept_dialog":{"type":"boolean","description":"Whether a question that the page asks in a dialog is answered with OK; default false, which is Cancel"}`
)

// actions are all tools, in the order in which models should read of them. What
// only looks and moves is safe; what a page may take for a person's deed is once.
func actions() []action {
	return []action{
		{"search", run.Safe, "Searches the web and returns titles, addresses and snippets. Open a result with browser.navigate.",
			`"query":{"type":"string","minLength":1,"maxLength":400,"description":"What to search for"}`, `"query"`, "{{query}}", search},
		{"navigate", run.Safe, "Opens a web page in a real browser and shows it: its text, and its elements by number. All other browser tools work on the page that is open.",
			`"url":{"type":"string","maxLength":4096,"description":"Address, http:// or https://"},"new_tab":{"type":"boolean","description":"Whether to open it in a new tab"}`, `"url"`, "{{url}}", navigate},
		{"go_back", run.Safe, "Goes back to the page before this one.", "", "", "", goBack},
		{"wait", run.Safe, "Waits some seconds, for a page that is still working, and shows the page.",
			`"seconds":{"type":"number","minimum":0,"maximum":30,"description":"Default 3"}`, "", "{{seconds}} s", wait},
		{"click", run.Once, "Clicks an element of the page.", which + "," + confirm, "", "element {{index}}", click},
		{"input", run.Once, "Types text into a field. It does not press Enter: use browser.send_keys, or click a button.",
			which + `,"text":{"type":"string","maxLength":20000},"clear":{"type":"boolean","description":"Whether what is in the field goes first; default true"},` + confirm, `"text"`, "element {{index}}: {{text}}", input},
		{"scroll", run.Safe, "Scrolls the page, or the box that an element is in.",
			`"down":{"type":"boolean","description":"Default true"},"pages":{"type":"number","minimum":0.1,"maximum":50,"description":"How many screens; default 1"},` + which, "", "", scroll},
		{"find_text", run.Safe, "Scrolls to a text on the page, and says where it stands.", `"text":{"type":"string","minLength":1,"maxLength":500}`, `"text"`, "{{text}}", findText},
		{"send_keys", run.Once, "Presses keys where the cursor is: names such as Enter, Tab, Escape, ArrowDown, PageDown, combinations such as Control+a, several with spaces between them; anything else is typed as it is.",
			`"keys":{"type":"string","minLength":1,"maxLength":2000},` + confirm, `"keys"`, "{{keys}}", sendKeys},
		{"switch", run.Safe, "Goes to another tab.", `"tab_id":{"type":"integer","minimum":1,"description":"Number of the tab"}`, `"tab_id"`, "tab {{tab_id}}", switchTab},
		{"close", run.Safe, "Closes a tab.", `"tab_id":{"type":"integer","minimum":1,"description":"Number of the tab; default the current one"}`, "", "tab {{tab_id}}", closeTab},
		{"dropdown_options", run.Safe, "Lists the options of a drop-down list.", which, "", "element {{index}}", dropdownOptions},
		{"select_dropdown", run.Once, "Chooses an option of a drop-down list.", which + `,"text":{"type":"string","maxLength":1000,"description":"Text of the option"},` + confirm, `"text"`, "element {{index}}: {{text}}", selectDropdown},
		{"extract", run.Safe, "Reads the whole text of the page as Markdown, with what is outside the window.",
			`"query":{"type":"string","maxLength":2000,"description":"What you look for, for the record"},"extract_links":{"type":"boolean","description":"Whether links keep their addresses"},"start_from_char":{"type":"integer","minimum":0,"description":"Where to go on reading a long page"}`, "", "{{query}}", extract},
		{"screenshot", run.Safe, "Takes a picture of the page.",
			`"full_page":{"type":"boolean","description":"The whole page, not only the window"},"show":{"type":"boolean","description":"Whether you want to see it; default false: it is kept for people"}`, "", "", screenshot},
		{"upload_file", run.Once, "Puts a stored file into a file field of the page.", which + `,"file_id":{"type":"string","maxLength":128,"description":"Id of a file that was uploaded to this server"}`, `"file_id"`, "element {{index}}: {{file_id}}", upload},
		{"done", run.Safe, "Says that the task is done, with its result, and closes the browser.",
			`"text":{"type":"string","description":"The result"},"success":{"type":"boolean","description":"Whether the task was completed; default true"}`, `"text"`, "{{text}}", done},
	}
}

// serial is what all actions share: a run's tabs, of which one is the current.
const serial = "browser"

// shows reports whether the action shows the page as it is after it, and not what
// was asked for.
func (a *action) shows() bool {
	return !slices.Contains([]string{"search", "dropdown_options", "extract", "screenshot", "done"}, a.name)
}

// begins reports whether the action makes sense where no page is open.
func (a *action) begins() bool {
	return slices.Contains([]string{"search", "navigate", "wait", "switch", "done"}, a.name)
}

func (a *action) parameters() string {
	rule := ""
	if strings.HasPrefix(a.properties, which) && a.name != "scroll" {
		rule = `,"anyOf":[{"required":["index"]},{"required":["element"]}]`
	}
	return `{"type":"object","properties":{` + a.properties + `},"required":[` + a.required + `],"additionalProperties":false` + rule + `}`
}

// arguments are those of all actions.
type arguments struct {
	Query    string      `json:"query"`
	URL      string      `json:"url"`
	NewTab   bool        `json:"new_tab"`
	Seconds  *float64    `json:"seconds"`
	Index    *tool.Whole `json:"index"`
	Element  *Locator    `json:"element"`
	Accept   bool        `json:"accept_dialog"`
	Text     string      `json:"text"`
	Clear    *bool       `json:"clear"`
	Down     *bool       `json:"down"`
	Pages    *float64    `json:"pages"`
	Keys     string      `json:"keys"`
	Tab      tool.Whole  `json:"tab_id"`
	Links    bool        `json:"extract_links"`
	Start    tool.Whole  `json:"start_from_char"`
	FullPage bool        `json:"full_page"`
	Show     bool        `json:"show"`
	File     string      `json:"file_id"`
	Success  *bool       `json:"success"`
}

// act is an action as a tool.
type act struct {
	browser *Browser
	action  action
	schemas schema.Cache
}

// Describe is what a run knows of the tool.
func (a *act) Describe() run.Tool {
	parameters := a.action.parameters()
	return run.Tool{
		Name: "browser." + a.action.name, Description: a.action.description, Parameters: json.RawMessage(parameters),
		Class: a.action.class, Outside: true, Preview: a.action.preview, Serial: serial, Snapshot: a.action.shows(),
		Version: tool.Digest([]byte("browser 1" + a.action.name + a.action.description + parameters)),
	}
}

// Close closes the browser that all these tools share.
func (a *act) Close() error { return a.browser.Close() }

// step is one action under way.
type step struct {
	b      *Browser
	s      *session
	call   *run.ToolCall
	args   arguments
	said   []string // what the action has to say
	record Record
	images []run.Image
	acted  bool // something was sent to the page that may have had an effect
	quiet  bool // the page is not shown after it
}

// Call does it.
func (a *act) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	b := a.browser
	st := &step{b: b, call: &call, record: Record{Action: a.action.name}}
	if err := a.schemas.Validate(json.RawMessage(a.action.parameters()), call.Arguments); err != nil {
		return run.ToolResult{}, problem.New(problem.ToolFailed, "browser.%s: %s", a.action.name, problem.From(err).Detail)
	}
	if err := json.Unmarshal(call.Arguments, &st.args); err != nil {
		return run.ToolResult{}, problem.New(problem.ToolFailed, "browser.%s: the arguments can't be read.", a.action.name).Because(err)
	}
	who := owner{call.Project, call.Run}
	s, err := b.enter(ctx, who)
	if err != nil {
		return run.ToolResult{}, err
	}
	defer b.leave(who, s, true)
	limit := b.cfg.ActionTime
	if a.action.name == "wait" {
		limit += st.pause()
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	st.s = s
	if s.actions++; s.actions > b.cfg.MaxActions {
		return run.ToolResult{}, problem.New(problem.ToolFailed, "This run has used the browser %d times, which is as often as this server lets it. Finish with what is known.", b.cfg.MaxActions)
	}
	output, err := st.perform(ctx, &a.action)
	if err != nil {
		return run.ToolResult{}, st.sign(ctx, b.broken(ctx, s, st.acted && a.action.class == run.Once, err))
	}
	return run.ToolResult{Output: output, Images: st.images}, nil
}

// perform does the action, and looks at what has become of the page.
func (st *step) perform(ctx context.Context, a *action) (string, error) {
	if err := st.b.ready(ctx, st.s); err != nil {
		return "", err
	}
	if st.s.current.empty && !a.begins() {
		// Nothing that was planned on a page may seem to have worked on none.
		return "", problem.New(problem.ToolFailed, "No page is open: a run's browser is closed when it was not used for a while, and when the server starts again. Open the page with browser.navigate.")
	}
	st.s.current.begin(st.args.Accept)
	if err := a.do(ctx, st); err != nil {
		return "", err
	}
	if st.quiet {
		return st.record.write(strings.Join(st.said, "\n"))
	}
	still, err := st.s.current.settle(ctx, st.b.cfg.ActionTime/3)
	if err != nil {
		return "", err
	}
	told, err := st.s.follow(ctx, st.b.cfg.MaxTabs)
	if err != nil {
		return "", err
	}
	remarks, refused, crashed := st.s.current.take()
	if crashed {
		return "", errors.New("the tab crashed") // what that means depends on what was sent to it
	}
	if err := st.s.reached(ctx); err != nil {
		return "", err
	}
	if len(refused) > 0 {
		return "", st.remind(ctx, "This came of it: %s.", strings.Join(refused, "; "))
	}
	now, err := st.s.see(ctx, still)
	if err != nil {
		return "", err
	}
	st.record.URL, st.record.Title, st.record.Tab = now.url, now.title, st.s.current.number
	if st.b.cfg.EachStep && st.b.cfg.Keeper != nil && st.record.Screenshot == "" {
		if err := st.picture(ctx, false); err != nil {
			return "", err
		}
	}
	st.said = append(append(st.said, remarks...), told...)
	if len(st.said) > 0 {
		st.said = append(st.said, "")
	}
	return st.record.write(strings.Join(append(st.said, now.text), "\n"))
}

// pause is how long browser.wait waits.
func (st *step) pause() time.Duration {
	seconds := 3.0
	if st.args.Seconds != nil {
		seconds = min(*st.args.Seconds, 30)
	}
	return time.Duration(seconds * float64(time.Second))
}
