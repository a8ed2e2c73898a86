package email

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
	"github.com/wneessen/go-mail"
	"go.uber.org/goleak"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
	"errand/internal/tool/email/sink"
	"errand/internal/tool/tooltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func now() time.Time { return time.Date(2026, 6, 11, 7, 2, 11, 0, time.UTC) }

func sender(t *testing.T, url string) *Sender {
	t.Helper()
	s, err := New(Config{URL: url, From: "Errand <errand@example.com>", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mailSink(t *testing.T, ledger string) *sink.Sink {
	t.Helper()
	s, err := sink.Start(ledger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestTooltest(t *testing.T) {
	silent := newServer(t, "nothing") // greets and then says no more
	tooltest.Run(t, tooltest.Case{
		Tool: sender(t, mailSink(t, "").URL()),
		Works: []string{
			`{"to":"a@example.com","subject":"Hi","body":"Hello"}`,
			`{"to":["A <a@example.com>","b@example.com"],"cc":"c@example.com","bcc":["d@example.com"],"reply_to":"e@example.com","subject":"ünï","body":"x","html":"<p>x</p>"}`,
			`{"to":"a@example.com, b@example.com","cc":"","bcc":[],"subject":"s","body":"b"}`,
		},
		Fails: []string{
			`{"to":"nobody","subject":"s","body":"b"}`, `{"to":"a@example.com\r\nBcc: x@example.com","subject":"s","body":"b"}`,
			`{"to":"a@example.com","subject":"s\r\nBcc: x@example.com","body":"b"}`, `{"to":["\"a> SIZE=1\"@example.com"],"subject":"s","body":"b"}`,
			`{"to":"a@example.com","reply_to":"a@example.com, b@example.com","subject":"s","body":"b"}`, `{"to":"   ","subject":"s","body":"b"}`,
			`{"to":["a@example.com","b@example.com\u0000"],"subject":"s","body":"b"}`, `{"to":"a@example.com","cc":"a@[127.0.0.1]","subject":"s","body":"b"}`,
		},
		Bad: []string{`{}`, `{"to":7,"subject":"s","body":"b"}`, `{"to":[],"subject":"s","body":"b"}`, `{"to":"a@example.com","subject":"","body":"b"}`, `[]`},
	})
	tooltest.Run(t, tooltest.Case{Tool: sender(t, silent.url), Slow: `{"to":"a@example.com","subject":"s","body":"b"}`})
}

func TestMailArrives(t *testing.T) {
	ledger := filepath.Join(t.TempDir(), "mails.jsonl")
	box := mailSink(t, ledger)
	s := sender(t, box.URL())
	call := tooltest.Call(s, `{"to":["Meridian <meridian@example.org>"],"cc":"c@example.org","bcc":"d@example.org","reply_to":"Jo <jo@example.org>","subject":"Überfällig: #17","body":"Hello,\n.\nplease pay 10 €.\n","html":"<p>pay</p>"}`)
	result, err := s.Call(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	id := "<run_" + call.Run.String() + ".act_01@example.com>"
	var told struct {
		Sent       bool     `json:"sent"`
		MessageID  string   `json:"message_id"`
		Recipients []string `json:"recipients"`
	}
	if err := json.Unmarshal([]byte(result.Output), &told); err != nil || !told.Sent || told.MessageID != id || len(told.Recipients) != 3 {
		t.Errorf("output %s, %v", result.Output, err)
	}
	got := box.Messages()
	if len(got) != 1 {
		t.Fatalf("%d mails", len(got))
	}
	raw := string(got[0].Raw)
	got[0].Raw = nil
	want := sink.Message{
		From: "errand@example.com", To: []string{"meridian@example.org", "c@example.org", "d@example.org"},
		Subject: "Überfällig: #17", MessageID: id, Body: "Hello,\n.\nplease pay 10 €.\n",
	}
	got[0].Body = strings.TrimRight(got[0].Body, "\n") + "\n"
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
	for _, line := range []string{"Date: Thu, 11 Jun 2026 07:02:11 +0000", `From: "Errand" <errand@example.com>`, `Reply-To: "Jo" <jo@example.org>`, "<p>pay</p>"} {
		if !strings.Contains(raw, line) {
			t.Errorf("the mail lacks %q:\n%s", line, raw)
		}
	}
	if strings.Contains(raw, "d@example.org") || strings.Contains(raw, "go-mail") {
		t.Errorf("the mail tells its blind copies, or what library wrote it:\n%s", raw)
	}
	text, err := os.ReadFile(ledger)
	if err != nil || bytes.Count(text, []byte("\n")) != 1 || !bytes.Contains(text, []byte(strings.Trim(id, "<>"))) {
		t.Errorf("ledger %q, %v", text, err)
	}
}

// server is a real SMTP server that breaks the connection at one stage.
type server struct {
	url   string
	stage string
	mu    sync.Mutex
	mails int
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mails
}

// cutting drops the connection when the client sends the line, before anybody
// has answered it.
type cutting struct {
	net.Listener
	line string
}

type cutConn struct {
	net.Conn
	line string
	seen []byte
}

func (l cutting) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil || l.line == "" {
		return conn, err
	}
	return &cutConn{Conn: conn, line: l.line}, nil
}

func (c *cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.seen = append(c.seen, p[:n]...)
	if bytes.Contains(c.seen, []byte(c.line)) {
		c.Close()
		return 0, io.EOF
	}
	return n, err
}

type session struct {
	server *server
	conn   *smtp.Conn
}

func (s session) at(stage string) error {
	if s.server.stage == "refuse "+stage {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "not here"}
	}
	return nil
}

func (s session) Mail(string, *smtp.MailOptions) error { return s.at("MAIL") }
func (s session) Rcpt(string, *smtp.RcptOptions) error { return s.at("RCPT") }
func (s session) Reset()                               {}
func (s session) Logout() error                        { return nil }

func (s session) Data(r io.Reader) error {
	if s.server.stage == "in DATA" {
		s.conn.Conn().Close()
		return errors.New("gone")
	}
	if _, err := io.ReadAll(r); err != nil {
		return err
	}
	s.server.mu.Lock()
	s.server.mails++
	s.server.mu.Unlock()
	if s.server.stage == "after DATA" {
		s.conn.Conn().Close()
	}
	return s.at("DATA")
}

func newServer(t *testing.T, stage string) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{stage: stage, url: "smtp://" + listener.Addr().String()}
	var serving sync.WaitGroup
	if stage == "nothing" {
		serving.Go(func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
			}
		})
		t.Cleanup(func() { listener.Close(); serving.Wait() })
		return s
	}
	backend := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return session{s, c}, nil }))
	backend.ErrorLog = log.New(io.Discard, "", 0)
	line, _ := strings.CutPrefix(stage, "on ")
	if line == stage {
		line = ""
	}
	serving.Go(func() { _ = backend.Serve(cutting{listener, line}) })
	t.Cleanup(func() { backend.Close(); serving.Wait() })
	return s
}

