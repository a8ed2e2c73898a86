package browser

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/tool/tooltest"
)

// hostile is a site whose pages do what pages do to programs, and a user there.
func hostile(t *testing.T) (s *site, u *user, open func(path string) string) {
	t.Helper()
	s = newSite(t, map[string]string{
		"/":        `<title>Home</title><h1>Home</h1><a href="/">again</a>`,
		"/alert":   `<button onclick="alert('Hello');document.body.append('after')">Say</button>`,
		"/confirm": `<button onclick="document.body.append(confirm('Really?') ? 'yes!' : 'no!')">Ask</button>`,
		"/popup":   `<a href="/" target="_blank">New</a>`,
		"/loud":    `<a href="/shout" target="_blank">Loud</a>`,
		"/shout":   `<script>alert('Boo')</script><p>after the shout</p>`,
		"/get":     `<a href="/file.zip">Get it</a>`,
		"/hang":    `<button onclick="for(;;);">Hang</button>`,
		"/cover":   `<button>Below</button><div style="position:fixed;inset:0;background:white">Cookies?</div>`,
		"/outer":   `<h1>Outer</h1><iframe src="/inner" width=300 height=100></iframe>`,
		"/inner":   `<button onclick="this.textContent='pressed'">Inner</button>`,
		"/held":    `<button onclick="let r=new XMLHttpRequest();r.open('GET','/slow?pressed',false);r.send()">Press</button>`,
		"/leave":   `<script>onbeforeunload=e=>{e.preventDefault()}</script><input aria-label="Note">`,
	})
	u = newUser(t, s, func(c *Config) { c.ActionTime, c.MaxTabs = 12*time.Second, 2 })
	open = func(path string) string {
		t.Helper()
		text, _ := u.do("navigate", args{"url": s.URL + path})
		return text
	}
	return s, u, open
}

// TestHostilePages: whatever a page does is an error or a remark of one action,
// and the next one works.
func TestHostilePages(t *testing.T) {
	s, u, open := hostile(t)
	t.Run("alert", func(t *testing.T) {
		has(t, first(u.do("click", args{"index": number(t, open("/alert"), "Say")})), `showed the message "Hello"`, "after")
	})
	t.Run("confirm", func(t *testing.T) {
		n := number(t, open("/confirm"), "Ask")
		u.fails("click", args{"index": n}, `the page asked "Really?"`)
		has(t, first(u.do("click", args{"index": n, "accept_dialog": true})), "no!", "yes!", "answered with OK")
	})
	t.Run("popup", func(t *testing.T) {
		text := open("/popup")
		has(t, first(u.do("click", args{"index": number(t, text, "New")})), "opened a new tab, number 2", "Tabs: 1, 2; this is 1")
		has(t, first(u.do("switch", args{"tab_id": 2})), "# Home")
		u.do("switch", args{"tab_id": 1})
		has(t, first(u.do("click", args{"index": number(t, text, "New")})), "at most 2 tabs")
		u.fails("navigate", args{"url": s.URL, "new_tab": true}, "at most 2 tabs")
		u.fails("switch", args{"tab_id": 99}, "there are: 1, 2.")
		has(t, first(u.do("close", args{"tab_id": 1})), "# Home")
	})
	t.Run("popup with a dialog", func(t *testing.T) {
		text := first(u.do("click", args{"index": number(t, open("/loud"), "Loud")}))
		if !strings.Contains(text, "did not answer and was closed") && !strings.Contains(text, "opened a new tab") {
			t.Errorf("nothing is said of the window:\n%s", text)
		}
		for len(u.session().tabs) > 1 {
			u.do("close", args{})
		}
	})
	t.Run("download", func(t *testing.T) {
		u.fails("click", args{"index": number(t, open("/get"), "Get it")}, "takes none")
		u.fails("navigate", args{"url": s.URL + "/file.zip"}, "takes none")
		has(t, open("/"), "# Home")
	})
}

// TestBrokenPages: the same of pages that do not work.
func TestBrokenPages(t *testing.T) {
	s, u, open := hostile(t)
	t.Run("redirects for ever", func(t *testing.T) { u.fails("navigate", args{"url": s.URL + "/loop"}, "redirects for ever") })
	t.Run("never loads", func(t *testing.T) {
		u.fails("navigate", args{"url": s.URL + "/slow"}, "did not answer within 12s")
		has(t, open("/"), "# Home")
	})
	t.Run("covered", func(t *testing.T) {
		u.fails("click", args{"index": number(t, open("/cover"), "Below")}, "covered by div")
	})
	t.Run("frame", func(t *testing.T) {
		text, record := u.do("click", args{"index": number(t, open("/outer"), "Inner")})
		has(t, text, "Frame "+s.URL+"/inner", `button "pressed"`)
		if record.Element.Frame != s.URL+"/inner" {
			t.Errorf("frame %q", record.Element.Frame)
		}
	})
	t.Run("leave", func(t *testing.T) {
		u.do("input", args{"index": number(t, open("/leave"), "Note"), "text": "x"})
		has(t, open("/"), "# Home")
	})
	t.Run("hang", func(t *testing.T) {
		u.fails("click", args{"index": number(t, open("/hang"), "Hang")}, "did not answer within")
		u.do("close", args{})
		has(t, open("/"), "# Home")
	})
}

