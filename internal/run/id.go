package run

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// ID names a run. It is time-ordered: 48 bits of Unix milliseconds, 16 bits that
// count within the millisecond, 64 random bits. Its text form is 32 lower-case
// hex digits; the APIs spell it with a prefix of their own.
type ID [16]byte

// spellings are the prefixes that the public APIs put before a run's 32 hex
// digits. All of them are accepted wherever a run is named.
var spellings = []string{"run_", "exec_", "chatcmpl-", "agent-"}

// NewID makes an ID from its parts; the engine supplies clock, counter and
// randomness.
func NewID(at time.Time, count uint16, random uint64) ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|uint64(count))
	binary.BigEndian.PutUint64(id[8:], random)
	return id
}

// ParseID reads any spelling of a run's id.
func ParseID(text string) (ID, error) {
	digits := text
	for _, prefix := range spellings {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			digits = rest
			break
		}
	}
	var id ID
	if len(digits) != 32 || strings.ToLower(digits) != digits {
		return id, fmt.Errorf("%q is no run id: want 32 lower-case hex digits", text)
	}
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return id, fmt.Errorf("%q is no run id: %w", text, err)
	}
	return id, nil
}

// String returns the 32 hex digits without a prefix.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Time is when the id was made, in milliseconds.
func (id ID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC()
}

// IsZero reports whether id names no run.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText writes the 32 hex digits, or nothing for the zero id.
func (id ID) MarshalText() ([]byte, error) {
	if id.IsZero() {
		return nil, nil
	}
	return []byte(id.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (id *ID) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*id = ID{}
		return nil
	}
	*id, err = ParseID(string(text))
	return err
}
