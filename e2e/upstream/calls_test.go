package upstream

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/e2e/rig"
)

// paid are the bodies of the calls that a run has made, in order.
func paid(w *rig.World, run string) []string {
	var bodies []string
	for _, call := range w.Tools.Ledger("pay.once") {
		if call.Run == run {
			bodies = append(bodies, call.Body)
		}
	}
	return bodies
}

// TestStreamCutAtEveryByte cuts a reply that pays, behind each of its bytes. The
// call is made, with every byte of its arguments, if the provider has said that
// the reply is complete; else the run fails and nobody is paid.
func TestStreamCutAtEveryByte(t *testing.T) {
	t.Parallel()
	const arguments = `{"to":"Zo\u00eb \"Z\"","amount":12.50}`
	stream := chunk(`{"role":"assistant","content":""}`) + chunk(`{"content":"Paying. "}`) +
		piece(0, "a", "pay_once", arguments[:9]) + piece(0, "", "", arguments[9:14]) + piece(0, "", "", arguments[14:]) + finish("tool_calls") + done
	whole := strings.Index(stream, `"tool_calls"}]}`) + len(`"tool_calls"}]}`)
	cut := func(w http.ResponseWriter, r *http.Request, a asked) {
		if a.Step() > 0 {
			says("text/event-stream", text("Done."))(w, r, a)
			return
		}
		n, err := strconv.Atoi(a.Prompt())
		if err != nil {
			t.Errorf("the prompt is %q", a.Prompt())
		}
		breaks(stream[:n], -1)(w, r, a)
	}
	w, _, c := start(t, map[string]answer{"cut": cut}, nil)
	runs := make([]string, len(stream)+1)
	for n := range runs {
		runs[n] = background(c, "cut", strconv.Itoa(n)).ID
	}
	completed := 0
	for n, id := range runs {
		r := end(c, id, rig.Patience)
		var want []string
		switch {
		case r.Status == "completed":
			want = []string{arguments}
			completed++
		case r.Status != "failed" || *r.StopReason != "model_error" || r.Error.Code != "model_garbled" && r.Error.Code != "model_unavailable":
			t.Errorf("cut at %d: %+v %+v", n, r, r.Error)
		}
		if (r.Status == "completed") != (n > whole) && n != whole { // there, only the line's end is missing
			t.Errorf("cut at %d of %d, complete at %d: %s", n, len(stream), whole, r.Status)
		}
		if diff := cmp.Diff(want, paid(w, id)); diff != "" {
			t.Errorf("cut at %d: calls (-want +got):\n%s", n, diff)
		}
	}
	t.Logf("%d cuts, %d runs completed", len(runs), completed)
}