// TestDeaths: the same of a tab and of a Chromium that die.
func TestDeaths(t *testing.T) {
	s, u, open := hostile(t)
	t.Run("crash", func(t *testing.T) {
		open("/")
		_, err := u.try(t.Context(), "navigate", args{"url": "chrome://crash"})
		if !problem.Is(err, problem.ToolFailed) {
			t.Errorf("chrome://crash: %v", err)
		}
		session := u.session()
		kill(t, "--type=renderer", session.process.dir)
		soon(t, "the tab is gone", session.current.gone)
		has(t, open("/"), "# Home")
	})
	t.Run("crash under a click", func(t *testing.T) {
		n := number(t, open("/held"), "Press")
		done := make(chan error, 1)
		go func() {
			_, err := u.try(t.Context(), "click", args{"index": n})
			done <- err
		}()
		soon(t, "the click has had its effect", func() bool { return s.saw("GET /slow?pressed") == 1 })
		kill(t, "--type=renderer", u.session().process.dir)
		if err := <-done; !problem.Is(err, problem.ToolUnknown) {
			t.Errorf("the click said %v", err)
		}
		has(t, open("/"), "# Home")
	})
	t.Run("killed", func(t *testing.T) {
		open("/")
		p := u.session().process
		ended := make(chan error, 1)
		go func() {
			_, err := u.try(t.Context(), "wait", args{"seconds": 20})
			ended <- err
		}()
		time.Sleep(200 * time.Millisecond)
		if err := syscall.Kill(p.cmd.Process.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "Chromium ended during the action") {
			t.Errorf("the action said %v", err)
		}
		has(t, open("/"), "# Home")
		if left := processes(t, p.dir); left != 0 {
			t.Errorf("%d processes of the killed browser are left", left)
		}
	})
}

