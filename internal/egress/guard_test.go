package egress

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"errand/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNonPublic(t *testing.T) {
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.255",
		"169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.88.99.1",
		"192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "64:ff9b:1:ffff::a00:1", "100::1", "2001::1", "2001:0:4136:e378::1", "2001:2::1", "2001:20::1",
		"2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "fc00::1", "fd00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "febf::1",
		"fec0::1", "feff::1", "ff02::1", "4000::1", "5f00::1", "1::1", "8000::1", "2001:4860:4860::8888%eth0",
	} {
		addr := netip.MustParseAddr(text)
		public := text == "2001:4860:4860::8888%eth0" // a zone changes nothing
		if err := New(Config{}).check(netip.AddrPortFrom(addr, 80)); (err == nil) != public {
			t.Errorf("%s: refused with %v, want public = %v", text, err, public)
		}
	}
	for _, text := range []string{
		"8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0",
		"198.17.255.255", "198.20.0.0", "223.255.255.255", "::ffff:8.8.8.8", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1", "2003::1",
	} {
		if err := New(Config{}).check(netip.AddrPortFrom(netip.MustParseAddr(text), 443)); err != nil {
			t.Errorf("%s is public, but: %v", text, err)
		}
	}
}

func TestHoles(t *testing.T) {
	holes, err := ParseAllow("10.0.0.0/8:8080, 127.0.0.1, [fd00::/8]:443, fe80::/10")
	if err != nil {
		t.Fatal(err)
	}
	g := New(Config{Allow: holes})
	for address, want := range map[string]bool{
		"10.1.2.3:8080": true, "10.1.2.3:80": false, "[::ffff:10.1.2.3]:8080": true, "127.0.0.1:9": true, "127.0.0.2:9": false,
		"[fd00::1]:443": true, "[fd00::1]:80": false, "[fe80::1%eth0]:1": true, "192.168.0.1:8080": false, "[::1]:80": false, "8.8.8.8:53": true,
	} {
		if got := g.check(netip.MustParseAddrPort(address)) == nil; got != want {
			t.Errorf("%s: allowed = %v, want %v", address, got, want)
		}
	}
}

// counting is a server on loopback that counts the connections it gets: what is
// refused must not even connect.
func counting(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server, &connections
}

func get(t *testing.T, client *http.Client, url string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err == nil {
		t.Cleanup(func() { resp.Body.Close() })
	}
	return resp, err
}

