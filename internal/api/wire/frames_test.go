package wire

import "testing"

// A stream that has sent something long does not hold on to the room for it.
func TestFramesLetGoOfALongFrame(t *testing.T) {
	var f Frames
	f.Frame("1", "run.created", make([]byte, 1<<20))
	if f.reset(); f.buffer.Cap() > keptFrames || f.buffer.Len() != 0 {
		t.Errorf("%d bytes of room are kept, and %d are in it", f.buffer.Cap(), f.buffer.Len())
	}
	f.Frame("2", "delta", make([]byte, 1<<8))
	if room := f.buffer.Cap(); room == 0 {
		t.Fatal("the frame took no room")
	}
	if f.reset(); f.buffer.Cap() == 0 || f.buffer.Len() != 0 {
		t.Errorf("the room of a short frame is not used again: %d", f.buffer.Cap())
	}
}
