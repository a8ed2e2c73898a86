package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// floor is the least that a server can do for the same work: it takes a run,
// makes the same calls to the model and the tool with the same bytes, keeps the
// same six events in a durable log, and waits for the disk where Errand has to:
// before a run's id and before its result leave. It has no keys, no checks, no
// lists, no limits, and forgets its runs when it is killed.
type floor struct {
	log    *floorLog
	client *http.Client
	model  string // base URLs
	tool   string
}

// floorMain is the program in the role of the floor, as a process of its own.
func floorMain(args []string) error {
	flags := flag.NewFlagSet("floor", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:0", "where to listen")
	dir := flags.String("dir", "", "where to keep the log")
	mock := flags.String("mock", "", "base URL of model and tool")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := os.MkdirAll(*dir, 0o700); err != nil {
		return err
	}
	log, err := openFloorLog(filepath.Join(*dir, "floor.db"))
	if err != nil {
		return err
	}
	f := &floor{
		log: log, model: *mock + "/v1/chat/completions", tool: *mock + "/tool",
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2048, DisableCompression: true}},
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/agents/{model}/run", f.run)
	mux.HandleFunc("GET /v1/runs", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"data":[]}`) })
	server := &http.Server{Handler: mux}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Printf("API http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return log.close()
}

// floorRun is one run under way.
type floorRun struct {
	f        *floor
	id       []byte
	seq      int64
	messages []wireMessage
	stream   *floorStream // nil = the caller waits for the result
	created  chan error
}

func (f *floor) run(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Prompt string `json:"prompt"`
		Stream bool   `json:"stream"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	run := &floorRun{f: f, id: make([]byte, 16), created: make(chan error, 1)}
	_, _ = rand.Read(run.id) // it never fails
	if asked.Stream {
		run.stream = &floorStream{w: w, flush: http.NewResponseController(w)}
	}
	model := r.PathValue("model")
	run.messages = []wireMessage{{Role: "system", Content: instructions}, {Role: "user", Content: asked.Prompt}}
	run.submit(run.created, run.event("run.created", map[string]any{"model": model, "messages": run.messages, "tools": wireTools()}))
	answer, err := run.loop(r.Context(), model)
	switch {
	case err != nil && !asked.Stream:
		http.Error(w, err.Error(), http.StatusBadGateway)
	case err != nil:
		panic(http.ErrAbortHandler) // half a stream is not an answer
	case asked.Stream:
		_ = run.stream.frame("run.finished", map[string]any{"status": "completed"}) // the caller may have gone
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"id": hex.EncodeToString(run.id), "status": "completed", "result": map[string]any{"summary": answer}})
	}
}

// loop goes on until the model answers without a call. Only the end waits for the
// disk: the tool is safe, so its intent may be on its way while it is called.
func (r *floorRun) loop(ctx context.Context, model string) (string, error) {
	for {
		reply, err := r.f.ask(ctx, wireRequest{Model: model, Messages: r.messages, Stream: true, Tools: wireTools(),
			StreamOptions: &wireStreamOptions{IncludeUsage: true}}, r.delta)
		if err != nil {
			return "", err
		}
		responded := r.event("model.responded", reply)
		if len(reply.ToolCalls) == 0 {
			done := make(chan error, 1)
			r.submit(done, responded, r.event("run.finished", map[string]any{"status": "completed", "summary": reply.Content}))
			return reply.Content, errors.Join(r.settled(), <-done)
		}
		r.submit(nil, responded, r.event("tool.started", map[string]any{"call": reply.ToolCalls[0].ID}))
		r.messages = append(r.messages, reply)
		for _, call := range reply.ToolCalls {
			output, err := r.f.call(ctx, call.Function.Arguments)
			if err != nil {
				return "", err
			}
			r.submit(nil, r.event("tool.finished", map[string]any{"call": call.ID, "output": output}))
			r.messages = append(r.messages, wireMessage{Role: "tool", Content: output, ToolCallID: call.ID})
		}
	}
}

// settled waits until the run itself is on disk, once.
func (r *floorRun) settled() error {
	if r.created == nil {
		return nil
	}
	err := <-r.created
	r.created = nil
	return err
}

func (r *floorRun) event(kind string, body any) entry {
	data, _ := json.Marshal(body) // made here of what always can be
	r.seq++
	return entry{run: r.id, seq: r.seq, kind: kind, data: data}
}

func (r *floorRun) submit(done chan error, entries ...entry) {
	r.f.log.submit(record{entries: entries, done: done})
}

// delta passes a piece of a reply on, behind the frame that has the run's id,
// which waits for the disk.
func (r *floorRun) delta(text string) error {
	if r.stream == nil {
		return nil
	}
	if r.created != nil {
		if err := r.settled(); err != nil {
			return err
		}
		if err := r.stream.frame("run.created", map[string]any{"id": hex.EncodeToString(r.id)}); err != nil {
			return err
		}
	}
	if text == "" {
		return nil
	}
	return r.stream.frame("delta", map[string]any{"text": text})
}

// floorStream writes server-sent events.
type floorStream struct {
	w     http.ResponseWriter
	flush *http.ResponseController
	begun bool
}

func (s *floorStream) frame(event string, body any) error {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", "text/event-stream")
		_ = s.flush.SetWriteDeadline(time.Time{})
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", event, data); err != nil {
		return err
	}
	return s.flush.Flush()
}
