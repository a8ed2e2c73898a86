package run

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzDecode reads bodies of events as a damaged disk, or a newer version, could
// have left them: no panic, no fold that stops, and what was read writes the same
// bytes again and again.
func FuzzDecode(f *testing.F) {
	for _, seed := range [][2]string{
		{string(RunCreated), `{"spec":{"prompt":"x","tools":[{"name":"a","class":"once"}],"limits":{"max_steps":3}}}`},
		{string(ModelResponded), `{"step":1,"reply":{"text":"x","calls":[{"id":"1","name":"a","arguments":"{}"}]},"actions":[{"id":"act_01"}]}`},
		{string(ToolStarted), `{"action":"act_01","epoch":1}`}, {string(ToolFinished), `{"action":"act_01","outcome":"ok","output":"x"}`},
		{string(ApprovalDecided), `{"actions":["act_01"],"approve":true}`}, {string(RunFinished), `{"status":"completed"}`}, {string(RunDriven), `{"epoch":9223372036854775807}`},
		{string(RunPaused), ``}, {"from.tomorrow", `{"x":1}`}, {string(RunCreated), `2{"spec":{}}`}, {string(RunCreated), `{`}, {string(ToolFinished), `null`}, {"", ``},
		{string(MessageAdded), `{"text":"` + "\xff" + `\ud800"}`}, {string(ModelFailed), `{"step":-1}`}, {string(InputReceived), `{"outputs":[null,{}]}`},
	} {
		f.Add(seed[0], []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		var e Event
		if Decode(Type(kind), body, &e) != nil {
			return
		}
		first, err := Encode(e)
		if err != nil {
			t.Fatalf("%q was read and can't be written: %v", body, err)
		}
		var again Event
		if err := Decode(Type(kind), first, &again); err != nil {
			t.Fatalf("%q was written and can't be read: %v", first, err)
		}
		if second, err := Encode(again); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%q, written again, is %q: %v", first, second, err)
		}
		e.Seq = 1
		s := Fold(ID{1}, []Event{e})
		Decide(&s)
		History(&s)
		s.Summarize()
	})
}

// FuzzParseID holds every spelling that is read to one id, and the id to one
// spelling that is written.
func FuzzParseID(f *testing.F) {
	for _, seed := range []string{
		"run_0192f3a4b5c6000112345678deadbeef", "exec_0192f3a4b5c6000112345678deadbeef", "chatcmpl-0192f3a4b5c6000112345678deadbeef", "agent-0192f3a4b5c6000112345678deadbeef",
		"0192f3a4b5c6000112345678deadbeef", "RUN_0192f3a4b5c6000112345678deadbeef", "run_run_0192f3a4b5c6000112345678deadbeef", "run_", "", "run_0192f3a4b5c6000112345678deadbee\u00e9", "run_\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseID(text)
		if err != nil {
			return
		}
		written := id.String()
		if again, err := ParseID(written); err != nil || again != id || !strings.HasSuffix(text, written) {
			t.Errorf("%q is %s, which is %v, %v", text, written, again, err)
		}
	})
}

// FuzzPreview holds what a person decides by to what can be seen, in one line.
func FuzzPreview(f *testing.F) {
	for _, seed := range [][2]string{
		{"To: {{to}} · {{subject}}", `{"to":["a@b","c@d"],"subject":"Hi"}`}, {"{{to", `{"to":"x"}`}, {"{{}}{{ to }}", `{"to":"\u202e\u200b\n"}`}, {"", `{"b":{"x":[1]},"a":null}`},
		{"\u2066{{n}}", `{"n":1e309}`}, {"{{{{to}}}}", `{"to":"{{to}}"}`}, {"x", `not json`}, {"", strings.Repeat(`{"a":`, 50)}, {"{{a}}", `{"a":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`}, {"\xff", "{\"a\":\"\xff\"}"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, template, arguments string) {
		shown := Preview(&Tool{Preview: template}, arguments, nil)
		if utf8.RuneCountInString(shown) > maxPreview || strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q of %q shows %q", template, arguments, shown)
		}
	})
}
