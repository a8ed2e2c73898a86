package rig

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startTime bounds a start: far above what it takes with the race detector on a
// busy machine.
const startTime = Patience

// Server is errand serve as a process of its own.
type Server struct {
	URL string // known from Ready on

	w       *World
	command *exec.Cmd
	errs    *text
	banner  chan string // the URL, when it has been printed; closed at the end of the output
	ended   chan struct{}
}

// text is what a process says, to be read while it speaks.
type text struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// Write appends.
func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buffer.Write(p)
}

// String is everything so far.
func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buffer.String()
}

// Start starts a server on a free port and waits until it is ready.
func (w *World) Start(args ...string) *Server {
	w.T.Helper()
	s := w.Launch(args...)
	if err := s.Ready(); err != nil {
		w.T.Fatalf("%v\n%s", err, s.Log())
	}
	return s
}

// Launch starts a server and does not wait.
func (w *World) Launch(args ...string) *Server {
	w.T.Helper()
	s := &Server{w: w, errs: &text{}, banner: make(chan string, 1), ended: make(chan struct{})}
	s.command = exec.Command(cmp.Or(w.Program, Binary()), append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	s.command.Dir, s.command.Env, s.command.Stderr = w.Dir, w.environment(), s.errs
	out, err := s.command.StdoutPipe()
	if err == nil {
		err = s.command.Start()
	}
	if err != nil {
		w.T.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		s.listen(out)
		_ = s.command.Wait() // its state says how it ended
	}()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers = append(w.servers, s)
	return s
}

// listen reads what the server prints, and finds its address.
func (s *Server) listen(out io.Reader) {
	defer close(s.banner)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == "API" {
			s.banner <- fields[1]
		}
	}
}

// Ready waits until /readyz answers 200.
func (s *Server) Ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	select {
	case url, printed := <-s.banner:
		if !printed {
			return errors.New("the server ended before it was ready")
		}
		s.URL = url
	case <-ctx.Done():
		return errors.New("the server did not start in time")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := s.w.transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the banner is there, and /readyz answers %d", answer.StatusCode)
	}
	return nil
}

// PID is the process's id.
func (s *Server) PID() int { return s.command.Process.Pid }

// Log is what the server has logged so far.
func (s *Server) Log() string { return s.errs.String() }

// Kill kills every server of the world that still runs.
func (w *World) Kill() {
	w.mu.Lock()
	servers := w.servers
	w.mu.Unlock()
	for _, s := range servers {
		s.Kill()
	}
}

// Kill ends the process at once, as a power cut would, and waits until it is gone.
func (s *Server) Kill() {
	s.signal(syscall.SIGKILL)
	<-s.ended
	s.sound()
}

// Terminate asks the process to end and returns its exit code, -1 when a signal
// has ended it.
func (s *Server) Terminate() int {
	s.w.T.Helper()
	s.signal(syscall.SIGTERM)
	return s.Wait()
}

// Wait waits for the process's own end, at most Patience, and returns its exit code.
func (s *Server) Wait() int {
	s.w.T.Helper()
	select {
	case <-s.ended:
	case <-time.After(Patience):
		s.Kill()
		s.w.T.Errorf("the server did not end:\n%s", s.Log())
	}
	s.sound()
	return s.command.ProcessState.ExitCode()
}

// signal reaches no other process: until Wait has returned, the id is this one's.
func (s *Server) signal(what syscall.Signal) {
	select {
	case <-s.ended:
	default:
		_ = s.command.Process.Signal(what) // it may just have ended by itself
	}
}

// sound fails the test if the server has reported a fault of its own.
func (s *Server) sound() {
	said := s.Log()
	for _, fault := range []string{"DATA RACE", "panic:", "fatal error:"} {
		if strings.Contains(said, fault) {
			s.w.T.Errorf("the server reports %q:\n%s", fault, said)
			return
		}
	}
}
