package you

import (
	"encoding/json"
	"strings"
	"testing"

	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// FuzzBody: whatever is sent is understood, or refused with a status below 500 and
// a sentence.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"input":"a"}`, `{"input":"a","agent":"advanced","tools":[{"type":"research","search_effort":"low"}],"verbosity":"high"}`,
		`{"input":"a","stream":"TRUE","tools":[{"type":"web_search","trigger":"force"}]}`, `{"input":"a","workflow_config":{"max_workflow_steps":20}}`,
		`{"tools":[[]]}`, `{"input":7,"tools":{}}`, `{"input":"a","tools":[{"type":"compute","type":"x"}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var in bodyIn
		err := wire.Decode([]byte(text), &in, false)
		var o order
		if err == nil {
			o, err = in.order(1000, mostSteps)
		}
		if err != nil {
			status, body := fault(wire.Fault{Error: problem.From(err)})
			if said := body.(faultBody); status < 400 || status > 499 || said.Detail == "" || len(said.Errors) == 0 {
				t.Errorf("%q: %d %+v", text, status, said)
			}
			return
		}
		if o.input == "" || o.agent == "" || o.mode == "" || o.steps < 1 || o.steps > mostSteps || o.compute && o.mode != advanced {
			t.Errorf("%q: %+v", text, o)
		}
	})
}

// FuzzTeller: a reply that breaks off and begins anew as it likes is told once, in
// frames without gaps; if it is said to be finished, the answer is the whole of it.
func FuzzTeller(f *testing.F) {
	f.Add([]byte{5, 5, 5}, true)
	f.Add([]byte{5, 5, 0, 5, 5, 5, 9, 9}, false)
	f.Add([]byte{200, 200, 0, 100, 100, 0, 250}, true)
	f.Add([]byte{40, 3, 0, 7, 255, 0}, true)
	f.Fuzz(func(t *testing.T, script []byte, tools bool) {
		spec := run.Spec{Dialect: Dialect, Limits: run.Limits{MaxSteps: 2}}
		if tools {
			spec.Tools = []run.Tool{{Name: "compute"}}
		}
		out := &collector{t: t}
		teller := &teller{state: run.State{ID: id}}
		tell := func(u engine.Update) bool {
			done, err := teller.tell(out, u)
			if err != nil {
				t.Fatal(err)
			}
			return done
		}
		seq := int64(0)
		event := func(e run.Event) engine.Update {
			seq++
			e.Seq, e.At = seq, id.Time()
			return engine.Update{Event: &e}
		}
		tell(event(run.Event{Type: run.RunCreated, Created: &run.Created{Spec: spec}}))
		whole := ""
		for i, b := range script { // 0 begins anew; 255 says something else; the rest is length
			u := engine.Update{Cursor: engine.Cursor{Step: 1}}
			text := strings.Repeat("ab", int(b)/2)
			switch {
			case b == 0:
				u.Reset, whole = true, ""
			case b == 255:
				u.Delta, whole = &run.Delta{Kind: run.TextDelta, Text: "x"}, whole+"x"
			default:
				u.Delta, whole = &run.Delta{Kind: run.TextDelta, Text: text}, whole+text
			}
			if tell(u) {
				out.failed(i)
				return
			}
		}
		tell(event(run.Event{Type: run.ModelResponded, Responded: &run.Responded{Step: 1, Reply: run.Reply{Text: whole}}}))
		ended := &run.Ended{Status: run.Completed, Reason: run.Answered, Result: run.Result{Summary: whole}}
		if !tell(event(run.Event{Type: run.RunFinished, Ended: ended})) {
			t.Fatal("no end")
		}
		if last := out.done; last.Finished && out.text != whole {
			t.Errorf("told %q, the answer is %q", out.text, whole)
		} else if !last.Finished && last.Error == nil {
			t.Error("not finished, and no word why")
		}
	})
}

// collector puts the frames together again.
type collector struct {
	t    *testing.T
	next int
	text string
	done doneResponse
}

func (c *collector) JSON(_, _ string, value any) error {
	f := value.(frame)
	if f.SeqID != c.next {
		c.t.Errorf("frame %d has the number %d", c.next, f.SeqID)
	}
	c.next++
	switch r := f.Response.(type) {
	case deltaResponse:
		if r.Delta == "" || r.OutputIndex != 0 {
			c.t.Errorf("%+v", r)
		}
		c.text += r.Delta
	case doneResponse:
		c.done = r
	}
	_, err := json.Marshal(f)
	return err
}

// failed checks a stream that has ended at an update that was not the last.
func (c *collector) failed(at int) {
	if c.done.Finished || c.done.Error == nil {
		c.t.Errorf("the stream ended at update %d without a word why", at)
	}
}
