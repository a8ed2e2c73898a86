package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// adminKey opens every Errand that is measured.
const adminKey = "an-admin-key-for-the-bench"

// patience bounds a start, a set-up request and an end: far above what any takes.
const patience = 30 * time.Second

// The two that are compared.
const (
	isFloor  = "floor"
	isErrand = "errand"
)

// server is a floor or an Errand as a process of its own.
type server struct {
	kind    string
	key     string // that its requests bring
	url     string
	dir     string
	began   time.Time
	command *exec.Cmd
	errs    bytes.Buffer // what it says; read after its end
	ended   chan struct{}
	client  *http.Client
}

// launch starts a server on a data directory and does not wait for it.
func (b *bench) launch(kind, dir string, env ...string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	s := &server{kind: kind, key: adminKey, dir: dir, url: "http://" + addr, ended: make(chan struct{}), client: newClient()}
	switch kind {
	case isFloor, isCore:
		s.command = exec.Command(b.self, kind, "-addr", addr, "-dir", dir, "-mock", b.mock.url)
	case isAnswers:
		s.command = exec.Command(b.self, isCore, "-answers", "-addr", addr, "-dir", dir, "-mock", b.mock.url)
	default:
		s.command = exec.Command(b.binary, "serve", "--addr", addr)
	}
	s.command.Dir = b.scratch
	// Only warnings are logged: at level info each request writes a line, which
	// the floor does not, and how long that takes depends on where it goes.
	s.command.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + b.scratch, "ERRAND_DATA=" + dir, "ERRAND_ADMIN_KEY=" + adminKey,
		"ERRAND_LOG_LEVEL=warn", "ERRAND_EGRESS_ALLOW=127.0.0.0/8", "ERRAND_MAX_STEPS=1000",
		"OPENAI_BASE_URL=" + b.mock.url + "/v1", "OPENAI_API_KEY=sk-of-the-bench", "ERRAND_MODEL=openai/t1-n20-f0-g0",
	}, env...)
	s.command.Stderr = &s.errs
	s.began = time.Now()
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.command.Wait() // its state says how it ended
		close(s.ended)
	}()
	return s, nil
}

// freeAddr is an address that nobody listens on. The server is told it, because
// waiting for its banner would be part of its start.
func freeAddr() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2048, DisableCompression: true}}
}

// start starts a server and prepares it for runs of the behaviours.
func (b *bench) start(ctx context.Context, kind, dir string, behaviours ...behaviour) (*server, error) {
	s, err := b.launch(kind, dir)
	if err != nil {
		return nil, err
	}
	return s, b.open(ctx, s, behaviours...)
}

// open waits for a server that has been launched, and prepares it for runs of the
// behaviours. One that can't be had is stopped.
func (b *bench) open(ctx context.Context, s *server, behaviours ...behaviour) error {
	_, err := s.ready(ctx)
	if err == nil {
		err = s.prepare(ctx, b.mock.url, behaviours)
	}
	if err != nil {
		s.stop()
		return fmt.Errorf("starting the %s: %w\n%s", s.kind, err, s.errs.String())
	}
	return nil
}

// ready waits for the first answer to an authenticated request and returns how
// long after the start it came.
func (s *server) ready(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		answer, err := s.get(ctx, "/v1/runs?limit=20")
		if err == nil && len(answer) > 0 {
			return time.Since(s.began), nil
		}
		select {
		case <-s.ended:
			return 0, fmt.Errorf("the %s ended: %v", s.kind, err)
		default:
		}
		if !wait(ctx, 500*time.Microsecond) {
			return 0, fmt.Errorf("the %s did not answer within %s: %w", s.kind, patience, err)
		}
	}
}

// prepare registers the tool and an agent for each behaviour. The floor needs
// neither.
func (s *server) prepare(ctx context.Context, mock string, behaviours []behaviour) error {
	if s.kind == isFloor || len(behaviours) == 0 {
		return nil
	}
	err := s.post(ctx, "/v1/tools", map[string]any{
		"name": toolName, "description": toolWords, "parameters": json.RawMessage(toolSchema),
		"url": mock + "/tool", "effect": "safe",
	})
	for _, each := range behaviours {
		if err != nil {
			return err
		}
		err = s.post(ctx, "/v1/agents", map[string]any{
			"name": each.String(), "model": "openai/" + each.String(), "instructions": instructions,
			"tools": []string{toolName}, "max_steps": each.turns + 1,
		})
	}
	return err
}

func (s *server) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+s.key)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// do makes a request that must succeed and returns the answer.
func (s *server) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := s.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, said)
	}
	return said, err
}

func (s *server) get(ctx context.Context, path string) ([]byte, error) {
	return s.do(ctx, http.MethodGet, path, nil)
}

func (s *server) post(ctx context.Context, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	_, err = s.do(ctx, http.MethodPost, path, text)
	return err
}

// run makes a run and waits for its result.
func (s *server) run(ctx context.Context, b behaviour) error {
	answer, err := s.do(ctx, http.MethodPost, runPath(b), runBody(false))
	if err != nil {
		return err
	}
	if !bytes.Contains(answer, []byte(`"completed"`)) || !bytes.Contains(answer, []byte(lastWord)) {
		return fmt.Errorf("%w: %s", errWrong, answer)
	}
	return nil
}

func runPath(b behaviour) string { return "/v1/agents/" + b.String() + "/run" }

func runBody(stream bool) []byte {
	return fmt.Appendf(nil, `{"prompt":%q,"stream":%t}`, prompt, stream)
}

// follow makes a run as a stream. It returns when the first piece of the answer's
// text has come, with the rest of the stream to be read or closed.
func (s *server) follow(ctx context.Context, b behaviour) (first time.Duration, rest *stream, err error) {
	request, err := s.request(ctx, http.MethodPost, runPath(b), runBody(true))
	if err != nil {
		return 0, nil, err
	}
	began := time.Now()
	answer, err := s.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	rest = &stream{Closer: answer.Body, lines: bufio.NewReaderSize(answer.Body, 1024)}
	for {
		event, data, err := rest.next()
		if err != nil {
			rest.Close()
			return 0, nil, fmt.Errorf("before the answer's first token (%s): %w", answer.Status, err)
		}
		if event == "delta" && strings.Contains(data, `"text":"`) {
			return time.Since(began), rest, nil
		}
	}
}

// stream is a stream of server-sent events that is being read.
type stream struct {
	io.Closer
	lines *bufio.Reader
}

// next returns the next frame that is no comment.
func (s *stream) next() (event, data string, err error) {
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return "", "", err
		}
		line = strings.TrimRight(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case name == "event":
			event = value
		case name == "data":
			data = value
		case line == "" && data != "":
			return event, data, nil
		}
	}
}

// metrics are Errand's own figures.
func (s *server) metrics(ctx context.Context) (map[string]float64, error) {
	if s.kind == isFloor {
		return map[string]float64{}, nil
	}
	text, err := s.get(ctx, "/metrics")
	return parseMetrics(text), err
}

func (s *server) pid() int { return s.command.Process.Pid }

// stop asks the process to end, and ends it when it does not.
func (s *server) stop() {
	s.client.CloseIdleConnections()
	s.end(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.kill()
	}
}

// kill ends the process at once.
func (s *server) kill() {
	s.end(syscall.SIGKILL)
	<-s.ended
}

// end signals this process and no other: until it has been waited for, its id is
// nobody else's.
func (s *server) end(what syscall.Signal) {
	select {
	case <-s.ended:
	default:
		_ = s.command.Process.Signal(what) // it may just have ended by itself
	}
}
