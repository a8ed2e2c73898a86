package hostile

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

// head are the headers of a request that is in order.
const head = "Host: errand\r\nAuthorization: Bearer " + rig.AdminKey + "\r\nContent-Type: application/json\r\n"

// second is the request that a smuggler wants to be taken for one.
const second = "GET /healthz HTTP/1.1\r\nHost: errand\r\n\r\n"

// ambiguous are requests that end, or lead, elsewhere for a server in front of
// this one than they would here; none may have an effect, and nothing may be taken
// for a request behind them.
func ambiguous() map[string]string {
	post := "POST /v1/keys HTTP/1.1\r\n" + head
	get := "GET /v1/runs HTTP/1.1\r\n" + head
	const key = `{"name":"smuggled"}`
	return map[string]string{
		"length and chunks":       post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n13\r\n" + key + "\r\n0\r\n\r\n" + second,
		"chunks and length":       post + "Transfer-Encoding: chunked\r\nContent-Length: 19\r\n\r\n" + key + second,
		"two lengths":             post + "Content-Length: 19\r\nContent-Length: 20\r\n\r\n" + key + second,
		"one length twice":        post + "Content-Length: 19\r\ncontent-length: 19\r\n\r\n" + key + second,
		"a list of lengths":       post + "Content-Length: 19, 19\r\n\r\n" + key + second,
		"a signed length":         post + "Content-Length: +19\r\n\r\n" + key + second,
		"a hexadecimal length":    post + "Content-Length: 0x13\r\n\r\n" + key + second,
		"a negative length":       post + "Content-Length: -1\r\n\r\n" + key + second,
		"an endless length":       post + "Content-Length: 99999999999999999999\r\n\r\n" + key + second,
		"a folded header":         get + "X-One: 1\r\n two\r\n\r\n" + second,
		"a folded length":         post + "Content-Length:\r\n 19\r\n\r\n" + key + second,
		"bare line feeds":         strings.ReplaceAll(get, "\r\n", "\n") + "\n" + second,
		"a bare line feed":        get + "X-One: 1\nTransfer-Encoding: chunked\r\n\r\n" + second,
		"a bare end of the head":  get + "X-One: 1\r\n\n" + second,
		"a bare carriage return":  get + "X-One: 1\rTransfer-Encoding: chunked\r\n\r\n" + second,
		"a space before a colon":  post + "Content-Length : 19\r\n\r\n" + key + second,
		"a NUL in a header":       get + "X-One: a\x00b\r\n\r\n" + second,
		"a header without name":   get + ": 1\r\n\r\n" + second,
		"the whole URL":           strings.Replace(get, "/v1", "http://elsewhere.example/v1", 1) + "\r\n" + second,
		"a host and a port":       "CONNECT elsewhere.example:443 HTTP/1.1\r\n" + head + "\r\n" + second,
		"no host":                 "GET /v1/runs HTTP/1.1\r\n\r\n" + second,
		"two hosts":               get + "Host: elsewhere.example\r\n\r\n" + second,
		"another protocol":        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + second,
		"no version":              "GET /healthz\r\n\r\n" + second,
		"chunks with line feeds":  post + "Transfer-Encoding: chunked\r\n\r\n13\n" + key + "\n0\n\n" + second,
		"a chunk of no size":      post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n" + key + "\r\n0\r\n\r\n" + second,
		"a chunk of endless size": post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + key + "\r\n0\r\n\r\n" + second,
		"a chunk that is longer":  post + "Transfer-Encoding: chunked\r\n\r\n13\r\n" + key + "more\r\n0\r\n\r\n" + second,
		"an old version's chunks": "POST /v1/keys HTTP/1.0\r\n" + head + "Transfer-Encoding: chunked\r\n\r\n13\r\n" + key + "\r\n0\r\n\r\n" + second,
	}
}

// refused fails the test unless an answer is an error as all others are.
func refused(t *testing.T, got answer, status int) {
	t.Helper()
	var body struct {
		Error rig.Fault `json:"error"`
	}
	if err := json.Unmarshal(got.body, &body); err != nil {
		t.Errorf("status %d, %v in %q", got.status, err, got.body)
	}
	e := body.Error
	if got.status != status || e.Code == "" || e.Message == "" || e.RequestID == "" || e.RequestID != got.header.Get("X-Request-Id") {
		t.Errorf("status %d, want %d: %v %s", got.status, status, got.header, got.body)
	}
}

