package run

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
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

// FuzzTraceParent holds the reader of a traceparent to what W3C Trace Context says of
// one, and what it has read to what it writes.
func FuzzTraceParent(f *testing.F) {
	for _, seed := range []string{
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-has",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x", "", "00",
	} {
		f.Add(seed)
	}
	form := regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})((?s:-.*)?)$`)
	f.Fuzz(func(t *testing.T, text string) {
		parts := form.FindStringSubmatch(text)
		want := parts != nil && parts[1] != "ff" && (parts[1] != "00" || parts[5] == "") && strings.Trim(parts[2], "0") != "" && strings.Trim(parts[3], "0") != ""
		p, ok := ParseTraceParent(text)
		if ok != want {
			t.Fatalf("%q is a place: %v, want %v", text, ok, want)
		}
		if !ok {
			return
		}
		written := p.String()
		again, ok := ParseTraceParent(written)
		if !ok || again.Trace != p.Trace || again.Span != p.Span || again.Flags != p.Flags&1 || written[:53] != "00"+text[2:53] {
			t.Errorf("%q is written as %q, which is %+v", text, written, again)
		}
	})
}

// FuzzFound holds the reader of what searches have found to encoding/json: it reads no
// result that the other does not, and another text in none.
func FuzzFound(f *testing.F) {
	for _, seed := range []string{
		`{"query":"late fees","provider":"brave","results":[{"title":"Late fees","url":"https://example.com/fees","snippet":"A fee of 2 %","age":"2 days ago","thumbnail":"https://example.com/a.png"}],"note":"x"}`,
		`{"results":[]}`, `{"results":null}`, `{"results":[null,{}]}`, `{"results":[{"title":"a","title":"b"}]}`, `{"results":[{"url":"\ud800"}],"more":[[[]]]}`, `{"Results":[{}]}`, `{"results":[{}]} x`, "Nothing was found.", "", "{\"results\":[{\"title\":\"\xff\"}]}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, output string) {
		found, ok := ReadFound(output)
		if !ok {
			return
		}
		var plain Found
		if err := json.Unmarshal([]byte(output), &plain); err != nil {
			t.Fatalf("%q is %+v, and encoding/json says %v", output, found, err)
		}
		// Which of two fields of one name counts, and whether Results is results, is where
		// the two differ; what is written is without either.
		written, err := json.Marshal(found)
		if err != nil {
			t.Fatal(err)
		}
		again, ok := ReadFound(string(written))
		if diff := cmp.Diff(found, again); !ok || diff != "" {
			t.Errorf("%q, written again, is another find (-read +again):\n%s", output, diff)
		}
	})
}
