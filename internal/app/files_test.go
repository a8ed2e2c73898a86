package app

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"errand/client"
	"errand/internal/file"
	"errand/internal/run"
	"errand/internal/store/memory"
)

// desk is a world whose commands talk to a server, and a client of it.
func desk(t *testing.T, env ...string) (*world, *client.Client) {
	s := newWorld(t).with(env...).serve()
	w := newWorld(t).with("ERRAND_URL="+s.url, "ERRAND_API_KEY="+adminKey)
	w.terminal = true
	return w, client.New(s.url, adminKey)
}

func TestFiles(t *testing.T) {
	w, _ := desk(t)
	path := w.file("it's a report.txt", "The delivery to Oslo is late.")
	w.plays(0, []string{"files", "list"}, "None.")
	out := w.plays(0, []string{"files", "put", path, "--metadata", "customer=acme"}, "text/plain", "29 bytes")
	id, _, _ := strings.Cut(out, " ")
	w.plays(0, []string{"files", "list"}, id, "context", "it's a report.txt")
	w.plays(0, []string{"files", "list", "--purpose", "screenshot"}, "None.")
	w.plays(0, []string{"files", "get", id}, "for context", "-o 'it'\\''s a report.txt'")
	w.plays(0, []string{"files", "get", id, "--json"}, `"customer": "acme"`)
	if got := w.plays(0, []string{"files", "get", id, "-o", "-"}); got != "The delivery to Oslo is late." {
		t.Errorf("content %q", got)
	}
	to := filepath.Join(w.dir, "copy.txt")
	w.plays(0, []string{"files", "get", id, "-o", to}, "copy.txt: 29 bytes")
	w.plays(1, []string{"files", "get", id, "-o", to}, "is there already")
	if text, err := os.ReadFile(to); err != nil || string(text) != "The delivery to Oslo is late." {
		t.Errorf("%q %v", text, err)
	}

	w.typed, w.terminal = "from a pipe", false
	w.plays(2, []string{"files", "put", "-"}, "--name")
	piped := w.plays(0, []string{"files", "put", "-", "--name", "p.txt", "--purpose", "attachment"}, `"filename": "p.txt"`, `"purpose": "attachment"`)
	var sent client.File
	if err := json.Unmarshal([]byte(piped), &sent); err != nil {
		t.Fatal(err)
	}
	if got := w.plays(0, []string{"files", "get", sent.ID}); got != "from a pipe" {
		t.Errorf("content %q", got)
	}
	w.plays(0, []string{"files", "rm", id}, `"deleted": true`)
	w.plays(1, []string{"files", "rm", id}, "file")
	w.plays(1, []string{"files", "get", id, "-o", filepath.Join(w.dir, "none")}, "file")
	if _, err := os.Stat(filepath.Join(w.dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a file that was not got is there")
	}
	w.plays(1, []string{"files", "put", filepath.Join(w.dir, "gone.txt")}, "no such file")
	w.plays(2, []string{"files", "put", w.dir}, "is a directory")
	w.plays(1, []string{"files", "put", w.file("x.bin", "\x00\x01\x02\xff")}, "file: ", "type")
	w.plays(2, []string{"files", "put", path, "--purpose", "fun"}, "--purpose")
}

// TestQuotas: what a project may keep ends at the operator's numbers, and the error
// says what to do.
func TestQuotas(t *testing.T) {
	w, _ := desk(t, "ERRAND_FILES_MB=1", "ERRAND_INDEX_MB=1")
	large := w.file("large.txt", strings.Repeat("words ", 100_000))
	out := w.plays(0, []string{"files", "put", large})
	w.plays(1, []string{"files", "put", large}, "0.6 MB", "may have 1.0 MB", "errand files rm")
	id, _, _ := strings.Cut(out, " ")
	w.plays(0, []string{"files", "rm", id})
	w.plays(0, []string{"files", "put", large})

	w.plays(0, []string{"index", "add", w.shelf("some", map[string]string{"a.txt": strings.Repeat("words ", 100_000)})})
	w.plays(1, []string{"index", "add", w.shelf("more", map[string]string{"a.txt": strings.Repeat("others ", 100_000)})}, "1.3 MB", "may have 1.0 MB", "ERRAND_INDEX_MB")
	w.plays(0, []string{"index", "list"}, "some")
	newWorld(t).with("ERRAND_FILES_MB=-1").plays(2, []string{"serve"}, "limits.files_mb")
}

// TestFilesOfTheClient: the Go client's calls against the real routes, with a
// content whose length nobody knows before its end.
func TestFilesOfTheClient(t *testing.T) {
	_, api := desk(t)
	stream := struct{ io.Reader }{strings.NewReader("streamed")}
	sent, err := api.Files.Upload(t.Context(), client.NewFile{Name: "s.txt", Content: stream, Metadata: map[string]string{"a": "b"}})
	if err != nil || sent.Bytes != 8 || sent.Purpose != "context" || sent.Metadata["a"] != "b" {
		t.Fatalf("%+v %v", sent, err)
	}
	read, err := api.Files.Content(t.Context(), sent.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if text, err := io.ReadAll(read); string(text) != "streamed" || err != nil {
		t.Errorf("%q %v", text, err)
	}
	known, err := api.Files.Get(t.Context(), sent.ID)
	if err != nil || known.Digest != sent.Digest {
		t.Errorf("%+v %v", known, err)
	}
	page, err := api.Files.List(t.Context(), "context", "", 1)
	if err != nil || len(page.Data) != 1 || page.HasMore {
		t.Errorf("%+v %v", page, err)
	}
	if err := api.Files.Delete(t.Context(), sent.ID); err != nil {
		t.Error(err)
	}
	var told *client.Error
	if _, err := api.Files.Get(t.Context(), sent.ID); !errors.As(err, &told) || told.Code != "not_found" {
		t.Errorf("%v", err)
	}
}

func TestWebhooks(t *testing.T) {
	told := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		told <- r.Header.Get("webhook-id")
	}))
	defer receiver.Close()
	w, api := desk(t, "ERRAND_EGRESS_ALLOW=127.0.0.0/8")
	w.plays(0, []string{"webhooks", "list"}, "None.")
	out := w.plays(0, []string{"webhooks", "add", receiver.URL + "/hook", "--event", "run.completed,run.failed", "--description", "Books"}, "shown this once")
	first, _, _ := strings.Cut(out, "\n")
	id := regexp.MustCompile(`wh_[0-9a-f]+`).FindString(out)
	if !strings.HasPrefix(first, "whsec_") || id == "" {
		t.Fatal(out)
	}
	w.plays(1, []string{"webhooks", "add", receiver.URL + "/hook"}, "already a webhook")
	w.plays(1, []string{"webhooks", "add", "http://192.0.2.1/"}, "url: ")
	w.plays(1, []string{"webhooks", "add", receiver.URL, "--event", "run.compleeted"}, `did you mean "run.completed"?`)
	w.plays(0, []string{"webhooks", "list"}, id, "enabled", "run.completed, run.failed", receiver.URL)

	if _, err := api.Runs.Create(t.Context(), client.Task{Model: "offline", Prompt: "Say hello."}); err != nil {
		t.Fatal(err)
	}
	event := <-told
	eventually(t, "the delivery's end", func() bool {
		page, err := api.Webhooks.Deliveries(t.Context(), id, "succeeded", "", 10)
		return err == nil && len(page.Data) == 1 && page.Data[0].EventID == event && page.Data[0].ResponseStatus == 200
	})
	out = w.plays(0, []string{"webhooks", "deliveries", id}, "succeeded", "run.completed", "200 in")
	w.plays(0, []string{"webhooks", "deliveries", id, "--status", "failed"}, "None.")
	delivery := regexp.MustCompile(`del_\w+`).FindString(out)
	w.plays(0, []string{"webhooks", "redeliver", id, delivery}, "is sent again")
	if again := <-told; again != event {
		t.Errorf("redelivered as %s, was %s", again, event)
	}
	w.plays(1, []string{"webhooks", "redeliver", id, "del_none"}, "deliver")
	if out := w.plays(0, []string{"webhooks", "rotate", id}, "one before signs too"); strings.Contains(out, first) {
		t.Error("the secret is the one before")
	}
	w.plays(0, []string{"webhooks", "enable", id}, id+" is enabled.")
	if own, err := api.Webhooks.Get(t.Context(), client.DefaultWebhook); err != nil || !strings.HasPrefix(own.Secret, "whsec_") {
		t.Errorf("%+v %v", own, err)
	}
	w.plays(1, []string{"webhooks", "rm", "default"}, "can't be deleted")
	w.plays(0, []string{"webhooks", "rm", id}, "Removed "+id)
	w.plays(1, []string{"webhooks", "rm", id}, "webhook")
}

