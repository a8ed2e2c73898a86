package client

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const aFile = `{"id":"file_1","filename":"a.txt","bytes":7}`

// TestALostUploadIsTheSameRequestAgain: to the byte and with the same key, from
// where the content stood.
func TestALostUploadIsTheSameRequestAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(path, []byte("skipped, content"), 0o600); err != nil {
		t.Fatal(err)
	}
	content, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	if _, err := content.Seek(9, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	s, c := newScript(t, drop(""), answer(503, ""), answer(200, aFile))
	sent, err := c.Files.Upload(t.Context(), NewFile{Name: "a.txt", Content: content, Metadata: map[string]string{"k": "v"}})
	if err != nil || sent.ID != "file_1" || string(sent.Raw) != aFile {
		t.Fatalf("%+v %v", sent, err)
	}
	for i, r := range s.seen {
		switch {
		case s.bodies[i] != s.bodies[0] || r.ContentLength != int64(len(s.bodies[0])):
			t.Errorf("request %d has %d bytes of %d: %q", i, len(s.bodies[i]), r.ContentLength, s.bodies[i])
		case r.Header.Get("Content-Type") != s.seen[0].Header.Get("Content-Type"), r.Header.Get("Idempotency-Key") != s.seen[0].Header.Get("Idempotency-Key"):
			t.Errorf("request %d is another one: %v", i, r.Header)
		}
	}
	for _, want := range []string{"\r\n\r\ncontent\r\n--", `filename="a.txt"`, "\r\n\r\ncontext\r\n", `{"k":"v"}`} {
		if !strings.Contains(s.bodies[0], want) || strings.Contains(s.bodies[0], "skipped") {
			t.Errorf("%q does not have %q", s.bodies[0], want)
		}
	}
}

func TestAStreamIsSentOnce(t *testing.T) {
	s, c := newScript(t, answer(503, ""))
	var told *Error
	_, err := c.Files.Upload(t.Context(), NewFile{Name: "a.txt", Content: struct{ io.Reader }{strings.NewReader("content")}})
	if !errors.As(err, &told) || told.Status != 503 || !strings.Contains(s.bodies[0], "content") || s.seen[0].ContentLength != -1 {
		t.Errorf("%v, %d bytes announced", err, s.seen[0].ContentLength)
	}
	if _, err := c.Files.Upload(t.Context(), NewFile{Name: "a.txt"}); err == nil {
		t.Error("no content: no error")
	}
}

// TestAContentThatFails: the error is the content's own.
func TestAContentThatFails(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	c, fault := New(server.URL, "key"), errors.New("the disk is gone")
	if _, err := c.Files.Upload(t.Context(), NewFile{Name: "a.txt", Content: broken{fault}}); !errors.Is(err, fault) {
		t.Errorf("%v", err)
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
