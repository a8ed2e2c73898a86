package browser

import (
	"context"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	in "github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp/kb"
)

// named are the keys that have a name.
var named = map[string]string{
	"Enter": kb.Enter, "Return": kb.Enter, "Tab": kb.Tab, "Escape": kb.Escape, "Esc": kb.Escape, "Backspace": kb.Backspace, "Delete": kb.Delete,
	"Insert": kb.Insert, "Home": kb.Home, "End": kb.End, "PageUp": kb.PageUp, "PageDown": kb.PageDown, "Space": " ",
	"ArrowUp": kb.ArrowUp, "ArrowDown": kb.ArrowDown, "ArrowLeft": kb.ArrowLeft, "ArrowRight": kb.ArrowRight,
	"Up": kb.ArrowUp, "Down": kb.ArrowDown, "Left": kb.ArrowLeft, "Right": kb.ArrowRight,
	"F1": kb.F1, "F2": kb.F2, "F3": kb.F3, "F4": kb.F4, "F5": kb.F5, "F6": kb.F6,
}

// modifiers are the keys that are held, as bits of the protocol.
var modifiers = map[string]int64{
	"alt": 1, "option": 1, "control": 2, "ctrl": 2, "meta": 4, "command": 4, "cmd": 4, "shift": 8,
}

// stroke is one key, with those that are held meanwhile.
type stroke struct {
	key  string
	held int64
}

// strokes reads names and combinations of keys. It reports false for a text that
// is anything else.
func strokes(text string) ([]stroke, bool) {
	var all []stroke
	for word := range strings.FieldsSeq(text) {
		parts := strings.Split(word, "+")
		var s stroke
		for _, part := range parts[:len(parts)-1] {
			bit, ok := modifiers[strings.ToLower(part)]
			if !ok {
				return nil, false
			}
			s.held |= bit
		}
		last := parts[len(parts)-1]
		key, ok := named[last]
		switch {
		case ok:
			s.key = key
		case s.held != 0 && len([]rune(last)) == 1:
			s.key = strings.ToLower(last)
		default:
			return nil, false
		}
		all = append(all, s)
	}
	return all, len(all) > 0
}

// stroke presses a key and lets it go.
func (st *step) stroke(ctx context.Context, s stroke) error {
	for _, r := range s.key {
		for _, event := range kb.Encode(r) {
			event.Modifiers |= s.held
			if event.Type == kb.KeyChar && event.Modifiers&^8 != 0 {
				continue // a held key makes it a command, not a character
			}
			if s.held&(2|4) != 0 && r == 'a' && event.Type != in.DispatchKeyEventTypeKeyUp {
				event.Commands = []string{"selectAll"}
			}
			if _, err := cdp.Call(ctx, st.s.current.target, in.DispatchKeyEvent, *event); err != nil {
				return err
			}
		}
	}
	return nil
}
