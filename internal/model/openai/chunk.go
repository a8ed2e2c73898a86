package openai

import (
	"errand/internal/model/remote"
	"errand/internal/run"
)

// chunk is what one event of a stream says, or a whole answer: in the wire
// format the two differ in the name of one field. Its slices point into the text
// that it was read from and are valid until the next decode.
type chunk struct {
	scan      scanner
	hasChoice bool
	content   []byte
	reasoning []byte
	refusal   []byte
	calls     []callPiece
	finish    []byte
	usage     run.Usage
	hasUsage  bool
	failure   []byte // a provider error in place of an answer
}

// callPiece is a piece of one tool call.
type callPiece struct {
	index               int
	hasIndex            bool
	id, name, arguments []byte
	extra               []byte // what Google wants back with the call, as JSON
}

func (c *chunk) clear() {
	*c = chunk{scan: c.scan, calls: c.calls[:0]}
	c.scan.data = nil
}

// decode reads one JSON text. Fields that it does not know are read over.
func (c *chunk) decode(text []byte) error {
	c.clear()
	s := &c.scan
	s.reset(text)
	isError := false
	if s.peek() == '[' { // Google wraps an error in an array
		s.array(func() { c.failure = s.skip() })
	} else {
		s.object(func(name []byte) {
			switch string(name) {
			case "choices":
				c.choices()
			case "usage":
				c.readUsage()
			case "x_groq": // Groq's streams carry the usage here
				c.nested("usage", c.readUsage)
			case "error":
				if value := s.skip(); string(value) != "null" {
					c.failure = text
				}
			case "object":
				if s.peek() == '"' {
					isError = string(s.text()) == "error" // vLLM
				} else {
					s.skip()
				}
			default:
				s.skip()
			}
		})
	}
	if !s.end() {
		return remote.Garbled("it is not the JSON that was to be expected")
	}
	if isError {
		c.failure = text
	}
	return nil
}

// nested reads an object, or null, of which only one field matters.
func (c *chunk) nested(field string, read func()) {
	s := &c.scan
	if s.null() {
		return
	}
	s.object(func(name []byte) {
		if string(name) == field {
			read()
		} else {
			s.skip()
		}
	})
}

// choices reads the first choice: more than one is never asked for.
func (c *chunk) choices() {
	s := &c.scan
	if s.null() {
		return
	}
	s.array(func() {
		if c.hasChoice {
			s.skip()
			return
		}
		c.hasChoice = true
		s.object(func(name []byte) {
			switch string(name) {
			case "delta":
				c.message()
			case "message": // a whole answer: each entry is a call
				c.message()
				for i := range c.calls {
					c.calls[i].index, c.calls[i].hasIndex = i, true
				}
			case "finish_reason":
				if finish := s.text(); len(finish) > 0 {
					c.finish = finish
				}
			default:
				s.skip()
			}
		})
	})
}

func (c *chunk) message() {
	s := &c.scan
	if s.null() {
		return
	}
	s.object(func(name []byte) {
		switch string(name) {
		case "content":
			c.readContent()
		case "reasoning_content", "reasoning": // both with the same text, at some servers
			if s.peek() != '"' {
				s.skip()
			} else if text := s.text(); len(c.reasoning) == 0 {
				c.reasoning = text
			}
		case "refusal":
			c.refusal = s.text()
		case "tool_calls":
			if !s.null() {
				s.array(c.call)
			}
		default:
			s.skip()
		}
	})
}

// readContent reads a message's content: a string, or a list of parts, which is
// how Mistral sends the thinking of its reasoning models.
func (c *chunk) readContent() {
	s := &c.scan
	if s.peek() != '[' {
		c.content = s.text()
		return
	}
	s.array(func() {
		var text, thinking []byte
		s.object(func(name []byte) {
			switch {
			case string(name) == "text" && s.peek() == '"':
				text = s.text()
			case string(name) == "thinking" && s.peek() == '[':
				s.array(func() {
					c.nested("text", func() { thinking = append(thinking, s.text()...) })
				})
			default:
				s.skip()
			}
		})
		c.content = append(c.content[:len(c.content):len(c.content)], text...)
		c.reasoning = append(c.reasoning[:len(c.reasoning):len(c.reasoning)], thinking...)
	})
}

func (c *chunk) call() {
	s := &c.scan
	var piece callPiece
	s.object(func(name []byte) {
		switch string(name) {
		case "index":
			piece.hasIndex = s.peek() != 'n'
			piece.index = s.count()
		case "id":
			piece.id = s.text()
		case "function":
			c.function(&piece)
		case "extra_content":
			piece.extra = s.skip()
		default:
			s.skip()
		}
	})
	c.calls = append(c.calls, piece)
}

func (c *chunk) function(piece *callPiece) {
	s := &c.scan
	if s.null() {
		return
	}
	s.object(func(name []byte) {
		switch string(name) {
		case "name":
			piece.name = s.text()
		case "arguments":
			switch s.peek() {
			case '{', '[': // some servers send the object itself
				piece.arguments = s.skip()
			default:
				piece.arguments = s.text()
			}
		default:
			s.skip()
		}
	})
}

// readUsage reads the token counts. Servers differ in whether reasoning is part
// of the completion; the total tells.
func (c *chunk) readUsage() {
	s := &c.scan
	if s.null() {
		return
	}
	var usage run.Usage
	total := 0
	s.object(func(name []byte) {
		switch string(name) {
		case "prompt_tokens":
			usage.Input = s.count()
		case "completion_tokens":
			usage.Output = s.count()
		case "total_tokens":
			total = s.count()
		case "prompt_cache_hit_tokens": // DeepSeek
			usage.Cached = s.count()
		case "prompt_tokens_details":
			c.nested("cached_tokens", func() { usage.Cached = s.count() })
		case "completion_tokens_details":
			c.nested("reasoning_tokens", func() { usage.Reasoning = s.count() })
		default:
			s.skip()
		}
	})
	if missing := total - usage.Input - usage.Output; missing > 0 {
		usage.Output += missing
	} else if usage.Reasoning > usage.Output {
		usage.Output += usage.Reasoning
	}
	usage.Cached = min(usage.Cached, usage.Input)
	if usage != (run.Usage{}) || !c.hasUsage {
		c.usage, c.hasUsage = usage, true
	}
}
