package rig

import (
	"errors"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// Mail is a mail server over real SMTP.
type Mail struct {
	server *smtp.Server
	addr   string
	served chan struct{}

	mu       sync.Mutex
	letters  []Letter
	stalled  chan struct{} // not nil: DATA is read, and answered when it is closed
	dropping bool          // what stalled is not accepted
	came     chan string   // who a mail is for, when all of it has arrived
}

// Letter is a mail that was accepted.
type Letter struct {
	To   string
	Text string // headers and body
}

func newMail(t testing.TB) *Mail {
	m := &Mail{served: make(chan struct{}), came: make(chan string, 100)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr = listener.Addr().String()
	m.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{mail: m}, nil }))
	m.server.Domain = "localhost"
	m.server.ErrorLog = log.New(io.Discard, "", 0) // a sender that is killed is no news
	go func() {
		defer close(m.served)
		_ = m.server.Serve(listener) // ends with Close
	}()
	t.Cleanup(func() {
		m.Release(false)
		_ = m.server.Close() // it has nothing to say that anyone would hear
		<-m.served
	})
	return m
}

// URL is what ERRAND_SMTP_URL must be.
func (m *Mail) URL() string { return "smtp://" + m.addr }

// Stall lets no mail past the end of its DATA until Release. Came tells of each
// that got there.
func (m *Mail) Stall() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stalled = make(chan struct{})
}

// Came tells who a mail is for when all of it has arrived.
func (m *Mail) Came() <-chan string { return m.came }

// Release ends a Stall. What had stalled is accepted, or dropped for ever.
func (m *Mail) Release(accept bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stalled != nil {
		m.dropping = !accept
		close(m.stalled)
		m.stalled = nil
	}
}

// Letters are the mails that were accepted so far.
func (m *Mail) Letters() []Letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Letter(nil), m.letters...)
}

// Addressees counts the accepted mails by who they are for.
func (m *Mail) Addressees() map[string]int {
	count := map[string]int{}
	for _, letter := range m.Letters() {
		count[letter.To]++
	}
	return count
}

// session is one mail's way in.
type session struct {
	mail *Mail
	to   []string
}

func (s *session) Mail(string, *smtp.MailOptions) error { return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, letter := s.mail, Letter{To: strings.Join(s.to, ", "), Text: string(text)}
	m.mu.Lock()
	stalled := m.stalled
	m.mu.Unlock()
	select {
	case m.came <- letter.To:
	default: // nobody listens to so many, and the sender must not wait for it
	}
	if stalled != nil {
		<-stalled
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if stalled != nil && m.dropping {
		return errors.New("dropped")
	}
	m.letters = append(m.letters, letter)
	return nil
}

func (s *session) Reset() { s.to = nil }

func (s *session) Logout() error { return nil }
