package hostile

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

func nested(levels int) string {
	return `{"a":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + `}`
}

// keys is an object with so many of them.
func keys(n int) string {
	var out strings.Builder
	out.WriteString(`{"k":0`)
	for i := range n - 1 {
		out.WriteString(`,"k` + strconv.Itoa(i) + `":0`)
	}
	out.WriteString("}")
	return out.String()
}

// asking lets the model call a tool with arguments that no prompt could hold, and
// then say that it is done.
func asking(w *rig.World, tool, arguments string) {
	w.Model.Plays(func(c rig.Conversation) rig.Turn {
		if c.Step() > 0 {
			return rig.Turn{Text: "Done."}
		}
		return rig.Turn{Calls: []rig.ToolCall{{Name: tool, Arguments: arguments}}}
	})
}

// readable reads a run in every way that there is: whatever the model wrote, who
// looks for what happened must find it. A number that is too large for a double
// would stop the contract's own reader, so this one asks for itself.
func readable(t *testing.T, c *rig.Client, id string) {
	t.Helper()
	for _, path := range []string{"", "?include_trace=true", "/events?limit=1000", "/stream"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL+"/v1/runs/"+id+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+c.Key)
		got, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		got.Body.Close()
		if err != nil || got.StatusCode != http.StatusOK || path == "/stream" && !bytes.Contains(body, []byte("event: run.finished")) {
			t.Errorf("GET /v1/runs/%s%s: %d, %v: %.300s", id, path, got.StatusCode, err, body)
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// What a model writes as arguments reaches the tool byte for byte, or not at all.
func TestArgumentsByteForByte(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	c.Tool(w, "book.once", "once")
	for name, arguments := range map[string]string{
		"beyond a double":   `{"n":9007199254740993,"m":-9007199254740993}`,
		"beyond all":        `{"n":1e309,"m":-1E+400,"tiny":1e-400}`,
		"digits":            `{"n":12345678901234567890.10,"zero":-0.0,"one":1.0}`,
		"spaces":            " {\n\t\"b\" : 1 , \"a\" : [ ] } ",
		"escapes":           `{"s":"\u0000\u001f\ud83d\ude00\/\"\\","\u0061":1}`,
		"characters":        "{\"s\":\"\u202egnp.exe\u200b é 請求 \U0001F600\"}",
		"two cases":         `{"to":"a","To":"b","TO":"c"}`,
		"a prototype":       `{"__proto__":{"x":1},"constructor":1}`,
		"a hundred levels":  nested(100),
		"ten thousand keys": keys(10_000),
	} {
		before := len(w.Tools.Ledger())
		asking(w, "book.once", arguments)
		var r rig.Run
		c.Post("/v1/runs", map[string]any{"model": "auto", "tools": []string{"book.once"}, "prompt": name}, &r)
		calls := w.Tools.Ledger()[before:]
		if len(calls) != 1 || strings.TrimSpace(calls[0].Body) != strings.TrimSpace(arguments) {
			t.Errorf("%s: %d calls, %.300s: %+v", name, len(calls), calls, r)
		}
		readable(t, c, r.ID)
	}
}

// What could mean one thing to the person who approves and another to the tool is
// not called; the model is told.
func TestArgumentsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	c.Tool(w, "book.once", "once")
	function := map[string]any{"type": "function", "function": map[string]any{"name": "ask.caller", "description": "Asks."}}
	for name, arguments := range map[string]string{
		"a key twice":           `{"to":"friend@example.com","to":"thief@example.com"}`,
		"a key twice, escaped":  `{"to":"friend@example.com","t\u006f":"thief@example.com"}`,
		"a key twice, deeper":   `{"a":[{"b":{"to":1,"x":2,"to":3}}]}`,
		"half a character":      `{"to":"\ud800"}`,
		"the other half":        `{"to":"\udc00x"}`,
		"a NUL":                 "{\"to\":\"a\x00b\"}",
		"a thousand levels":     nested(1000),
		"ten thousand levels":   nested(10_000),
		"a hundred thousand":    nested(100_000),
		"no end":                strings.Repeat(`{"a":`, 10_000),
		"two objects":           `{"to":"a"}{"to":"b"}`,
		"text behind it":        `{"to":"a"} please`,
		"a list":                `[{"to":"a"}]`,
		"null":                  `null`,
		"a number":              `NaN`,
		"a number in an object": `{"n":NaN}`,
		"a plus":                `{"n":+1}`,
		"a leading zero":        `{"n":007}`,
		"a comment":             `{"a":1/* */}`,
		"a comma":               `{"a":1,}`,
	} {
		for _, tool := range []string{"book.once", "ask.caller"} {
			asking(w, tool, arguments)
			body := map[string]any{"model": "auto", "prompt": name, "tools": []string{"book.once"}, "functions": []any{function}}
			var r rig.Run
			c.Post("/v1/runs", body, &r)
			if r.Status != "completed" || len(w.Tools.Ledger()) != 0 {
				t.Fatalf("%s: %+v, %d calls", name, r, len(w.Tools.Ledger()))
			}
			asked := w.Model.Calls()
			if told := asked[len(asked)-1].Of("tool"); len(told) != 1 || !strings.Contains(told[0].Text(), "not made") {
				t.Errorf("%s: the model was told %.300v", name, told)
			}
			readable(t, c, r.ID)
		}
	}
}

// A body that costs more to read than to write is refused before it costs much.
func TestCostlyBodies(t *testing.T) {
	t.Parallel()
	c := rig.New(t).Start().Client()
	for name, test := range map[string]struct {
		body   string
		status int
		field  string
	}{
		"ten thousand levels":     {nested(10_000), 400, "body"},
		"of arrays":               {`{"metadata":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, 400, "body"},
		"half a million levels":   {strings.Repeat(`{"a":`, 200_000), 400, "body"},
		"a hundred thousand keys": {keys(80_000), 400, ""},
		"a million keys":          {keys(1_000_000), 413, ""},
		"one key a lot":           {`{"prompt":0` + strings.Repeat(`,"prompt":0`, 90_000) + `}`, 400, "prompt"},
		"a long number":           {`{"max_steps":1` + strings.Repeat("0", 1_000_000) + `}`, 400, "max_steps"},
		"a large exponent":        {`{"max_steps":1e309}`, 400, "max_steps"},
		"a long fraction":         {`{"params":{"temperature":0.` + strings.Repeat("1", 1_000_000) + `e99999}}`, 400, ""},
		"beyond a double":         {`{"max_steps":9007199254740993}`, 400, "max_steps"},
		"a long key":              {`{"` + strings.Repeat("x", 1_000_000) + `":1}`, 400, ""},
		"escapes":                 {`{"prompt":"` + strings.Repeat(`\u00e9`, 170_000) + `"}`, 400, "prompt"},
		"half a character":        {`{"model":"auto","prompt":"\ud800"}`, 400, "body"},
		"half of a key":           {`{"\udfff":1}`, 400, "body"},
		"a NUL":                   {"{\"model\":\"auto\",\"prompt\":\"a\x00b\"}", 400, "body"},
		"nothing but NULs":        {strings.Repeat("\x00", 1<<20), 400, "body"},
		"a schema that is deep":   {`{"model":"auto","prompt":"x","output_schema":` + nested(10_000) + `}`, 400, "body"},
		"a schema within a schema": {`{"model":"auto","prompt":"x","output_schema":{"type":"object","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"properties":{"x":{"$ref":"#/$defs/a"}}},"max_steps":0}`,
			400, "max_steps"},
		"a costly pattern": {`{"model":"auto","prompt":"x","output_schema":{"pattern":"(a*)*` + strings.Repeat("(a?){1000}", 3) + `"},"max_steps":0}`, 400, "max_steps"},
	} {
		begun := time.Now()
		answer := c.Do(http.MethodPost, "/v1/runs", test.body)
		if took := time.Since(begun); took > 30*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		if len(answer.Body) > 64<<10 {
			t.Errorf("%s: the refusal has %d bytes", name, len(answer.Body))
		}
		code := map[int]string{400: "invalid_request", 413: "too_large"}[test.status]
		fault := answer.Refused(test.status, code)
		if test.field != "" && fault.Errors[test.field] == "" {
			t.Errorf("%s: no field %s in %.300s", name, test.field, answer.Body)
		}
	}
	var runs struct{ Data []rig.Run }
	if c.Get("/v1/runs", &runs); len(runs.Data) != 0 {
		t.Errorf("%d runs", len(runs.Data))
	}
}
