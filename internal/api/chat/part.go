package chat

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"errand/internal/run"
)

// part is a piece of a message's content.
type part struct {
	Type    string          `json:"type"`
	Text    string          `json:"text"`
	Refusal string          `json:"refusal"`
	Image   json.RawMessage `json:"image_url"`
	File    filePart        `json:"file"`
}

type filePart struct {
	Data string `json:"file_data"` // a data: URL, or base64
	ID   string `json:"file_id"`
	Name string `json:"filename"`
}

// part adds a piece to a message.
func (r *reader) part(path string, p *part, m *run.Message) {
	switch p.Type {
	case "text", "input_text", "output_text":
		m.Text = joined(m.Text, p.Text)
	case "refusal":
		m.Text = joined(m.Text, p.Refusal)
	case "image_url":
		if m.Role != run.User && m.Role != "" {
			r.fault(path, "images are possible in messages of the user only")
			return
		}
		r.image(path+".image_url", p.Image, m)
	case "input_audio":
		r.fault(path+".input_audio", "audio can't be heard here: send what is said in it as text")
	case "file":
		r.file(path+".file", &p.File, m)
	case "":
		r.fault(path+".type", "is required: text, image_url or file")
	default:
		r.fault(path+".type", "%.40q is not understood: use text, image_url or file", p.Type)
	}
}

// joined puts parts under each other: they are blocks, not pieces of a sentence.
func joined(text, more string) string {
	if text == "" || more == "" {
		return text + more
	}
	return text + "\n" + more
}

// imageTypes are what models can see.
func imageTypes() []string { return []string{"image/jpeg", "image/png", "image/gif", "image/webp"} }

// image reads {"url", "detail"}, or the address alone.
func (r *reader) image(path string, raw json.RawMessage, m *run.Message) {
	var in struct {
		URL    string `json:"url"`
		Detail string `json:"detail"`
	}
	if json.Unmarshal(raw, &in.URL) != nil && json.Unmarshal(raw, &in) != nil || in.URL == "" {
		r.fault(path, "must be {\"url\": \"https://…\"} or {\"url\": \"data:image/png;base64,…\"}")
		return
	}
	if in.Detail != "" && !slices.Contains([]string{"low", "high", "auto"}, in.Detail) {
		r.fault(path+".detail", "must be low, high or auto, not %.20q", in.Detail)
		return
	}
	if strings.HasPrefix(in.URL, "data:") {
		kind, _, err := inline(in.URL)
		switch {
		case err != nil:
			r.fault(path+".url", "%v", err)
			return
		case !slices.Contains(imageTypes(), kind):
			r.fault(path+".url", "%.60q is no kind of image that models can see: use %s", kind, strings.Join(imageTypes(), ", "))
			return
		}
	} else if at, err := url.Parse(in.URL); err != nil || at.Scheme != "https" || at.Host == "" {
		r.fault(path+".url", "must begin with https:// or data:image/")
		return
	}
	m.Images = append(m.Images, run.Image{URL: in.URL, Detail: in.Detail})
}

// inline reads a data: URL with base64 in it.
func inline(text string) (kind string, content []byte, err error) {
	head, payload, found := strings.Cut(strings.TrimPrefix(text, "data:"), ",")
	kind, encoded := strings.CutSuffix(head, ";base64")
	if !found || !encoded {
		return "", nil, fmt.Errorf("must be a data: URL with base64 in it: data:image/png;base64,…")
	}
	if content, err = base64.StdEncoding.DecodeString(payload); err != nil || len(content) == 0 {
		return "", nil, fmt.Errorf("is not whole: its base64 can't be read")
	}
	if kind, _, err = mime.ParseMediaType(kind); err != nil {
		return "", nil, fmt.Errorf("names no type such as image/png")
	}
	return kind, content, nil
}

// file adds a file's text to a message, or its image. Nothing here can read the
// other formats.
func (r *reader) file(path string, f *filePart, m *run.Message) {
	if f.Data == "" {
		r.fault(path, "only a file_data with the file itself is possible: a data: URL of text or of an image")
		return
	}
	data := f.Data
	if !strings.HasPrefix(data, "data:") {
		data = "data:" + mime.TypeByExtension(f.Name[max(0, strings.LastIndex(f.Name, ".")):]) + ";base64," + data
	}
	kind, content, err := inline(data)
	switch {
	case err != nil:
		r.fault(path+".file_data", "%v", err)
	case slices.Contains(imageTypes(), kind) && (m.Role == run.User || m.Role == ""):
		m.Images = append(m.Images, run.Image{URL: data})
	case textual(kind) && utf8.Valid(content):
		m.Text = joined(m.Text, fmt.Sprintf("[File %s]\n%s\n[End of file]", f.Name, content))
	default:
		r.fault(path+".file_data", "a file of the type %.60q can't be read here: send its content as text", kind)
	}
}

// textual reports whether files of the type are text.
func textual(kind string) bool {
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml") ||
		slices.Contains([]string{"application/json", "application/xml", "application/yaml", "application/x-yaml", "application/javascript", "application/sql"}, kind)
}
