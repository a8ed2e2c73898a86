package seal

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzOpen: nothing but what this box has sealed for this place is opened, and that
// is what was sealed; all else is refused in the same words, whatever it is.
func FuzzOpen(f *testing.F) {
	ours, err := New(bytes.Repeat([]byte{7}, KeySize))
	if err != nil {
		f.Fatal(err)
	}
	const place = "mcp/p/mcp_1"
	f.Add([]byte(""), []byte("a token"), uint16(0), byte(0))
	f.Add([]byte{format}, []byte(""), uint16(3), byte(1))
	f.Add(ours.Seal([]byte("a token"), "mcp/p/mcp_2"), []byte("a token"), uint16(500), byte(255))
	f.Fuzz(func(t *testing.T, given, plain []byte, at uint16, change byte) {
		if got, err := ours.Open(given, place); !errors.Is(err, ErrSealed) || got != nil {
			t.Errorf("%x is opened: %q, %v", given, got, err)
		}
		sealed := ours.Seal(plain, place)
		if got, err := ours.Open(sealed, place); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%q, sealed and opened, is %q: %v", plain, got, err)
		}
		if _, err := ours.Open(sealed, string(given)); err == nil && string(given) != place {
			t.Errorf("what was sealed for %q is opened for %q", place, given)
		}
		if sealed[int(at)%len(sealed)] ^= change; change != 0 {
			if got, err := ours.Open(sealed, place); !errors.Is(err, ErrSealed) || got != nil {
				t.Errorf("byte %d of %q was changed by %x, and it is opened: %q, %v", int(at)%len(sealed), plain, change, got, err)
			}
		}
	})
}
