package run

import (
	"encoding/hex"
	"strings"
)

// TraceParent is a place in a distributed trace, as W3C Trace Context says it: a
// trace, a span of it, and flags. A run keeps the place of whoever asked for it,
// and its own calls say theirs, so that one trace shows what led to what across
// programs.
type TraceParent struct {
	Trace [16]byte
	Span  [8]byte
	Flags byte // bit 0: the trace is recorded
}

// traceParentLen is the length of version 00: 00-<32 hex>-<16 hex>-<2 hex>. Later
// versions begin with the same and may go on behind a dash.
const traceParentLen = 55

// ParseTraceParent reads a traceparent header. What is not well formed is no place
// at all: the specification wants a new trace then, and no error.
func ParseTraceParent(text string) (p TraceParent, ok bool) {
	if len(text) < traceParentLen || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return p, false
	}
	if version := text[:2]; version == "ff" || version == "00" && len(text) > traceParentLen || len(text) > traceParentLen && text[traceParentLen] != '-' {
		return p, false
	}
	var version, flags [1]byte
	for _, part := range []struct {
		into []byte
		text string
	}{{version[:], text[:2]}, {p.Trace[:], text[3:35]}, {p.Span[:], text[36:52]}, {flags[:], text[53:55]}} {
		if strings.ToLower(part.text) != part.text {
			return TraceParent{}, false
		}
		if _, err := hex.Decode(part.into, []byte(part.text)); err != nil {
			return TraceParent{}, false
		}
	}
	if p.Trace == ([16]byte{}) || p.Span == ([8]byte{}) {
		return TraceParent{}, false
	}
	p.Flags = flags[0]
	return p, true
}

// String writes the place as version 00, with the one flag that this has.
func (p TraceParent) String() string {
	return "00-" + hex.EncodeToString(p.Trace[:]) + "-" + hex.EncodeToString(p.Span[:]) + "-" + hex.EncodeToString([]byte{p.Flags & 1})
}
