package file

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// The accepted types.
const (
	PDF  = "application/pdf"
	PNG  = "image/png"
	JPEG = "image/jpeg"
	WAV  = "audio/wav"
	M4A  = "audio/mp4"
	Text = "text/plain; charset=utf-8"
)

// accepted lists the types in words.
const accepted = "PDF, PNG, JPEG, WAV, M4A or plain text in UTF-8"

// headSize is as much of the beginning as any of the types needs.
const headSize = 16

// sniffer sees a file go by and says what it is.
type sniffer struct {
	head  []byte
	torn  []byte // the beginning of a character whose end comes with the next bytes
	other bool   // no text in UTF-8
}

func (s *sniffer) Write(p []byte) (int, error) {
	if missing := headSize - len(s.head); missing > 0 {
		s.head = append(s.head, p[:min(missing, len(p))]...)
	}
	if !s.other {
		s.text(p)
	}
	return len(p), nil
}

// text looks whether the bytes go on as text: valid UTF-8 without the control
// characters that no text has.
func (s *sniffer) text(p []byte) {
	all := append(s.torn, p...)
	for len(all) > 0 {
		if !utf8.FullRune(all) {
			s.torn = bytes.Clone(all)
			return
		}
		r, size := utf8.DecodeRune(all)
		if r == utf8.RuneError && size == 1 || r < ' ' && !strings.ContainsRune("\t\n\v\f\r\x1b", r) {
			s.other = true
			return
		}
		all = all[size:]
	}
	s.torn = nil
}

// kind is the file's type, or "".
func (s *sniffer) kind() string {
	head := string(s.head)
	at := func(i int, text string) bool { return len(head) >= i && strings.HasPrefix(head[i:], text) }
	switch {
	case at(0, "%PDF-"):
		return PDF
	case at(0, "\x89PNG\r\n\x1a\n"):
		return PNG
	case at(0, "\xff\xd8\xff"):
		return JPEG
	case at(0, "RIFF") && at(8, "WAVE"):
		return WAV
	case at(4, "ftypM4A ") || at(4, "ftypM4B ") || at(4, "ftypmp42") || at(4, "ftypisom"):
		return M4A
	case !s.other && len(s.torn) == 0:
		return Text
	}
	return ""
}
