// Package hostile sends the real program what nobody sends by mistake: requests
// that two servers would read differently, bodies that cost more to read than to
// write, addresses inside the operator's network in every spelling, and texts made
// to mislead the person who reads them.
//
// It promises that what must not happen is counted where it would happen: a
// connection at a listener, a run in the list, a call in the tools' ledger. What
// needs other addresses than loopback's runs in a network namespace of its own.
//
// To add a request that net/http would take, edit raw_test.go; an address,
// egress_test.go; a text, text_test.go.
package hostile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// wire is one TCP connection to a server, spoken by hand. Its faults are errors of
// the test, so that any goroutine may use it.
type wire struct {
	t    testing.TB
	conn net.Conn
}

func dial(t testing.TB, s *rig.Server) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Error(err)
		conn, _ = net.Pipe() // on which everything fails
	}
	t.Cleanup(func() { conn.Close() })
	return &wire{t, conn}
}

func (w *wire) say(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w.conn, text); err != nil {
		w.t.Errorf("the server did not listen to the end: %v", err)
	}
}

// answer is what came back over a wire.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// afterAll is how long nothing may come once all has come that was waited for.
const afterAll = 300 * time.Millisecond

// hear reads answers until the server closes the connection, or for as long as
// patience; once it has so many as are wanted, if that is said, only for a moment more.
func (w *wire) hear(patience time.Duration, wanted ...int) (answers []answer, closed bool) {
	w.t.Helper()
	until := time.Now().Add(patience)
	var said bytes.Buffer
	for reader := bufio.NewReader(io.TeeReader(w.conn, &said)); ; {
		if len(wanted) > 0 && len(answers) == wanted[0] {
			until = time.Now().Add(afterAll)
		}
		if err := w.conn.SetReadDeadline(until); err != nil {
			w.t.Error(err)
		}
		if _, err := reader.Peek(1); err != nil {
			return answers, !errors.Is(err, os.ErrDeadlineExceeded)
		}
		got, err := http.ReadResponse(reader, nil)
		if err != nil {
			w.t.Errorf("%v in %q", err, said.String())
			return answers, !errors.Is(err, os.ErrDeadlineExceeded)
		}
		body, err := io.ReadAll(got.Body)
		if err != nil {
			w.t.Errorf("%v in %q", err, said.String())
		}
		answers = append(answers, answer{got.StatusCode, got.Header, body})
	}
}
