package anthropic

import (
	"encoding/json"

	"errand/internal/run"
)

// Kinds of blocks in a carry.
const (
	thinkingBlock = "thinking"
	redactedBlock = "redacted"
	textBlock     = "text"
	callBlock     = "call"
)

// writer names this package in a carry.
const writer = "anthropic"

// carry is a Reply's Carry as this package writes it: the blocks of the turn in
// their order, so that thinking goes back exactly as it came. Text is not in it
// but as lengths, because the turn has it.
type carry struct {
	By     string  `json:"by"`    // writer
	Model  string  `json:"model"` // that thought it: signatures hold for it alone
	Blocks []block `json:"blocks"`
}

// block is one content block of a turn.
type block struct {
	Kind      string `json:"k"`
	Bytes     int    `json:"n,omitempty"` // of the turn's reasoning or text
	Signature string `json:"s,omitempty"`
	Data      string `json:"d,omitempty"` // of a redacted block
}

// carried is what a reply wants back: nothing unless the model has thought.
func carried(model string, blocks []block) json.RawMessage {
	for _, b := range blocks {
		if b.Kind != thinkingBlock && b.Kind != redactedBlock {
			continue
		}
		if text, err := json.Marshal(carry{By: writer, Model: model, Blocks: blocks}); err == nil {
			return text
		}
	}
	return nil
}

// kept are the blocks of a turn that the model may be shown as they were; nil for
// a turn of another model, or one that is not what it was when it was carried.
func kept(m *run.Message, model string) []block {
	var c carry
	if len(m.Carry) == 0 || json.Unmarshal(m.Carry, &c) != nil || c.By != writer || c.Model != model {
		return nil
	}
	reasoning, text, calls := 0, 0, 0
	for _, b := range c.Blocks {
		if b.Bytes < 0 {
			return nil
		}
		switch b.Kind {
		case thinkingBlock:
			reasoning += b.Bytes
		case textBlock:
			text += b.Bytes
		case callBlock:
			calls++
		}
	}
	if reasoning != len(m.Reasoning) || text != len(m.Text) || calls != len(m.Calls) {
		return nil
	}
	return c.Blocks
}