func TestAmbiguousRequests(t *testing.T) {
	t.Parallel()
	s := rig.New(t).Start()
	for name, request := range ambiguous() {
		for _, whole := range []bool{true, false} {
			w := dial(t, s)
			if whole {
				w.say(request)
			} else { // as a slow line would bring it: what is looked for is cut in two
				half := len(request) / 2
				for _, part := range []string{request[:half], request[half : half+1], request[half+1:]} {
					if _, err := w.conn.Write([]byte(part)); err != nil {
						break // it has been refused by its first half
					}
					rig.Pause(time.Millisecond)
				}
			}
			answers, closed := w.hear(rig.Patience)
			if len(answers) != 1 || !closed {
				t.Errorf("%s: closed %v after %d answers: %+v", name, closed, len(answers), answers)
				continue
			}
			refused(t, answers[0], http.StatusBadRequest)
			if answers[0].header.Get("Connection") != "close" && answers[0].header.Get("X-Should-Retry") != "false" {
				t.Errorf("%s: %v", name, answers[0].header)
			}
		}
	}
	var keys struct {
		Data []struct{ Name string }
	}
	if s.Client().Get("/v1/keys", &keys); len(keys.Data) != 1 {
		t.Errorf("keys were made: %+v", keys.Data)
	}
}

// What is not understood at all has a status of its own.
func TestUnreadableRequests(t *testing.T) {
	t.Parallel()
	s := rig.New(t).Start()
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"a coding that nobody knows": {"POST /v1/keys HTTP/1.1\r\n" + head + "Transfer-Encoding: xchunked\r\n\r\n" + second, 501},
		"two codings":                {"POST /v1/keys HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + second, 501},
		"a header of 100 KB":         {"GET /v1/runs HTTP/1.1\r\n" + head + "X-Long: " + strings.Repeat("x", 100_000) + "\r\n\r\n", 431},
		"a thousand long headers":    {"GET /v1/runs HTTP/1.1\r\n" + head + strings.Repeat("X-Long: "+strings.Repeat("x", 100)+"\r\n", 1000) + "\r\n", 431},
		"a path of 100 KB":           {"GET /" + strings.Repeat("x", 100_000) + " HTTP/1.1\r\n" + head + "\r\n", 431},
	} {
		w := dial(t, s)
		_, _ = w.conn.Write([]byte(test.request)) // it may be refused before its end
		answers, closed := w.hear(rig.Patience)
		if len(answers) != 1 || !closed {
			t.Errorf("%s: closed %v, %d answers", name, closed, len(answers))
			continue
		}
		refused(t, answers[0], test.status)
	}
}

// What follows a request on its connection is a request of its own: the first is
// answered whatever comes behind it.
func TestPipelines(t *testing.T) {
	t.Parallel()
	s := rig.New(t).Start()
	post := "POST /v1/tools/time.now/try HTTP/1.1\r\n" + head
	for name, test := range map[string]struct {
		said     string
		statuses []int
		closed   bool
	}{
		"two in order":       {second + second, []int{200, 200}, false},
		"with bodies":        {post + "Content-Length: 16\r\n\r\n{\"arguments\":{}}" + post + "Content-Length: 2\r\n\r\n{}" + second, []int{200, 200, 200}, false},
		"garbage behind":     {second + "\x00\x01\x02\r\n\r\n" + second, []int{200, 400}, true},
		"TLS behind":         {second + "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\r\n", []int{200, 400}, true},
		"a folded one":       {second + "GET /healthz HTTP/1.1\r\nHost: errand\r\nA: 1\r\n\t2\r\n\r\n" + second, []int{200, 400}, true},
		"a body that is one": {post + "Content-Length: 40\r\n\r\n" + second + "!" + second, []int{400, 200}, false},
		"behind chunks":      {post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + second, []int{200}, true},
	} {
		w := dial(t, s)
		w.say(test.said)
		patience, wanted := rig.Patience, []int{len(test.statuses)}
		if test.closed { // the end is waited for, but not until the server closes what is idle
			patience, wanted = rig.Patience/4, nil
		}
		answers, closed := w.hear(patience, wanted...)
		var statuses []int
		for _, a := range answers {
			statuses = append(statuses, a.status)
		}
		if len(statuses) != len(test.statuses) || closed != test.closed {
			t.Errorf("%s: %v, closed %v, want %v, %v", name, statuses, closed, test.statuses, test.closed)
			continue
		}
		for i := range statuses {
			if statuses[i] != test.statuses[i] {
				t.Errorf("%s: %v, want %v: %s", name, statuses, test.statuses, answers[i].body)
			}
		}
	}
}
