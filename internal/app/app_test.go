package app

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the golden files anew")

// asErrand makes the test's binary the program itself, for the demo's children.
const asErrand = "TEST_BINARY_IS_ERRAND"

func TestMain(m *testing.M) {
	if os.Getenv(asErrand) != "" {
		os.Exit(Main(Interruptible(), os.Args[1:], os.Environ(), Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
	}
	goleak.VerifyTestMain(m)
}

// adminKey is the key of the tests' servers.
const adminKey = "a-key-for-the-tests"

// world is one test's machine: a directory, an environment, and what a person at
// the terminal types.
type world struct {
	t        *testing.T
	dir      string
	env      []string
	typed    string
	terminal bool
}

func newWorld(t *testing.T) *world {
	dir := t.TempDir()
	return &world{t: t, dir: dir, env: []string{
		"ERRAND_DATA=" + filepath.Join(dir, "data"), "ERRAND_MODEL=offline", "ERRAND_ADMIN_KEY=" + adminKey,
		"NO_COLOR=1", "USER=ada", asErrand + "=1",
	}}
}

// with returns a world with more variables.
func (w *world) with(env ...string) *world {
	more := *w
	more.env = append(append([]string(nil), w.env...), env...)
	return &more
}

// file writes a file and returns its path.
func (w *world) file(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// run runs a command and returns its exit code, output and error output.
func (w *world) run(args ...string) (code int, out, errs string) {
	w.t.Helper()
	return w.runIn(w.t.Context(), args...)
}

func (w *world) runIn(ctx context.Context, args ...string) (code int, out, errs string) {
	w.t.Helper()
	var stdout, stderr bytes.Buffer
	code = Main(ctx, args, w.env, Stdio{In: strings.NewReader(w.typed), Out: &stdout, Err: &stderr, Terminal: w.terminal})
	return code, stdout.String(), stderr.String()
}

// served is a server that runs in this process.
type served struct {
	t      *testing.T
	url    string
	banner string
	errs   *locked
	stop   func() int
}

// locked is a buffer that one writes while another reads.
type locked struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// serve starts errand serve and waits until it is ready.
func (w *world) serve(args ...string) *served {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, errs := &locked{}, &locked{}
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...), w.env, Stdio{In: strings.NewReader(""), Out: out, Err: errs, Terminal: w.terminal})
	}()
	var once sync.Once
	code := -1
	s := &served{t: w.t, errs: errs, stop: func() int {
		once.Do(func() { cancel(); code = <-ended })
		return code
	}}
	w.t.Cleanup(func() { s.stop() })
	address := regexp.MustCompile(`API +(\S+)`)
	eventually(w.t, "the banner", func() bool {
		select {
		case early := <-ended:
			w.t.Fatalf("the server ended with %d: %s", early, errs)
		default:
		}
		found := address.FindStringSubmatch(out.String())
		if found == nil || !strings.Contains(out.String(), "Ctrl-C") {
			return false
		}
		s.url, s.banner = found[1], out.String()
		return true
	})
	return s
}

// get fetches a page without a key.
func (s *served) get(path string) (status int, body string) {
	s.t.Helper()
	answer, err := http.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// masks make output the same every time.
var masks = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`run_[0-9a-f]{32}`), "run_ID"},
	{regexp.MustCompile(`agt_[0-9a-f]+`), "agt_ID"},
	{regexp.MustCompile(`\b(key|tool)_[0-9A-Za-z]{8,}`), "${1}_ID"},
	{regexp.MustCompile(`sk_\w+`), "sk_SECRET"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`unix=\d+`), "unix=N"},
	{regexp.MustCompile(`unix: \d+`), "unix: N"},
	{regexp.MustCompile(`weekday(=|: )"?\w+"?`), "weekday${1}DAY"},
	{regexp.MustCompile(`\d+ ms|\d+\.\d s\b`), "N ms"},
	{regexp.MustCompile(`\d+s ago`), "Ns ago"},
	{regexp.MustCompile(`127\.0\.0\.1:[1-9]\d{4}`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`/\S*/TestCommands\S*/\d+`), "DIR"},
}

func mask(text string) string {
	for _, m := range masks {
		text = m.pattern.ReplaceAllString(text, m.with)
	}
	return text
}

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; go test -update writes it anew):\n%s", path, diff)
	}
}

// said is a command with its exit code and all that it printed.
func said(args []string, code int, out, errs string) string {
	text := fmt.Sprintf("$ errand %s\n%s", strings.Join(args, " "), out)
	if errs != "" {
		text += "--- errors\n" + errs
	}
	return mask(fmt.Sprintf("%s--- exit code %d\n", text, code))
}