// TestToolCallsOfCarelessProviders runs replies that servers get wrong. What can be
// understood is called as it was meant; what can't is not called, and the model
// hears of it and goes on.
func TestToolCallsOfCarelessProviders(t *testing.T) {
	t.Parallel()
	const zoe, ada = `{"to":"Zo\u00eb","n":1}`, `{"to":"Ada \\ \"A\" 🧙"}`
	raw := func(call string) string { return chunk(`{"tool_calls":[` + call + `]}`) }
	ended := finish("tool_calls") + done
	stories := map[string]struct {
		stream string
		paid   []string
	}{
		"every call has index 0":          {piece(0, "a", "pay_once", zoe) + piece(0, "b", "pay_once", ada) + ended, []string{zoe, ada}},
		"index 7":                         {piece(7, "a", "pay_once", zoe) + ended, []string{zoe}},
		"no index":                        {raw(fmt.Sprintf(`{"id":"a","function":{"name":"pay_once","arguments":%q}}`, zoe)) + ended, []string{zoe}},
		"ids are empty":                   {piece(0, "", "pay_once", zoe) + piece(1, "", "pay_once", ada) + ended, []string{zoe, ada}},
		"ids are the same":                {piece(0, "a", "pay_once", zoe) + piece(1, "a", "pay_once", ada) + ended, []string{zoe, ada}},
		"ids are null":                    {raw(fmt.Sprintf(`{"index":0,"id":null,"function":{"name":"pay_once","arguments":%q}}`, zoe)) + ended, []string{zoe}},
		"cut inside escapes":              {piece(0, "a", "pay_once", zoe[:10]) + piece(0, "", "", zoe[10:12]) + piece(0, "", "", zoe[12:]) + ended, []string{zoe}},
		"cut inside a surrogate pair":     {piece(0, "a", "pay_once", `{"to":"Ada `) + raw(`{"index":0,"function":{"arguments":"\\\\ \\\"A\\\" \ud83e"}}`) + raw(`{"index":0,"function":{"arguments":"\uddd9\"}"}}`) + ended, []string{ada}},
		"null deltas":                     {chunk("null") + piece(0, "a", "pay_once", zoe) + chunk("null") + raw(`{"index":0,"id":null,"type":null,"function":null}`) + ended, []string{zoe}},
		"double finish":                   {piece(0, "a", "pay_once", zoe) + finish("tool_calls") + finish("stop") + done + done, []string{zoe}},
		"finished by stop":                {piece(0, "a", "pay_once", zoe) + finish("stop"), []string{zoe}},
		"the same call told twice":        {`data: {"choices":[{"delta":{},"message":{}}]}` + "\n\n" + piece(0, "a", "pay_once", zoe) + piece(0, "a", "pay_once", "") + ended, []string{zoe}},
		"an object for a text":            {raw(`{"index":0,"id":"a","function":{"name":"pay_once","arguments":`+zoe+`}}`) + ended, []string{zoe}},
		"half the arguments":              {piece(0, "a", "pay_once", zoe[:12]) + ended, nil},
		"cut off by length":               {piece(0, "a", "pay_once", zoe[:12]) + finish("length") + done, nil},
		"cut off before its arguments":    {piece(0, "a", "pay_once", "") + finish("length") + done, nil},
		"one whole, one cut off":          {piece(0, "a", "pay_once", zoe) + piece(1, "b", "pay_once", "") + finish("length") + done, []string{zoe}},
		"filtered before its arguments":   {piece(0, "a", "pay_once", "") + finish("content_filter") + done, nil},
		"a list for an object":            {piece(0, "a", "pay_once", `["Zoë"]`) + ended, nil},
		"two objects":                     {piece(0, "a", "pay_once", zoe+ada) + ended, nil},
		"a tool that there is not":        {piece(0, "a", "pay_twice", zoe) + ended, nil},
		"no name":                         {piece(0, "a", "", zoe) + ended, nil},
		"arguments of a call not begun":   {raw(fmt.Sprintf(`{"index":3,"function":{"arguments":%q}}`, zoe)) + ended, nil},
		"a call without arguments":        {piece(0, "a", "pay_once", "") + ended, []string{"{}"}},
		"a whole answer and not streamed": {fmt.Sprintf(`{"choices":[{"message":{"tool_calls":[{"id":"a","function":{"name":"pay_once","arguments":%q}}]},"finish_reason":"tool_calls"}]}`, zoe), []string{zoe}},
	}
	careless := func(w http.ResponseWriter, r *http.Request, a asked) {
		stream := stories[a.Prompt()].stream
		if a.Step() > 0 {
			stream = text("Done.")
		}
		says("text/event-stream", stream)(w, r, a)
	}
	w, _, c := start(t, map[string]answer{"careless": careless}, nil)
	runs := map[string]string{}
	for name := range stories {
		runs[name] = background(c, "careless", name).ID
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			if r := end(c, runs[name], rig.Patience); r.Status != "completed" || r.Summary() != "Done." || r.StepsUsed != 2 {
				t.Errorf("%s after %d steps: %q %+v", r.Status, r.StepsUsed, r.Summary(), r.Error)
			}
			if diff := cmp.Diff(story.paid, paid(w, runs[name])); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}
