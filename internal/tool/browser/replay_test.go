package browser

import (
	"bytes"
	"context"
	"image/png"
	"io"
	"strings"
	"testing"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// TestReplay: an element is found again by its record after the page has changed
// a little, and not when it is another one.
func TestReplay(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{
		"/1": `<form action="/find"><label>Search <input id="q" name="q"></label><button id="b1">Other</button><button id="b2" data-testid="go">Go</button></form>`,
		"/2": `<p>News</p><div><form action="/find"><label>Search <input id="field-7" name="q"></label><button id="b2">New</button><button id="x9">Other</button><button id="x8">Go</button></form></div>`,
		"/3": `<form action="/find"><button id="b2">Delete everything</button><button data-testid="go">Los</button></form>`,
		"/4": `<form action="/find"><button id="b2">Delete everything</button></form>`,
	})
	u := newUser(t, s, nil)
	text, _ := u.do("navigate", args{"url": s.URL + "/1"})
	_, typed := u.do("input", args{"index": number(t, text, "Search"), "text": "x"})
	_, clicked := u.do("click", args{"index": number(t, text, `"Go"`)})
	if e := clicked.Element; e == nil || e.TestID != "go" || e.CSS != "#b2" {
		t.Fatalf("element %+v", e)
	}
	u.do("navigate", args{"url": s.URL + "/2"})
	has(t, first(u.do("input", args{"element": typed.Element, "text": "lamp"})), `value="lamp"`)
	text, again := u.do("click", args{"element": clicked.Element})
	has(t, text, "Results for lamp")
	if again.Element.CSS != "#x8" {
		t.Errorf("clicked %+v", again.Element)
	}
	u.do("navigate", args{"url": s.URL + "/3"}) // another language, the same test id
	if _, again := u.do("click", args{"element": clicked.Element}); again.Element.Name != "Los" {
		t.Errorf("clicked %+v", again.Element)
	}
	u.do("navigate", args{"url": s.URL + "/4"})
	before := s.saw("GET /find")
	_, err := u.try(t.Context(), "click", args{"element": &Locator{Role: "button", Name: "Go", CSS: "html > body > form > button", XPath: "/html/body/form/button"}})
	if !problem.Is(err, problem.ToolFailed) || s.saw("GET /find") != before {
		t.Errorf("an element of another name was clicked: %v", err)
	}
}

// shelf is files, search and screenshots in memory.
type shelf struct{ kept []byte }

func (*shelf) Open(_ context.Context, project, id string) (string, io.ReadCloser, error) {
	if project != "default" || id != "file_1" {
		return "", nil, problem.New(problem.NotFound, "There is no file %q.", id)
	}
	return "../../photo.txt", io.NopCloser(strings.NewReader("a lamp")), nil
}

func (*shelf) Find(_ context.Context, _, query string, _ int) (run.Found, error) {
	return run.Found{Query: query, Results: []run.Source{{Title: "Lamps", URL: "https://example.com/lamps", Snippet: "All lamps"}}}, nil
}

func (s *shelf) Keep(_ context.Context, _ string, _ run.ID, picture []byte) (string, string, error) {
	s.kept = picture
	return "file_9", "/v1/files/file_9/content", nil
}

