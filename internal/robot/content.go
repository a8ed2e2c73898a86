package robot

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// Bounds of what is delivered: a report of a hundred pages, and files that a model
// can have written.
const (
	maxAttachments = 10
	maxContent     = 1 << 20 // bytes of one attachment
	maxInsights    = 10
)

// delivered is what an execution has handed in.
type delivered struct {
	Summary     string     `json:"summary"`
	Body        string     `json:"body"`
	Attachments []handedIn `json:"attachments"`
	Insights    []string   `json:"insights"`
	at          time.Time
}

// handedIn is an attachment as a model hands it in: its text, or a file that is
// there.
type handedIn struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	Task        string `json:"task"`
	Content     string `json:"content"`
	File        string `json:"file"`
}

// deliver hands in the result, when nothing is open.
func (c *course) deliver(st step) (string, error) {
	in, err := read[delivered](st)
	switch {
	case err != nil:
		return "", err
	case c.inspired() && c.goals == "":
		return "", errors.New("set the goals first, with " + GoalsTool)
	case c.current() != nil:
		return "", fmt.Errorf("tasks are open (%s): report on them, or skip them with %s", c.rest(), SkipTool)
	case strings.TrimSpace(in.Summary) == "" || strings.TrimSpace(in.Body) == "":
		return "", errors.New("summary and body must not be empty")
	case len(in.Attachments) > maxAttachments:
		return "", fmt.Errorf("there are %d attachments, and at most %d are possible", len(in.Attachments), maxAttachments)
	case len(in.Insights) > maxInsights:
		return "", fmt.Errorf("there are %d insights, and at most %d are possible", len(in.Insights), maxInsights)
	}
	for i := range in.Attachments {
		if err := c.attachable(&in.Attachments[i]); err != nil {
			return "", fmt.Errorf("attachments[%d]: %w", i, err)
		}
	}
	in.at = st.at
	c.delivered = &in
	return in.text(), nil
}

func (c *course) attachable(h *handedIn) error {
	switch {
	case strings.TrimSpace(h.Title) == "":
		return errors.New("title must name the file")
	case (h.Content == "") == (h.File == ""):
		return errors.New("give either content, the text of the file, or file, the id of one that is there")
	case len(h.Content) > maxContent:
		return fmt.Errorf("content has %d bytes, and at most %d are possible", len(h.Content), maxContent)
	}
	for i := range c.tasks {
		if h.Task == c.tasks[i].ID {
			return nil
		}
	}
	if h.Task != "" {
		return fmt.Errorf("there is no task %q", h.Task)
	}
	return nil
}

// text is what is delivered as one text: the answer of the run.
func (d *delivered) text() string {
	var out strings.Builder
	out.WriteString(strings.TrimSpace(d.Body))
	for i := range d.Attachments {
		if i == 0 {
			out.WriteString("\n\nAttachments:")
		}
		fmt.Fprintf(&out, "\n- %s", d.Attachments[i].Title)
	}
	return out.String()
}

// content is what is delivered, as the API shows it. Files that are still to be
// made of texts have no id yet.
func (d *delivered) content() Content {
	c := Content{Summary: strings.TrimSpace(d.Summary), Body: d.Body, Attachments: []Attachment{}}
	for i := range d.Attachments {
		h := &d.Attachments[i]
		a := Attachment{Title: h.Title, Description: h.Description, TaskID: h.Task, File: h.File}
		if h.Content != "" {
			a.Size, a.ContentType = int64(len(h.Content)), contentType(h.Title)
		}
		c.Attachments = append(c.Attachments, a)
	}
	return c
}

// contentType is that of a text file, by the end of its name: what a model writes
// is Markdown unless its name says otherwise. Markup that a browser would run is
// served as text.
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".txt", ".log", ".html", ".htm", ".svg", ".xml", ".js":
		return "text/plain; charset=utf-8"
	case ".csv":
		return "text/csv; charset=utf-8"
	case ".json":
		return "application/json"
	}
	return "text/markdown; charset=utf-8"
}

// fileName is the name under which an attachment is stored.
func (h *handedIn) fileName() string {
	if ext := path.Ext(h.Title); len(ext) > 1 && len(ext) <= 6 && !strings.Contains(ext, " ") {
		return h.Title
	}
	return h.Title + ".md"
}
