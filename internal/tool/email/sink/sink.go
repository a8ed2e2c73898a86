// Package sink is a mail server that keeps what it gets: for the demo, and for
// tests that want to see real mails over real SMTP.
//
// It promises that a mail is in Messages, and on disk in the ledger if there is
// one, before the sender is told that it was accepted; so the ledger never shows
// fewer mails than were acknowledged. It listens on loopback only.
//
// To change what is kept of a mail, edit Message and read.
package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"os"
	"strings"
	"sync"

	"github.com/emersion/go-smtp"
)

// maxMessage bounds one mail; the demo's are a few hundred bytes.
const maxMessage = 10 << 20

// Message is one mail as it arrived.
type Message struct {
	From      string   `json:"from"` // of the envelope
	To        []string `json:"to"`   // of the envelope: with cc and bcc
	Subject   string   `json:"subject"`
	MessageID string   `json:"message_id"`
	Body      string   `json:"body"` // the plain text
	Raw       []byte   `json:"-"`    // everything, headers included
}

// Sink is a running server.
type Sink struct {
	server *smtp.Server
	addr   string
	served chan struct{}

	mu       sync.Mutex
	messages []Message
	ledger   *os.File
}

// Start serves on a free port of 127.0.0.1. If ledger is not empty, each mail is
// appended to that file as a line of JSON.
func Start(ledger string) (*Sink, error) {
	s := &Sink{served: make(chan struct{})}
	if ledger != "" {
		file, err := os.OpenFile(ledger, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("opening the mail ledger: %w", err)
		}
		s.ledger = file
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the mail sink: %w", err), s.closeLedger())
	}
	s.addr = listener.Addr().String()
	s.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{sink: s}, nil }))
	s.server.Domain = "localhost"
	s.server.MaxMessageBytes = maxMessage
	s.server.ErrorLog = log.New(io.Discard, "", 0) // a sender that hangs up is no news
	go func() {
		defer close(s.served)
		_ = s.server.Serve(listener) // ends with ErrServerClosed, in Close
	}()
	return s, nil
}

// URL is what ERRAND_SMTP_URL must be to send mail here.
func (s *Sink) URL() string { return "smtp://" + s.addr }

// Messages returns what has arrived so far, oldest first.
func (s *Sink) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
}

// Close stops the server.
func (s *Sink) Close() error {
	err := s.server.Close()
	<-s.served
	return errors.Join(err, s.closeLedger())
}

func (s *Sink) closeLedger() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger == nil {
		return nil
	}
	err := s.ledger.Close()
	s.ledger = nil
	return err
}

func (s *Sink) keep(m Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger != nil {
		line, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if _, err := s.ledger.Write(append(line, '\n')); err != nil {
			return err
		}
		if err := s.ledger.Sync(); err != nil {
			return err
		}
	}
	s.messages = append(s.messages, m)
	return nil
}

// session is one mail's way in.
type session struct {
	sink *Sink
	from string
	to   []string
}

func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	c.from = from
	return nil
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.to = append(c.to, to)
	return nil
}

func (c *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return c.sink.keep(read(c.from, c.to, raw))
}

func (c *session) Reset() { c.from, c.to = "", nil }

func (c *session) Logout() error { return nil }

// read takes from a mail what people look for. A mail that can't be read is kept
// as its raw text.
func read(from string, to []string, raw []byte) Message {
	m := Message{From: from, To: append([]string(nil), to...), Raw: raw, Body: string(raw)}
	parsed, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return m
	}
	var decoder mime.WordDecoder
	m.Subject = parsed.Header.Get("Subject")
	if plain, err := decoder.DecodeHeader(m.Subject); err == nil {
		m.Subject = plain
	}
	m.MessageID = parsed.Header.Get("Message-ID")
	body, kind, encoding := io.Reader(parsed.Body), parsed.Header.Get("Content-Type"), parsed.Header.Get("Content-Transfer-Encoding")
	if media, params, err := mime.ParseMediaType(kind); err == nil && strings.HasPrefix(media, "multipart/") {
		if part, err := multipart.NewReader(body, params["boundary"]).NextRawPart(); err == nil {
			body, encoding = part, part.Header.Get("Content-Transfer-Encoding") // the first alternative is the plain one
		}
	}
	if strings.EqualFold(encoding, "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	if text, err := io.ReadAll(body); err == nil {
		m.Body = strings.ReplaceAll(string(text), "\r\n", "\n")
	}
	return m
}
