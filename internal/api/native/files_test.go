package native_test

import (
	"bytes"
	"mime/multipart"
	"strings"
	"testing"

	"errand/internal/model/script"
)

// form is a file as browsers and SDKs send it; fields are pairs.
func form(t *testing.T, content string, fields ...string) (body, kind string) {
	t.Helper()
	var out bytes.Buffer
	writer := multipart.NewWriter(&out)
	if err := writer.SetBoundary("a-boundary"); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		if err := writer.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if content != "" {
		part, err := writer.CreateFormFile("file", "note.txt")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String(), writer.FormDataContentType()
}

func (w *world) upload(status int, content string, fields ...string) reply {
	w.t.Helper()
	body, kind := form(w.t, content, fields...)
	return w.want(status, "POST", "/v1/files", body, "Content-Type", kind)
}

func TestFiles(t *testing.T) {
	w := newWorld(t, script.Steps())
	first := w.upload(200, "The first.", "purpose", "context", "metadata", `{"a":"b"}`)
	first.has("object", "file").has("filename", "note.txt").has("bytes", 10).has("metadata.a", "b").has("expires_at", nil).has("status", "processed")
	id := first.text("id")
	w.upload(200, "The second.", "purpose", "attachment")

	page := w.want(200, "GET", "/v1/files?limit=1", "").count("data", 1).has("has_more", true).has("data.0.purpose", "attachment")
	w.want(200, "GET", "/v1/files?starting_after="+page.text("next_cursor"), "").count("data", 1).has("data.0.id", id).has("next_cursor", nil)
	w.want(200, "GET", "/v1/files?purpose=screenshot", "").count("data", 0)
	w.want(400, "GET", "/v1/files?purpose=fun", "").has("error.param", "purpose")
	w.want(200, "GET", "/v1/files/"+id, "").has("sha256", first.text("sha256"))

	content := w.want(200, "GET", "/v1/files/"+id+"/content", "")
	if string(content.Body) != "The first." || content.Header.Get("Content-Disposition") != "attachment; filename=note.txt" || content.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%s %v", content.Body, content.Header)
	}
	if part := w.want(206, "GET", "/v1/files/"+id+"/content", "", "Range", "bytes=4-8"); string(part.Body) != "first" {
		t.Errorf("a range: %s", part.Body)
	}
	w.want(304, "GET", "/v1/files/"+id+"/content", "", "If-None-Match", content.Header.Get("Etag"))

	other := w.key(`{"name":"other","project":"other","scopes":["files:read","files:write"]}`)
	other.want(404, "GET", "/v1/files/"+id, "")
	other.want(404, "GET", "/v1/files/"+id+"/content", "")
	other.want(404, "DELETE", "/v1/files/"+id, "")
	other.want(200, "GET", "/v1/files", "").count("data", 0)
	w.key(`{"name":"reader","scopes":["files:read"]}`).want(403, "DELETE", "/v1/files/"+id, "")
	w.want(200, "DELETE", "/v1/files/"+id, "").has("deleted", true).has("object", "file")
	w.want(404, "DELETE", "/v1/files/"+id, "").has("error.code", "not_found")
}

func TestUploadsThatAreRefused(t *testing.T) {
	w := newWorld(t, script.Steps())
	for param, fields := range map[string][]string{
		"purpose":  {"purpose", "fun"},
		"metadata": {"purpose", "context", "metadata", "[1]"},
		"extra":    {"purpose", "context", "extra", "1"},
	} {
		w.upload(400, "text", fields...).has("error.param", param)
	}
	w.upload(400, "", "purpose", "context").has("error.param", "file")
	w.upload(400, "\x00\x01\x02", "purpose", "context").has("error.param", "file")
	w.upload(400, "text", "purpose", "context", "metadata", strings.Repeat("x", 64<<10+1)).has("error.param", "metadata")
	w.want(400, "POST", "/v1/files", "{}").has("error.param", "Content-Type")
	body, kind := form(t, "text", "purpose", "context")
	w.want(400, "POST", "/v1/files", body[:len(body)-20], "Content-Type", kind).has("error.code", "invalid_request")
	w.want(400, "POST", "/v1/files", body+body, "Content-Type", "multipart/form-data").has("error.param", "Content-Type")
	w.want(200, "GET", "/v1/files", "").count("data", 0)
}

func TestAnUploadThatComesAgain(t *testing.T) {
	w := newWorld(t, script.Steps())
	body, kind := form(t, "once", "purpose", "context")
	send := func(status int, body string) reply {
		return w.want(status, "POST", "/v1/files", body, "Content-Type", kind, "Idempotency-Key", "k")
	}
	first := send(200, body)
	if again := send(200, body); again.text("id") != first.text("id") || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("again %s", again.Body)
	}
	longer, _ := form(t, "something else", "purpose", "context")
	send(409, longer).has("error.code", "idempotency_mismatch")
	w.want(200, "GET", "/v1/files", "").count("data", 1)
}

func TestAFullProject(t *testing.T) {
	w := newWorld(t, script.Steps())
	id := w.upload(200, strings.Repeat("x", fileRoom-1), "purpose", "context").text("id")
	w.upload(507, "yy", "purpose", "context").has("error.code", "quota_exceeded")
	w.upload(200, "y", "purpose", "context")
	w.want(200, "DELETE", "/v1/files/"+id, "")
	w.upload(200, "yy", "purpose", "context")
}
