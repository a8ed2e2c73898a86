package email

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

// timeout bounds one delivery, connection included: servers that look up senders
// or scan for viruses take tens of seconds.
const timeout = time.Minute

// Config is what the tool needs: URL and From must be set.
type Config struct {
	URL  string           // smtp[s]://user:pass@host:port; smtp uses STARTTLS when it is offered
	From string           // "Errand <errand@example.com>"
	Now  func() time.Time // for the mail's Date
	TLS  *tls.Config      // nil = the system's roots
}

// Sender is the tool.
type Sender struct {
	from    *netmail.Address
	now     func() time.Time
	host    string
	port    int
	options []mail.Option
	tls     *tls.Config
	tlsNow  bool // smtps: TLS from the first byte
	secret  string
}

// New returns the tool. Its errors name the setting that is wrong, never its
// value, which holds a password.
func New(cfg Config) (*Sender, error) {
	from, err := netmail.ParseAddress(cfg.From)
	if err != nil || unfit(from.Address) != "" {
		return nil, errors.New("ERRAND_SMTP_FROM: want an address such as Errand <errand@example.com>")
	}
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("ERRAND_SMTP_URL: want smtp://host:port, smtps://host:port or either with user:password@ before the host")
	}
	s := &Sender{from: from, now: cfg.Now, host: u.Hostname(), port: 587, tlsNow: u.Scheme == "smtps"}
	if s.tlsNow {
		s.port = 465
	}
	if text := u.Port(); text != "" {
		if s.port, err = strconv.Atoi(text); err != nil || s.port < 1 || s.port > 65535 {
			return nil, errors.New("ERRAND_SMTP_URL: the port must be a number from 1 to 65535")
		}
	}
	s.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.TLS != nil {
		s.tls = cfg.TLS.Clone()
	}
	s.tls.ServerName = s.host
	s.options = []mail.Option{mail.WithPort(s.port), mail.WithTimeout(timeout), mail.WithTLSConfig(s.tls)}
	s.authenticate(u.User)
	return s, nil
}

// authenticate chooses how much TLS and which login: with a password TLS is
// demanded, unless the server is this machine.
func (s *Sender) authenticate(user *url.Userinfo) {
	policy := mail.TLSOpportunistic
	if user != nil {
		password, _ := user.Password()
		s.secret = password
		s.options = append(s.options, mail.WithUsername(user.Username()), mail.WithPassword(password))
		switch {
		case loopback(s.host):
			s.options = append(s.options, mail.WithSMTPAuth(mail.SMTPAuthPlainNoEnc))
		default:
			s.options = append(s.options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover))
			if !s.tlsNow {
				policy = mail.TLSMandatory
			}
		}
	}
	s.options = append(s.options, mail.WithTLSPolicy(policy))
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// Secrets is the SMTP password, for the log's redaction.
func (s *Sender) Secrets() []string {
	if s.secret == "" {
		return nil
	}
	return []string{s.secret}
}

// Describe is what a run knows of the tool. Its version covers the sender, for a
// person approves who writes, too.
func (s *Sender) Describe() run.Tool {
	return run.Tool{
		Name: "email.send", Description: description, Parameters: json.RawMessage(parameters),
		Class: run.Once, Preview: "To: {{to}} · {{subject}}",
		Version: tool.Digest([]byte("email.send 1" + description + parameters + s.from.String() + s.host)),
	}
}

// Call sends one mail.
func (s *Sender) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	message, err := s.message(call)
	if err != nil {
		return run.ToolResult{}, err
	}
	if err := s.send(ctx, message); err != nil {
		return run.ToolResult{}, err
	}
	recipients, err := message.GetRecipients()
	if err != nil {
		return run.ToolResult{}, err
	}
	text, err := json.Marshal(struct {
		Sent       bool     `json:"sent"`
		MessageID  string   `json:"message_id"`
		Recipients []string `json:"recipients"`
	}{true, message.GetMessageID(), recipients})
	if err != nil {
		return run.ToolResult{}, err
	}
	return run.ToolResult{Output: string(text)}, nil
}

// send delivers a mail and judges what is known if that fails.
func (s *Sender) send(ctx context.Context, message *mail.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var line wire
	defer line.hangUp()
	client, err := mail.NewClient(s.host, append(s.options, mail.WithDialContextFunc(line.dialer(ctx, s)), mail.WithoutNoop())...)
	if err != nil {
		return failed("this server's mail settings are not usable", err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return failed("the mail server could not be reached, or refused the login", err)
	}
	err = client.SendWithSMTPClient(session, message)
	if message.IsDelivered() { // whatever came after the server's 250
		_ = client.CloseWithSMTPClient(session) // a server that hangs up on QUIT has still accepted it
		return nil
	}
	var refused *mail.SendError
	if !errors.As(err, &refused) {
		return failed("the mail could not be built", err)
	}
	if code := refused.ErrorCode(); code != 0 {
		return failed(fmt.Sprintf("the mail server refused it: %s", reason(refused)), err)
	}
	switch refused.Reason {
	case mail.ErrWriteContent, mail.ErrSMTPDataClose:
		why := "the connection to the mail server broke"
		if ctx.Err() != nil {
			why = "no answer of the mail server was waited for any longer"
		}
		return problem.New(problem.ToolUnknown, "email.send: %s while the mail was being handed over: it may or may not have been sent. Its Message-ID is %s.", why, message.GetMessageID()).Because(err)
	default:
		return failed("the connection to the mail server broke before the mail was handed over", err)
	}
}

func failed(why string, cause error) error {
	return problem.New(problem.ToolFailed, "email.send: %s. Nothing was sent.", why).Because(cause)
}

// reason is what the server said, on one line and bounded.
func reason(refused *mail.SendError) string {
	return tool.Cut(strings.Join(strings.Fields(refused.Error()), " "), 500)
}

// wire is the connection of one delivery. The library closes it in no case but a
// clean QUIT, and does not watch the context after it has connected.
type wire struct {
	conn net.Conn
	stop func() bool
}

func (w *wire) dialer(ctx context.Context, s *Sender) mail.DialContextFunc {
	return func(dialing context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(dialing, network, address)
		if err != nil {
			return nil, err
		}
		w.conn = conn
		w.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
		if !s.tlsNow {
			return conn, nil
		}
		secured := tls.Client(conn, s.tls)
		if err := secured.HandshakeContext(dialing); err != nil {
			return nil, fmt.Errorf("TLS with the mail server: %w", err)
		}
		return secured, nil
	}
}

func (w *wire) hangUp() {
	if w.conn != nil {
		w.stop()
		_ = w.conn.Close()
	}
}
