package hook

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"errand/e2e/rig"
)

type stored struct {
	ID, Filename, Purpose, Status string
	Bytes                         int
	Type                          string `json:"content_type"`
	Metadata                      map[string]string
}

const png = "\x89PNG\r\n\x1a\n and more"

// form is a file as browsers and SDKs send it.
func form(t *testing.T, name, content string, fields ...string) (body []byte, kind string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for i := 0; i < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if name != "" {
		part, err := w.CreateFormFile("file", name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), w.FormDataContentType()
}

func upload(t *testing.T, c *rig.Client, name, content string, fields ...string) rig.Answer {
	t.Helper()
	body, kind := form(t, name, content, fields...)
	return c.Do("POST", "/v1/files", body, "Content-Type", kind)
}

func TestFiles(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	var image, note, pdf, got stored
	upload(t, c, "../ä \"x\".png", png, "purpose", "context", "metadata", `{"a":"b"}`).Good().Into(&image)
	upload(t, c, "note.html", "<script>1</script>", "purpose", "attachment").Good().Into(&note)
	upload(t, c, "p.pdf", "%PDF-1.7", "purpose", "context").Good().Into(&pdf)
	if image.Type != "image/png" || image.Bytes != len(png) || image.Metadata["a"] != "b" || image.Status != "processed" || image.Filename != `ä "x".png` {
		t.Errorf("the image is %+v", image)
	}
	c.Get("/v1/files/"+note.ID, &got)
	if got.Type != "text/plain; charset=utf-8" || got.Purpose != "attachment" {
		t.Errorf("the note is %+v", got)
	}
	for field, bad := range map[string]rig.Answer{
		"file":     upload(t, c, "x.png", "MZ\x00", "purpose", "context"),
		"purpose":  upload(t, c, "x.txt", "text", "purpose", "world peace"),
		"metadata": upload(t, c, "x.txt", "text", "purpose", "context", "metadata", "[1]"),
		"extra":    upload(t, c, "x.txt", "text", "purpose", "context", "extra", "1"),
	} {
		if bad.Refused(http.StatusBadRequest, "invalid_request").Errors[field] == "" {
			t.Errorf("%s: %s", field, bad.Body)
		}
	}
	upload(t, c, "", "").Refused(http.StatusBadRequest, "invalid_request")
	c.Do("POST", "/v1/files", "{}").Refused(http.StatusBadRequest, "invalid_request")
	c.Do("POST", "/v1/files", "--b\r\nContent-Dis", "Content-Type", "multipart/form-data; boundary=b").Refused(http.StatusBadRequest, "invalid_request")

	content := c.Do("GET", "/v1/files/"+note.ID+"/content", nil).Good()
	for name, want := range map[string]string{"Content-Disposition": "attachment; filename=note.html", "X-Content-Type-Options": "nosniff", "Content-Type": "text/plain; charset=utf-8"} {
		if content.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, content.Header.Get(name), want)
		}
	}
	if part := c.Do("GET", "/v1/files/"+note.ID+"/content", nil, "Range", "bytes=1-6"); part.Status != http.StatusPartialContent || string(part.Body) != "script" {
		t.Errorf("a range: %d %s", part.Status, part.Body)
	}
	var list struct{ Data []stored }
	c.Get("/v1/files?purpose=context", &list)
	if len(list.Data) != 2 || list.Data[0].ID != pdf.ID {
		t.Errorf("the list is %+v", list)
	}

	refused := c.Do("POST", "/v1/runs", map[string]any{"model": "auto", "prompt": "x", "files": []string{image.ID, pdf.ID, "file_0"}})
	fault := refused.Refused(http.StatusBadRequest, "invalid_request").Errors
	if !strings.Contains(fault["files[1]"], "application/pdf") || fault["files[2]"] == "" || fault["files[0]"] != "" {
		t.Errorf("files that no model reads: %v", fault)
	}
	c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": rig.Steps("x", rig.Say("done")), "files": []string{image.ID, note.ID}}, nil)
	asked := fmt.Sprintf("%s", w.Model.Calls()[0].Messages)
	for _, want := range []string{"data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte(png)), "[File note.html]"} {
		if !strings.Contains(asked, want) {
			t.Errorf("the model was not given %s: %s", want, asked)
		}
	}
	c.Do("DELETE", "/v1/files/"+image.ID, nil).Good()
	c.Do("GET", "/v1/files/"+image.ID+"/content", nil).Refused(http.StatusNotFound, "not_found")
}

func TestLargeFilesAndRepeatedOnes(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	body, kind := form(t, "large.txt", strings.Repeat("0123456789abcde\n", 4<<20/16*4), "purpose", "context")
	var first, again stored
	c.Do("POST", "/v1/files", body, "Content-Type", kind, "Idempotency-Key", "k").Good().Into(&first)
	c.Do("POST", "/v1/files", body, "Content-Type", kind, "Idempotency-Key", "k").Good().Into(&again)
	if first.Bytes != 16<<20 || first.ID != again.ID {
		t.Errorf("first %+v, then %+v", first, again)
	}
	c.Do("POST", "/v1/files", body[:len(body)/2], "Content-Type", kind, "Idempotency-Key", "k").Refused(http.StatusConflict, "idempotency_mismatch")
	over, kind := form(t, "over.txt", strings.Repeat("x", 100<<20+1), "purpose", "context")
	c.Do("POST", "/v1/files", over, "Content-Type", kind).Refused(http.StatusRequestEntityTooLarge, "too_large")
	var list struct{ Data []stored }
	c.Get("/v1/files", &list)
	if len(list.Data) != 1 {
		t.Errorf("there are %d files", len(list.Data))
	}
}
