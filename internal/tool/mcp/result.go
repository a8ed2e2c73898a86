package mcp

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

// How many images of one result are passed on: they are kept in the run's log,
// and each costs a model as much as a page of text.
const (
	maxImages     = 4
	maxImageBytes = 2 << 20 // of all together, before their encoding
)

// pictures are the formats that models with eyes read.
var pictures = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

// translate makes a result for a model of what the server gave back.
func translate(e *endpoint, from *sdk.CallToolResult) (run.ToolResult, error) {
	var r reading
	for _, content := range from.Content {
		r.read(content)
	}
	if from.StructuredContent != nil && !r.spoke {
		if text, err := json.Marshal(from.StructuredContent); err == nil {
			r.parts = append(r.parts, string(text))
		}
	}
	text := e.redact(strings.Join(r.parts, "\n"))
	if from.NeedsInput() {
		return run.ToolResult{}, problem.New(problem.ToolFailed, "The tool asks for input during its call, which this server can't give.")
	}
	if from.IsError {
		if strings.TrimSpace(text) == "" {
			text = "The tool failed and did not say why."
		}
		const room = 256 // so that it stays within what a tool may tell
		return run.ToolResult{}, problem.New(problem.ToolFailed, "%s", tool.Cut(tool.Bound(text, 0), tool.MaxOutput-room))
	}
	if text == "" && len(r.images) == 0 {
		text = "(the tool gave back nothing)"
	}
	if text == "" {
		text = "(the tool gave back the images beside this)"
	}
	return run.ToolResult{Output: tool.Bound(text, 0), Images: r.images}, nil
}

// reading gathers the parts of a result.
type reading struct {
	parts  []string
	spoke  bool // there was text
	images []run.Image
	bytes  int
}

func (r *reading) read(content sdk.Content) {
	switch c := content.(type) {
	case *sdk.TextContent:
		r.spoke = true
		r.parts = append(r.parts, c.Text)
	case *sdk.ImageContent:
		r.image(c.Data, c.MIMEType)
	case *sdk.AudioContent:
		r.note("audio, %s, %d bytes: it is not passed on", word(c.MIMEType), len(c.Data))
	case *sdk.ResourceLink:
		r.spoke = true
		r.parts = append(r.parts, strings.TrimSpace(fmt.Sprintf("[%s](%s) %s", c.Name, c.URI, c.Description)))
	case *sdk.EmbeddedResource:
		r.resource(c.Resource)
	default:
		r.note("content of a kind that this server does not know")
	}
}

func (r *reading) resource(c *sdk.ResourceContents) {
	switch {
	case c == nil:
	case c.Blob == nil:
		r.spoke = true
		r.parts = append(r.parts, fmt.Sprintf("%s:\n%s", c.URI, c.Text))
	case slices.Contains(pictures, http.DetectContentType(c.Blob)):
		r.image(c.Blob, c.MIMEType)
	default:
		r.note("the resource %s, %s, %d bytes: it is not text", c.URI, word(c.MIMEType), len(c.Blob))
	}
}

// image passes an image on that is what it says it is.
func (r *reading) image(data []byte, claimed string) {
	kind := http.DetectContentType(data)
	switch {
	case !slices.Contains(pictures, kind):
		r.note("an image, %s, %d bytes: it is not passed on, since only PNG, JPEG, GIF and WebP are", word(claimed), len(data))
	case len(r.images) == maxImages || r.bytes+len(data) > maxImageBytes:
		r.note("an image, %s, %d bytes: it is not passed on, since a result may have %d images with %d bytes in all", kind, len(data), maxImages, maxImageBytes)
	default:
		r.bytes += len(data)
		r.images = append(r.images, run.Image{URL: "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data)})
	}
}

// note says in the text what is not in it.
func (r *reading) note(format string, args ...any) {
	r.parts = append(r.parts, "("+fmt.Sprintf(format, args...)+")")
}

// word keeps a server's own word short and plain.
func word(text string) string { return tool.Cut(clean(text), maxName) }