func TestEveryStage(t *testing.T) {
	for _, c := range []struct {
		stage string
		want  problem.Code // empty = sent
		mails int
	}{
		{"", "", 1},
		{"on EHLO", problem.ToolFailed, 0},
		{"on MAIL FROM", problem.ToolFailed, 0},
		{"refuse MAIL", problem.ToolFailed, 0},
		{"on RCPT TO", problem.ToolFailed, 0},
		{"refuse RCPT", problem.ToolFailed, 0},
		{"on DATA\r\n", problem.ToolFailed, 0},
		{"in DATA", problem.ToolUnknown, 0},
		{"after DATA", problem.ToolUnknown, 1},
		{"refuse DATA", problem.ToolFailed, 1},
		{"on RSET", "", 1},
		{"on QUIT", "", 1},
	} {
		t.Run(c.stage, func(t *testing.T) {
			server := newServer(t, c.stage)
			s := sender(t, server.url)
			body := strings.Repeat("A long text, so that it does not fit one packet.\n", 4000)
			arguments, _ := json.Marshal(map[string]any{"to": "a@example.com", "subject": "s", "body": body})
			_, err := s.Call(t.Context(), tooltest.Call(s, string(arguments)))
			if c.want == "" && err != nil || c.want != "" && !problem.Is(err, c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if strings.HasPrefix(c.stage, "refuse") && !strings.Contains(problem.From(err).Detail, "not here") {
				t.Errorf("the detail does not say what the server said: %v", err)
			}
			if c.want == problem.ToolUnknown && !strings.Contains(problem.From(err).Detail, ".act_01@example.com") {
				t.Errorf("the detail does not name the Message-ID: %v", err)
			}
			if got := server.count(); got != c.mails {
				t.Errorf("the server took %d mails, want %d", got, c.mails)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	s := sender(t, "smtp://user:hush-hush@"+listener.Addr().String())
	_, err = s.Call(t.Context(), tooltest.Call(s, `{"to":"a@example.com","subject":"s","body":"b"}`))
	if !problem.Is(err, problem.ToolFailed) || strings.Contains(err.Error(), "hush-hush") {
		t.Errorf("got %v, want a definite failure without the password", err)
	}
}

// authenticating is a session that wants a login first.
type authenticating struct {
	session
	user *string
}

func (a authenticating) AuthMechanisms() []string { return []string{sasl.Plain} }

func (a authenticating) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != "p@ss/word" {
			return errors.New("wrong password")
		}
		*a.user = user
		return nil
	}), nil
}

func TestLoginOverTLS(t *testing.T) {
	donor := httptest.NewUnstartedServer(nil)
	donor.StartTLS() // for its certificate of 127.0.0.1
	certificate, roots := donor.TLS.Certificates, x509.NewCertPool()
	roots.AddCert(donor.Certificate())
	donor.Close()
	for _, scheme := range []string{"smtps", "smtp"} {
		for _, password := range []string{"p%40ss%2Fword", "wrong"} {
			user, counted := "", &server{}
			backend := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
				return authenticating{session{counted, c}, &user}, nil
			}))
			backend.ErrorLog = log.New(io.Discard, "", 0)
			backend.TLSConfig = &tls.Config{Certificates: certificate}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if scheme == "smtps" {
				listener = tls.NewListener(listener, backend.TLSConfig)
			}
			var serving sync.WaitGroup
			serving.Go(func() { _ = backend.Serve(listener) })
			s, err := New(Config{URL: scheme + "://jo:" + password + "@" + listener.Addr().String(), From: "errand@example.com", Now: now, TLS: &tls.Config{RootCAs: roots}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Call(t.Context(), tooltest.Call(s, `{"to":"a@example.com","subject":"s","body":"b"}`))
			if password == "wrong" {
				if !problem.Is(err, problem.ToolFailed) || counted.count() != 0 {
					t.Errorf("%s with a wrong password: %v", scheme, err)
				}
			} else if err != nil || user != "jo" || counted.count() != 1 {
				t.Errorf("%s: %v, user %q, %d mails", scheme, err, user, counted.count())
			}
			backend.Close()
			serving.Wait()
		}
	}
}

func TestPasswordNeedsTLS(t *testing.T) {
	made, err := New(Config{URL: "smtp://u:p@mail.example.com", From: "errand@example.com", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	client, err := mail.NewClient(made.host, made.options...)
	if err != nil || client.TLSPolicy() != "TLSMandatory" {
		t.Errorf("policy %s, %v; a password goes over TLS only", client.TLSPolicy(), err)
	}
}

func TestSettings(t *testing.T) {
	for url, fine := range map[string]bool{
		"smtp://mail.example.com": true, "smtps://u:p@mail.example.com:465": true, "smtp://[::1]:25/": true,
		"": false, "mail.example.com:25": false, "http://mail.example.com": false, "smtp://": false, "smtp://h:0": false, "smtp://h:99999": false, "smtp://h/path": false, "smtp://h?x=1": false, "smtp://u:se%cret@h": false,
	} {
		_, err := New(Config{URL: url, From: "errand@example.com", Now: now})
		if (err == nil) != fine || err != nil && (!strings.Contains(err.Error(), "ERRAND_SMTP_URL") || strings.Contains(err.Error(), "cret")) {
			t.Errorf("%q: %v, want fine = %v", url, err, fine)
		}
	}
	for _, from := range []string{"", "x", "a@b, c@d", "a\r\n@b"} {
		if _, err := New(Config{URL: "smtp://h", From: from, Now: now}); err == nil || !strings.Contains(err.Error(), "ERRAND_SMTP_FROM") {
			t.Errorf("from %q: %v", from, err)
		}
	}
}

func TestDescribe(t *testing.T) {
	s := sender(t, "smtp://u:hush-hush@mail.example.com")
	d := s.Describe()
	if d.Class != run.Once || d.Name != "email.send" || d.Preview != "To: {{to}} · {{subject}}" {
		t.Errorf("%+v", d)
	}
	if !slices.Equal(s.Secrets(), []string{"hush-hush"}) {
		t.Errorf("secrets %v", s.Secrets())
	}
	other, err := New(Config{URL: "smtp://u:hush-hush@mail.example.com", From: "boss@example.com", Now: now})
	if err != nil || other.Describe().Version == d.Version {
		t.Errorf("another sender has the same version: %v", err)
	}
	var _ tool.Tool = s
}
