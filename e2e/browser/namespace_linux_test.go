package browser

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"errand/e2e/rig"
)

// barred are addresses that no page may reach, and public ones that it may: in the
// namespace this machine has them all.
func barred() []string {
	return []string{"10.0.0.7", "172.16.0.7", "192.168.1.7", "100.64.0.7", "169.254.169.254", "127.0.0.53", "fd00::7", "fd00:ec2::254", "64:ff9b::a00:7"}
}

func public() []string { return []string{"93.184.215.14", "2606:4700::1111"} }

// TestOneWayOut makes a network namespace with the addresses of clouds and offices,
// and lets pages, a model and a caller try to reach them.
func TestOneWayOut(t *testing.T) {
	t.Parallel()
	chromium(t)
	rig.Namespace(t, "TestInside")
}

// target is reached at every address of this machine. It notes at which, and by
// which process.
type target struct {
	*httptest.Server
	mu      sync.Mutex
	pid     int // of the server
	reached map[string]int
	others  []string // connections of processes that are not the server
	packets int      // of UDP
}

func newTarget(t *testing.T) *target {
	t.Helper()
	there := &target{reached: map[string]int{}}
	listener, err := net.Listen("tcp", "[::]:0") // both families
	if err != nil {
		t.Fatal(err)
	}
	there.Server = httptest.NewUnstartedServer(http.HandlerFunc(there.answer))
	there.Server.Listener.Close()
	there.Server.Listener = listener
	there.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateNew {
			there.arrived(conn)
		}
	}
	there.Start()
	udp, err := net.ListenPacket("udp", "[::]:"+there.port())
	if err != nil {
		t.Fatal(err)
	}
	var hearing sync.WaitGroup
	hearing.Go(func() {
		for buffer := make([]byte, 1500); ; {
			if _, _, err := udp.ReadFrom(buffer); err != nil {
				return
			}
			there.mu.Lock()
			there.packets++
			there.mu.Unlock()
		}
	})
	t.Cleanup(func() { there.Close(); udp.Close(); hearing.Wait() })
	return there
}

func (g *target) port() string {
	_, port, _ := net.SplitHostPort(g.Listener.Addr().String())
	return port
}

func (g *target) at(host string) string { return "http://" + net.JoinHostPort(host, g.port()) }

// arrived notes a connection before it is answered, while whoever made it has it.
func (g *target) arrived(conn net.Conn) {
	host, _, _ := net.SplitHostPort(conn.LocalAddr().String())
	_, port, _ := net.SplitHostPort(conn.RemoteAddr().String())
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reached[host]++
	if !owns(g.pid, port) {
		g.others = append(g.others, conn.RemoteAddr().String()+" to "+host)
	}
}

// owns reports whether a process has the socket of a local port.
func owns(pid int, port string) bool {
	n, _ := strconv.Atoi(port)
	socket := ""
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		file, err := os.Open(table)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			fields := strings.Fields(lines.Text())
			if len(fields) > 9 && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", n)) && fields[9] != "0" {
				socket = "socket:[" + fields[9] + "]"
			}
		}
		file.Close()
	}
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && to == socket {
			return true
		}
	}
	return false
}

// expects says which process may connect from now on.
func (g *target) expects(pid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pid = pid
}

// round are what has come round the proxy: datagrams, and connections of others.
func (g *target) round() (packets int, others []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.packets, g.others
}

// taken returns what has arrived since it was last asked, by address.
func (g *target) taken() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	taken := g.reached
	g.reached = map[string]int{}
	return taken
}

// answer redirects from /to, and otherwise serves a page that tries every way out,
// to every host that its address names.
func (g *target) answer(w http.ResponseWriter, r *http.Request) {
	if to := r.URL.Query().Get("url"); r.URL.Path == "/to" {
		http.Redirect(w, r, to, http.StatusFound)
		return
	}
	var body strings.Builder
	for i, host := range r.URL.Query()["host"] {
		there := g.at(host)
		fmt.Fprintf(&body, ways, there, strings.TrimPrefix(there, "http://"), "/to?url="+url.QueryEscape(there+"/redirected"), i)
	}
	page("<h1>A page</h1>"+body.String())(w, r)
}

