package native

import (
	"bytes"
	"testing"

	"errand/internal/run"
)

func TestPress(t *testing.T) {
	var p press
	key := func(n int) printed { return printed{run.ID{byte(n)}, int64(n)} }
	if p.find(key(1)) != nil {
		t.Fatal("an empty press has a frame")
	}
	frame := bytes.Repeat([]byte("x"), longFrame)
	first := p.keep(key(1), frame)
	frame[0] = 'y' // the caller's own buffer is used again
	if again := p.find(key(1)); &again[0] != &first[0] || first[0] != 'x' {
		t.Error("two readers do not hold the same bytes")
	}
	if other := p.keep(key(1), frame); &other[0] != &first[0] {
		t.Error("a second copy is kept")
	}
	for n := 2; n <= pressFrames+1; n++ {
		p.keep(key(n), frame)
	}
	if p.find(key(1)) != nil || p.find(key(2)) == nil || len(p.order) != pressFrames {
		t.Errorf("%d frames are kept, and not the latest", len(p.order))
	}
	p.keep(key(200), make([]byte, pressBytes-1))
	if p.bytes > pressBytes || p.find(key(200)) == nil {
		t.Errorf("%d bytes are kept, at most %d should be", p.bytes, pressBytes)
	}
	if huge := p.keep(key(201), make([]byte, pressBytes+1)); len(huge) != pressBytes+1 || p.find(key(201)) != nil {
		t.Error("a frame larger than the press is kept")
	}
}