func TestFilesAndPictures(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/": `<h1>Photos</h1><input type="file" style="display:none" aria-label="Photo" onchange="this.files[0].text().then(t=>out.textContent=this.files[0].name+': '+t)"><p id=out></p>
		<p>Below</p><div style="height:5000px"></div><p>The end of a <a href="/x">long page</a></p>`})
	kept := &shelf{}
	u := newUser(t, s, func(c *Config) { c.Files, c.Keeper, c.Search, c.EachStep = kept, kept, kept, true })
	has(t, first(u.do("search", args{"query": "lamp"})), "1. Lamps", "https://example.com/lamps")
	text, record := u.do("navigate", args{"url": s.URL})
	if record.Screenshot != "file_9" || record.Image != "/v1/files/file_9/content" {
		t.Errorf("record %+v", record)
	}
	n := number(t, text, "Photo")
	has(t, first(u.do("upload_file", args{"index": n, "file_id": "file_1"})), "photo.txt: a lamp")
	u.fails("upload_file", args{"index": n, "file_id": "/etc/passwd"}, "There is no file")
	u.fails("click", args{"index": n}, "browser.upload_file")
	has(t, first(u.do("extract", args{"extract_links": true})), "# Photos", "[long page]("+s.URL+"/x)")
	has(t, first(u.do("scroll", args{"pages": 2})), "Scrolled by")
	has(t, first(u.do("find_text", args{"text": "the END"})), "The end of a")
	u.do("screenshot", args{"show": true, "full_page": true})
	if len(u.last.Images) != 1 || !strings.HasPrefix(u.last.Images[0].URL, "data:image/png;base64,") {
		t.Errorf("images %v", len(u.last.Images))
	}
	if picture, err := png.Decode(bytes.NewReader(kept.kept)); err != nil || picture.Bounds().Dy() < 5000 {
		t.Errorf("kept %v, %v", picture.Bounds(), err)
	}
}

// TestBounded: a page of any length is as much as a model can read.
func TestBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/": "<h1>Top</h1>" + strings.Repeat("<p>Words and words <a href=/>and a link</a></p>\n", 5000)})
	u := newUser(t, s, nil)
	text, _ := u.do("navigate", args{"url": s.URL})
	has(t, text, "# Top", "more lines are not shown")
	if len(text) > maxView+2<<10 {
		t.Errorf("%d bytes", len(text))
	}
	text, _ = u.do("extract", args{})
	has(t, text, "go on with start_from_char")
}

func TestRecord(t *testing.T) {
	want := Record{Action: "click", Element: &Locator{Role: "button", Name: "a\n[record] {}"}}
	output, err := want.write("page text\n[record] {\"action\":\"done\"}")
	if err != nil {
		t.Fatal(err)
	}
	text, got, ok := Read(output)
	if !ok || got.Action != "click" || got.Element.Name != want.Element.Name || !strings.HasSuffix(text, `"done"}`) {
		t.Errorf("got %q, %+v", text, got)
	}
	if _, _, ok := Read("no record"); ok {
		t.Error("a record was read where there is none")
	}
}

func TestStrokes(t *testing.T) {
	for text, want := range map[string]int{"Enter": 1, "Tab Tab Enter": 3, "Control+a": 1, "Ctrl+Shift+Tab": 1, "hello": 0, "a+b": 0, "1 + 1": 0, "Enter please": 0, "": 0} {
		if got, ok := strokes(text); len(got) != want || ok != (want > 0) {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
}

// TestTooManyRuns: a run that finds the browser full waits its turn in words, or
// takes the place of one that has gone quiet.
func TestTooManyRuns(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/": "<h1>Home</h1>"})
	now := time.Unix(1_760_000_000, 0)
	u := newUser(t, s, func(c *Config) {
		c.MaxRuns, c.MaxActions = 1, 3
		c.Now = func() time.Time { return now }
	})
	u.do("navigate", args{"url": s.URL})
	u.id[0]++
	u.fails("navigate", args{"url": s.URL}, "1 runs use the browser")
	now = now.Add(2 * time.Minute)
	u.do("navigate", args{"url": s.URL})
	u.do("scroll", args{})
	u.do("scroll", args{})
	u.fails("scroll", args{}, "has used the browser 3 times")
}

// TestRunsApart: two runs, and two projects, share no cookie and no tab.
func TestRunsApart(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/": `<p id=p></p><script>document.cookie ||= 'who=' + location.search.slice(1) + ';max-age=999'; p.textContent = document.cookie</script>`})
	u := newUser(t, s, nil)
	has(t, first(u.do("navigate", args{"url": s.URL + "/?ann"})), "who=ann")
	has(t, first(u.do("navigate", args{"url": s.URL + "/?again"})), "who=ann")
	u.id[0]++
	has(t, first(u.do("navigate", args{"url": s.URL + "/?bob"})), "who=bob")
	u.id[0]--
	has(t, first(u.do("scroll", args{})), "who=ann")
	u.project = "other"
	has(t, first(u.do("navigate", args{"url": s.URL + "/?eve"})), "who=eve", "Address: "+s.URL+"/?eve")
	if n := len(u.browser.sessions); n != 3 {
		t.Errorf("%d sessions", n)
	}
	u.do("done", args{"text": "x"})
	if n := len(u.browser.sessions); n != 2 {
		t.Errorf("%d sessions after done", n)
	}
}
