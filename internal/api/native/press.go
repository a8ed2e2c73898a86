package native

import (
	"bytes"
	"sync"

	"errand/internal/run"
)

// longFrame is the size in bytes from which the frame of an event is made once for
// all readers: below it, a copy is smaller than the rest of what a reader holds.
const longFrame = 8 << 10

// Bounds of the frames that are kept for readers who come a little later. Those
// who are sending one hold it whatever is kept.
const (
	pressFrames = 64
	pressBytes  = 8 << 20
)

// press keeps the frames of long events, so that a thousand readers of one stream,
// of whom some do not read, hold one copy of a reply and not a thousand.
type press struct {
	mu    sync.Mutex
	kept  map[printed][]byte
	order []printed // oldest first
	bytes int
}

// printed names an event's frame. Events never change.
type printed struct {
	run run.ID
	seq int64
}

// find returns the frame if it is kept, or nil.
func (p *press) find(key printed) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept[key]
}

// keep returns the frame that all readers share: a copy of this one, unless
// another reader has been quicker.
func (p *press) keep(key printed, frame []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if kept := p.kept[key]; kept != nil {
		return kept
	}
	frame = bytes.Clone(frame)
	if len(frame) > pressBytes {
		return frame
	}
	if p.kept == nil {
		p.kept = map[printed][]byte{}
	}
	p.kept[key], p.order, p.bytes = frame, append(p.order, key), p.bytes+len(frame)
	for len(p.order) > pressFrames || p.bytes > pressBytes {
		p.bytes -= len(p.kept[p.order[0]])
		delete(p.kept, p.order[0])
		p.order = p.order[1:]
	}
	return frame
}
