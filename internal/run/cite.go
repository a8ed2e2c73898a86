package run

import (
	"strings"
	"unicode"
)

// barrenNote is what the server itself says behind an answer for which searches
// were made and brought nothing: that it is not grounded must not depend on
// whether the model admits it.
const barrenNote = "\n\n(A web search was made for this answer and found nothing, so it is not based on sources.)"

// Citations keeps an answer honest while it is being written: a citation
// [[n]](url) of anything but a result that the run was given is taken out, and
// an answer whose searches found nothing says so. The pieces that it gives back,
// joined, depend on the whole text alone and not on how it was cut into pieces.
type Citations struct {
	given map[string]bool
	note  string
	held  string
}

// Cited returns the filter for the reply that comes next, or nil for a run that
// has no citing tool or whose answer is not prose.
func (s *State) Cited() *Citations {
	if s.Spec.Output != nil || !s.Spec.cites() {
		return nil
	}
	found, barren := s.Searches()
	c := &Citations{given: map[string]bool{}}
	for _, f := range found {
		for _, source := range f.Results {
			c.given[source.URL] = true
		}
	}
	if len(found) == 0 && barren > 0 {
		c.note = barrenNote
	}
	return c
}

func (s *Spec) cites() bool {
	for i := range s.Tools {
		if s.Tools[i].Cites {
			return true
		}
	}
	return false
}

// Write takes the next piece of the text and returns what of it can be shown by
// now: what may yet turn out to be a citation is held back.
func (c *Citations) Write(piece string) string {
	c.held += piece
	return c.sift(false)
}

// Close returns what was held back; the text, or this part of it, has ended.
func (c *Citations) Close() string { return c.sift(true) }

// Note returns what the server adds to an answer, which is a reply that asks for
// no tool; it is often empty.
func (c *Citations) Note(reply *Reply) string {
	if len(reply.Calls) > 0 {
		return ""
	}
	return c.note
}

// sift returns the part of the held text whose meaning is certain.
func (c *Citations) sift(last bool) string {
	var out strings.Builder
	for {
		start := strings.Index(c.held, "[[")
		if start < 0 {
			kept := len(c.held)
			if !last {
				kept = len(strings.TrimSuffix(strings.TrimSuffix(c.held, "["), " "))
			}
			sure := c.held[:kept]
			c.held = c.held[kept:]
			if out.Len() == 0 {
				return sure // most pieces are all of what they were
			}
			out.WriteString(sure)
			return out.String()
		}
		text := strings.TrimSuffix(c.held[:start], " ")
		url, length, open := citation(c.held[start:])
		switch {
		case open && !last:
			out.WriteString(text)
			c.held = c.held[len(text):]
			return out.String()
		case length == 0: // it only looked like one
			out.WriteString(c.held[:start+1])
			c.held = c.held[start+1:]
		case c.given[url]:
			out.WriteString(c.held[:start+length])
			c.held = c.held[start+length:]
		default: // with the space before it, which would be left over
			out.WriteString(text)
			c.held = c.held[start+length:]
		}
	}
}

// longestCitation bounds what is held back: no result has a longer address.
const longestCitation = 4 << 10

// citation reads [[n]](url) at the beginning of the text: its address and length,
// 0 if there is none, and whether more text could still make it one.
func citation(text string) (url string, length int, open bool) {
	rest := strings.TrimLeft(text[2:], "0123456789")
	switch digits := len(text) - 2 - len(rest); {
	case digits == 0:
		return "", 0, rest == ""
	case digits > longestCitation:
		return "", 0, false
	}
	const middle = "]]("
	if len(rest) < len(middle) {
		return "", 0, strings.HasPrefix(middle, rest)
	}
	address, found := strings.CutPrefix(rest, middle)
	if !found {
		return "", 0, false
	}
	depth := 1
	for i, r := range address {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == '\n' || i > longestCitation:
			return "", 0, false
		}
		if depth == 0 {
			first, _, _ := strings.Cut(strings.TrimFunc(address[:i], unicode.IsSpace), " ")
			return first, len(text) - len(address) + i + 1, false
		}
	}
	return "", 0, true
}
