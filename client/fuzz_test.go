package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzFrames reads streams: however the bytes come in, the frames are the same, and
// those that are written down again are read again.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{
		"id: 1\nevent: run.created\ndata: {\"seq\":1,\"type\":\"run.created\",\"at\":\"2026-06-11T07:02:11Z\",\"data\":{}}\n\n: ping\n\nid: 1.1.1.5\nevent: delta\ndata: {\"step\":1,\"text\":\"Hello\"}\n\n",
		"event: reset\r\ndata: {}\r\n\r\n", "data: a\ndata: b\ndata\n\n", "data:x", "data: \n\n\n\n", "event: run.changed\ndata: {\"at\":\"x\",\"run\":[]}\n\n", "id\nid: 2\ndata: null\n\n", ":\n\n\xff: \xfe\n\n", "\ufeffdata: x\n\n", "",
	} {
		f.Add([]byte(seed))
	}
	read := func(t *testing.T, from io.Reader) (all []Frame) {
		for frame, err := range frames(from) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, frame)
		}
		return all
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		got := read(t, bytes.NewReader(stream))
		if again := read(t, iotest.OneByteReader(bytes.NewReader(stream))); len(again) != len(got) {
			t.Fatalf("%q: %d frames at once, %d byte by byte", stream, len(got), len(again))
		}
		var written strings.Builder
		for _, frame := range got {
			written.WriteString("id: " + frame.ID + "\nevent: " + frame.Type + "\n")
			for line := range strings.SplitSeq(string(frame.Data), "\n") {
				written.WriteString("data: " + line + "\n")
			}
			written.WriteString("\n")
			event, isEvent := frame.Event()
			_, isDelta := frame.Delta()
			_, _, isChange := frame.Change()
			if isEvent && isDelta || isDelta && isChange || (isEvent || isDelta || isChange) && !json.Valid(frame.Data) {
				t.Errorf("%+v is %+v and more", frame, event)
			}
		}
		again := read(t, strings.NewReader(written.String()))
		if len(again) != len(got) {
			t.Fatalf("%q became %d frames, written again %d", stream, len(got), len(again))
		}
		for i := range got {
			if got[i].ID != again[i].ID || got[i].Type != again[i].Type || string(got[i].Data) != string(again[i].Data) {
				t.Errorf("%q: %+v, written again, is %+v", stream, got[i], again[i])
			}
		}
	})
}

// FuzzAnswer reads a server's answers as every type that keeps the whole of one: the
// bytes that came are there, or there is an error. An error's body is read whatever it is.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"id":"run_0192f3a4b5c6000112345678deadbeef","object":"run","status":"awaiting_approval","pending_actions":[{"id":"act_01","tool":"email.send","arguments":{"to":"a@b"},"approvals":{"given":[],"missing":1}}],"usage":{"input_tokens":5},"created_at":"2026-06-11T07:02:11Z"}`,
		`{"id":"agt_1","name":"chaser","approval":{"required_for":["email.send",{"tool":"pay.*","when":"amount > 1"}]}}`, `{"error":{"code":"invalid_request","message":"name is required","errors":{"name":"is required"}}}`,
		`{"approval":{"required_for":["\""]}}`, `{"error":null}`, `{"created_at":"x"}`, `null`, `[]`, ` {} `, ``, "<html>", `{"usage":-1}`, "{\"id\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var run Run
		var agent Agent
		var file File
		var tool Tool
		for _, kept := range []struct {
			into any
			raw  *json.RawMessage
		}{{&run, &run.Raw}, {&agent, &agent.Raw}, {&file, &file.Raw}, {&tool, &tool.Raw}} {
			err := json.Unmarshal(text, kept.into)
			if err == nil && !bytes.Equal(*kept.raw, bytes.TrimSpace(text)) && string(bytes.TrimSpace(text)) != "null" || (err == nil) && !json.Valid(text) {
				t.Errorf("%T of %q keeps %q", kept.into, text, *kept.raw)
			}
		}
		for _, gate := range agent.Approval.RequiredFor {
			written, err := json.Marshal(gate)
			var again Gate
			if err != nil || json.Unmarshal(written, &again) != nil || again != gate {
				t.Errorf("the gate %+v is written %q: %v", gate, written, err)
			}
		}
		err := decodeError(&http.Response{StatusCode: 422, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(text))})
		var told *Error
		if !errors.As(err, &told) || told.Status != 422 || told.Error() == "" {
			t.Errorf("%q is the error %v", text, err)
		}
	})
}