// kill ends processes of a browser by a part of their command line.
func kill(t *testing.T, kind, dir string) {
	t.Helper()
	list, err := exec.Command("ps", "-eo", "pid=,args=").Output()
	if err != nil {
		t.Skip("ps is not installed")
	}
	killed := 0
	for line := range strings.SplitSeq(string(list), "\n") {
		var pid int
		if _, err := fmt.Sscan(line, &pid); err == nil && strings.Contains(line, kind) && strings.Contains(line, dir) {
			killed++
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if killed == 0 {
		t.Skip("no process of this kind names its profile")
	}
}

// listenUDP counts the datagrams that come to an address until it is asked: WebRTC
// would ask there who it is.
func listenUDP(t *testing.T, at string) (count func() int) {
	t.Helper()
	conn, err := net.ListenPacket("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan int, 1)
	go func() {
		n := 0
		for packet := make([]byte, 2048); ; n++ {
			if _, _, err := conn.ReadFrom(packet); err != nil {
				heard <- n
				return
			}
		}
	}()
	return func() int {
		_ = conn.Close()
		return <-heard
	}
}

// TestOneWayOut: no connection arrives that the guard has not let through, and no
// page is opened that is not one.
func TestOneWayOut(t *testing.T) {
	t.Parallel()
	barred := &site{}
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer inside.Close()
	inside.Config.ConnState = func(net.Conn, http.ConnState) {
		barred.mu.Lock()
		defer barred.mu.Unlock()
		barred.seen = append(barred.seen, "connection")
	}
	at := inside.Listener.Addr().String()
	datagrams := listenUDP(t, at)
	_, port, _ := net.SplitHostPort(at)
	secret := filepath.Join(t.TempDir(), "secret.html")
	if err := os.WriteFile(secret, []byte("<h1>top secret</h1>"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, map[string]string{
		"/sub": fmt.Sprintf(`<h1>Subs</h1><img src="http://%[1]s/img"><script src="http://%[1]s/js"></script><iframe src="http://%[1]s/frame"></iframe>
			<link rel=preconnect href="http://%[1]s"><link rel=prefetch href="http://%[1]s/p"><iframe src="file://%[2]s"></iframe>
			<script>new WebSocket('ws://%[1]s/ws'); fetch('http://%[1]s/fetch',{mode:'no-cors'}); navigator.sendBeacon('http://%[1]s/beacon','x');
			new EventSource('http://localhost:%[3]s/es'); new Worker(URL.createObjectURL(new Blob(["fetch('http://%[1]s/worker',{mode:'no-cors'})"])));
			const p=new RTCPeerConnection({iceServers:[{urls:'stun:%[1]s'},{urls:'turn:%[1]s?transport=tcp',username:'a',credential:'b'}]});p.createDataChannel('x');p.createOffer().then(o=>p.setLocalDescription(o))</script>`, at, secret, port),
		"/link": fmt.Sprintf(`<a href="file://%s">File</a><a href="javascript:document.body.append('ran')">Script</a><a href="view-source:http://%s">Source</a><button onclick="location='chrome://version'">Chrome</button><button onclick="location='http://%[2]s/'">Inside</button>`, secret, at),
	})
	u := newUser(t, s, nil)
	for _, address := range []string{"http://" + at, "http://localhost:" + port, "http://[::1]:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://127.1:" + port,
		"http://2130706433:" + port, "http://0x7f000001:" + port, "http://0177.0.0.1:" + port, "http://0.0.0.0:" + port, "http://169.254.169.254/latest/meta-data/", "https://" + at,
		s.URL + "/to?url=http://" + at} {
		_, err := u.try(t.Context(), "navigate", args{"url": address})
		if told := problem.From(err); err == nil || told.Code != problem.EgressDenied && told.Code != problem.ToolFailed {
			t.Errorf("%s: %v", address, err)
		}
	}
	u.fails("navigate", args{"url": "http://" + at}, "ERRAND_EGRESS_ALLOW")
	for _, address := range []string{"file://" + secret, "FILE://" + secret, "chrome://version", "view-source:" + s.URL, "devtools://devtools/bundled/inspector.html", "ftp://127.0.0.1/",
		"javascript:alert(1)", "data:text/html,<h1>x</h1>", "blob:null", "about:version", "//127.0.0.1", "filesystem:" + s.URL, "", " "} {
		u.fails("navigate", args{"url": address}, "can't be opened")
	}
	text, _ := u.do("navigate", args{"url": s.URL + "/sub"})
	has(t, text, "# Subs")
	if strings.Contains(text, "top secret") {
		t.Errorf("a frame has shown a file:\n%s", text)
	}
	u.do("wait", args{"seconds": 1})
	for _, words := range []string{"File", "Source", "Chrome", "Inside"} {
		text, _ := u.do("navigate", args{"url": s.URL + "/link"})
		output, err := u.try(t.Context(), "click", args{"index": number(t, text, `"`+words+`"`)})
		if strings.Contains(output, "top secret") || strings.Contains(output, "Address: file") || strings.Contains(output, "Address: chrome") || strings.Contains(output, "Address: view-source") {
			t.Errorf("%s: %s %v", words, output, err)
		}
		if words == "Inside" && !problem.Is(err, problem.EgressDenied) {
			t.Errorf("Inside: %s, %v", output, err)
		}
	}
	if n := datagrams(); n != 0 {
		t.Errorf("%d datagrams arrived", n)
	}
	if n := barred.saw("connection"); n != 0 {
		t.Errorf("%d connections arrived where none was allowed", n)
	}
	if s.saw("GET /sub") != 1 {
		t.Error("the page itself did not come")
	}
}

// TestNothingLeft: no process is left after Close, and none after the owner was
// killed; a profile that was left goes with the next start.
func TestNothingLeft(t *testing.T) {
	s := newSite(t, map[string]string{"/": "<h1>Home</h1>"})
	t.Setenv("ERRAND_TEST_SECRET", "s3cret-of-the-server")
	u := newUser(t, s, nil)
	u.do("navigate", args{"url": s.URL})
	dir := u.browser.cfg.Dir
	pid := u.session().process.cmd.Process.Pid
	if environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err == nil && bytes.Contains(environment, []byte("s3cret")) {
		t.Error("Chromium has the server's environment")
	}
	if processes(t, dir) == 0 {
		t.Error("no process names its profile: this test would find nothing")
	}
	if err := u.browser.Close(); err != nil {
		t.Error(err)
	}
	soon(t, "all processes have ended after Close", func() bool { return processes(t, dir) == 0 })
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := u.try(t.Context(), "navigate", args{"url": s.URL}); !problem.Is(err, problem.ToolFailed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestOwnerKilled(t *testing.T) {
	chromium(t)
	dir := t.TempDir()
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), ownerVar+"="+dir)
	said, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 256)
	n, _ := said.Read(line)
	if !strings.HasPrefix(string(line[:n]), "ready <nil>") || processes(t, dir) == 0 {
		t.Errorf("the owner said %q", line[:n])
	}
	_ = owner.Process.Kill()
	_ = owner.Wait()
	soon(t, "all processes have ended after their owner", func() bool { return processes(t, dir) == 0 })
	left, _ := filepath.Glob(filepath.Join(dir, profiles+"*"))
	if len(left) != 1 {
		t.Fatalf("left: %v", left)
	}
	made, _, err := profile(dir)
	if err != nil {
		t.Fatal(err)
	}
	if now, _ := filepath.Glob(filepath.Join(dir, profiles+"*")); len(now) != 1 || now[0] != made {
		t.Errorf("after the next start: %v", now)
	}
}

// TestMissing: without a Chromium an action says what to install.
func TestMissing(t *testing.T) {
	for _, named := range []string{"", filepath.Join(t.TempDir(), "chromium")} {
		b := New(Config{Chromium: named, Dir: t.TempDir(), Guard: egress.New(egress.Config{}), Now: time.Now})
		for _, made := range b.Tools() {
			if d := made.Describe(); d.Name == "browser.navigate" {
				if _, err := made.Call(t.Context(), tooltest.Call(made, `{"url":"about:blank"}`)); !problem.Is(err, problem.ToolFailed) || !strings.Contains(err.Error(), "apt-get install chromium") {
					t.Errorf("%q: %v", named, err)
				}
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestIdle: tabs and Chromium go when nobody uses them, and come back.
func TestIdle(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/": "<h1>Home</h1>"})
	u := newUser(t, s, func(c *Config) { c.IdleTime = 300 * time.Millisecond })
	u.do("navigate", args{"url": s.URL})
	soon(t, "Chromium has ended", func() bool { return processes(t, u.browser.cfg.Dir) == 0 })
	for name, arguments := range map[string]args{"click": {"index": 1}, "send_keys": {"keys": "Enter"}, "extract": {}, "go_back": {}, "scroll": {}, "screenshot": {}} {
		u.fails(name, arguments, "No page is open")
	}
	has(t, first(u.do("navigate", args{"url": s.URL})), "# Home")
}

func TestTooltest(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/": "<h1>Home</h1>"})
	u := newUser(t, s, nil)
	for name, c := range map[string]tooltest.Case{
		"navigate":         {Works: []string{`{"url":"` + s.URL + `"}`}, Fails: []string{`{"url":"x"}`}, Bad: []string{`{}`, `{"url":7}`, `[]`}},
		"search":           {Bad: []string{`{}`}},
		"go_back":          {Bad: []string{`{"x":1}`}},
		"wait":             {Works: []string{`{"seconds":0}`}, Bad: []string{`{"seconds":-1}`}, Slow: `{"seconds":30}`},
		"click":            {Fails: []string{`{"index":99}`}, Bad: []string{`{}`}},
		"input":            {Fails: []string{`{"index":99,"text":"x"}`}, Bad: []string{`{"index":1}`}},
		"scroll":           {Works: []string{`{}`}, Bad: []string{`{"pages":0}`}},
		"find_text":        {Works: []string{`{"text":"home"}`}, Fails: []string{`{"text":"nowhere"}`}, Bad: []string{`{}`}},
		"send_keys":        {Works: []string{`{"keys":"Tab"}`}, Bad: []string{`{}`}},
		"switch":           {Works: []string{`{"tab_id":1}`}, Fails: []string{`{"tab_id":9}`}, Bad: []string{`{}`}},
		"close":            {Fails: []string{`{"tab_id":9}`}, Bad: []string{`{"tab_id":"a"}`}},
		"dropdown_options": {Fails: []string{`{"index":99}`}, Bad: []string{`{}`}},
		"select_dropdown":  {Fails: []string{`{"index":99,"text":"x"}`}, Bad: []string{`{"index":1}`}},
		"extract":          {Works: []string{`{}`}, Fails: []string{`{"start_from_char":999}`}, Bad: []string{`{"query":1}`}},
		"screenshot":       {Works: []string{`{}`}, Bad: []string{`{"show":1}`}},
		"upload_file":      {Fails: []string{`{"index":1,"file_id":"f"}`}, Bad: []string{`{"index":1}`}},
		"done":             {Works: []string{`{"text":""}`}, Bad: []string{`{}`}},
	} {
		c.Tool = u.tools["browser."+name]
		u.do("navigate", args{"url": s.URL}) // in the run that tooltest calls in, too
		t.Run(name, func(t *testing.T) { tooltest.Run(t, c) })
	}
	if len(u.tools) != 17 {
		t.Errorf("%d tools", len(u.tools))
	}
}
