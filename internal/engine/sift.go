package engine

import (
	"strings"

	"errand/internal/run"
)

// sift passes a reply on while it is being written, without the citations of
// what the run was not given, and with the server's own note behind an answer
// that its searches brought nothing for. It remembers what it has passed on, so
// that the stored reply is, byte for byte, what readers saw.
type sift struct {
	cited *run.Citations
	emit  func(run.Delta)
	text  strings.Builder
	spans []run.Span
}

// write takes a delta from the model.
func (s *sift) write(delta run.Delta) {
	if delta.Kind == run.TextDelta {
		s.show(s.cited.Write(delta.Text))
		return
	}
	s.show(s.cited.Close()) // no citation goes on behind something else
	s.pass(delta)
}

// show passes on text.
func (s *sift) show(text string) {
	if text != "" {
		s.text.WriteString(text)
		s.pass(run.Delta{Kind: run.TextDelta, Text: text})
	}
}

func (s *sift) pass(delta run.Delta) {
	if n := len(s.spans); n > 0 && s.spans[n-1].Kind == delta.Kind && s.spans[n-1].Call == delta.Call {
		s.spans[n-1].Bytes += len(delta.Text)
	} else {
		s.spans = append(s.spans, run.Span{Kind: delta.Kind, Call: delta.Call, Bytes: len(delta.Text)})
	}
	s.emit(delta)
}

// close ends the reply and makes it what was passed on.
func (s *sift) close(reply *run.Reply, failed error) {
	s.show(s.cited.Close())
	if failed == nil {
		s.show(s.cited.Note(reply))
	}
	reply.Text = s.text.String()
	if reply.Spans != nil {
		reply.Spans = s.spans
	}
}
