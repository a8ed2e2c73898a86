package stream

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"errand/e2e/rig"
)

// number is a number from the environment, or the standard one.
func number(t *testing.T, name string, standard int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return standard
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// background starts a run without waiting for it.
func background(c *rig.Client, prompt string, tools ...string) string {
	c.T.Helper()
	var r rig.Run
	c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": prompt, "tools": tools, "background": true}, &r)
	return r.ID
}

// told is what the frames of a stream have told a reader who obeys them.
type told struct {
	events []string       // "seq type", in order
	texts  map[int]string // by step, of the deltas
	whole  map[int]string // by step, of the complete replies
	ended  bool
	last   string // the id of the latest frame
	resets int
}

func newTold() *told { return &told{texts: map[int]string{}, whole: map[int]string{}} }

// hear takes a frame.
func (o *told) hear(f rig.Frame) error {
	if f.Comment {
		return nil
	}
	o.last = f.ID
	var data struct {
		Seq              int
		Step             int
		Text             string
		Status, Type, ID string
		Data             struct {
			Step int
			Text string
		}
	}
	if err := json.Unmarshal([]byte(f.Data), &data); err != nil {
		return fmt.Errorf("%w in %+v", err, f)
	}
	switch f.Event {
	case "delta":
		o.texts[data.Step] += data.Text
	case "reset":
		o.texts[data.Step] = ""
		o.resets++
	default:
		o.events = append(o.events, fmt.Sprint(data.Seq, " ", f.Event))
		if f.Event == "model.responded" {
			o.whole[data.Data.Step] = data.Data.Text
		}
		o.ended = f.Ended()
	}
	return nil
}

// figures reads the server's own account of itself.
func figures(t *testing.T, url string) map[string]float64 {
	t.Helper()
	answer, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	http.DefaultClient.CloseIdleConnections() // no reader of figures is among them
	found := map[string]float64{}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			found[name] = n
		}
	}
	return found
}

// memory is what the server's own objects and stacks take.
func memory(f map[string]float64) float64 {
	return f["go_memstats_heap_inuse_bytes"] + f["go_memstats_stack_inuse_bytes"]
}

// crowd is many bare connections, each of which has asked for one stream.
type crowd struct {
	t     *testing.T
	conns []net.Conn
}

// gather opens connections, a few at a time, with a receive buffer of this many
// bytes, and asks on each for a run's stream.
func gather(t *testing.T, url, run string, size, buffer int) *crowd {
	t.Helper()
	c := &crowd{t: t, conns: make([]net.Conn, size)}
	t.Cleanup(c.leave)
	address := strings.TrimPrefix(url, "http://")
	ask := fmt.Sprintf("GET /v1/runs/%s/stream HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", run, address, rig.AdminKey)
	dialer := net.Dialer{Timeout: rig.Patience, Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, buffer)
		})
		return cmpErr(err, failed)
	}}
	var dialing sync.WaitGroup
	for part := range 8 {
		dialing.Go(func() {
			for i := part; i < size; i += 8 {
				conn, err := dialer.DialContext(t.Context(), "tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				c.conns[i] = conn
				if _, err := conn.Write([]byte(ask)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	dialing.Wait()
	return c
}

func cmpErr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// leave hangs up, all at once.
func (c *crowd) leave() {
	for _, conn := range c.conns {
		if conn != nil {
			conn.Close()
		}
	}
}