// ways are the ways out of a page: %[1]s is a URL, %[2]s its host and port, %[3]s a
// path that redirects there.
const ways = `<img src="%[1]s/img"><img src="%[3]s"><script src="%[1]s/js"></script><link rel="stylesheet" href="%[1]s/css"><link rel="preconnect" href="%[1]s">
<link rel="prefetch" href="%[1]s/prefetch"><iframe src="%[1]s/frame"></iframe><object data="%[1]s/object"></object><video src="%[1]s/video"></video>
<style>@font-face{font-family:f%[4]d;src:url(%[1]s/font)} p{font-family:f%[4]d;background:url(%[1]s/background)}</style><p>text</p>
<script>{const quiet=()=>{};
fetch('%[1]s/fetch',{mode:'no-cors'}).catch(quiet); fetch('%[3]s',{mode:'no-cors'}).catch(quiet);
const x=new XMLHttpRequest();x.open('POST','%[1]s/xhr');x.send('x');
new WebSocket('ws://%[2]s/ws');new WebSocket('wss://%[2]s/wss');new EventSource('%[1]s/events');navigator.sendBeacon('%[1]s/beacon','x');
new Worker(URL.createObjectURL(new Blob(["fetch('%[1]s/worker',{mode:'no-cors'});new WebSocket('ws://%[2]s/worker')"])));
const p=new RTCPeerConnection({iceServers:[{urls:'stun:%[2]s'},{urls:'turn:%[2]s?transport=tcp',username:'a',credential:'b'}]});p.createDataChannel('x');p.createOffer().then(o=>p.setLocalDescription(o)).catch(quiet);
}</script>`

func TestInside(t *testing.T) {
	if !rig.Inside() {
		t.Skip("only in a namespace: TestOneWayOut makes it")
	}
	ip(t, "link", "set", "lo", "up")
	for _, address := range append(barred(), public()...) {
		if address != "127.0.0.53" { // loopback has it
			ip(t, "addr", "add", address, "dev", "lo")
		}
	}
	there := newTarget(t)
	w := stopped(t)
	delete(w.Env, "ERRAND_EGRESS_ALLOW")
	w.start()
	there.expects(w.PID())
	w.navigations(there)
	w.pages(there)
	w.hooks(there)
	if packets, others := there.round(); packets > 0 || len(others) > 0 {
		t.Errorf("%d datagrams, and connections that did not come through the proxy: %v", packets, others)
	}
	w.World.Kill()
	w.Env["ERRAND_EGRESS_ALLOW"] = "10.0.0.0/8:" + there.port()
	w.start()
	there.expects(w.PID())
	w.plays(act("navigate", map[string]any{"url": there.at("10.0.0.7") + "/?host=10.0.0.7&host=192.168.1.7"}), act("wait", map[string]any{"seconds": 1}), say("Done."))
	got := w.run("/api/runs", map[string]any{"prompt": "Go in."})
	taken := there.taken()
	delete(taken, public()[0]) // where a webhook is tried again
	if _, others := there.round(); got.did() != "navigate wait done" || taken["10.0.0.7"] == 0 || len(taken) != 1 || len(others) > 0 {
		t.Errorf("through a hole: %s, connections %v, not by the proxy %v: %+v", got.did(), taken, others, got.History)
	}
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if said, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v: %s", args, err, said)
	}
}

