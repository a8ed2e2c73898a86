package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMain lets this program be the server that the tests of the stories start.
func TestMain(m *testing.M) {
	if os.Getenv("BENCH_FAKE") != "" {
		panic(serveFake(os.Getenv("BENCH_DATA")))
	}
	os.Exit(m.Run())
}

// serveFake is that server, with a child of its own. It keeps what it is asked in files,
// calls its tool again at its start for what has no answer, and believes everybody who
// approves.
func serveFake(dir string) error {
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		return err
	}
	note := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			panic(err)
		}
	}
	note(fmt.Sprintf("pid-%d", os.Getpid()), "")
	note(fmt.Sprintf("pid-%d", child.Process.Pid), "")
	finish := func(thread string) {
		if _, err := http.Post(os.Getenv("BENCH_TOOL"), "", nil); err == nil {
			note("run-"+thread, prompt+" "+lastWord)
		}
	}
	asked, _ := filepath.Glob(filepath.Join(dir, "run-*"))
	for _, path := range asked {
		if text, _ := os.ReadFile(path); !strings.Contains(string(text), lastWord) {
			go finish(strings.TrimPrefix(filepath.Base(path), "run-"))
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /alive", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /run/{thread}", func(w http.ResponseWriter, r *http.Request) {
		note("run-"+r.PathValue("thread"), prompt)
		finish(r.PathValue("thread"))
		_, _ = io.WriteString(w, "word "+lastWord+"\n")
	})
	mux.HandleFunc("POST /wrong/{thread}", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "word") })
	mux.HandleFunc("POST /gated/{thread}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /approve/{thread}", func(_ http.ResponseWriter, r *http.Request) { finish(r.PathValue("thread")) })
	mux.HandleFunc("GET /state/{thread}", func(w http.ResponseWriter, r *http.Request) {
		text, _ := os.ReadFile(filepath.Join(dir, "run-"+r.PathValue("thread")))
		_, _ = w.Write(text)
	})
	return http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux)
}

// fakePeer is that server, as a peer.
func fakePeer(path string) *peer {
	ask := func(_, thread string) call { return call{http.MethodPost, path + thread, ""} }
	return &peer{folder: "fake", label: "Fake", alive: "/alive", ask: ask, follow: ask, command: func(*contest, string, string) *exec.Cmd {
		command := exec.Command(os.Args[0])
		command.Env = []string{"BENCH_FAKE=1"}
		return command
	}}
}

func lookFake(ctx context.Context, h *host, threads []string) standing {
	return tellThreads(ctx, h, threads, func(thread string) string { return "/state/" + thread })
}

// newContest is one without rivals, which waits for nothing.
func newContest(t *testing.T) *contest {
	t.Helper()
	c := &contest{bench: &bench{scratch: t.TempDir()}, recover: 2 * patience, direct: map[string][]float64{}}
	var err error
	if c.mock, err = startMock(); err == nil {
		t.Cleanup(c.mock.close)
		c.ledger, err = openLedger()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.ledger.close)
	return c
}

// gone fails unless every process that fakes have noted has ended.
func gone(t *testing.T, c *contest) {
	t.Helper()
	noted, err := filepath.Glob(filepath.Join(c.scratch, "*", "pid-*"))
	if err != nil || len(noted) == 0 {
		t.Fatalf("no process was noted: %v", err)
	}
	for _, path := range noted {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), "pid-"))
		if err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(patience); !ended(pid); {
			if time.Now().After(until) {
				t.Fatalf("process %d is still there", pid)
			}
			wait(t.Context(), 10*time.Millisecond)
		}
	}
}

// ended says whether a process has ended: who started it may not have asked yet how.
func ended(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == syscall.ESRCH
	}
	state := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	return len(state) > 0 && state[0] == "Z"
}

// TestCrashStory holds that a crash hits all runs while their tool runs, that what comes
// after it is counted apart, and that no process is left.
func TestCrashStory(t *testing.T) {
	c := newContest(t)
	p := fakePeer("/run/")
	got, err := c.crash(t.Context(), killing{peer: p, label: "fake", begin: asked(p), look: lookFake}, true)
	if err != nil {
		t.Fatal(err)
	}
	if got.standing != (standing{known: inFlight, done: inFlight}) || got.calls != inFlight || got.again != inFlight || got.keys != 0 {
		t.Errorf("got %+v, %d calls, %d again, %d keys", got.standing, got.calls, got.again, got.keys)
	}
	gone(t, c)
}

// TestGateStory holds that what two people say at once reaches the server twice, and
// that it is seen when a call is made for each of them.
func TestGateStory(t *testing.T) {
	c := newContest(t)
	g := gating{peer: fakePeer("/gated/"), label: "fake", look: lookFake,
		ask: func(thread string) call { return call{http.MethodPost, "/gated/" + thread, ""} },
		approve: func(_ context.Context, _ *host, thread, _ string) (call, error) {
			return call{http.MethodPost, "/approve/" + thread, ""}, nil
		}}
	got, err := c.gate(t.Context(), g, 2)
	if err != nil {
		t.Fatal(err)
	}
	if !got.waited || !got.done || got.calls != 2 || !cmp.Equal(got.codes, []int{200, 200}) {
		t.Errorf("got %+v", got)
	}
	gone(t, c)
}

