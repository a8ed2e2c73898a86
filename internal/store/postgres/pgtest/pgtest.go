//go:build unix

// Package pgtest starts a real PostgreSQL for tests: Debian's programs, a data
// directory of its own, a free port on loopback, an unprivileged user.
//
// What it promises:
//   - One server per test process, started when the first test asks for it, because
//     starting one takes a second; one database per test, so that tests share nothing.
//   - It is gone when the tests are: also when the process is killed, because a
//     watchman hears its end of a pipe close.
//   - What is committed is synced to disk, as in life, unless NoSync says otherwise.
//   - Without PostgreSQL's programs the tests are skipped; in CI they fail.
//
// A package whose tests use it calls Main in its TestMain. To change how the server
// is set up, edit settings.
package pgtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

// Options say how a server differs from the usual one.
type Options struct {
	NoSync   bool     // commits wait for no disk: for tests that show nothing about them
	Settings []string // more of postgresql.conf: "max_connections=20"
}

// settings are small: several test processes may run a server each.
func settings(o Options) []string {
	all := []string{"max_connections=200", "shared_buffers=32MB", "wal_level=minimal", "max_wal_senders=0", "autovacuum_naptime=10s"}
	if o.NoSync {
		all = append(all, "fsync=off")
	}
	return append(all, o.Settings...)
}

// Server is a running PostgreSQL. Make one with Start, or use the shared one.
type Server struct {
	bin      string // folder of the programs
	dir      string
	port     int
	settings []string
	who      *syscall.Credential
	cmd      *exec.Cmd
	watchman *exec.Cmd
	hold     io.Closer // the watchman acts when it closes
	names    atomic.Int64
}

// shared is the process's server: tests of one package can't be handed it otherwise.
var shared struct {
	mu     sync.Mutex
	server *Server
}

// Main runs a package's tests, looks for leaked goroutines, and stops the shared
// server: func TestMain(m *testing.M) { pgtest.Main(m) }.
func Main(m *testing.M, options ...goleak.Option) {
	goleak.VerifyTestMain(m, append(options, goleak.Cleanup(func(code int) {
		Stop()
		os.Exit(code)
	}))...)
}

// Stop ends the shared server, if there is one. Main does it.
func Stop() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server != nil {
		shared.server.stop()
		shared.server = nil
	}
}

// Shared returns the process's server.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil {
		shared.server = launch(t, Options{})
	}
	return shared.server
}

// Database makes an empty database on the shared server and returns its DSN. It is
// dropped at the test's end, whoever is still connected.
func Database(t testing.TB) string {
	t.Helper()
	return Shared(t).Database(t)
}

// Start returns a server of the test's own, for those that stop it.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := launch(t, o)
	t.Cleanup(s.stop)
	return s
}

// Database makes an empty database and returns its DSN.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", s.names.Add(1))
	s.exec(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { s.exec(t, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return s.dsn(name)
}

// Port is where the server listens, on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// Process is the postmaster, for tests that freeze it.
func (s *Server) Process() *os.Process { return s.cmd.Process }

// CPU is the processor time of the server so far, its sessions' included: of those that
// are there, and of those that have ended. Zero where there is no /proc.
func (s *Server) CPU() time.Duration {
	ticks := int64(0)
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		_, after, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(after) // state, parent …: utime is the 12th of these
		if len(fields) < 15 {
			continue
		}
		mine := filepath.Base(filepath.Dir(path)) == strconv.Itoa(s.cmd.Process.Pid)
		if !mine && fields[1] != strconv.Itoa(s.cmd.Process.Pid) {
			continue
		}
		for i, field := range fields[11:15] {
			if n, err := strconv.ParseInt(field, 10, 64); err == nil && (mine || i < 2) {
				ticks += n
			}
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond // Linux counts in hundredths of a second
}

// Crash ends the server as a power failure would, but for what the kernel holds:
// nothing is flushed, all connections break.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	s.halt(syscall.SIGQUIT)
}

// Up starts the server again after Crash, at the same port, and waits until it
// answers.
func (s *Server) Up(t testing.TB) {
	t.Helper()
	if err := s.up(); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) dsn(database string) string {
	return fmt.Sprintf("postgres://errand@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

func (s *Server) exec(t testing.TB, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // a test's own context has ended in its cleanup
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatal(err)
	}
}

// programs finds the folder of PostgreSQL's programs, which Debian keeps off the PATH.
func programs(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path)
	}
	const missing = "PostgreSQL is not installed: apt-get install postgresql"
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// somebody returns whom PostgreSQL's programs can run as: they refuse root.
func somebody(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(u.Uid, 10, 32)
			gid, _ := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: true}
		}
	}
	t.Fatal("there is no user postgres or nobody to run PostgreSQL as")
	return nil
}

func launch(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{bin: programs(t), who: somebody(t), settings: settings(o)}
	var err error
	if s.dir, err = os.MkdirTemp("", "errand-pg"); err != nil {
		t.Fatal(err)
	}
	if s.who != nil {
		if err := os.Chown(s.dir, int(s.who.Uid), int(s.who.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := s.command("initdb", "-D", s.data(), "-U", "errand", "-A", "trust", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	for range 3 { // between choosing a free port and using it, another may take it
		if s.port, err = freePort(); err == nil {
			if err = s.up(); err == nil {
				return s
			}
		}
	}
	t.Fatal(err)
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func (s *Server) command(name string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), arguments...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC", "HOME=" + s.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.who, Setpgid: true} // an interrupt at the terminal is the tests' alone
	return cmd
}

// up starts the server and its watchman, and waits until the server answers.
func (s *Server) up() error {
	arguments := []string{"-D", s.data(), "-k", s.dir, "-h", "127.0.0.1", "-p", strconv.Itoa(s.port)}
	for _, setting := range s.settings {
		arguments = append(arguments, "-c", setting)
	}
	said, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer said.Close()
	s.cmd = s.command("postgres", arguments...)
	s.cmd.Stdout, s.cmd.Stderr = said, said // a file, not a buffer: that would take a goroutine
	if err := s.cmd.Start(); err != nil {
		return err
	}
	if err := s.watch(); err != nil {
		s.halt(syscall.SIGQUIT)
		return err
	}
	if err := s.answers(); err != nil {
		s.halt(syscall.SIGQUIT)
		text, _ := os.ReadFile(said.Name())
		return fmt.Errorf("PostgreSQL did not start: %w\n%s", err, text)
	}
	return nil
}

// watch starts the watchman, who ends the server when this process is no more.
func (s *Server) watch() error {
	s.watchman = exec.Command("sh", "-c", `read _; kill -QUIT "$1" && rm -rf "$2"`, "sh", strconv.Itoa(s.cmd.Process.Pid), s.dir)
	s.watchman.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	hold, err := s.watchman.StdinPipe()
	if err != nil {
		return err
	}
	s.hold = hold
	return s.watchman.Start()
}

func (s *Server) answers() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.dsn("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		if exited(s.cmd.Process.Pid) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// exited reports whether a child of ours has ended and waits to be collected.
func exited(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false // not Linux: the deadline tells
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "Z")
}

// halt ends the watchman, then the server.
func (s *Server) halt(signal syscall.Signal) {
	if s.watchman != nil && s.watchman.Process != nil {
		_ = s.watchman.Process.Kill()
		_ = s.watchman.Wait()
		_ = s.hold.Close()
		s.watchman = nil
	}
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGCONT) // a frozen one would not hear
		_ = s.cmd.Process.Signal(signal)
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

func (s *Server) stop() {
	s.halt(syscall.SIGQUIT)
	os.RemoveAll(s.dir)
}
