package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// models are the agents that every peer has, by name, with the model of each. Only
// "gated" has a person before its tool.
func models() map[string]behaviour {
	slow := 50 * time.Millisecond
	return map[string]behaviour{
		"answer": {tokens: 20, first: slow},
		"look":   {turns: 1, tokens: 20, first: slow},
		"paced":  {turns: 1, tokens: 20, first: slow, gap: 5 * time.Millisecond},
		"press":  {turns: 1, tokens: 20},
		"gated":  {turns: 1, tokens: 20},
	}
}

// call is a request to a peer.
type call struct{ method, path, body string }

// place is where a peer is started: on a directory, with a tool.
type place struct {
	dir    string
	tool   string
	effect string // the class of the tool, where the peer has classes; empty = safe
	fresh  bool   // the directory is new: what is kept there has to be made
}

// host is a peer that runs, as a group of processes of its own.
type host struct {
	*peer
	at      place
	url     string
	began   time.Time
	command *exec.Cmd
	said    tail
	ended   chan struct{}
	client  *http.Client
}

// start starts a peer and waits until it serves.
func (c *contest) start(ctx context.Context, p *peer, at place) (*host, error) {
	h, err := c.launch(p, at)
	if err != nil {
		return nil, err
	}
	err = h.ready(ctx)
	if err == nil && at.fresh && p.furnish != nil {
		err = p.furnish(ctx, h)
	}
	if err != nil {
		h.kill()
		return nil, fmt.Errorf("starting %s: %w\n%s", p.label, err, h.said.String())
	}
	return h, nil
}

// launch starts a peer's processes. They form a group, whose id is that of the first
// of them: what one of them starts can be ended with it.
func (c *contest) launch(p *peer, at place) (*host, error) {
	if err := os.MkdirAll(at.dir, 0o700); err != nil {
		return nil, err
	}
	if at.fresh && p.lay != nil {
		if err := p.lay(c, at.dir); err != nil {
			return nil, err
		}
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	h := &host{peer: p, at: at, url: "http://" + addr, ended: make(chan struct{}), client: newClient()}
	_, port, _ := strings.Cut(addr, ":")
	h.command = p.command(c, at.dir, port)
	h.command.Dir = at.dir
	h.command.Env = append(h.command.Env, c.environment(at, port)...)
	h.command.Stdout, h.command.Stderr = &h.said, &h.said
	h.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	h.began = time.Now()
	if err := h.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = h.command.Wait() // how it ended, what it said tells
		close(h.ended)
	}()
	return h, nil
}

// environment is what all peers are told: to log warnings alone, as Errand is told too,
// and to send nothing to their makers, because nobody is to wait for that here.
func (c *contest) environment(at place, port string) []string {
	var agents []string
	for name, does := range models() {
		agents = append(agents, name+"="+does.String())
	}
	slices.Sort(agents)
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.scratch, "PORT=" + port, "NODE_ENV=production", "LOG_LEVEL=warn",
		"BENCH_MOCK=" + c.mock.url, "BENCH_TOOL=" + at.tool, "BENCH_DATA=" + at.dir,
		"BENCH_AGENTS=" + strings.Join(agents, ","), "BENCH_INSTRUCTIONS=" + instructions,
		"MASTRA_HOST=127.0.0.1", "MASTRA_TELEMETRY_DISABLED=1", "VOLTAGENT_TELEMETRY_DISABLED=true",
		"LANGSMITH_TRACING=false", "LANGGRAPH_CLI_NO_ANALYTICS=1", "DO_NOT_TRACK=1", "CI=true",
		"ERRAND_DATA=" + at.dir, "ERRAND_ADMIN_KEY=" + adminKey, "ERRAND_LOG_LEVEL=warn", "ERRAND_EGRESS_ALLOW=127.0.0.0/8",
		"OPENAI_BASE_URL=" + c.mock.url + "/v1", "OPENAI_API_KEY=sk-of-the-bench", "ERRAND_MODEL=openai/" + models()["press"].String(),
	}
}

// ready waits for the first answer that is no error.
func (h *host) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	for {
		_, err := h.do(ctx, call{http.MethodGet, h.peer.alive, ""})
		if err == nil {
			return nil
		}
		select {
		case <-h.ended:
			return fmt.Errorf("it ended: %w", err)
		default:
		}
		if !wait(ctx, 2*time.Millisecond) {
			return fmt.Errorf("it does not answer: %w", err)
		}
	}
}

