package tool

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxOutput is how many bytes of a tool's output a model gets to read: about
// 16,000 tokens, a large page or a long table, small beside any model's window.
const MaxOutput = 64 << 10

// noteRoom is kept free for the sentence that says that the rest was cut.
const noteRoom = 128

// Bound makes text fit MaxOutput: valid UTF-8, cut at a character, with a note of
// how much there was. A total of 0 means that text is all of it; else it is the
// size of what text is the beginning of, or -1 when nobody knows.
func Bound(text string, total int64) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	whole := total == 0 || total == int64(len(text))
	if whole && len(text) <= MaxOutput {
		return text
	}
	if total == 0 {
		total = int64(len(text))
	}
	text = Cut(text, MaxOutput-noteRoom)
	if total < 0 {
		return text + fmt.Sprintf("\n[truncated: only the first %d bytes are shown]", len(text))
	}
	return text + fmt.Sprintf("\n[truncated: the first %d of %d bytes are shown]", len(text), total)
}

// Cut shortens text to at most limit bytes without breaking a character.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
