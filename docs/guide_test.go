// Package docs holds what people read, and tests that type the commands of every page
// into a shell, in order, against a server of the page's own.
//
// It promises that each block of commands works as it stands and prints what the page
// shows behind it, but for those that skipped lists with a reason; that what
// troubleshooting.md quotes is what the program says; and that docs/reference is what
// its sources say.
//
// To change a guide, edit its page: its blocks are the test. To change how blocks are
// run, edit shell_test.go.
package docs

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"errand/internal/app"
	"errand/internal/tool/email/sink"
)

// key is the one that the documents use.
const key = "a-secret-of-16-characters-or-more"

// TestMain lets the test's binary be the program: the interpreter of the tool compute,
// and under the name errand the one that a page's commands call.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "errand" || len(os.Args) == 2 && os.Args[1] == "compute-worker" {
		os.Exit(app.Main(context.Background(), os.Args[1:], os.Environ(), app.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Self: os.Args[0]}))
	}
	code := m.Run()
	stopPostgres()
	os.Exit(code)
}

// TestPages types each page that needs nothing but a server.
func TestPages(t *testing.T) {
	for _, page := range []string{
		"guide.md", "you.md", "openai.md", "yao.md", "schedules.md", "swarms.md", "webagent.md", "guides/first-agent.md",
	} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			typeIn(t, page, serve(t, nil))
		})
	}
}

// TestOperations makes a backup of a server that runs, and restores it.
func TestOperations(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	typeIn(t, "operations.md", serve(t, nil, "--data", data), "/var/lib/errand", data)
}

// TestBrowserGuide types the guide to the browser, with pages of its own.
func TestBrowserGuide(t *testing.T) {
	t.Parallel()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("Chromium is not installed: scripts/setup.sh chromium")
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("Python is not installed: scripts/setup.sh python")
	}
	if os.Geteuid() == 0 { // its sandbox does not start as root, and a test may do without
		wrapped := filepath.Join(t.TempDir(), "chromium")
		if err := os.WriteFile(wrapped, []byte("#!/bin/sh\nexec "+chromium+" --no-sandbox \"$@\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		chromium = wrapped
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	base := serve(t, []string{"ERRAND_EGRESS_ALLOW=127.0.0.1/32:" + port, "ERRAND_CHROMIUM=" + chromium, "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()})
	typeIn(t, "guides/browser.md", base, "8123", port)
}

// TestApprovals types the guide to approvals, whose agent sends mail.
func TestApprovals(t *testing.T) {
	t.Parallel()
	mail, err := sink.Start("")
	if err != nil {
		t.Fatal(err)
	}
	defer mail.Close()
	typeIn(t, "guides/approvals.md", serve(t, []string{"ERRAND_SMTP_URL=" + mail.URL(), "ERRAND_SMTP_FROM=office@example.com"}))
	if sent := mail.Messages(); len(sent) != 1 {
		t.Errorf("the guide to approvals sends one mail, and %d were sent: %+v", len(sent), sent)
	}
}

func TestReadme(t *testing.T) {
	t.Parallel()
	mail, err := sink.Start("")
	if err != nil {
		t.Fatal(err)
	}
	defer mail.Close()
	base := serve(t, []string{"ERRAND_SMTP_URL=" + mail.URL(), "ERRAND_SMTP_FROM=billing@example.com"},
		"--config", "../examples/invoice-chaser/errand.yaml")
	typeIn(t, "../README.md", base)
	for wait := 0; len(mail.Messages()) == 0 && wait < 600; wait++ {
		time.Sleep(100 * time.Millisecond) // an approved call is made after the answer
	}
	if sent := mail.Messages(); len(sent) != 1 {
		t.Errorf("README.md approves one e-mail, and %d were sent: %+v", len(sent), sent)
	}
}

// settings is a block of errand.yaml.
var settings = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestGuideSettings: the server takes what the guide writes into errand.yaml, and into
// a file of prices, which begins with their day.
func TestGuideSettings(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("guide.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := settings.FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatal("guide.md has no block of settings; has its form changed?")
	}
	for _, block := range blocks {
		file := filepath.Join(t.TempDir(), "errand.yaml")
		if err := os.WriteFile(file, []byte(block[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		args, env := []string{"doctor", "--config", file, "--data", t.TempDir()}, []string{"LOCAL_KEY=x"}
		if strings.HasPrefix(block[1], "as_of:") {
			args, env = []string{"doctor", "--data", t.TempDir()}, []string{"ERRAND_PRICES=" + file}
		}
		app.Main(t.Context(), args, env, app.Stdio{In: strings.NewReader(""), Out: &out, Err: &out})
		for _, fits := range []string{"ok    settings", "ok    tools"} { // the model server is not there
			if !strings.Contains(out.String(), fits) {
				t.Errorf("want %s for these settings:\n%s%s", fits, block[1], &out)
			}
		}
	}
}

// address is in the words with which the server says that it is ready.
var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// serve runs the program until the test ends, with nothing in its environment
// but the key and what is given, and returns its address.
func serve(t *testing.T, env []string, args ...string) string {
	reader, writer := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	done, data := make(chan int), t.TempDir()
	go func() {
		args := append([]string{"serve", "--addr", "127.0.0.1:0", "--data", data, "--model", "offline"}, args...)
		code := app.Main(ctx, args, append(env, "ERRAND_ADMIN_KEY="+key), app.Stdio{In: strings.NewReader(""), Out: writer, Err: writer, Self: os.Args[0]})
		writer.Close()
		done <- code
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("the server ended with exit code %d", code)
		}
	})
	var said strings.Builder
	buffer := make([]byte, 4096)
	for {
		n, err := reader.Read(buffer)
		said.Write(buffer[:n])
		if found := address.FindString(said.String()); found != "" {
			go io.Copy(io.Discard, reader) // so that the server is never stopped by its log
			return found
		}
		if err != nil {
			t.Fatalf("the server did not start: %s", said.String())
		}
	}
}