// navigations: a model asks for addresses, one after the other.
func (w *world) navigations(there *target) {
	w.T.Helper()
	var addresses []string
	for _, host := range barred() {
		addresses = append(addresses, there.at(host), there.at(public()[0])+"/to?url="+url.QueryEscape(there.at(host)), strings.Replace(there.at(host), "http:", "https:", 1))
	}
	port := there.port()
	addresses = append(addresses, "http://127.0.0.1:"+port, "http://localhost:"+port, "http://2130706433:"+port, "http://0x7f.1:"+port, "http://[::1]:"+port, "http://[::ffff:10.0.0.7]:"+port,
		w.URL+"/v1/runs", w.Model.URL, "ws://"+strings.TrimPrefix(there.at("10.0.0.7"), "http://"), "http://user:pass@10.0.0.7:"+port)
	addresses = append(addresses, "file:///etc/passwd", "ftp://10.0.0.7/", "chrome://version", "view-source:"+there.at(public()[0]), "devtools://devtools/", "javascript:location='http://10.0.0.7:"+port+"'",
		"data:text/html,<img src="+there.at("10.0.0.7")+">", "filesystem:http://x/", "blob:http://x/y", "about:version", "gopher://10.0.0.7:"+port)
	w.plays(func(string) rig.Turn {
		turn := rig.Turn{Text: "I try them all."}
		for _, address := range addresses {
			turn.Calls = append(turn.Calls, act("navigate", map[string]any{"url": address})("").Calls...)
		}
		return turn
	}, say("Done."))
	begun := w.begin("/api/runs", map[string]any{"prompt": "Go everywhere."})
	got := w.ended(begun.Run)
	if want := strings.Repeat("navigate! ", len(addresses)) + "done"; got.did() != want {
		for i, a := range got.History[0].Actions {
			w.T.Logf("%s: %s", addresses[i], deref(a.Error))
		}
		w.T.Errorf("%d addresses: %s", len(addresses), got.did())
	}
	if taken := there.taken(); taken[public()[0]] == 0 || len(taken) != 1 {
		w.T.Errorf("connections: %v", taken)
	}
}

// pages: a page tries every way out.
func (w *world) pages(there *target) {
	w.T.Helper()
	query := ""
	for _, host := range append(barred(), "localhost", "127.0.0.1", "::1", "0.0.0.0", public()[1]) {
		query += "&host=" + url.QueryEscape(host)
	}
	w.plays(act("navigate", map[string]any{"url": there.at(public()[0]) + "/?" + query[1:]}), act("wait", map[string]any{"seconds": 5}), say("Done."))
	begun := w.begin("/api/runs", map[string]any{"prompt": "Open the page."})
	if got := w.ended(begun.Run); got.did() != "navigate wait done" {
		w.T.Errorf("%s: %+v", got.did(), got.History)
	}
	// The second public address is called, so that silence at the others means something.
	if taken := there.taken(); taken[public()[0]] == 0 || taken[public()[1]] < 2 || len(taken) != 2 {
		w.T.Errorf("connections: %v", taken)
	}
}

// hooks: a caller names who is to be told of a run.
func (w *world) hooks(there *target) {
	w.T.Helper()
	w.plays(say("Done."))
	secure := func(host string) string { return strings.Replace(there.at(host), "http:", "https:", 1) + "/hook" }
	for _, host := range append(barred(), "localhost", "127.0.0.1", "::1") {
		w.c.Do("POST", "/api/runs", map[string]any{"prompt": "Tell them.", "webhook_url": there.at(host)}).Is(http.StatusUnprocessableEntity)
		refused := w.c.Do("POST", "/api/runs", map[string]any{"prompt": "Tell them.", "webhook_url": secure(host)})
		if refused.Status == http.StatusUnprocessableEntity {
			continue
		}
		var got answer
		refused.Good().Into(&got)
		w.Eventually("the failure of the webhook", func() bool { sent := w.read(got.Run).Sent; return sent != nil && !*sent })
	}
	got := w.run("/api/runs", map[string]any{"prompt": "Tell them.", "webhook_url": secure(public()[0])})
	w.Eventually("the failure of a webhook to who speaks no TLS", func() bool { sent := w.read(got.Run).Sent; return sent != nil && !*sent })
	if taken := there.taken(); taken[public()[0]] == 0 || len(taken) != 1 {
		w.T.Errorf("connections: %v", taken)
	}
}
