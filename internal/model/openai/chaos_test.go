package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/model/modeltest"
	"errand/internal/problem"
	"errand/internal/run"
)

// tape is a provider without a network: it plays its bytes, the pieces as they
// are, each after a pause, and then ends as it is told to.
type tape struct {
	pieces []string
	every  time.Duration
	end    error
}

func (p tape) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}},
		Body: io.NopCloser(&playing{tape: p, request: r}),
	}, nil
}

type playing struct {
	tape
	request *http.Request
}

func (p *playing) Read(into []byte) (int, error) {
	if len(p.pieces) == 0 {
		return 0, p.end
	}
	if p.every > 0 {
		if err := pause(p.request.Context(), p.every); err != nil {
			return 0, err
		}
	}
	n := copy(into, p.pieces[0])
	if p.pieces[0] = p.pieces[0][n:]; p.pieces[0] == "" {
		p.pieces = p.pieces[1:]
	}
	return n, nil
}

// playingTo returns a client of the tape.
func playingTo(t testing.TB, p tape) *Client {
	t.Helper()
	client, err := New(Config{Name: "test", BaseURL: "http://test", Transport: p})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestCutAtEveryByte cuts an answer with text and calls behind each of its bytes,
// in good order and not. Either all that it asks for has come, or it is an error:
// half a call is none.
func TestCutAtEveryByte(t *testing.T) {
	stream := delta(`{"role":"assistant","content":""}`) + delta(`{"content":"Grüße, 🧙"}`) +
		callDelta(0, "a", "pay", "") + more(0, `{"to":"Zo\"ë`) + more(0, `\u00e9\\","n":1}`) +
		callDelta(1, "b", "book", `{"x":{}}`) + ended("tool_calls") +
		`data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5}}` + "\n\n" + done
	whole, err := collect(t, playingTo(t, tape{pieces: []string{stream}, end: io.EOF}), modeltest.Request(1))
	if err != nil || len(whole.Calls) != 2 {
		t.Fatalf("the whole: %+v, %v", whole, err)
	}
	finished := strings.Index(stream, `"tool_calls"}]}`) + len(`"tool_calls"}]}`)
	for cut := range len(stream) {
		for _, end := range []error{io.EOF, io.ErrUnexpectedEOF} {
			got, err := collect(t, playingTo(t, tape{pieces: []string{stream[:cut]}, end: end}), modeltest.Request(1))
			if cut < finished {
				if !problem.Is(err, problem.ModelGarbled) {
					t.Fatalf("cut at %d by %v: %+v, %v; want model_garbled", cut, end, got, err)
				}
				continue
			}
			got.Usage = whole.Usage // all that may be missing
			if diff := cmp.Diff(whole, got); err != nil && cut > finished || err == nil && diff != "" {
				t.Fatalf("cut at %d by %v: %v, reply (-want +got):\n%s", cut, end, err, diff)
			}
		}
	}
	t.Logf("%d bytes, cut twice behind each", len(stream))
}

// A character, as bytes or as escapes, may be cut anywhere, into events and into
// reads.
func TestCharactersCutAnywhere(t *testing.T) {
	const said = "aé€🧙\U0010FFFFz"
	escaped := `a\u00e9\u20ac\ud83e\uddd9\udbff\udfffz`
	units := strings.Split(strings.ReplaceAll(escaped, `\`, "\x00\\"), "\x00") // at escapes
	for cut := range len(said) {
		for second := cut; second < len(said); second++ {
			stream := ""
			for _, piece := range []string{said[:cut], said[cut:second], said[second:]} {
				stream += delta(`{"content":"` + piece + `"}`)
			}
			heard(t, stream+ended("stop")+done, said)
		}
	}
	for cut := range len(units) + 1 {
		stream := delta(`{"content":"`+strings.Join(units[:cut], "")+`"}`) + delta(`{"content":"`+strings.Join(units[cut:], "")+`"}`)
		heard(t, stream+ended("stop")+done, said)
	}
}

// heard checks what a client makes of a stream that comes whole, and byte by byte.
func heard(t *testing.T, stream, want string) {
	t.Helper()
	for _, pieces := range [][]string{{stream}, bytewise(stream)} {
		got, err := collect(t, playingTo(t, tape{pieces: pieces, end: io.EOF}), modeltest.Request(1))
		if err != nil || got.Text != want {
			t.Fatalf("%q, %v, of %s", got.Text, err, stream)
		}
	}
}

func bytewise(stream string) []string {
	pieces := make([]string, len(stream))
	for i := range pieces {
		pieces[i] = stream[i : i+1]
	}
	return pieces
}

// TestOneByteASecond lets an answer trickle: it is taken as long as it ends within
// the time that a call may take in all, and cut then.
func TestOneByteASecond(t *testing.T) {
	for _, c := range []struct {
		name, text string
		code       problem.Code
	}{
		{"short", "slow", ""},
		{"long", strings.Repeat("slower ", 100), problem.ModelTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := delta(fmt.Sprintf(`{"content":%q}`, c.text)) + ended("stop")
				began := time.Now()
				reply, err := playingTo(t, tape{pieces: bytewise(stream), every: time.Second, end: io.EOF}).Reply(t.Context(), modeltest.Request(1), nil)
				if c.code == "" && (err != nil || reply.Text != c.text) || c.code != "" && !problem.Is(err, c.code) {
					t.Errorf("%q, %v", reply.Text, err)
				}
				if took := time.Since(began); took > 10*time.Minute {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// A call that the provider cut off before its arguments came is not one without
// arguments.
func TestCallCutBeforeItsArguments(t *testing.T) {
	for reason, want := range map[string]string{"length": "", "content_filter": "", "tool_calls": "{}", "stop": "{}"} {
		stream := callDelta(0, "a", "f", "") + ended(reason) + done
		got, err := collect(t, playingTo(t, tape{pieces: []string{stream}, end: io.EOF}), modeltest.Request(1))
		if err != nil || len(got.Calls) != 1 || got.Calls[0].Arguments != want {
			t.Errorf("%s: %+v, %v; want arguments %q", reason, got.Calls, err, want)
		}
	}
}

// chaos writes one and the same reply in the ways of servers that get it wrong.
type chaos struct {
	*rand.Rand
	out   bytes.Buffer
	noID  bool // ids are empty
	reuse bool // every call has index 0
	again bool // name and id come with each piece
	raw   bool // a string has no escapes beyond the needed ones
}

// event writes a delta, and sometimes something that means nothing before it.
func (c *chaos) event(body string) {
	for c.IntN(4) == 0 {
		c.out.WriteString([]string{
			delta("null"), delta("{}"), ": alive\n\n", "event: ping\n", `data: {"choices":[]}` + "\n\n", `data: {"choices":null,"usage":null}` + "\n\n",
			delta(`{"content":null,"tool_calls":null,"role":null,"refusal":null}`), delta(`{"tool_calls":[]}`), delta(`{"content":""}`), "\r\n",
		}[c.IntN(10)])
	}
	c.out.WriteString(delta(body))
}

// quote writes a JSON string whose characters may all be escapes, and pieces of
// which may end anywhere but inside one escape.
func (c *chaos) quote(text string) string {
	if c.raw {
		var quoted bytes.Buffer
		encoder := json.NewEncoder(&quoted)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(text) // a string always encodes
		return strings.TrimSpace(quoted.String())
	}
	quoted := `"`
	for _, r := range text {
		if r > 0xFFFF {
			quoted += fmt.Sprintf(`\u%04x\u%04x`, 0xD800+(r-0x10000)>>10, 0xDC00+(r-0x10000)&0x3FF)
		} else {
			quoted += fmt.Sprintf(`\u%04X`, r)
		}
	}
	return quoted + `"`
}

// call writes a call in pieces that end anywhere, also inside an escape of the
// arguments' own JSON.
func (c *chaos) call(index int, call run.Call) {
	id := call.ID
	if c.noID {
		id = ""
	}
	if c.reuse {
		index = 0
	}
	head := fmt.Sprintf(`"id":%s,"type":"function",`, c.quote(id))
	name := fmt.Sprintf(`"name":%s,`, c.quote(call.Name))
	for rest, first := call.Arguments, true; first || rest != ""; first = false {
		cut := c.IntN(len(rest) + 1)
		for cut < len(rest) && rest[cut]&0xC0 == 0x80 { // JSON text is whole characters
			cut++
		}
		if c.again || first {
			c.event(fmt.Sprintf(`{"tool_calls":[{"index":%d,%s"function":{%s"arguments":%s}}]}`, index, head, name, c.quote(rest[:cut])))
		} else {
			c.event(fmt.Sprintf(`{"tool_calls":[{"index":%d,"id":null,"function":{"name":null,"arguments":%s}}]}`, index, c.quote(rest[:cut])))
		}
		rest = rest[cut:]
	}
}

// TestToolCallChaos says one reply in many hundred wrong ways: what is understood
// is always the same.
func TestToolCallChaos(t *testing.T) {
	rounds := 400
	if os.Getenv("ERRAND_SOAK") != "" {
		rounds = 20_000
	}
	calls := []run.Call{
		{ID: "call_1", Name: "pay", Arguments: `{"to":"a\"b\\c\u00e9\/🧙","n":[1e3,null]}`},
		{ID: "call_2", Name: "book", Arguments: `{}`},
		{ID: "call_3", Name: "pay", Arguments: ` {"deep":{"a":{"b":"}{][\\\""}}} `},
	}
	for seed := range rounds {
		c := &chaos{Rand: rand.New(rand.NewPCG(uint64(seed), 1))}
		c.raw, c.again = c.IntN(2) == 0, c.IntN(3) == 0
		if c.reuse = c.IntN(3) == 0; !c.reuse { // without an index of its own a call needs an id
			c.noID = c.IntN(3) == 0
		}
		for i, call := range calls {
			c.call(i, call)
		}
		for range 1 + c.IntN(3) {
			c.out.WriteString(ended([]string{"tool_calls", "stop", "function_call"}[c.IntN(3)]))
		}
		if c.IntN(2) == 0 {
			c.out.WriteString(done)
		}
		got, err := collect(t, playingTo(t, tape{pieces: []string{c.out.String()}, end: io.EOF}), modeltest.Request(1))
		if err != nil {
			t.Fatalf("seed %d: %v of\n%s", seed, err, c.out.String())
		}
		want := append([]run.Call(nil), calls...)
		for i := range got.Calls {
			if c.noID && got.Calls[i].ID != "" && i < len(want) {
				want[i].ID = got.Calls[i].ID
			}
		}
		if diff := cmp.Diff(want, got.Calls); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s of\n%s", seed, diff, c.out.String())
		}
	}
}
