package e2e

import (
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

// background starts a run of these turns and does not wait for it.
func background(c *rig.Client, title string, tools []string, turns ...string) rig.Run {
	c.T.Helper()
	var r rig.Run
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": tools, "background": true, "prompt": rig.Steps(title, turns...),
	}, &r)
	return r
}

// stopTime is what a server may take to stop: 10 s for the calls that do not end, and
// what a slow machine needs for the rest.
const stopTime = 40 * time.Second

// TestDrain ends a server that has runs at every stage: with a call that ends in
// time, with one that does not, in the middle of a reply, and waiting.
func TestDrain(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	w.Model.Paces(20 * time.Millisecond)
	s := w.Start()
	c := s.Client()
	for _, name := range []string{"book.short", "book.endless", "book.once"} {
		c.Tool(w, name, "once")
	}
	release := w.Tools.Hold("book.short")
	w.Tools.Hold("book.endless")
	short := background(c, "short", []string{"book.short"}, `book.short {}`, rig.Say("short"))
	endless := background(c, "endless", []string{"book.endless"}, `book.endless {}`, rig.Say("endless"))
	waiting := gated(t, c, "waiting")
	talking := background(c, "talking", nil, rig.Say("%s", strings.Repeat("on and on ", 330)))
	w.Eventually("the calls", func() bool { return len(w.Tools.Ledger()) == 2 })
	var streams []<-chan []rig.Frame
	for _, r := range []rig.Run{short, endless, waiting, talking} {
		streams = append(streams, c.Stream(r.ID, "").Reading())
	}

	begun := time.Now()
	code := make(chan int, 1)
	go func() { code <- s.Terminate() }()
	for i, stream := range streams {
		frames := rig.Await(t, "the stream to end", stream)
		if len(frames) == 0 || frames[len(frames)-1].Ended() {
			t.Errorf("stream %d ended with %+v", i, frames)
		}
	}
	streamed := time.Since(begun)
	w.Eventually("the port to close", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	release()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d\n%s", got, s.Log())
	}
	if took := time.Since(begun); took < 5*time.Second || took > stopTime {
		t.Errorf("it took %v: a call that does not end gets 10 s", took)
	} else if streamed > took*4/5 { // what ends with the server ends in the last moment, and who reads may be slow
		t.Errorf("the streams ended %v after the signal, and the server after %v: not at once", streamed, took)
	}

	w.Model.Paces(0)
	c = w.Start().Client()
	if r := c.Until(short.ID, "completed"); r.Summary() != "short" {
		t.Errorf("%+v", r)
	}
	c.Until(talking.ID, "completed")
	if r := c.Until(endless.ID, "awaiting_approval"); r.Pending[0].Reason != "outcome_unknown" {
		t.Errorf("%+v", r.Pending)
	}
	if r := c.Run(waiting.ID); r.Status != "awaiting_approval" || r.Pending[0].Reason != "gate" {
		t.Errorf("%+v", r)
	}
	if n := len(w.Tools.Ledger()); n != 2 {
		t.Errorf("%d calls: the drain or the restart has repeated one", n)
	}
}

// TestDrainUnderLoad stops a server while clients create runs: whoever was told of
// a run finds it, and it ends.
func TestDrainUnderLoad(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	w.Model.Paces(time.Millisecond)
	w.Tools.Paces(5 * time.Millisecond)
	s := w.Start()
	c := s.Client()
	c.Tool(w, "book.once", "once")
	told := make(chan string, 10_000)
	working := make(chan struct{})
	for i := range 8 {
		go func() {
			defer func() { working <- struct{}{} }()
			for n := range 1000 {
				answer, err := c.Try(http.MethodPost, "/v1/runs", map[string]any{
					"model": "auto", "tools": []string{"book.once"}, "background": n%2 == 0,
					"prompt": rig.Steps(fmt.Sprintf("client %d run %d", i, n), `book.once {}`, rig.Say("Booked.")),
				})
				if err != nil {
					return
				}
				if answer.Status != http.StatusCreated {
					answer.Refused(http.StatusServiceUnavailable, "overloaded")
					continue
				}
				var r rig.Run
				answer.Into(&r)
				told <- r.ID
			}
		}()
	}
	w.Eventually("some load", func() bool { return len(told) > 40 })
	begun := time.Now()
	if code := s.Terminate(); code != 0 || time.Since(begun) > stopTime {
		t.Errorf("exit code %d after %v\n%s", code, time.Since(begun), s.Log())
	}
	for range 8 {
		rig.Await(t, "a client", working)
	}
	close(told)
	c = w.Start().Client()
	for id := range told {
		c.Until(id, "completed")
	}
	once := map[string]int{}
	for _, call := range w.Tools.Ledger() {
		if once[call.Key]++; once[call.Key] > 1 {
			t.Errorf("%s was called twice", call.Key)
		}
	}
}

// refused runs the program up to its own end, and returns exit code and errors.
func refused(t *testing.T, w *rig.World, args ...string) (int, string) {
	t.Helper()
	result := w.Command(t, args...)
	if result.Code == 0 {
		t.Fatalf("%v exits with 0:\n%s", args, result.Out)
	}
	return result.Code, result.Err
}

func TestSecondServer(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	code, said := refused(t, w, "serve", "--addr", "127.0.0.1:0")
	if code != 1 || !strings.Contains(said, fmt.Sprintf("pid %d", s.PID())) {
		t.Errorf("exit %d: %s", code, said)
	}
	s.Client().Get("/v1/runs", nil)
	s.Kill()
	w.Start() // a dead server holds nothing
}

func TestBeyondLoopback(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	delete(w.Env, "ERRAND_ADMIN_KEY")
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
		code, said := refused(t, w, "serve", "--addr", addr)
		if code != 2 || !strings.Contains(said, "ERRAND_ADMIN_KEY") {
			t.Errorf("%s: exit %d: %s", addr, code, said)
		}
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	if err := os.Mkdir(w.Data(), 0o755); err != nil { // open to others until the server comes
		t.Fatal(err)
	}
	s := w.Start()
	c := s.Client()
	c.Tool(w, "book.once", "once")
	gated(t, c, "one")
	files := 0
	err := filepath.WalkDir(w.Data(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		} else {
			files++
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil || files < 2 {
		t.Errorf("%d files, %v", files, err)
	}
}

// small mounts a file system of its own for the data, or says why it can't.
func small(t *testing.T, w *rig.World, size string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a small file system of its own needs root")
	}
	if err := os.Mkdir(w.Data(), 0o700); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size+",mode=0700", "tmpfs", w.Data()).CombinedOutput(); err != nil {
		t.Skipf("this machine lets nobody mount a tmpfs: %v %s", err, said)
	}
	t.Cleanup(func() {
		w.Kill()
		if said, err := exec.Command("umount", w.Data()).CombinedOutput(); err != nil {
			t.Errorf("unmounting %s: %v %s", w.Data(), err, said)
		}
	})
}