// send makes a request; its answer's body is the caller's to close.
func (h *host) send(ctx context.Context, asked call) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, asked.method, h.url+asked.path, strings.NewReader(asked.body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+adminKey)
	// Node.js closes connections that were idle for five seconds. A request that meets one
	// is made again, on a new one: that is what this says, and it is not sent.
	request.Header["X-Idempotency-Key"] = nil
	if asked.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	return h.client.Do(request)
}

// do makes a request that must succeed, and returns its answer.
func (h *host) do(ctx context.Context, asked call) (string, error) {
	answer, err := h.send(ctx, asked)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %.300s", asked.method, asked.path, answer.Status, said)
	}
	return string(said), err
}

// run makes a run in a conversation of its own, and waits for its answer.
func (h *host) run(ctx context.Context, agent string) error {
	said, err := h.do(ctx, h.ask(agent, newThread()))
	if err == nil && !strings.Contains(said, lastWord) {
		err = fmt.Errorf("%w: %.600s", errWrong, said)
	}
	return err
}

// first makes a run as a stream, and returns when the first word of the answer came.
// Every peer frames it otherwise; a line with the word in it is the frame that has it.
func (h *host) first(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	answer, err := h.send(ctx, h.follow("paced", newThread()))
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var first time.Duration
	lines := bufio.NewReader(answer.Body)
	for {
		line, err := lines.ReadString('\n')
		if first == 0 && strings.Contains(line, "word ") {
			first = time.Since(began)
		}
		if strings.Contains(line, lastWord) && first != 0 {
			_, err := io.Copy(io.Discard, lines)
			return first, err
		}
		if err != nil {
			return 0, fmt.Errorf("%w, %s: the stream ended with %.300s (%w)", errWrong, answer.Status, line, err)
		}
	}
}

// crowd lets clients ask for runs for a while, each the next when the last one is
// answered. What is under way at the end is waited for and counts, with the time that it
// takes: so a run may be longer than the while.
func (h *host) crowd(ctx context.Context, agent string, clients int, length time.Duration) (loaded, error) {
	var mu sync.Mutex
	var l loaded
	var failures []error
	h.client.CloseIdleConnections()
	before, began := h.burnt(), time.Now()
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for ctx.Err() == nil && time.Since(began) < length {
				asked := time.Now()
				err := h.run(ctx, agent)
				took := time.Since(asked)
				mu.Lock()
				l.waits = append(l.waits, millis(took))
				if err != nil {
					failures = append(failures, err)
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	all.Wait()
	l.seconds, l.runs = time.Since(began).Seconds(), float64(len(l.waits))
	l.cpu = (h.burnt() - before).Seconds()
	if len(failures) > 0 {
		return l, failures[0]
	}
	return l, ctx.Err()
}

// members are the processes of the group.
func (h *host) members() []int {
	var all []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		// Behind the name come state, parent and group: see parseStat.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && len(fields) > 2 && fields[2] == strconv.Itoa(h.command.Process.Pid) {
			all = append(all, pid)
		}
	}
	return all
}

// weigh is the memory of all processes of the group.
func (h *host) weigh() (memory, error) {
	var sum memory
	for _, pid := range h.members() {
		m, err := memoryOf(pid)
		if err != nil {
			return sum, err
		}
		sum.resident += m.resident
	}
	return sum, nil
}

// burnt is the processor time of all processes of the group.
func (h *host) burnt() time.Duration {
	var sum time.Duration
	for _, pid := range h.members() {
		if used, err := cpuTime(pid); err == nil {
			sum += used
		}
	}
	return sum
}

// stop asks the processes to end, and ends them when they do not.
func (h *host) stop() {
	h.client.CloseIdleConnections()
	_ = syscall.Kill(-h.command.Process.Pid, syscall.SIGTERM) // it may have ended by itself
	select {
	case <-h.ended:
	case <-time.After(5 * time.Second):
	}
	h.kill()
}

// kill ends all processes of the group at once.
func (h *host) kill() {
	_ = syscall.Kill(-h.command.Process.Pid, syscall.SIGKILL) // none may be left
	<-h.ended
	h.client.CloseIdleConnections()
}

// newThread is the id of a conversation that nobody has had: a UUID, which all peers
// accept.
func newThread() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// tail keeps the end of what a process says: it may say a lot.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if most := 8 << 10; len(t.text) > most {
		t.text = t.text[len(t.text)-most:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// nodeVersion is what runs the peers.
func nodeVersion(ctx context.Context) (string, error) {
	said, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		return "", errors.New("there is no Node.js: make bench-peers installs it, or scripts/setup.sh node")
	}
	return strings.TrimSpace(string(said)), nil
}
