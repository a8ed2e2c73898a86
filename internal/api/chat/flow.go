package chat

import "strings"

// Flow is the text of an answer on its way to a reader. What has been sent can't be
// taken back, so a reply that is written anew goes on where it agrees with what was
// sent; where it does not, the answer is broken. The zero value is ready.
type Flow struct {
	step   int    // whose text is being sent
	shown  []byte // of it
	behind int    // bytes of the attempt under way that were shown in an earlier one
	said   bool   // something was sent before this step
}

// Again says that the step's reply is being written anew.
func (f *Flow) Again() { f.behind = 0 }

// Part says that the step's reply was cut off where it stands, and that another one
// comes behind it.
func (f *Flow) Part() {
	f.said = f.said || len(f.shown) > 0
	f.shown, f.behind = nil, 0
}

// Write takes a piece of a step's reply and returns what is to be sent of it. It
// reports false when it contradicts what was sent.
func (f *Flow) Write(step int, piece string) (send string, ok bool) {
	if step != f.step {
		f.said = f.said || len(f.shown) > 0
		f.step, f.shown, f.behind = step, nil, 0
	}
	known := min(len(piece), len(f.shown)-f.behind)
	if string(f.shown[f.behind:f.behind+known]) != piece[:known] {
		return "", false
	}
	f.behind += known
	if piece = piece[known:]; piece == "" {
		return "", true
	}
	first := len(f.shown) == 0 && f.said
	f.shown = append(f.shown, piece...)
	f.behind = len(f.shown)
	if first {
		piece = "\n\n" + piece
	}
	return piece, true
}

// Whole takes a step's reply when all of it is known, and returns what was not sent
// yet.
func (f *Flow) Whole(step int, text string) (send string, ok bool) {
	if step == f.step {
		if !strings.HasPrefix(text, string(f.shown)) {
			return "", false
		}
		text, f.behind = text[len(f.shown):], len(f.shown)
	}
	if text == "" {
		return "", true
	}
	return f.Write(step, text)
}

// Aside returns a text that is no part of a reply as it is to be sent: in a
// paragraph of its own.
func (f *Flow) Aside(text string) string {
	if f.said || len(f.shown) > 0 {
		text = "\n\n" + text
	}
	f.said = true
	return text
}
