package robots

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

// many is how many conversations wait at the same time.
const many = 1000

// atOnce is how many conversations begin at the same time: less than the runs in the
// making above which a server that is too slow for them asks its callers to come again.
const atOnce = 50

// patience bounds a reader: longer than two heartbeats, and than a busy machine takes.
const patience = 5 * time.Minute

// conversation is a streaming request on a connection of its own.
type conversation struct {
	net.Conn
	lines *bufio.Reader
}

// converse sends a request and reads nothing of its answer.
func converse(s *rig.Server, path string, body object) (*conversation, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(body)
	if err == nil {
		err = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	}
	if err == nil {
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			path, rig.AdminKey, len(text), text)
	}
	return &conversation{Conn: conn, lines: bufio.NewReaderSize(conn, 512)}, err
}

// opens reads the head of an answer that must be a stream: one that is not would be
// waited for as if it were silent.
func (c *conversation) opens() error {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.lines, nil)
	if err != nil {
		return fmt.Errorf("waiting for the answer's head: %w", err)
	}
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/event-stream") {
		defer answer.Body.Close()
		said, _ := io.ReadAll(answer.Body) // what there is of it
		return fmt.Errorf("no stream but %s: %s", answer.Status, said)
	}
	return nil // the body has begun, and is read as it comes
}

// hears reads up to a line that begins so, as often as it is wanted.
func (c *conversation) hears(words string, times int) error {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for times > 0 {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("waiting for %q: %w", words, err)
		}
		if strings.HasPrefix(line, words) {
			times--
		}
	}
	return nil
}

// crowd holds many conversations that wait for the model: each has its heartbeats,
// and its answer once the model speaks again.
func crowd(t *testing.T, w *rig.World, s *rig.Server, path string, body object) {
	t.Helper()
	release := w.Model.Hold()
	var all sync.WaitGroup
	var waiting sync.WaitGroup
	waiting.Add(many)
	room := make(chan struct{}, atOnce)
	for range many {
		all.Go(func() {
			beaten := sync.OnceFunc(waiting.Done)
			defer beaten()
			room <- struct{}{}
			c, err := converse(s, path, body)
			if err == nil {
				defer c.Close()
				err = c.opens()
			}
			<-room
			if err != nil {
				t.Error(err)
				return
			}
			if err := c.hears(": ping", 2); err != nil { // the first opens the stream, the next comes 10 s later
				t.Error(err)
				return
			}
			beaten()
			if err := c.hears("data: [DONE]", 1); err != nil {
				t.Error(err)
			}
		})
	}
	waiting.Wait()
	release()
	all.Wait()
}

// TestThousandConversations wait for a host that thinks for long.
func TestThousandConversations(t *testing.T) {
	w := newWorld(t)
	w.Env["OPENAI_BASE_URL"] = w.Model.URL + "/v1"
	s := w.Start()
	hire(s.Client())
	began := time.Now()
	crowd(t, w, s, robots+"/my-robot/completions", object{"stream": true, "messages": list{object{"role": "user", "content": "Hello"}}})
	t.Logf("%d conversations took %v", many, time.Since(began).Round(time.Millisecond))
}

// TestSlowReader: a reader who does not read holds up neither its own run nor
// anybody else's, and whoever asks again gets everything.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := strings.Repeat("All work and no play makes a dull day. ", 40_000)
	w.Model.Plays(func(c rig.Conversation) rig.Turn {
		if strings.HasPrefix(c.Prompt(), "long:") {
			return rig.Turn{Text: strings.ReplaceAll(long, " ", "\u00a0")} // one piece
		}
		return playing(c)
	})
	s := w.Start()
	c := s.Client()
	c.Post("/v1/agents", object{"name": "guide", "model": "default", "instructions": "Guide.", "tools": list{}}, nil).Good()
	ask := func(text string) object {
		return object{"model": "agent:guide", "stream": true, "messages": list{object{"role": "user", "content": text}}}
	}
	// A server that lets others wait for one who does not read lets them wait until it
	// gives him up. A machine that is slow at the moment gets another try.
	const givenUp = 10 * time.Second
	took := givenUp
	for try := 0; took >= givenUp && try < 4; try++ {
		slow := begins(t, s, ask("long:"))
		began := time.Now()
		other, err := converse(s, "/v1/chat/completions", ask("capital:"))
		if err == nil {
			err = other.hears("data: [DONE]", 1)
			other.Close()
		}
		if err != nil {
			t.Error(err)
		}
		done := c.Until(slow.run, "completed")
		took = time.Since(began)
		if len(done.Summary()) < len(long) {
			t.Errorf("the run has %d bytes", len(done.Summary()))
		}
		slow.Close()
	}
	if took < givenUp {
		return
	}
	began := time.Now() // as long as that takes where everybody reads
	everything, err := converse(s, "/v1/chat/completions", ask("long:"))
	if err == nil {
		err = everything.hears("data: [DONE]", 1)
		everything.Close()
	}
	if alone := time.Since(began); err != nil || took > 3*alone {
		t.Errorf("the others took %v, and somebody who reads %v: %v", took, alone, err)
	}
}

// unread is a conversation that nobody reads behind the answer's head.
type unread struct {
	*conversation
	run string
}

func begins(t *testing.T, s *rig.Server, body object) unread {
	t.Helper()
	c, err := converse(s, "/v1/chat/completions", body)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if id, found := strings.CutPrefix(line, "X-Errand-Run: "); found {
			return unread{c, strings.TrimSpace(id)}
		}
	}
}
