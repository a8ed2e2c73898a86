package hostile

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"errand/e2e/rig"
)

// slowness is what a machine with much else to do may add to a time of the server's;
// less than the two minutes that a connection may be idle.
const slowness = 40 * time.Second

// Whoever only wants to hold a connection is let go: without a request, with half
// a head, with a body that does not come, and with one that nobody asked for.
func TestSlowRequests(t *testing.T) {
	t.Parallel()
	s := rig.New(t).Start()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	stranger := "POST /v1/runs HTTP/1.1\r\nHost: errand\r\nContent-Length: 1000\r\n"
	for name, test := range map[string]struct {
		begin, drip string
		status      int           // 0 = none: there is nothing to answer
		within      time.Duration // beside what a machine's slowness may add
	}{
		"silence":                    {"", "", 0, 10 * time.Second},
		"half a request line":        {"GET /he", "", 400, 10 * time.Second},
		"a head without end":         {"GET /healthz HTTP/1.1\r\nHost: errand\r\n", "X-Drip: 1\r\n", 0, 10 * time.Second},
		"a stranger's body":          {stranger + "\r\n", "", 401, 5 * time.Second},
		"a stranger's dripping body": {stranger + "\r\n", "x", 401, 5 * time.Second},
		"a body for no route":        {"POST /nowhere HTTP/1.1\r\n" + head + "Content-Length: 1000\r\n\r\n", "x", 404, 5 * time.Second},
		"a body of a read":           {"GET /v1/runs HTTP/1.1\r\n" + head + "Content-Length: 1000\r\n\r\n", "x", 200, 5 * time.Second},
		"a dripping body":            {"POST /v1/runs HTTP/1.1\r\n" + head + "Content-Length: 1000\r\n\r\n", "x", 400, 36 * time.Second},
		"a dripping body in chunks":  {"POST /v1/runs HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 400, 36 * time.Second},
	} {
		waiting.Go(func() { // not as parallel tests, of which only as many run as there are cores
			begun := time.Now()
			w := dial(t, s)
			w.say(test.begin)
			stop := make(chan struct{})
			var dripping sync.WaitGroup
			if test.drip != "" {
				dripping.Go(func() { w.drip(test.drip, stop) })
			}
			answers, closed := w.hear(test.within + slowness)
			took := time.Since(begun)
			close(stop)
			dripping.Wait()
			if !closed || took < test.within-time.Second || took > test.within+slowness {
				t.Errorf("%s: closed %v after %v, want %v", name, closed, took, test.within)
			}
			switch {
			case test.status == 0 && len(answers) != 0, test.status != 0 && (len(answers) != 1 || answers[0].status != test.status):
				t.Errorf("%s: answers %+v, want one %d", name, answers, test.status)
			case test.status >= 400:
				refused(t, answers[0], test.status)
			}
		})
	}
}

// drip sends a little at a time until it is stopped or nobody listens.
func (w *wire) drip(drop string, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(500 * time.Millisecond):
		}
		if _, err := io.WriteString(w.conn, drop); err != nil {
			return
		}
	}
}

// gone reports an error of writing to a connection that the other end has closed.
func gone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, os.ErrDeadlineExceeded)
}

// unread is how long the server waits for a body that nobody reads: what is answered
// sooner was answered without it.
const unread = 5 * time.Second

// atOnce says something that is to be answered at once, and hears until the server
// hangs up. A machine that has just had something else to do gets two more tries.
func atOnce(t *testing.T, s *rig.Server, request string) (answers []answer, took time.Duration) {
	t.Helper()
	for range 3 {
		w := dial(t, s)
		w.say(request)
		begun, closed := time.Now(), false
		answers, closed = w.hear(slowness)
		if took = time.Since(begun); !closed {
			t.Error("the connection stays open")
		}
		if took < unread {
			break
		}
	}
	return answers, took
}

// A body that is too large is refused by what its head says, and one that does not
// say is refused when it is too large, and not read to its end.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	s := rig.New(t).Start()
	const size = 100 << 20
	length := fmt.Sprintf("Content-Length: %d\r\n", size)
	for name, request := range map[string]string{
		"a run":               "POST /v1/runs HTTP/1.1\r\n" + head + length + "\r\n",
		"waiting for our yes": "POST /v1/runs HTTP/1.1\r\n" + head + length + "Expect: 100-continue\r\n\r\n",
		"an agent":            "POST /v1/agents HTTP/1.1\r\n" + head + length + "\r\n",
		"a tool":              "PATCH /v1/tools/x HTTP/1.1\r\n" + head + length + "\r\n",
	} {
		answers, took := atOnce(t, s, request)
		if len(answers) != 1 || took > unread {
			t.Fatalf("%s: after %v: %+v", name, took, answers)
		}
		refused(t, answers[0], http.StatusRequestEntityTooLarge)
	}
	for name, who := range map[string]struct {
		head   string
		status int
	}{"chunks": {head, 413}, "a stranger's chunks": {"Host: errand\r\n", 401}} {
		w := dial(t, s)
		w.say("POST /v1/runs HTTP/1.1\r\n" + who.head + "Transfer-Encoding: chunked\r\n\r\n")
		chunk := "10000\r\n" + strings.Repeat("x", 64<<10) + "\r\n"
		sent := 0
		for sent < size {
			n, err := io.WriteString(w.conn, chunk)
			sent += n
			if err != nil {
				if !gone(err) {
					t.Fatal(err)
				}
				break
			}
		}
		// What the system's buffers on both sides take is sent, and not read.
		if sent >= size/4 {
			t.Errorf("%s: %d bytes were taken", name, sent)
		}
	}
	var runs struct{ Data []rig.Run }
	if s.Client().Get("/v1/runs", &runs); len(runs.Data) != 0 {
		t.Errorf("%d runs", len(runs.Data))
	}
}