// TestAScreenshotWithoutRoom: a full project costs the picture and not the action.
func TestAScreenshotWithoutRoom(t *testing.T) {
	rows := memory.New(memory.Config{Now: time.Now})
	defer rows.Close()
	files, err := file.Open(t.Context(), file.Config{Dir: t.TempDir(), Rows: rows, Now: time.Now, Most: 10})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	shelf := browserFiles{files: files, logger: slog.New(slog.NewTextHandler(&log, nil)), base: "https://errand.example"}
	keep := func(png string) (string, string) {
		t.Helper()
		id, url, err := shelf.Keep(t.Context(), "p", run.ID{1}, []byte(png))
		if err != nil {
			t.Fatal(err)
		}
		return id, url
	}
	first, url := keep("123456")
	if url != "https://errand.example/v1/files/"+first+"/content" {
		t.Errorf("kept as %s at %s", first, url)
	}
	second, _ := keep("abcdef")
	if left, err := files.List(t.Context(), "p", "", "", 10); err != nil || len(left) != 1 || left[0].ID != second {
		t.Errorf("%+v %v", left, err)
	}
	if id, url := keep("a picture that is too large"); id != "" || url != "" || !strings.Contains(log.String(), "no room") {
		t.Errorf("%q %q, logged %s", id, url, &log)
	}
}

// TestURLsOfServersKeepTheirSecrets: what stands behind the ? is shown nowhere.
func TestURLsOfServersKeepTheirSecrets(t *testing.T) {
	w, api := desk(t)
	made, err := api.Servers.Add(t.Context(), client.NewServer{Name: "crm", URL: "https://crm.example/mcp?key=hunter2hunter2"})
	if err != nil || made.URL != "https://crm.example/mcp?…" {
		t.Fatalf("%+v %v", made, err)
	}
	out := w.plays(0, []string{"mcp", "list", "--json"}, "https://crm.example/mcp?…")
	_, again := api.Servers.Add(t.Context(), client.NewServer{Name: "other", URL: "https://crm.example/mcp?key=hunter2hunter2"})
	_, named := api.Servers.Add(t.Context(), client.NewServer{Name: "named", URL: "https://u:hunter2hunter2@crm.example/mcp"})
	if again == nil || named == nil {
		t.Fatalf("%v, %v", again, named)
	}
	if all := out + string(made.Raw) + again.Error() + named.Error(); strings.Contains(all, "hunter2") {
		t.Error(all)
	}
}