func TestEverySpellingIsRefused(t *testing.T) {
	server, connections := counting(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	client := New(Config{}).Client(Options{})
	for _, host := range []string{
		"127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0X7F.0.0.1", "0177.0.0.1", "017700000001",
		"0", "0.0.0.0", "0x0", "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]",
		"[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "127.0.0.1.0x1", "１２７.０.０.１", "①②⑦.0.0.1", "localhost", "LOCALHOST", "127.000.000.001", "[fe80::1%25lo]",
	} {
		resp, err := get(t, client, "http://"+host+":"+port+"/")
		if err == nil {
			t.Errorf("%s was called: %s", host, resp.Status)
			continue
		}
		told, ok := Public(err)
		if !ok || told.Code != problem.EgressDenied {
			t.Errorf("%s: %v, want egress_denied", host, err)
			continue
		}
		if !strings.Contains(told.Detail, "ERRAND_EGRESS_ALLOW") {
			t.Errorf("%s: the detail does not say how to allow it: %s", host, told.Detail)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections reached the server, want none", n)
	}
	holes, _ := ParseAllow("127.0.0.0/8:" + port)
	if _, err := get(t, New(Config{Allow: holes}).Client(Options{}), server.URL); err != nil || connections.Load() != 1 {
		t.Errorf("through the hole: %v, %d connections, want one", err, connections.Load())
	}
}

func TestOtherSchemesAreRefused(t *testing.T) {
	client := New(Config{}).Client(Options{})
	for _, url := range []string{"ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1/", "unix:///x"} {
		if _, err := get(t, client, url); !problem.Is(err, problem.EgressDenied) {
			t.Errorf("%s: %v, want egress_denied", url, err)
		}
	}
}

// resolver answers each question for an A record with the next of the addresses,
// over real DNS.
func resolver(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { conn.Close(); serving.Wait() })
	serving.Go(func() {
		asked := 0
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var question dnsmessage.Message
			if question.Unpack(buffer[:n]) != nil || len(question.Questions) == 0 {
				continue
			}
			q := question.Questions[0]
			answer := dnsmessage.Message{Header: dnsmessage.Header{ID: question.ID, Response: true, RecursionAvailable: true}, Questions: question.Questions[:1]}
			if q.Type == dnsmessage.TypeA {
				var a [4]byte
				binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(netip.MustParseAddr(addresses[asked%len(addresses)]).AsSlice()))
				asked++
				answer.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AResource{A: a}}}
			}
			if packed, err := answer.Pack(); err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func TestNameThatResolvesToLoopback(t *testing.T) {
	server, connections := counting(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	client := New(Config{Resolver: resolver(t, "127.0.0.1")}).Client(Options{})
	_, err := get(t, client, "http://innocent.example:"+port+"/")
	told, ok := Public(err)
	if !ok || told.Code != problem.EgressDenied || !strings.Contains(told.Detail, "innocent.example") {
		t.Fatalf("got %v, want egress_denied that names the host", err)
	}
	if strings.Contains(told.Detail, "127.0.0.1") {
		t.Errorf("the detail tells what the name resolved to: %s", told.Detail)
	}
	if connections.Load() != 0 {
		t.Error("the server was reached")
	}
}

func TestRebinding(t *testing.T) {
	server, connections := counting(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/again", http.StatusFound)
	})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	holes, _ := ParseAllow("127.0.0.1:" + port)
	// The name leads to an allowed address first and elsewhere on the next hop.
	client := New(Config{Allow: holes, Resolver: resolver(t, "127.0.0.1", "169.254.169.254")}).Client(Options{Redirects: 3})
	_, err := get(t, client, "http://rebind.example:"+port+"/")
	if !problem.Is(err, problem.EgressDenied) || connections.Load() != 1 {
		t.Errorf("got %v after %d connections, want egress_denied after one", err, connections.Load())
	}
}

func TestRedirectToARefusedAddress(t *testing.T) {
	inner, reached := counting(t, func(http.ResponseWriter, *http.Request) {})
	outer, _ := counting(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inner.URL, http.StatusFound)
	})
	_, port, _ := net.SplitHostPort(outer.Listener.Addr().String())
	holes, _ := ParseAllow("127.0.0.1:" + port)
	client := New(Config{Allow: holes}).Client(Options{Redirects: 3})
	if _, err := get(t, client, outer.URL); !problem.Is(err, problem.EgressDenied) {
		t.Errorf("got %v, want egress_denied", err)
	}
	if reached.Load() != 0 {
		t.Error("the inner server was reached")
	}
}

func TestDialTimesOutWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := New(Config{}).Dial(ctx, "tcp", "192.0.2.1:80"); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a refusal or a timeout", err)
	}
}

func TestCheckURL(t *testing.T) {
	for text, fine := range map[string]bool{
		"https://example.com": true, "http://example.com:8080/a?b=c": true, "HTTPS://EXAMPLE.com": true,
		"": false, "example.com": false, "/path": false, "//example.com": false, "ftp://example.com": false, "javascript:alert(1)": false,
		"https://": false, "https:///path": false, "https://user@example.com": false, "https://u:p@example.com": false, "https://example.com/#x": false,
		"https://example.com/#": false, "http://exa mple.com": false, "http://[::1": false, "https://example.com/\n": false,
	} {
		if _, err := CheckURL(text); (err == nil) != fine {
			t.Errorf("CheckURL(%q): %v, want fine = %v", text, err, fine)
		}
	}
}
