package openai

import (
	"encoding/json"

	"errand/internal/run"
)

// Google's reasoning models sign what they thought before a call, and refuse a
// history in which the call stands without the signature. It comes as
// extra_content beside the call, and goes back as it came.

// carry is a Reply's Carry as this package writes it.
type carry struct {
	By    string            `json:"by"`    // Google
	Calls []json.RawMessage `json:"calls"` // the extra_content of each call, or null
}

// noSignature is the documented word for a call whose signature was not kept: of
// another model, or of a time before.
const noSignature = `{"google":{"thought_signature":"skip_thought_signature_validator"}}`

// carried is what a reply's calls want back; nil for most replies of this world.
func carried(calls []*call) json.RawMessage {
	some := false
	for _, c := range calls {
		some = some || len(c.extra) > 0
	}
	if !some {
		return nil
	}
	kept := carry{By: Google}
	for _, c := range calls {
		if len(c.extra) == 0 {
			c.extra = []byte("null")
		}
		kept.Calls = append(kept.Calls, c.extra)
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return nil // an extra that is not JSON can't be sent back either
	}
	return text
}

// extrasOf is the extra_content of each call of a turn. Of calls made in parallel
// only the first is signed; that is for the provider to know, so what came is what
// goes back. A turn that carries nothing of Google's is said to have no signature.
func extrasOf(m *run.Message) []json.RawMessage {
	if len(m.Calls) == 0 {
		return nil
	}
	var kept carry
	if len(m.Carry) > 0 && json.Unmarshal(m.Carry, &kept) == nil && kept.By == Google && len(kept.Calls) == len(m.Calls) {
		return kept.Calls
	}
	extras := make([]json.RawMessage, len(m.Calls))
	for i := range extras {
		extras[i] = json.RawMessage(noSignature)
	}
	return extras
}
