package mcp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// maxSaid is how long a line may be that a program writes for people.
const maxSaid = 16 << 10

// start runs a program of the operator's and speaks to it over its input and
// output. It has a process group of its own, so that what it starts ends with
// it, and of this server's environment nothing but PATH and HOME.
func (s *Servers) start(ctx context.Context, e *endpoint, client *sdk.Client, made *session) error {
	command := exec.Command(e.program.command, e.program.args...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Env = []string{} // and not nil, which means all of this server's
	for _, name := range []string{"PATH", "HOME"} {
		if value := s.cfg.Environ(name); value != "" && e.program.env[name] == "" {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	for name, value := range e.program.env {
		command.Env = append(command.Env, name+"="+value)
	}
	c := &child{command: command, exited: make(chan struct{})}
	input, err := command.StdinPipe()
	if err != nil {
		return fmt.Errorf("its program can't be started: %w", err)
	}
	output, outputEnd := io.Pipe()
	errs, errsEnd := io.Pipe()
	command.Stdout, command.Stderr = outputEnd, errsEnd
	command.WaitDelay = time.Second // for what it has left running to let go of both
	if err := command.Start(); err != nil {
		return fmt.Errorf("its program can't be started: %w", err)
	}
	log := s.cfg.Logger.With("server", e.name, "pid", command.Process.Pid)
	log.Debug("started the program of an MCP server")
	s.pool.work.Go(func() { report(errs, log) })
	s.pool.work.Go(func() {
		defer close(c.exited)
		err := command.Wait()
		c.kill() // what it has left running
		_, _ = outputEnd.Close(), errsEnd.Close()
		log.Debug("the program of an MCP server has ended", "how", fmt.Sprint(err))
	})
	made.kill, made.exited = c.kill, c.exited
	if err := s.connect(ctx, e, client, made, &marked{&sdk.IOTransport{Reader: output, Writer: input, MaxLineLength: maxMessage}}); err != nil {
		c.kill()
		return err
	}
	return nil
}

// child is a program that runs.
type child struct {
	command *exec.Cmd
	exited  chan struct{}
	once    sync.Once
}

// kill ends the program with all that it has started, once: its group keeps the
// id as long as a member lives, and is asked for no more after the last one.
func (c *child) kill() {
	c.once.Do(func() { _ = syscall.Kill(-c.command.Process.Pid, syscall.SIGKILL) })
}

// report logs what the program writes for people.
func report(from io.Reader, log *slog.Logger) {
	lines := bufio.NewReaderSize(from, maxSaid)
	for {
		line, _, err := lines.ReadLine() // a longer one comes in pieces
		if err != nil {
			return
		}
		log.Debug("an MCP server says", "line", clean(string(line)))
	}
}

// marked notes on a call's flight that it has left.
type marked struct{ sdk.Transport }

// Connect opens the connection.
func (m *marked) Connect(ctx context.Context) (sdk.Connection, error) {
	connection, err := m.Transport.Connect(ctx)
	return &markedConnection{connection}, err
}

type markedConnection struct{ sdk.Connection }

// Write sends a message. A pipe that has no reader any more took nothing of it.
func (m *markedConnection) Write(ctx context.Context, message jsonrpc.Message) error {
	f := flightOf(ctx)
	if request, ok := message.(*jsonrpc.Request); !ok || !request.IsCall() || f == nil {
		return m.Connection.Write(ctx, message)
	}
	f.sent.Store(true)
	err := m.Connection.Write(ctx, message)
	if errors.Is(err, syscall.EPIPE) {
		f.sent.Store(false)
	}
	return err
}
