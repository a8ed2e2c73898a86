package email

import (
	"bytes"
	"encoding/json"
	"mime"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"

	"errand/internal/problem"
	"errand/internal/run"
)

// FuzzMessage makes mails of what models may say: a mail has the headers that it must
// have and no others, goes to those that a person has read in the call and to nobody
// else, and has its subject; or it is refused, and nothing was sent.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		`{"to":"ann@example.com","subject":"Reminder","body":"Dear Ann,\nplease pay."}`,
		`{"to":["Ann Lee <ann@example.com>","b@example.com, c@example.com"],"cc":"d@example.com","bcc":["e@example.com"],"reply_to":"f@example.com","subject":"Überweisung \u20ac","body":"x","html":"<p>x</p>"}`,
		`{"to":"=?utf-8?q?a=0D=0ABcc:_evil@example.com?= <ann@example.com>","subject":"x","body":"x"}`, `{"to":"ann@example.com","subject":"x\r\nBcc: evil@example.com","body":"x"}`,
		`{"to":"a:b@example.com;","subject":"x","body":"x"}`, `{"to":"\"a b\"@example.com","subject":"x","body":"."}`, `{"to":"ann@[127.0.0.1]","subject":"x","body":"x"}`, `{"to":"ann@exämple.com","subject":"=?utf-8?q?a=0Ab?=","body":"\u0000"}`,
		`{"to":null,"subject":"x","body":"x"}`, `{"to":[" ",""],"subject":"x","body":"x"}`, `{"to":"group: ann@example.com, bob@example.com;","subject":"x","body":"x"}`, `{"to":"ann@example.com (x)","subject":"x","body":"\r\n.\r\n"}`, `{"to":7}`, `null`, ``,
	} {
		f.Add([]byte(seed))
	}
	s, err := New(Config{URL: "smtp://127.0.0.1:1", From: "Errand <errand@example.com>", Now: now})
	if err != nil {
		f.Fatal(err)
	}
	ours := []string{"Content-Transfer-Encoding", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To", "Cc", "Reply-To"}
	f.Fuzz(func(t *testing.T, arguments []byte) {
		call := run.ToolCall{Run: run.ID{1}, Action: "act_01", Arguments: arguments}
		m, err := s.message(call)
		if err != nil {
			if told := problem.From(err); told.Code != problem.ToolFailed || !strings.HasSuffix(told.Detail, "Nothing was sent.") {
				t.Errorf("%q: %v", arguments, err)
			}
			return
		}
		var asked struct {
			To, Cc, Bcc addresses
			Subject     string
		}
		if err := json.Unmarshal(arguments, &asked); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, a := range slices.Concat(asked.To, asked.Cc, asked.Bcc) {
			want = append(want, a.Address)
		}
		got, err := m.GetRecipients()
		if err != nil || len(got) == 0 || len(got) > maxRecipients {
			t.Fatalf("%q: %q, %v", arguments, got, err)
		}
		for i, to := range got { // in the brackets of a command
			got[i] = strings.TrimSuffix(strings.TrimPrefix(to, "<"), ">")
		}
		slices.Sort(got)
		if slices.Sort(want); !slices.Equal(slices.Compact(got), slices.Compact(want)) {
			t.Errorf("%q goes to %q, want %q", arguments, got, want)
		}
		for _, to := range got {
			if strings.ContainsAny(to, "\r\n <>") {
				t.Errorf("%q goes to %q", arguments, to)
			}
		}
		var raw bytes.Buffer
		if _, err := m.WriteTo(&raw); err != nil {
			t.Fatalf("%q: %v", arguments, err)
		}
		read, err := netmail.ReadMessage(bytes.NewReader(raw.Bytes()))
		if err != nil {
			t.Fatalf("%q makes the mail %q: %v", arguments, raw.String(), err)
		}
		for name, values := range read.Header {
			if !slices.Contains(ours, name) || len(values) != 1 {
				t.Errorf("%q has %q: %q", arguments, name, values)
			}
		}
		plain := strings.ToValidUTF8(strings.Join(strings.Fields(asked.Subject), " "), "")
		if subject, err := new(mime.WordDecoder).DecodeHeader(read.Header.Get("Subject")); !strings.Contains(plain, "=?") && (err != nil || strings.Join(strings.Fields(subject), " ") != plain) {
			t.Errorf("%q has the subject %q, %v, want %q", arguments, subject, err, plain)
		}
	})
}
