// Package docs holds what people read, and a test that types the commands of
// README.md, guide.md and the pages for other APIs' clients into a shell, in order,
// against a server of its own. It promises that all work as they stand.
//
// To change the guide, edit guide.md: its blocks of shell commands are the test.
package docs

import (
	"context"
	"io"
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

// TestMain lets the test's binary be the interpreter of the tool compute, too.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "compute-worker" {
		os.Exit(app.Main(context.Background(), os.Args[1:], nil, app.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
	}
	os.Exit(m.Run())
}

func TestGuide(t *testing.T) {
	base := serve(t, nil)
	typeIn(t, "guide.md", base)
}

func TestYou(t *testing.T) {
	base := serve(t, nil)
	typeIn(t, "you.md", base)
}

func TestOpenAI(t *testing.T) {
	base := serve(t, nil)
	typeIn(t, "openai.md", base)
}

func TestYao(t *testing.T) {
	base := serve(t, nil)
	typeIn(t, "yao.md", base)
}

func TestSchedules(t *testing.T) {
	base := serve(t, nil)
	typeIn(t, "schedules.md", base)
}

func TestSwarms(t *testing.T) {
	base := serve(t, nil)
	typeIn(t, "swarms.md", base)
}

func TestWebagent(t *testing.T) {
	base := serve(t, nil)
	typeIn(t, "webagent.md", base)
}

func TestReadme(t *testing.T) {
	mail, err := sink.Start("")
	if err != nil {
		t.Fatal(err)
	}
	defer mail.Close()
	base := serve(t, []string{"ERRAND_SMTP_URL=" + mail.URL(), "ERRAND_SMTP_FROM=billing@example.com"},
		"--config", "../examples/invoice-chaser/errand.yaml")
	typeIn(t, "../README.md", base)
	for wait := 0; len(mail.Messages()) == 0 && wait < 100; wait++ {
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

// block is a block of shell commands.
var block = regexp.MustCompile("(?s)```sh\n(.*?)```")

// curl stands before the real one: it stops at the first answer that is an error,
// and keeps the id of the run that was answered, as a reader would.
const curl = `
set -eu
curl() {
	if ! answer=$(command curl -S --fail-with-body --max-time 60 "$@"); then
		echo "FAILED: curl $*"; echo "$answer"; exit 1
	fi
	echo "curl $*"; echo "$answer"
	if [[ $answer == *'"status":""'* ]]; then echo "FAILED: a run without a status"; exit 1; fi
	if [[ $1$2 != *approvals* && $answer =~ \"id\":\ ?\"(run_[0-9a-f]{32})\" ]]; then RUN=${BASH_REMATCH[1]}; fi
}
`

// typeIn runs the document's blocks of commands, but those that start a program.
func typeIn(t *testing.T, document, base string) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: scripts/setup.sh curl", tool)
		}
	}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	script := curl
	for _, commands := range block.FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(commands[1], "./errand ") {
			script += commands[1]
		}
	}
	script = strings.NewReplacer("http://127.0.0.1:8420", base, "run_…", "$RUN").Replace(script)

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash")
	shell.Env = append(os.Environ(), "ERRAND_ADMIN_KEY="+key)
	shell.Stdin = strings.NewReader(script)
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Errorf("%s: a command failed (%v), the last of these:\n%s", document, err, out)
	}
	if n := strings.Count(string(out), "\ncurl "); n < 3 {
		t.Errorf("%s: only %d commands were found; has its form changed?", document, n)
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