// TestPeerIsAsked holds that runs count by their answer, that a wrong answer is an error,
// and that a server that can't be had leaves nothing behind.
func TestPeerIsAsked(t *testing.T) {
	c := newContest(t)
	for path, right := range map[string]bool{"/run/": true, "/wrong/": false} {
		h, err := c.start(t.Context(), fakePeer(path), place{dir: c.newStoryDir(path[1:4]), tool: c.ledger.url + "/x", fresh: true})
		if err != nil {
			t.Fatal(err)
		}
		l, err := h.crowd(t.Context(), "press", 3, 50*time.Millisecond)
		_, late := h.first(t.Context())
		m, failed := h.weigh()
		h.stop()
		if (err == nil) != right || (late == nil) != right || failed != nil {
			t.Errorf("%s: %v, %v, %v", path, err, late, failed)
		}
		if right && (l.runs < 3 || l.perSecond() <= 0 || m.resident < mega) {
			t.Errorf("%.0f runs, %.1f a second, %.0f bytes", l.runs, l.perSecond(), m.resident)
		}
	}
	deaf := fakePeer("/run/")
	deaf.alive = "/nowhere"
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := c.start(ctx, deaf, place{dir: c.newStoryDir("deaf"), fresh: true}); err == nil {
		t.Error("a server that never answers is taken for one that does")
	}
	gone(t, c)
}

// TestPeersSection holds that the tables have what was measured, say what was not, and
// stand between their lines, however often they are written.
func TestPeersSection(t *testing.T) {
	c := &contest{bench: &bench{options: options{rounds: 2}}, direct: map[string][]float64{"answer": {50}, "look": {101}, "first": {100}}}
	c.rivals = []*rival{{peer: ours(), figures: map[string][]float64{"rate64": {900, 1100}}}}
	c.kills = []killed{{killing: killing{peer: ours(), label: "A server"}, standing: standing{known: 8, waiting: 7}, calls: 8, again: 1}}
	c.gates = []gated{{gating: gating{peer: mastra("durable-"), label: "A gate"}, people: 2, waited: true, codes: []int{422, 200}, calls: 1}}
	section, err := c.section(machine{Cores: 2})
	if err != nil {
		t.Fatal(err)
	}
	if busy, idle := otherWork("7.5", 2, "."), otherWork("1.9", 2, "."); busy == "" || idle != "" {
		t.Errorf("a busy machine is told from an idle one by %q and %q", busy, idle)
	}
	for _, want := range []string{
		"| runs a second, 64 clients | 1000 (900–1100) | `make bench-peers` |", "| runs a second, 1 client | not measured |",
		"| A server | after 4 s | 8 | 0 | 7 | 8 | 1 | none sent | `go run ./bench peers -only errand` |",
		"| A gate | 2 | yes | 200, 422 | no | 1 | `go run ./bench peers -only mastra-durable` |", "50.0 ms",
	} {
		if !strings.Contains(section, want) {
			t.Errorf("there is no %q in\n%s", want, section)
		}
	}
	page := "before\n" + peersBegin + "old\n" + peersEnd + "after\n"
	once, err := between(page, peersBegin, peersEnd, section)
	if err != nil {
		t.Fatal(err)
	}
	if twice, err := between(once, peersBegin, peersEnd, section); err != nil || twice != once || strings.Contains(once, "old") {
		t.Errorf("written twice it is\n%s\n%v", twice, err)
	}
	if _, err := between("no lines", peersBegin, peersEnd, section); err == nil {
		t.Error("a page without the lines is written to")
	}
}

// TestPeersAreOurs holds that each peer's code parses, that its packages are pinned, and
// that the lock file names them and no host.
func TestPeersAreOurs(t *testing.T) {
	node, missing := exec.LookPath("node")
	if local, err := filepath.Abs("../.tools/bin/node"); err == nil && missing != nil {
		if _, err := os.Stat(local); err == nil {
			node, missing = local, nil
		}
	}
	exact := regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`)
	parsed := 0
	err := filepath.WalkDir("peers", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch {
		case filepath.Ext(path) == ".js" && missing == nil:
			parsed++
			if said, err := exec.Command(node, "--check", path).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", path, err, said)
			}
		case entry.Name() == "package-lock.json" && strings.Contains(string(text), `"resolved"`):
			t.Errorf("%s names the host of a registry", path)
		case entry.Name() == "package.json":
			var pack struct {
				Dependencies, DevDependencies map[string]string
			}
			if err := json.Unmarshal(text, &pack); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			lock, err := os.ReadFile(filepath.Join(filepath.Dir(path), "package-lock.json"))
			if err != nil {
				return err
			}
			for _, some := range []map[string]string{pack.Dependencies, pack.DevDependencies} {
				for name, number := range some {
					if !exact.MatchString(number) || !strings.Contains(string(lock), fmt.Sprintf("%q: %q", name, number)) {
						t.Errorf("%s: %s %s is not pinned, or the lock file has another one", path, name, number)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if missing != nil {
		t.Skip("node is not installed")
	}
	if parsed < 3 {
		t.Errorf("%d files were parsed", parsed)
	}
	for _, p := range peers() {
		if p.folder != "" && p.pack == "" {
			t.Errorf("%s: which package has its version?", p.label)
		}
	}
}
