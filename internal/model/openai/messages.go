package openai

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"errand/internal/model/remote"
	"errand/internal/run"
)

// writer appends a conversation in the wire format.
type writer struct {
	to    []byte
	kind  string
	names remote.Names
	first bool // nothing was written to the list yet
}

func (w *writer) raw(text string)          { w.to = append(w.to, text...) }
func (w *writer) quote(text string)        { w.to = appendQuoted(w.to, text) }
func (w *writer) field(name, value string) { w.raw(name); w.quote(value) }

// appendQuoted writes a JSON string. Bytes that are no UTF-8 become the
// replacement character, which is all that the error of AppendQuote says.
func appendQuoted[T ~string | ~[]byte](to []byte, text T) []byte {
	to, _ = jsontext.AppendQuote(to, text)
	return to
}

// next begins an element of a list.
func (w *writer) next() {
	if !w.first {
		w.raw(",")
	}
	w.first = false
}

// messages writes the conversation. Behind each assistant message come the
// results of all of its calls, in call order; a result without a call, which no
// provider takes, is told as a user's message.
func (w *writer) messages(all []run.Message) {
	w.first = true
	for i := 0; i < len(all); {
		m := &all[i]
		i++
		switch m.Role {
		case run.ToolRole:
			w.orphan(m)
		case run.Assistant:
			w.next()
			w.assistant(m)
			results := i
			for i < len(all) && all[i].Role == run.ToolRole {
				i++
			}
			w.results(m.Calls, all[results:i])
		default:
			w.next()
			w.raw(`{"role":`)
			w.quote(string(m.Role))
			w.raw(`,"content":`)
			w.content(m.Text, m.Images)
			w.raw("}")
		}
	}
}

func (w *writer) assistant(m *run.Message) {
	w.raw(`{"role":"assistant","content":`)
	if m.Text == "" && len(m.Calls) > 0 {
		w.raw("null")
	} else {
		w.quote(m.Text)
	}
	if w.kind == DeepSeek && (m.Reasoning != "" || len(m.Calls) > 0) {
		w.field(`,"reasoning_content":`, m.Reasoning) // others refuse or ignore it
	}
	var extras []json.RawMessage
	if w.kind == Google {
		extras = extrasOf(m)
	}
	if len(m.Calls) > 0 {
		w.raw(`,"tool_calls":[`)
		for i := range m.Calls {
			if i > 0 {
				w.raw(",")
			}
			w.call(&m.Calls[i])
			if len(extras) > 0 && string(extras[i]) != "null" {
				w.raw(`,"extra_content":`)
				w.to = append(w.to, extras[i]...)
			}
			w.raw("}")
		}
		w.raw("]")
	}
	w.raw("}")
}

// call writes a call but for its last brace.
func (w *writer) call(c *run.Call) {
	w.field(`{"id":`, w.callID(c.ID))
	w.field(`,"type":"function","function":{"name":`, w.names.ToWire(c.Name))
	w.raw(`,"arguments":`)
	if isObject(c.Arguments) {
		w.quote(c.Arguments)
	} else { // most servers parse what they get back, and would refuse it for ever
		w.quote(string(append(appendQuoted([]byte(`{"unparsed":`), c.Arguments), '}')))
	}
	w.raw("}")
}

func isObject(text string) bool {
	var s scanner
	s.reset([]byte(text))
	if s.peek() != '{' {
		return false
	}
	s.skip()
	return s.end()
}

// results writes one tool message for each call. A tool message can't show
// pictures: they follow in a user's message.
func (w *writer) results(calls []run.Call, results []run.Message) {
	var images []run.Image
	for i := range calls {
		w.next()
		w.field(`{"role":"tool","tool_call_id":`, w.callID(calls[i].ID))
		w.raw(`,"content":`)
		if m := resultOf(calls[i].ID, results); m != nil {
			w.quote(marked(m))
			images = append(images, m.Images...)
		} else {
			w.quote(remote.Unanswered)
		}
		w.raw("}")
	}
	if len(images) > 0 {
		w.user("The pictures that these calls returned:", images)
	}
	for i := range results {
		if !called(results[i].CallID, calls) {
			w.orphan(&results[i])
		}
	}
}

func resultOf(id string, results []run.Message) *run.Message {
	for i := range results {
		if results[i].CallID == id {
			return &results[i]
		}
	}
	return nil
}

func called(id string, calls []run.Call) bool {
	for i := range calls {
		if calls[i].ID == id {
			return true
		}
	}
	return false
}

// marked is a result's text; the wire format has no other way to say that a call
// failed.
func marked(m *run.Message) string {
	if m.Failed {
		return "Error: " + m.Text
	}
	return m.Text
}

func (w *writer) orphan(m *run.Message) {
	w.user("Result of an earlier call of "+m.Tool+": "+marked(m), m.Images)
}

func (w *writer) user(text string, images []run.Image) {
	w.next()
	w.raw(`{"role":"user","content":`)
	w.content(text, images)
	w.raw("}")
}

// content writes a text alone as a string, which every server takes, and a text
// with pictures as parts.
func (w *writer) content(text string, images []run.Image) {
	if len(images) == 0 {
		w.quote(text)
		return
	}
	w.raw("[")
	if text != "" {
		w.field(`{"type":"text","text":`, text)
		w.raw("},")
	}
	for i, image := range images {
		if i > 0 {
			w.raw(",")
		}
		w.field(`{"type":"image_url","image_url":{"url":`, image.URL)
		if image.Detail != "" {
			w.field(`,"detail":`, image.Detail)
		}
		w.raw("}}")
	}
	w.raw("]")
}

// callID is the id of a call as this provider takes it. Mistral refuses any but
// nine letters and digits, which a call that another model made does not have.
func (w *writer) callID(id string) string {
	if w.kind != Mistral {
		return id
	}
	short := len(id) == 9
	for i := range len(id) {
		short = short && remote.LegalByte(id[i]) && id[i] != '_' && id[i] != '-'
	}
	if short {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:5])[:9]
}
