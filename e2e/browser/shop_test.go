package browser

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

// shop is a web site of the tests' own: a search, a login, a table with pages, a
// page that takes its time, a frame, a question in a dialog. It notes what was asked
// of it.
type shop struct {
	*httptest.Server
	mu   sync.Mutex
	face int // how the home page is built: see faces
	seen []string
	path string        // that is held
	held chan struct{} // not nil: the path is answered when it is closed
}

// faces are the search form of the home page before and after the shop's people
// have worked on it: with other ids in another place, and with other words, too.
var faces = []string{
	`<form action="/find"><label>Search <input id="q" name="q"></label><button id="go">Go</button></form>`,
	`<div><p>News!</p><form action="/find"><div><label>Search <input id="field-7" name="q"></label></div><button id="b-9">Go</button></form></div>`,
	`<main><form action="/find"><textarea id="x1" name="q" aria-label="What do you need?" onkeydown="if(event.key=='Enter'){event.preventDefault();this.form.submit()}"></textarea><button id="x2">Show</button></form></main>`,
}

var prices = map[string]string{"lamp": "20", "chair": "45", `"small" table`: "80", "rug": "60"}

func newShop(t testing.TB) *shop {
	s := &shop{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /find", s.find)
	mux.HandleFunc("GET /login", page(`<h1>Log in</h1><form method="post"><label>User <input name="user"></label><label>Password <input type="password" name="password"></label><button>Log in</button></form>`))
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("GET /account", s.account)
	mux.HandleFunc("GET /orders", s.orders)
	mux.HandleFunc("GET /stock", s.stock)
	mux.HandleFunc("GET /checkout", page(`<h1>Checkout</h1><iframe src="/newsletter" width="400" height="150"></iframe>
		<button onclick="if(confirm('Order for 20 €?')) fetch('/order',{method:'POST'}).then(()=>out.textContent='The order is placed.')">Place order</button><p id="out">Nothing is ordered yet.</p>`))
	mux.HandleFunc("GET /newsletter", page(`<form method="post"><label>E-mail <input name="mail"></label><button>Subscribe</button></form>`))
	mux.HandleFunc("POST /newsletter", func(w http.ResponseWriter, r *http.Request) {
		page("<p>Thanks, "+html.EscapeString(r.FormValue("mail"))+"</p>")(w, r)
	})
	mux.HandleFunc("GET /open/", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /order", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /held", page("<h1>Here it is</h1>"))
	mux.HandleFunc("GET /press", page(`<h1>Press</h1><button onclick="let r=new XMLHttpRequest();r.open('GET','/held?pressed',false);r.send();out.textContent='It was pressed.'">Press</button><p id="out"></p>`))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r.Method+" "+r.URL.RequestURI())
		held := s.held
		if r.URL.Path != s.path {
			held = nil
		}
		s.mu.Unlock()
		if held != nil {
			select {
			case <-held:
			case <-r.Context().Done():
				return
			}
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.release()
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// page is a page that says every moment that it is open.
func page(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><title>The shop</title><nav><a href="/">Home</a> <a href="/orders">Orders</a></nav>%s
			<script>setInterval(()=>fetch('/open'+location.pathname),100)</script>`, body)
	}
}

func (s *shop) home(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	form := faces[s.face]
	s.mu.Unlock()
	page("<h1>The shop</h1>"+form)(w, r)
}

// rebuild gives the home page another face.
func (s *shop) rebuild(face int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.face = face
}

func (s *shop) find(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query().Get("q")
	text := "<p>Nothing was found.</p>"
	if price, known := prices[strings.ToLower(q)]; known {
		text = fmt.Sprintf("<table><tr><th>Thing<th>Price</tr><tr><td>%s<td>%s €</tr></table>", html.EscapeString(q), price)
	}
	page("<h1>Results for "+html.EscapeString(q)+"</h1>"+text)(w, r)
}

func (s *shop) login(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("user") != "ann" || r.FormValue("password") != "open sesame" {
		page("<h1>Wrong password</h1>")(w, r)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "user", Value: "ann", Path: "/"})
	http.Redirect(w, r, "/account", http.StatusSeeOther)
}

func (s *shop) account(w http.ResponseWriter, r *http.Request) {
	if user, err := r.Cookie("user"); err != nil || user.Value != "ann" {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	page("<h1>Welcome, ann</h1><p>You have 120 points.</p>")(w, r)
}

func (s *shop) orders(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("page"))
	var rows strings.Builder
	for i := 100 * n; i < 100*(n+1); i++ {
		fmt.Fprintf(&rows, "<tr><td>order %d<td>%d lamps, two chairs and a rug<td>delivered to ann<td>%d €</tr>", 1000+i, i%7+1, 7*i+3)
	}
	next := ""
	if n < 2 {
		next = fmt.Sprintf(`<a href="/orders?page=%d">Next page</a>`, n+1)
	}
	page(fmt.Sprintf("<h1>Orders, page %d of 3</h1><table>%s</table>%s", n+1, rows.String(), next))(w, r)
}

// stock takes a second to come, and its script another one to fill it.
func (s *shop) stock(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(time.Second):
	case <-r.Context().Done():
	}
	page(`<h1>Stock</h1><p id="out">Counting …</p><script>setTimeout(()=>out.textContent='12 lamps are in stock.',1000)</script>`)(w, r)
}

// hold makes a path wait until release.
func (s *shop) hold(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.path, s.held = path, make(chan struct{})
}

func (s *shop) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != nil {
		close(s.held)
		s.held = nil
	}
}

// open reports whether the page at a path is open somewhere.
func (s *shop) open(path string) bool {
	before := s.saw("GET /open" + path)
	rig.Pause(time.Second)
	return s.saw("GET /open"+path) > before
}

// saw counts the requests that begin so.
func (s *shop) saw(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, line := range s.seen {
		if strings.HasPrefix(line, prefix) {
			count++
		}
	}
	return count
}
