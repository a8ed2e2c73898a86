package store

import (
	"strings"

	"errand/internal/run"
)

// Record is one thing of a store as it is kept, for moving all of them to another
// store. One field is set.
type Record struct {
	Line  *run.Summary `json:",omitempty"`
	Event *StoredEvent `json:",omitempty"`
	Row   *run.Row     `json:",omitempty"`
	Job   *run.Job     `json:",omitempty"` // its id is the store's own
	Spend *run.Spend   `json:",omitempty"`
	Audit *run.Audit   `json:",omitempty"`
}

// StoredEvent is an event in its stored form.
type StoredEvent struct {
	Run  run.ID
	Seq  int64
	ID   uint64
	At   int64 // as Millis makes it
	Type string
	Data []byte
}

// Kind names what the record is, in the plural.
func (r *Record) Kind() string {
	switch {
	case r.Line != nil:
		return "runs"
	case r.Event != nil:
		return "events"
	case r.Row != nil:
		return "objects"
	case r.Job != nil:
		return "jobs"
	case r.Spend != nil:
		return "accounts"
	}
	return "audit lines"
}

// Text is a string as every store can hold it: valid UTF-8 without zeros, which
// become the replacement character.
func Text(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
